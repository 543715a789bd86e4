"""Accounts and budgets: a real ledger of its own is asked for spends, and every verdict is worked out beside it.

What must be refused follows from the definition of differential privacy (`largest_mu_squared`) and from addition alone:
every spend of a data set counts, whoever asked for it, under whatever name, answered or not, however long ago, and
before an account was opened too; all of it against the budget of the account's own unit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.optimize import brentq

from client.account.ledger.balance import Account
from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger, create_ledger
from client.account.policy import Budget
from client.audit.accounting import delta_by_definition
from common.errors import HansaError
from common.plan.schema import Unit

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
PERIOD_DAYS = 365
DELTAS: dict[Unit, float] = {"product": 1e-5, "customer": 1e-7}
BUDGETS: dict[Unit, Budget] = {
    "product": Budget(epsilon=8.0, period_epsilon=6.0, period_days=PERIOD_DAYS, delta=DELTAS["product"]),
    "customer": Budget(epsilon=24.0, period_epsilon=20.0, period_days=PERIOD_DAYS, delta=DELTAS["customer"]),
}
CLEAR = 1e-6  # of a budget: a spend that is nearer to it is not asked for
EXACT = 1e-12  # relative, of a sum
MISROUNDED = 2.0**-100  # of each coordinate, at least: what finite precision adds to delta
HISTORIES, ASKS = 3, 12


@dataclass(frozen=True)
class Ask:
    """What is asked of the ledger.

    Attributes
    ----------
    share
        What one round costs, of what the budget of products allows for life.
    days
        When, since the beginning.
    units
        How many units a customer touches; None where nobody says.
    connection
        Which of two that have the ledger open.
    opens
        A unit whose account is opened instead of asking.
    """

    share: float = 0.0
    days: float | int = 1
    unit: Unit = "product"
    units: int | None = 1
    rounds: int = 1
    dataset: str = "audit"
    coordinator: int = 1
    plan: str = "plan"
    connection: int = 0
    is_sealed: bool = True
    opens: Unit | None = None


PRODUCT, CUSTOMER = Ask(opens="product", days=0), Ask(opens="customer", days=0)
SITUATIONS: dict[str, tuple[Ask, ...]] = {
    "a spend that fits": (PRODUCT, Ask(0.2), Ask(0.2, days=2)),
    "a spend beyond the budget": (PRODUCT, Ask(0.4), Ask(0.4, days=2)),
    "what is not answered": (PRODUCT, Ask(0.5, is_sealed=False), Ask(0.3, days=2, is_sealed=False)),
    "a plan of the same name": (PRODUCT, Ask(0.5), Ask(0.45, days=800), Ask(0.3, days=801)),
    "another coordinator": (PRODUCT, Ask(0.5), Ask(0.3, days=2, coordinator=2), Ask(0.6, days=900, coordinator=3)),
    "what was long ago": (PRODUCT, Ask(0.5), Ask(0.4, days=400), Ask(0.4, days=4000, plan="other")),
    "what was in the period": (PRODUCT, Ask(0.5), Ask(0.3, days=364), Ask(0.3, days=370)),
    "rounds to come": (PRODUCT, Ask(0.2), Ask(0.2, rounds=3, days=2), Ask(0.1, rounds=9, days=3), Ask(0.5, days=4)),
    "two connections": (PRODUCT, Ask(0.3), Ask(0.2, 2, connection=1), Ask(0.3, 3), Ask(0.3, 4, connection=1)),
    "what was before an account": (PRODUCT, Ask(0.3, units=2), CUSTOMER, Ask(0.2, days=2, units=2), Ask(0.1, 3)),
    "customers of no number": (CUSTOMER, PRODUCT, Ask(0.01, units=None), Ask(0.01, days=2)),
    "customers of many products": (CUSTOMER, PRODUCT, Ask(0.1, units=4), Ask(0.1, days=2, units=3)),
    "plans of both units": (PRODUCT, CUSTOMER, Ask(0.5, unit="customer"), Ask(0.7, 2), Ask(0.5, 3), Ask(0.5, 500)),
    "the other data set": (PRODUCT, Ask(0.5), replace(PRODUCT, dataset="other"), Ask(0.5, 2, dataset="other")),
    "an account that is not there": (PRODUCT, Ask(0.1, unit="customer"), Ask(0.1, days=2, dataset="other")),
}


def check_accounts(folder: Path, generator: np.random.Generator) -> list[str]:
    """Ask for the spends of every situation, and of histories that are drawn."""
    folder.mkdir()
    drawn = {f"history {number}": tuple(draw_history(generator)) for number in range(HISTORIES)}
    found = []
    for number, (words, asks) in enumerate({**SITUATIONS, **drawn}.items()):
        found += [f"{words.split(' 0')[0]}: {sentence}" for sentence in _play(folder / f"{number}.sqlite", asks)]
    return found + _check_sums(generator) + _check_precision()


def draw_history(generator: np.random.Generator) -> Iterator[Ask]:
    """Draw a history of two data sets, both units, and everything else that must not matter."""
    yield PRODUCT
    yield replace(PRODUCT, dataset="other")
    days = 0.0
    for place in range(ASKS):
        days += float(generator.choice([0.5, 20.0, 200.0, 700.0]))
        if place == ASKS // 3:
            yield replace(CUSTOMER, days=days)
        yield Ask(
            share=float(10 ** generator.uniform(-1.7, -0.2)),
            days=days,
            unit="customer" if place > ASKS // 3 and generator.random() < 0.3 else "product",
            units=int(generator.integers(1, 4)),
            rounds=int(generator.integers(1, 4)),
            dataset="audit" if generator.random() < 0.75 else "other",
            coordinator=int(generator.integers(1, 4)),
            plan=str(generator.choice(["plan", "other"])),
            connection=int(generator.integers(0, 2)),
            is_sealed=bool(generator.random() < 0.5),
        )


def _play(path: Path, asks: Iterable[Ask]) -> list[str]:
    """Ask for one spend after the other; at every moment the ledger must decide and add up as `Tally` does."""
    create_ledger(path)
    tally, found = Tally(), list[str]()
    with ExitStack() as stack:
        ledgers = [stack.enter_context(closing(Ledger(path))) for _ in range(2)]
        for number, ask in enumerate(asks, start=1):
            ledger, at = ledgers[ask.connection], BEGIN + timedelta(days=ask.days)
            if ask.opens is not None:
                ledger.open_account(ask.dataset, ask.opens, delta=DELTAS[ask.opens], at=at)
                tally.open.append((ask.dataset, ask.opens))
            elif (fits := tally.fits(ask)) is not None:
                found += _reserve(ledger, spend_of(ask, number), ask, fits=fits)
                if fits:
                    tally.spent.append(ask)
            found += tally.compare(ledger)
            if found:
                break  # what follows would be judged by what should not be
    return found


def _reserve(ledger: Ledger, spend: Spend, ask: Ask, *, fits: bool) -> list[str]:
    try:
        number = ledger.reserve(spend, BUDGETS, num_rounds=ask.rounds)
        if ask.is_sealed:
            ledger.seal(number, b"sealed", at=spend.at)
    except HansaError:
        return ["a spend is refused that the budget has room for"] * fits
    return ["a spend is charged that passes the budget"] * (not fits)


def spend_of(ask: Ask, number: int) -> Spend:
    """Write down what is asked for."""
    return Spend(
        at=BEGIN + timedelta(days=ask.days),
        dataset=ask.dataset,
        unit=ask.unit,
        units_per_customer=None if ask.unit == "customer" else ask.units,
        coordinator=f"{ask.coordinator:064x}",
        plan=ask.plan,
        plan_hash=f"{number:064x}",
        round_number=1,
        model_hash="0" * 64,
        clipping_norm=1.0,
        noise_multiplier=mu_squared_of(ask) ** -0.5,
        num_coordinates=1,
    )


def mu_squared_of(ask: Ask) -> float:
    """Say what one of its rounds costs its own unit."""
    return ask.share * largest_mu_squared(BUDGETS["product"].epsilon, DELTAS["product"])


class Tally:
    """The accounts of one ledger, worked out anew."""

    def __init__(self) -> None:
        self.open: list[tuple[str, Unit]] = []
        self.spent: list[Ask] = []

    def fits(self, ask: Ask) -> bool | None:
        """Whether a spend may be charged; None where it is too near to the budget to say."""
        if (ask.dataset, ask.unit) not in self.open:
            return False
        verdicts = [self._fits(ask, unit) for dataset, unit in self.open if dataset == ask.dataset]
        return None if None in verdicts else all(verdicts)

    def _fits(self, ask: Ask, unit: Unit) -> bool | None:
        needed, budget = ask.rounds * cost_of(ask, unit), BUDGETS[unit]
        spaces = []
        for epsilon, since in ((budget.epsilon, -math.inf), (budget.period_epsilon, ask.days - PERIOD_DAYS)):
            most = largest_mu_squared(epsilon, DELTAS[unit])
            spaces.append((most - self._spent(ask.dataset, unit, since) - needed) / most)
        if needed == 0 or all(space > CLEAR for space in spaces):
            return True
        return False if min(spaces) < -CLEAR else None

    def _spent(self, dataset: str, unit: Unit, since: float | int = -math.inf) -> float:
        return math.fsum(cost_of(each, unit) for each in self.spent if each.dataset == dataset and each.days > since)

    def compare(self, ledger: Ledger) -> list[str]:
        """Hold what the ledger says of its accounts against what they are."""
        found = []
        for dataset, unit in self.open:
            account, spent = ledger.account(dataset, unit), self._spent(dataset, unit)
            if abs(account.mu_squared() - spent) > CLEAR * spent:
                found.append(f"the account of {unit}s has spent {account.mu_squared():.6g} of mu², not {spent:.6g}")
            if account.delta != DELTAS[unit]:
                found.append(f"the account of {unit}s has another delta than it was opened with")
        return found


def cost_of(ask: Ask, unit: Unit) -> float:
    """Say what a round costs one unit: a customer of k products 2k times its mu, and all where nobody says k."""
    own = mu_squared_of(ask)
    if unit == ask.unit:
        return own
    if unit != "customer":
        return 0.0
    return math.inf if ask.units is None else (2 * ask.units) ** 2 * own


@lru_cache
def largest_mu_squared(epsilon: float, delta: float) -> float:
    """Find by the definition how much keeps (epsilon, delta)."""
    root = brentq(lambda mu: delta_by_definition(mu, epsilon) - delta, 0.05, 30.0, xtol=1e-13, rtol=1e-12)
    return float(root) ** 2


def _check_sums(generator: np.random.Generator) -> list[str]:
    """Add up many spends, small ones beside large ones: none of them may vanish."""
    shares = [0.5, *(10 ** generator.uniform(-12, -6, 300)), 0.25]
    spends = tuple(spend_of(Ask(share=float(share)), number) for number, share in enumerate(shares))
    spent = Account("audit", "product", DELTAS["product"], spends).mu_squared()
    owed = math.fsum(spend.noise_multiplier**-2 for spend in spends)
    return ["of many spends the account does not give the sum"] * (abs(spent - owed) > EXACT * owed)


def _check_precision() -> list[str]:
    """Add to delta what finite precision costs, and keep it free in every budget."""
    many = replace_coordinates(spend_of(Ask(share=0.1), 1), 10**15)
    account = Account("audit", "product", DELTAS["product"], (many,))
    stated = account.guarantee()
    least = many.num_coordinates * MISROUNDED
    return ["delta leaves out what finite precision adds"] * (
        stated.numerical_delta < least or stated.delta <= account.delta
    )


def replace_coordinates(spend: Spend, number: int) -> Spend:
    """Let a spend be of so many coordinates."""
    return spend.model_copy(update={"num_coordinates": number})
