"""The four kinds of line in a ledger, and the chain of hashes that holds them together.

A line is JSON; its hash is SHA-256 over the hash of the line before and the line itself. Whoever knows the last
hash, the head, knows whether any line before it was changed, dropped, added or moved. See docs/protocol.md §6.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter, model_validator

from client.account.policy import Delta, Hash
from common.plan.schema import Count, Section, Unit
from common.privacy.accounting import customer_mu, round_mu_squared
from common.privacy.shared_noise import MOST_SHARES, count_roundings, require_smooth

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
    noise_share, session
        How many honest merchants share the noise of the secure sum that this went into, and the hash of its session;
        both None where the merchant added all the noise itself.
    colluders, num_members
        The assumption under which that share is enough: at most so many of so many merchants conspire with the
        coordinator. None where no noise was shared, and in what is charged for lost lines.
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
    noise_share: Annotated[int, Field(ge=1, le=MOST_SHARES)] | None = None
    session: Hash | None = None
    colluders: Count | None = None
    num_members: Count | None = None

    @model_validator(mode="after")
    def _shared_whole(self) -> Spend:
        if (self.noise_share is None) != (self.session is None):
            raise ValueError("noise_share and session are told together")
        if (self.colluders is None) != (self.num_members is None) or (self.colluders and not self.noise_share):
            raise ValueError("colluders and num_members are told together, of noise that is shared")
        require_smooth(self.noise_multiplier, self.noise_share or 1)
        return self

    @property
    def terms(self) -> tuple[object, ...]:
        """What its cost follows from: a round may not be computed under other terms than it was charged for."""
        noise = self.clipping_norm, self.noise_multiplier, self.noise_share
        return self.unit, self.units_per_customer, *noise, self.num_coordinates

    def cost(self, unit: Unit) -> float:
        """Return what this adds to mu squared of an account about `unit`; infinite where nothing can be promised.

        A plan about products costs a customer by the 2k rule (`customer_mu`). An account about products holds
        what plans about products release; what customer plans on the same data release is not in it.

        In a secure sum at least `noise_share` honest merchants add as much noise, and only the sum is seen: a share of
        the cost. That is so while no more conspire than the plan says; see `cost_alone`.
        """
        return self.cost_alone(unit) / (self.noise_share or 1)

    def cost_alone(self, unit: Unit) -> float:
        """Return what `cost` is if everybody else conspires, so that only this merchant's own noise counts."""
        own = round_mu_squared(self.noise_multiplier)
        if unit == self.unit:
            return own
        if unit != "customer":
            return 0.0
        if self.units_per_customer is None:
            return math.inf
        return customer_mu(math.sqrt(own), self.units_per_customer) ** 2

    def is_of(self, agreed: Agreed) -> bool:
        """Whether this paid for the round of a sum that a set is agreed on for."""
        return (self.session, self.round_number, self.model_hash) == (*agreed.place, agreed.model_hash)

    @property
    def num_roundings(self) -> int:
        """Rounded Gaussians in what the coordinator sees, which finite precision is charged for."""
        return count_roundings(self.num_coordinates, self.noise_share or 1)


class Seal(Section):
    """A message that is about to be sent for a spend, or was: there is never a second one."""

    kind: Literal["seal"] = "seal"
    at: AwareDatetime
    spend: Count
    digest: Hash
    num_bytes: Count


class Agreed(Section):
    """The one set of merchants whose masks may be taken off a round of a secure sum: there is never a second one.

    Attributes
    ----------
    survivors
        SHA-256 of the set, see `digest_survivors`.
    """

    kind: Literal["agreed"]  # no default: it would not be written, see `common.plan.first_keys`
    at: AwareDatetime
    session: Hash
    round_number: Count
    model_hash: Hash
    num_survivors: Count
    survivors: Hash

    @property
    def place(self) -> tuple[str, int]:
        """What there is one set for, for ever."""
        return self.session, self.round_number

    @property
    def said(self) -> tuple[str, int, str]:
        """What is agreed on, whenever it was."""
        return self.model_hash, self.num_survivors, self.survivors


Entry = Opening | Spend | Seal | Agreed
_READER: TypeAdapter[Entry] = TypeAdapter(Annotated[Entry, Field(discriminator="kind")])


def write_entry(entry: Entry) -> str:
    """Write an entry as the line that is hashed."""
    return entry.model_dump_json()


def read_entry(line: str) -> Entry:
    """Read a line; a pydantic error means that it is none of ours."""
    return _READER.validate_json(line)


def digest_survivors(names: Sequence[str]) -> str:
    """Return SHA-256, in hex, over the JSON of the names, sorted."""
    return hashlib.sha256(json.dumps(sorted(names), separators=(",", ":")).encode()).hexdigest()


def chain(head: str, line: str) -> str:
    """Return the head after one more line."""
    return hashlib.sha256(f"{head}\n{line}".encode()).hexdigest()


def local(at: datetime) -> str:
    """Show a time as the merchant's clock does, to the minute."""
    return f"{at.astimezone():%Y-%m-%d %H:%M}"
