"""Faults of the ledger in the loop: what is charged, against what, by whom, and what becomes of a sealed answer."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flwr.app import RecordDict

from client.account.ledger import answer_log
from client.account.ledger import ledger as module
from client.account.ledger.answer_log import LedgerAnswerLog
from client.account.ledger.balance import Account, accounts_of, require_room, room_of
from client.account.ledger.entry import Entry, Opening, Seal, Spend
from client.account.ledger.ledger import Ledger
from client.account.policy import Budget
from common.errors import BudgetExhausted
from common.message.round import RoundRequest
from common.message.wire import to_wire
from common.plan.schema import Unit
from planted.fault import Fault

Patch = pytest.MonkeyPatch
LARGE = 1 << 18  # bytes: a model of 32,768 parameters
seal, set_up, append = LedgerAnswerLog.seal, Ledger._set_up, Ledger._append


def synchronous_normal(patch: Patch) -> None:
    """Let SQLite write through at checkpoints alone: power lost, the latest spends are lost, and their answers not."""

    def faulty(self: Ledger) -> None:
        set_up(self)
        self._connection.execute("PRAGMA synchronous = NORMAL")

    patch.setattr(Ledger, "_set_up", faulty)


def own_for_sealed(patch: Patch) -> None:
    """Send what was computed here, also where another process sealed first."""

    def faulty(self: LedgerAnswerLog, request: RoundRequest, answer: RecordDict) -> RecordDict:
        seal(self, request, answer)
        return answer

    patch.setattr(LedgerAnswerLog, "seal", faulty)


def large_unsealed(patch: Patch) -> None:
    """Keep large answers out of the ledger: asked again, they have new noise around the same sum."""

    def faulty(self: LedgerAnswerLog, request: RoundRequest, answer: RecordDict) -> RecordDict:
        return answer if len(to_wire(answer)) > LARGE else seal(self, request, answer)

    patch.setattr(LedgerAnswerLog, "seal", faulty)


def counting(count: Callable[[list[Entry]], Iterable[Account]]) -> Callable[[Patch], None]:
    """Plant other accounts of the same lines."""
    return lambda patch: patch.setattr(Ledger, "accounts", property(lambda self: list(count(list(self.entries)))))


def answered_alone(entries: list[Entry]) -> Iterable[Account]:
    """Count the rounds that are sealed: what is under way in other plans has room of its own."""
    sealed = {entry.spend for entry in entries if isinstance(entry, Seal)}
    return accounts_of(e for number, e in enumerate(entries, 1) if not isinstance(e, Spend) or number in sealed)


def since_opened(entries: list[Entry]) -> Iterable[Account]:
    """Begin an account at nothing when it is opened, whatever was released before."""
    for place, opening in enumerate(entries):
        if isinstance(opening, Opening):
            yield from accounts_of([opening, *(e for e in entries[place:] if isinstance(e, Spend))])


def once_a_name(entries: list[Entry]) -> Iterable[Account]:
    """Count a plan's rounds once, however often a plan of that name is run anew."""
    first: dict[tuple[str, str, int], Entry] = {}
    for entry in entries:
        if isinstance(entry, Spend):
            first.setdefault((entry.dataset, entry.plan, entry.round_number), entry)
    return accounts_of([*(e for e in entries if isinstance(e, Opening)), *first.values()])


def asking(change: Callable[[Account, Spend], Account]) -> Callable[[Patch], None]:
    """Plant another account against which a spend is held."""

    def faulty(account: Account, budget: Budget, spend: Spend, **rounds: int) -> None:
        require_room(change(account, spend), budget, spend, **rounds)

    return lambda patch: patch.setattr(module, "require_room", faulty)


def of_the_coordinator(account: Account, spend: Spend) -> Account:
    return replace(account, spends=tuple(s for s in account.spends if s.coordinator == spend.coordinator))


def of_a_year(account: Account, spend: Spend) -> Account:
    return replace(account, spends=tuple(s for s in account.spends if s.at > spend.at - timedelta(days=365)))


def on_credit(patch: Patch) -> None:
    """Let a plan begin as long as anything is left."""

    def faulty(account: Account, budget: Budget, spend: Spend, **rounds: int) -> None:
        try:
            require_room(account, budget, spend, **rounds)
        except BudgetExhausted:
            if room_of(account, budget, now=spend.at).least <= 0:
                raise

    patch.setattr(module, "require_room", faulty)


def remembered_balance(patch: Patch) -> None:
    """Read the lines of others once, and then remember the own: two processes spend the same budget."""

    def accounts(self: Ledger) -> list[Account]:
        if "seen" not in vars(self):
            vars(self).update(seen=list(self.entries), written=[])
        return accounts_of([*vars(self)["seen"], *vars(self)["written"]])

    def faulty(self: Ledger, entry: Entry) -> int:
        vars(self).setdefault("written", []).append(entry)
        return append(self, entry)

    patch.setattr(Ledger, "accounts", property(accounts))
    patch.setattr(Ledger, "_append", faulty)


def delta_of_the_first(patch: Patch) -> None:
    """Choose a plan's noise by the delta of the account that was opened first."""
    account = Ledger.account

    def faulty(self: Ledger, dataset: str, unit: Unit) -> Account:
        return replace(account(self, dataset, unit), delta=self.accounts[0].delta)

    patch.setattr(Ledger, "account", faulty)


def largest_budget(patch: Patch) -> None:
    """Hold every account against the largest budget of the policy."""
    require_allowed = Ledger.require_allowed

    def faulty(self: Ledger, spend: Spend, budgets: Mapping[Unit, Budget], **rest: Any) -> None:
        largest = max(budgets.values(), key=lambda budget: budget.epsilon)
        same = {unit: largest.model_copy(update={"delta": budget.delta}) for unit, budget in budgets.items()}
        require_allowed(self, spend, same, **rest)

    patch.setattr(Ledger, "require_allowed", faulty)


def hours_of_greenwich(patch: Patch) -> None:
    """Read the policy's hours by the clock of Greenwich."""
    within = answer_log.is_within_hours

    def faulty(hours: tuple[str, ...], now: datetime) -> bool:
        return within(hours, now.astimezone(UTC))

    patch.setattr(answer_log, "is_within_hours", faulty)


FAULTS = (
    Fault("ledger-synchronous-normal", "medium", "the ledger is not written through", synchronous_normal),
    Fault("own-sum-for-the-sealed", "high", "the own sum is sent instead of the sealed one", own_for_sealed),
    Fault("large-answers-unsealed", "high", "answers of a quarter megabyte are not sealed", large_unsealed),
    Fault("answered-rounds-alone", "medium", "rounds count once they are answered", counting(answered_alone)),
    Fault(
        "account-begins-at-nothing", "high", "spends before an account's opening are forgotten", counting(since_opened)
    ),
    Fault("same-name-is-free", "high", "training anew under a plan's name is not counted", counting(once_a_name)),
    Fault("account-by-coordinator", "high", "each coordinator has the whole budget", asking(of_the_coordinator)),
    Fault("spends-expire", "high", "spends are forgotten after a year", asking(of_a_year)),
    Fault("budget-on-credit", "high", "a plan may begin if anything is left", on_credit),
    Fault("remembered-balance", "high", "two processes spend the same budget", remembered_balance),
    Fault("delta-of-the-first-account", "medium", "noise by the delta of another account", delta_of_the_first),
    Fault("largest-budget-for-all", "high", "every unit has the largest budget", largest_budget),
    Fault("hours-of-greenwich", "low", "the policy's hours are read in another time zone", hours_of_greenwich),
)
