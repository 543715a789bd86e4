"""What is spent on one account, what is left, and how far that reaches: arithmetic on entries, no disk."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from client.account.ledger.entry import Entry, Opening, Spend
from client.account.policy import Budget
from common.errors import BudgetExhausted, PrivacyError
from common.plan.schema import Unit
from common.privacy.guarantee import Guarantee, mu_within, state_guarantee


@dataclass(frozen=True)
class Account:
    """Everything that was ever spent on one data set, as far as it concerns one unit."""

    dataset: str
    unit: Unit
    delta: float
    spends: tuple[Spend, ...]

    @property
    def num_coordinates(self) -> int:
        """Numbers released so far."""
        return sum(spend.num_coordinates for spend in self.spends)

    @property
    def num_roundings(self) -> int:
        """Rounded Gaussians in what was seen so far: more than numbers where merchants shared the noise."""
        return sum(spend.num_roundings for spend in self.spends)

    @property
    def is_shared(self) -> bool:
        """Whether anything of it stands on the noise of other merchants, so that its two numbers differ."""
        return any(spend.noise_share is not None for spend in self.spends)

    def mu_squared(self, *, after: datetime | None = None) -> float:
        """Spent altogether, or only after a moment, while no more conspire than the plans say."""
        return math.fsum(spend.cost(self.unit) for spend in self.spends if after is None or spend.at > after)

    def mu_squared_alone(self) -> float:
        """Spent altogether if everybody else conspires."""
        return math.fsum(spend.cost_alone(self.unit) for spend in self.spends)

    def guarantee(self) -> Guarantee:
        """State what all spends together promise, while no more conspire than the plans say."""
        return state_guarantee(self.mu_squared(), self.delta, num_coordinates=self.num_roundings)

    def guarantee_alone(self) -> Guarantee:
        """State what they promise if everybody else conspires; the same where no noise was shared."""
        return state_guarantee(self.mu_squared_alone(), self.delta, num_coordinates=self.num_coordinates)


@dataclass(frozen=True)
class Room:
    """What an account has left, in mu squared: for life, and in the present period."""

    life: float
    period: float

    @property
    def least(self) -> float:
        """The one that binds."""
        return min(self.life, self.period)


def how_often(cost: float, left: float) -> int:
    """Return how many spends of that cost fit into what is left."""
    return 0 if math.isinf(cost) or left <= 0 else math.floor(left / cost)


def accounts_of(entries: Iterable[Entry]) -> list[Account]:
    """Give every account that was opened, with all spends on its data set that concern its unit.

    A spend counts whenever it was made: also before the account was opened, as does one of another unit that
    reaches into this account.
    """
    entries = list(entries)
    spends = [entry for entry in entries if isinstance(entry, Spend)]
    return [
        Account(
            opening.dataset,
            opening.unit,
            opening.delta,
            tuple(spend for spend in spends if spend.dataset == opening.dataset and spend.cost(opening.unit) > 0),
        )
        for opening in entries
        if isinstance(opening, Opening)
    ]


def room_of(account: Account, budget: Budget, *, now: datetime, num_roundings: int = 0) -> Room:
    """Say what is left, once `num_roundings` more rounded numbers are seen, for what finite precision adds.

    A clock that is set forward lets a period end early; the budget for life knows no clock.
    """
    released = account.num_roundings + num_roundings
    life, period = (
        mu_within(epsilon, account.delta, num_coordinates=released) ** 2
        for epsilon in (budget.epsilon, budget.period_epsilon)
    )
    start = now - timedelta(days=budget.period_days)
    return Room(life - account.mu_squared(), period - account.mu_squared(after=start))


def require_room(account: Account, budget: Budget, spend: Spend, *, num_rounds: int = 1) -> None:
    """Refuse a spend, made `num_rounds` times, that would pass the budget for life or for the period.

    Raises
    ------
    PrivacyError
        If the policy's delta is not the one with which the account was opened.
    BudgetExhausted
        If the spend would pass the budget.
    """
    if budget.delta != account.delta:
        raise PrivacyError(
            f"The policy's delta for {account.unit} is {budget.delta}, the account was opened with {account.delta}, "
            "for good; write that one in the policy."
        )
    room = room_of(account, budget, now=spend.at, num_roundings=num_rounds * spend.num_roundings)
    cost = num_rounds * spend.cost(account.unit)
    for left, stretch, epsilon in (
        (room.life, "life", budget.epsilon),
        (room.period, f"{budget.period_days} days", budget.period_epsilon),
    ):
        if not cost <= left:
            raise BudgetExhausted(
                f"{_rounds(num_rounds)} of plan {spend.plan_hash[:12]} would pass epsilon {epsilon} per {account.unit} "
                f"for {stretch} on {account.dataset}: it needs {cost:.3g} of mu squared, {max(0.0, left):.3g} is left; "
                "wait for the period to pass, or decide on a larger budget in the policy."
            )


def room_alone(account: Account, ceiling: float, *, num_coordinates: int = 0) -> float:
    """Say what is left in mu squared, for life, if everybody else conspires."""
    released = account.num_coordinates + num_coordinates
    return mu_within(ceiling, account.delta, num_coordinates=released) ** 2 - account.mu_squared_alone()


def require_room_alone(account: Account, ceiling: float | None, spend: Spend, *, num_rounds: int = 1) -> None:
    """Refuse a spend, made `num_rounds` times, after which everybody else together could learn too much.

    Parameters
    ----------
    ceiling
        The policy's epsilon if all others conspire; None where it has none, so that no noise may be shared.

    Raises
    ------
    PrivacyError
        The noise would be shared, and the policy has no ceiling.
    BudgetExhausted
        The spend would pass the ceiling.
    """
    if ceiling is None:
        if spend.noise_share is not None:
            raise PrivacyError(
                f"Plan {spend.plan_hash[:12]} shares its noise among merchants, and the policy does not say how much "
                f"all of them together may learn of one {account.unit}; add the section [sum]."
            )
        return
    cost = num_rounds * spend.cost_alone(account.unit)
    left = room_alone(account, ceiling, num_coordinates=num_rounds * spend.num_coordinates)
    if not cost <= left:
        raise BudgetExhausted(
            f"{_rounds(num_rounds)} of plan {spend.plan_hash[:12]} would pass epsilon {ceiling} per {account.unit} for "
            f"life on {account.dataset} if everybody else put their heads together: it needs {cost:.3g} of mu squared, "
            f"{max(0.0, left):.3g} is left; decide on a larger epsilon_if_all_collude in the policy, or stay away."
        )


def _rounds(number: int) -> str:
    return "One round" if number == 1 else f"{number} rounds"
