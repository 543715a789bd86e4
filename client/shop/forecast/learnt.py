"""A shop, learned once: forecasts by day, week or month, sample paths and explanations can all be asked of it.

    history → what is the same for all products (`setting`) → what is found once (`fit`) → as many questions as you like

A process that answers one question learns for that one. One that answers many, as a page does, learns for the longest
of them and holds what it has; then each answer takes what it takes to work out, and all of them tell one story. What
was learned for another horizon was learned at other past origins, so its numbers differ a little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pyarrow as pa

from client.language.speech import t
from client.shop.calendar.kept import Kept
from client.shop.forecast.fit import Fitted, choose_names, fit, measure_lengths
from client.shop.forecast.period import Period, cut_periods, read_horizon
from client.shop.forecast.question import Question
from client.shop.forecast.released import FEDERATED
from client.shop.forecast.serving import places_of
from client.shop.forecast.setting import OnStep, Setting, set_up
from client.shop.settings import Shop
from common.errors import ConfigError


@dataclass(frozen=True)
class Learnt:
    """What is known and was found of a shop, on one day and for some days ahead.

    Attributes
    ----------
    method
        That serves alone; "" for the average.
    names
        Of the methods that were tried.
    left_out
        Method → why it has no part, in half a sentence.
    warnings
        In sentences.
    products
        As `Kept.products` gives them.
    """

    setting: Setting
    fitted: Fitted
    method: str
    names: tuple[str, ...]
    left_out: dict[str, str]
    warnings: tuple[str, ...]
    products: pa.Table

    @property
    def first(self) -> date:
        """The first day that is forecast."""
        return self.setting.periods[0].first

    @property
    def last(self) -> date:
        """The last day that can be asked for."""
        return self.setting.known.origin + timedelta(days=self.setting.plan.model.horizon_days - 1)

    def serves(self, first: date, days: int) -> bool:
        """Tell whether so many days from a day on can be asked for, of the average of all methods."""
        return not self.method and self.first == first and first + timedelta(days=days - 1) <= self.last

    def asked(self, question: Question) -> Learnt:
        """Put another question of the same first day and method, that looks no further ahead.

        Raises
        ------
        ConfigError
            It cannot be answered by what was learned.
        """
        if question.origin not in (None, self.first) or question.method != self.method:
            raise ConfigError(
                f"The shop was learned from {self.first} on, with {self.method or 'all methods'}; learn it anew for "
                f"another first day or method."
            )
        last = read_horizon(question.horizon, question.by, self.first)
        return self.over(cut_periods(question.by, self.first, last))

    def over(self, periods: Sequence[Period]) -> Learnt:
        """Look at other periods that lie within the days ahead.

        Raises
        ------
        ConfigError
            They do not.
        """
        if periods[0].first < self.setting.known.origin or periods[-1].last > self.last:
            raise ConfigError(
                f"The shop was learned for the days from {self.first} to {self.last}; learn it anew to look at "
                f"{periods[0].first} to {periods[-1].last}."
            )
        changed = replace(self, setting=replace(self.setting, periods=tuple(periods)))
        return changed.measuring(*(period.days for period in periods))

    def measuring(self, *lengths: int) -> Learnt:
        """Know besides how far sums of so many days missed."""
        return replace(self, fitted=measure_lengths(self.fitted, self.setting, lengths))


def learn_shop(
    history: Kept,
    shop: Shop,
    question: Question,
    *,
    today: date,
    on_step: OnStep = lambda what, share: None,
) -> Learnt:
    """Learn a shop for a question and for all others that look no further ahead; recall it where it was learned before.

    Raises
    ------
    ConfigError
        The question cannot be answered as it is put.
    DataError
        There is nothing to forecast from.
    """
    setting, warnings = set_up(history, shop, question, today=today, on_step=on_step)
    names, left_out = choose_names(question.method, setting)
    places_of(setting.sales, question.products)  # refused before anything is learned
    if question.method == FEDERATED:
        setting = _see_what_it_may(setting)
    fitted = fit(setting, names, on_step)
    astray = dict.fromkeys(fitted.astray, t("said many times more or less than all others"))
    told = {**left_out, **astray}
    if fitted.weighed.weights.get(FEDERATED) == 0.0:
        told[FEDERATED] = t("made past forecasts no better than your own methods alone")
    if FEDERATED in fitted.names and FEDERATED not in told:
        warnings += _say_reach(setting, has_others=len(names) > 1)
    return Learnt(setting, fitted, question.method, names, told, tuple(warnings), history.products())


def _see_what_it_may(setting: Setting) -> Setting:
    """Leave out past origins of which a released model says nothing, since it had learned from their days."""
    released, start = setting.found.released, setting.days.start
    assert released is not None  # noqa: S101  for mypy: it was chosen
    past = [day for day in setting.origins[:-1] if released.learner_at(start + timedelta(days=day)) is not None]
    return replace(setting, origins=(*past, setting.origins[-1]))


def _say_reach(setting: Setting, *, has_others: bool) -> list[str]:
    """Say which days, and how many products, a released model says nothing of."""
    released, horizon = setting.found.released, setting.plan.model.horizon_days
    assert released is not None  # noqa: S101  for mypy: it was chosen
    reach, number = released.plan.model.horizon_days, len(setting.sales.products)
    here, until = sum(name in released.places for name in setting.sales.products), setting.periods[-1].last
    last = setting.known.origin + timedelta(days=min(reach, horizon) - 1)
    said = list[str]()
    if last < until:
        said.append(
            t("The federation's model looks ahead to {last}; others forecast the days after.", last=last)
            if has_others
            else t("The federation's model looks ahead to {last}; nothing is forecast of the days after.", last=last)
        )
    if here < number:
        share = {"here": here, "number": number}
        said.append(
            t("The federation's model knows {here:,} of {number:,} products; others forecast the rest.", **share)
            if has_others
            else t(
                "The federation's model knows {here:,} of {number:,} products; nothing is forecast of the rest.",
                **share,
            )
        )
    return said
