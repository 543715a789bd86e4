"""What is fitted once for an edition, and answers many questions: explanations, prices, overrides, offers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from client.serving.bench.job import Explain, Job, Preview, Price, Recommend
from client.shop.calendar.day_after import day_after
from client.shop.forecast.period import By, Period, cut_periods, read_horizon
from client.shop.history.history import History
from client.shop.settings import read_shop
from common.errors import ConfigError, DataError, HansaError

if TYPE_CHECKING:
    from client.decision.recommendation.recommender import Recommender
    from client.decision.response.scenario import Change
    from client.explanation.explaining import Ready

FEWEST_BASKETS = 5
MOST_OFF = 0.9
Explained = Literal["week", "day"]


def _silent(what: str, share: float) -> None:
    """Tell nobody."""


class Workbench:
    """The state of the shop that an edition was made of, and what was fitted to it.

    Parameters
    ----------
    snapshot
        Folder of that state.
    day
        On which the edition was made.
    """

    def __init__(self, snapshot: Path, day: date) -> None:
        self._shop, self._history, self._day = read_shop(snapshot), History.open(snapshot), day
        self._ready = dict[By, "Ready"]()

    def warm_up(self) -> Iterator[str]:
        """Fit what explanations of weeks and days need before anybody asks, a step each time; give its name."""
        for by in get_args(Explained):
            with suppress(HansaError):  # who asks is told
                self._get_ready(by)
            yield by

    def do(self, job: Job) -> dict[str, Any]:
        """Do a job.

        Raises
        ------
        ConfigError
            It cannot be done as it is put.
        DataError
            This shop's history does not allow it.
        """
        match job:
            case Explain():
                return self._explain(job)
            case Price():
                return self._price(job)
            case Preview():
                return self._preview(job)
            case Recommend():
                return self._recommend(job)

    @cached_property
    def _origin(self) -> date:
        span = self._history.span()
        if span is None:
            raise DataError("Nothing was ever sold in this shop's history; bring sales first: hansa-client import.")
        return day_after(span[1])

    def _periods(self, by: By) -> tuple[Period, ...]:
        return cut_periods(by, self._origin, read_horizon("", by, self._origin))

    def _get_ready(self, by: By) -> Ready:
        """Fit the forecast that the edition says, and no other."""
        from client.explanation.asked import Asked  # heavy, as all that is imported late here
        from client.explanation.explaining import get_ready
        from client.shop.forecast.question import Question

        if by not in self._ready:
            asked = Asked(Question(by), self._periods(by)[0])
            self._ready[by] = get_ready(self._history, self._shop, asked, today=self._day)
        return self._ready[by]

    def _explain(self, job: Explain) -> dict[str, Any]:
        from client.explanation.explaining import explain
        from client.explanation.wording import describe

        by: By = "week" if "W" in job.period or not job.period else "day"
        periods = self._periods(by)
        whole = [period for period in periods if not period.is_partial]
        found = [period for period in periods if period.name == job.period] if job.period else (whole or periods)[:1]
        if not found:
            names = f"{periods[0].name} to {periods[-1].name}"
            raise ConfigError(f"Nothing is forecast of {job.period!r}; there are {names}, by {by}.")
        ready = self._get_ready(by)
        why = explain(ready, (job.product,), found[0])[0]
        return {**describe(why), "from": why.origin, "warnings": list(ready.warnings)}

    def _price(self, job: Price) -> dict[str, Any]:
        from client.decision.response.answer import answer
        from client.decision.response.question import Ask
        from client.decision.response.wording import describe_answer

        ask = Ask(
            products=tuple(dict.fromkeys(job.products)),
            category=job.category,
            change=_read_change(job),
            first=job.first,
            last=job.last,
            cost=job.unit_cost,
            cost_share=job.unit_cost_share,
        )
        if ask.products and ask.category:
            raise ConfigError("products and category ask for different things; leave one of them out.")
        if ask.cost is not None and len(ask.products) != 1:
            raise ConfigError("unit_cost is money of one product; give unit_cost_share for several.")
        found = answer(self._history, self._shop, ask, today=self._day)
        return {**describe_answer(found), "currency": self._shop.currency, "rows": found.table.to_pylist()}

    def _preview(self, job: Preview) -> dict[str, Any]:
        from client.shop.override.effect import measure_effect
        from client.shop.override.override import Override

        said = job.model_dump(exclude={"job"})
        made = Override.model_validate({**said, "number": 1, "made": self._day})
        return measure_effect(self._history, self._shop, made, today=self._day, on_step=_silent).model_dump()

    @cached_property
    def _recommender(self) -> Recommender:
        from client.decision.recommendation.opening import open_recommender

        return open_recommender(self._history, self._shop)

    def _recommend(self, job: Recommend) -> dict[str, Any]:
        from client.decision.recommendation.wording import describe

        ready = self._recommender
        answers = [ready.for_customer(job.customer, job.number)] if job.customer else []
        answers += [ready.for_basket(job.basket, job.number)] if job.basket else []
        answers += [ready.beside(job.product, job.number, FEWEST_BASKETS)] if job.product else []
        return describe(answers, ready)


def _read_change(job: Price) -> Change | None:
    from client.decision.response.scenario import Change

    given = [name for name in ("price", "change", "discount") if getattr(job, name) is not None]
    if len(given) > 1:
        raise ConfigError(f"{given[0]} and {given[1]} ask for different things; give one of them.")
    if job.price is not None:
        if len(job.products) != 1:
            raise ConfigError("price is of one product; name it in products, or give change for several.")
        if not 0 < job.price < 1e9:
            raise ConfigError("price is no price; give one above 0. What is given away has no response.")
        return Change(price=job.price)
    if job.discount is not None:
        if not 0 < job.discount <= MOST_OFF:
            raise ConfigError(f"discount is not between 0 and {MOST_OFF}; write 20 % off as 0.2.")
        return Change(factor=1.0 - job.discount, promotion=True)
    if job.change is not None:
        if not -MOST_OFF <= job.change <= 4.0 or job.change == 0:
            raise ConfigError("change is no change of a price; write 5 % less as -0.05, 10 % more as 0.1.")
        return Change(factor=1.0 + job.change)
    return None
