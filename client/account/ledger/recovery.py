"""A way on with a ledger that lost lines, which makes no account cheaper than it was.

The head files say what every account held (`head_file`), and nothing left before it was noted there. So what is lost
is charged as the difference, exactly. Where one cannot be read, nobody knows what was spent after the copy; but it was
within the budget for life, so the account is charged up to that. Either way a spend whose message is not here may have
been answered, and would be answered again in other words at no cost: it is charged once more.

What is charged stands in the ledger as a spend of the plan "lost lines". Lost messages stay lost; a lost round that is
asked for again is charged again.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from client.account.ledger.balance import Account, accounts_of
from client.account.ledger.entry import START, Entry, Opening, Seal, Spend
from client.account.ledger.head_file import HeadFiles, Noted, read_noted
from client.account.ledger.ledger import Ledger, make_file
from client.account.policy import Budget
from common.errors import PrivacyError
from common.plan.schema import Unit
from common.privacy.guarantee import mu_within, state_guarantee

LOST = "lost lines"
MARGIN = 1e-12  # of a charge, so that no rounding makes it cheaper
Key = tuple[str, Unit]


@dataclass(frozen=True)
class Charge:
    """What one account is charged for what was lost.

    Attributes
    ----------
    mu_squared
        Infinite where nothing bounds it.
    before, after
        Mu squared of the account.
    """

    dataset: str
    unit: Unit
    delta: float
    mu_squared: float
    num_coordinates: int
    before: float
    is_open: bool

    @property
    def after(self) -> float:
        """Mu squared of the account once it is charged."""
        return self.before + self.mu_squared

    def epsilon(self, mu_squared: float) -> float:
        """Say what mu squared means at the account's delta."""
        return state_guarantee(mu_squared, self.delta, num_coordinates=0).epsilon


@dataclass(frozen=True)
class Loss:
    """What a ledger lacks.

    Attributes
    ----------
    reason
        Why it cannot be used as it is; None where it can.
    is_known
        Whether what it lacks follows from the head files; else its accounts are charged up to their budgets.
    """

    reason: str | None
    is_known: bool
    charges: tuple[Charge, ...]


def assess_loss(path: Path, budgets: Mapping[Key, Budget]) -> Loss:
    """Say what a ledger lacks and what that costs; nothing is written.

    Raises
    ------
    PrivacyError
        Neither the ledger nor its head is there, or a line in the middle of it was changed.
    DataError
        A later version of hansa wrote one of the files.
    """
    files = HeadFiles(path)
    noted, is_known = _read_what_is_there(files)
    if not path.exists():
        if not noted:
            raise PrivacyError(f"Neither {path} nor {files.beside} can be read, so there is nothing to go on from.")
        entries: tuple[Entry, ...] = ()
        reason: str | None = f"There is no ledger {path}."
    else:
        reason = _why_not(path)
        with closing(Ledger(path, trusts_head=False)) as ledger:
            entries = ledger.entries
    charges = () if reason is None else tuple(_charge(entries, list(noted.values()), budgets, is_known=is_known))
    return Loss(reason, is_known, charges)


def recover_ledger(path: Path, budgets: Mapping[Key, Budget], *, at: datetime) -> Loss:
    """Charge what a ledger lacks, and note its head anew; whoever calls this says that the newest ledger is gone.

    Guarantee: no account holds less afterwards than any head file noted, or than the ledger held.
    """
    loss = assess_loss(path, budgets)
    if loss.reason is None:
        return loss
    if not path.exists():
        make_file(path)
    with closing(Ledger(path, trusts_head=False)) as ledger:
        ledger.recover(list(_lines(loss.charges, ledger.heads[-1], at)))
    return loss


def _read_what_is_there(files: HeadFiles) -> tuple[dict[Path, Noted], bool]:
    """Read every head file that can be read; say whether that is all of them."""
    try:
        return files.read(), True
    except PrivacyError:
        pass
    try:
        return {files.beside: read_noted(files.beside)}, False
    except PrivacyError:
        return {}, False


def _why_not(path: Path) -> str | None:
    try:
        Ledger(path).close()
    except PrivacyError as error:
        return str(error)
    return None


def _charge(
    entries: Sequence[Entry], noted: Sequence[Noted], budgets: Mapping[Key, Budget], *, is_known: bool
) -> Iterator[Charge]:
    own = {(account.dataset, account.unit): account for account in accounts_of(entries)}
    told = [account for said in noted for account in said.accounts]
    deltas = {(account.dataset, account.unit): account.delta for account in told}
    deltas |= {key: account.delta for key, account in own.items()}
    sealed = {entry.spend for entry in entries if isinstance(entry, Seal)}
    open_rounds = [
        entry
        for number, entry in enumerate(entries, start=1)
        if isinstance(entry, Spend) and number not in sealed and entry.coordinator != START  # of an earlier recovery
    ]
    for key, delta in deltas.items():
        account = own.get(key) or Account(*key, delta, ())
        of_key = [said for said in told if (said.dataset, said.unit) == key]
        most = [math.inf if said.mu_squared is None else said.mu_squared for said in of_key]
        if not is_known:
            most.append(_most_within(budgets.get(key), delta))
        again = [spend for spend in open_rounds if spend.dataset == key[0] and spend.cost(key[1]) > 0]
        held = account.mu_squared()
        lost = 0.0 if math.isinf(held) else max(0.0, max(most, default=0.0) - held)
        coordinates = max([said.num_coordinates for said in of_key], default=0) - account.num_coordinates
        yield Charge(
            *key,
            delta=delta,
            mu_squared=lost + math.fsum(spend.cost(key[1]) for spend in again),
            num_coordinates=max(0, coordinates) + sum(spend.num_coordinates for spend in again),
            before=held,
            is_open=key in own,
        )


def _most_within(budget: Budget | None, delta: float) -> float:
    """Say what can have been spent at most: the budget for life; without one nothing bounds it."""
    return math.inf if budget is None else mu_within(budget.epsilon, delta, num_coordinates=0) ** 2


def _lines(charges: Sequence[Charge], head: str, at: datetime) -> Iterator[Entry]:
    """Write the charges as lines that every version can read and price."""
    for charge in charges:
        if not charge.is_open:
            yield Opening(at=at, dataset=charge.dataset, unit=charge.unit, delta=charge.delta)
    with_customers = {charge.dataset for charge in charges if charge.unit == "customer"}
    reached: dict[str, float] = {}
    for charge in sorted(charges, key=lambda charge: charge.unit == "customer"):  # customers last
        is_customer = charge.unit == "customer"
        left = charge.mu_squared - (reached.get(charge.dataset, 0.0) if is_customer else 0.0)
        if not left > 0:
            continue
        # One unit a customer: what more a customer was charged follows below. Without an account for customers
        # nothing may be promised to them later, since nobody knows how many units they touched.
        units = 1 if charge.dataset in with_customers and not is_customer else None
        spend = Spend(
            at=at,
            dataset=charge.dataset,
            unit=charge.unit,
            units_per_customer=units,
            coordinator=START,
            plan=LOST,
            plan_hash=hashlib.sha256(f"{LOST}\n{head}\n{charge.unit}".encode()).hexdigest(),
            round_number=1,
            model_hash=START,
            clipping_norm=None,
            noise_multiplier=0.0 if math.isinf(left) else 1 / math.sqrt(left * (1 + MARGIN)),
            num_coordinates=max(1, charge.num_coordinates),
        )
        yield spend
        if units is not None:
            reached[charge.dataset] = reached.get(charge.dataset, 0.0) + spend.cost("customer")
