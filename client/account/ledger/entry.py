"""The three kinds of line in a ledger, and the chain of hashes that holds them together.

A line is JSON; its hash is SHA-256 over the hash of the line before and the line itself. Whoever knows the last
hash, the head, knows whether any line before it was changed, dropped, added or moved. See docs/protocol.md §6.
"""

from __future__ import annotations

import hashlib
import math
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter

from client.account.policy import Delta, Hash
from common.plan.schema import Count, Section, Unit
from common.privacy.accounting import customer_mu, round_mu_squared

START = "0" * 64  # the head of a ledger without a line


class Opening(Section):
    """An account: one data set, one unit, one delta for good."""

    kind: Literal["opening"] = "opening"
    at: AwareDatetime
    dataset: str
    unit: Unit
    delta: Delta


class Spend(Section):
    """A noisy sum that may leave: written before anything is computed, and never taken back.

    Attributes
    ----------
    units_per_customer
        How many units one customer touches at most; None where nobody says, and for the unit customer.
    noise_multiplier
        Zero is a round without noise, which costs everything.
    num_coordinates
        Numbers in the sum.
    asked, quorum, call
        How many merchants were asked in the round, how few answers make it, and the SHA-256 of the call that says so,
        as the coordinator signed it; None where it was not signed.
    """

    kind: Literal["spend"] = "spend"
    at: AwareDatetime
    dataset: str
    unit: Unit
    units_per_customer: Count | None
    coordinator: Hash
    plan: str
    plan_hash: Hash
    round_number: Count
    model_hash: Hash
    clipping_norm: float | None
    noise_multiplier: Annotated[float, Field(ge=0)]
    num_coordinates: Count
    asked: Count | None = None
    quorum: Count | None = None
    call: Hash | None = None

    @property
    def terms(self) -> tuple[object, ...]:
        """What its cost follows from: a round may not be computed under other terms than it was charged for."""
        return self.unit, self.units_per_customer, self.clipping_norm, self.noise_multiplier, self.num_coordinates

    def cost(self, unit: Unit) -> float:
        """Return what this adds to mu squared of an account about `unit`; infinite where nothing can be promised.

        A plan about products costs a customer by the 2k rule (`customer_mu`). An account about products holds
        what plans about products release; what customer plans on the same data release is not in it.
        """
        own = round_mu_squared(self.noise_multiplier)
        if unit == self.unit:
            return own
        if unit != "customer":
            return 0.0
        if self.units_per_customer is None:
            return math.inf
        return customer_mu(math.sqrt(own), self.units_per_customer) ** 2


class Seal(Section):
    """A message that is about to be sent for a spend, or was: there is never a second one."""

    kind: Literal["seal"] = "seal"
    at: AwareDatetime
    spend: Count
    digest: Hash
    num_bytes: Count


Entry = Opening | Spend | Seal
_READER: TypeAdapter[Entry] = TypeAdapter(Annotated[Entry, Field(discriminator="kind")])


def write_entry(entry: Entry) -> str:
    """Write an entry as the line that is hashed."""
    return entry.model_dump_json()


def read_entry(line: str) -> Entry:
    """Read a line; a pydantic error means that it is none of ours."""
    return _READER.validate_json(line)


def chain(head: str, line: str) -> str:
    """Return the head after one more line."""
    return hashlib.sha256(f"{head}\n{line}".encode()).hexdigest()


def local(at: datetime) -> str:
    """Show a time as the merchant's clock does, to the minute."""
    return f"{at.astimezone():%Y-%m-%d %H:%M}"
