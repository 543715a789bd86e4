"""A way on with a ledger that lost lines, which makes no account cheaper than it was.

The head files say what every account held (`head_file`), and nothing left before it was noted there. So what is lost
is charged as the difference, exactly. Where one cannot be read, nobody knows what was spent after the copy; but it was
within the budget for life, so the account is charged up to that. Either way a spend whose message is not here may have
been answered, and would be answered again in other words at no cost: it is charged once more.

What is charged stands in the ledger as a spend of the plan "lost lines", or as two where noise was shared, so that both
numbers of the account come out: one whose noise was its own, and one whose noise was shared. Lost messages stay lost; a
lost round that is asked for again is charged again.
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
from common.privacy.shared_noise import MOST_SHARES

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
    mu_squared_alone
        The same if everybody else conspires; at least as much.
    before, after, before_alone, after_alone
        Mu squared of the account, and if everybody else conspires.
    """

    dataset: str
    unit: Unit
    delta: float
    mu_squared: float
    mu_squared_alone: float
    num_coordinates: int
    before: float
    before_alone: float
    is_open: bool

    @property
    def after(self) -> float:
        """Mu squared of the account once it is charged."""
        return self.before + self.mu_squared

    @property
    def after_alone(self) -> float:
        """The same if everybody else conspires."""
        return self.before_alone + self.mu_squared_alone

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


def assess_loss(path: Path, budgets: Mapping[Key, Budget], ceilings: Mapping[Key, float] | None = None) -> Loss:
    """Say what a ledger lacks and what that costs; nothing is written.

    Parameters
    ----------
    budgets, ceilings
        Of the policy: most that can have been spent, and most if everybody else conspires.

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
    most = {key: _Most(budget.epsilon, (ceilings or {}).get(key)) for key, budget in budgets.items()}
    charges = () if reason is None else tuple(_charge(entries, list(noted.values()), most, is_known=is_known))
    return Loss(reason, is_known, charges)


def recover_ledger(
    path: Path, budgets: Mapping[Key, Budget], ceilings: Mapping[Key, float] | None = None, *, at: datetime
) -> Loss:
    """Charge what a ledger lacks, and note its head anew; whoever calls this says that the newest ledger is gone.

    Guarantee: no account holds less afterwards than any head file noted, or than the ledger held.
    """
    loss = assess_loss(path, budgets, ceilings)
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


@dataclass(frozen=True)
class _Most:
    """Most epsilon that can have been spent on an account; None where nothing says."""

    epsilon: float
    if_all_collude: float | None


def _charge(
    entries: Sequence[Entry], noted: Sequence[Noted], most: Mapping[Key, _Most], *, is_known: bool
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
        spent, alone = [said.spent for said in of_key], [said.spent_alone for said in of_key]
        if not is_known:
            is_shared = account.is_shared or any(said.shared is not None for said in of_key)
            within = _mu_squared_within(most.get(key), delta, is_shared=is_shared)
            spent.append(within[0])
            alone.append(within[1])
        again = [spend for spend in open_rounds if spend.dataset == key[0] and spend.cost(key[1]) > 0]
        lost, lost_alone = _lacking(spent, account.mu_squared()), _lacking(alone, account.mu_squared_alone())
        lost += math.fsum(spend.cost(key[1]) for spend in again)
        lost_alone += math.fsum(spend.cost_alone(key[1]) for spend in again)
        coordinates = max([said.num_roundings for said in of_key], default=0) - account.num_roundings
        yield Charge(
            *key,
            delta=delta,
            mu_squared=lost,
            mu_squared_alone=max(lost, lost_alone),
            num_coordinates=max(0, coordinates) + sum(spend.num_roundings for spend in again),
            before=account.mu_squared(),
            before_alone=account.mu_squared_alone(),
            is_open=key in own,
        )


def _lacking(told: Sequence[float], held: float) -> float:
    """Say how much more was told than the ledger holds."""
    return 0.0 if math.isinf(held) else max(0.0, max(told, default=0.0) - held)


def _mu_squared_within(most: _Most | None, delta: float, *, is_shared: bool) -> tuple[float, float]:
    """Say what can have been spent at most, and if all conspire: what the policy allows; without it nothing bounds it.

    Where the policy has no ceiling no noise was shared, so both are the same, unless it is known that some was.
    """
    if most is None or (most.if_all_collude is None and is_shared):
        return math.inf, math.inf
    spent = mu_within(most.epsilon, delta, num_coordinates=0) ** 2
    ceiling = most.epsilon if most.if_all_collude is None else most.if_all_collude
    return spent, max(spent, mu_within(ceiling, delta, num_coordinates=0) ** 2)


def _lines(charges: Sequence[Charge], head: str, at: datetime) -> Iterator[Entry]:
    """Write the charges as lines, which a version that does not know shared noise reads where none was shared."""
    for charge in charges:
        if not charge.is_open:
            yield Opening(at=at, dataset=charge.dataset, unit=charge.unit, delta=charge.delta)
    with_customers = {charge.dataset for charge in charges if charge.unit == "customer"}
    reached: dict[str, tuple[float, float]] = {}
    for charge in sorted(charges, key=lambda charge: charge.unit == "customer"):  # customers last
        is_customer = charge.unit == "customer"
        before, before_alone = reached.get(charge.dataset, (0.0, 0.0)) if is_customer else (0.0, 0.0)
        left = max(0.0, charge.mu_squared - before)
        left_alone = max(left, charge.mu_squared_alone - before_alone)
        if not left_alone > 0:
            continue
        # One unit a customer: what more a customer was charged follows below. Without an account for customers
        # nothing may be promised to them later, since nobody knows how many units they touched.
        units = 1 if charge.dataset in with_customers and not is_customer else None
        spends = list(_spends_of(charge, left, left_alone, head=head, at=at, units=units))
        yield from spends
        if units is not None:
            already, already_alone = reached.get(charge.dataset, (0.0, 0.0))
            reached[charge.dataset] = (
                already + sum(spend.cost("customer") for spend in spends),
                already_alone + sum(spend.cost_alone("customer") for spend in spends),
            )


def _spends_of(
    charge: Charge, left: float, left_alone: float, *, head: str, at: datetime, units: int | None
) -> Iterator[Spend]:
    """Write one charge: what was its own noise, a, and what was shared by h, b, so that a + b/h and a + b are right."""
    share = max(2, math.ceil(left_alone / left)) if 0 < left < left_alone < math.inf else MOST_SHARES + 1
    if share > MOST_SHARES:  # nothing was shared, or no share says it: then too much is charged, never too little
        own, shared = left_alone, 0.0
    else:
        shared = (left_alone - left) * share / (share - 1)
        own = left_alone - shared
    for mu_squared, noise_share in ((own, None), (shared, share)):
        if not mu_squared > 0:
            continue
        name = f"{LOST}\n{head}\n{charge.unit}" + (f"\n{noise_share}" if noise_share else "")
        yield Spend(
            at=at,
            dataset=charge.dataset,
            unit=charge.unit,
            units_per_customer=units,
            coordinator=START,
            plan=LOST,
            plan_hash=hashlib.sha256(name.encode()).hexdigest(),
            round_number=1,
            model_hash=START,
            clipping_norm=None,
            noise_multiplier=0.0 if math.isinf(mu_squared) else 1 / math.sqrt(mu_squared * (1 + MARGIN)),
            num_coordinates=max(1, charge.num_coordinates),
            noise_share=noise_share,
            session=START if noise_share else None,
        )
