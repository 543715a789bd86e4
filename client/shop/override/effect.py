"""What an override changes, and, once its days have come, whether it was right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from client.shop.calendar.kept import Kept
from client.shop.forecast.fit import choose_names, fit
from client.shop.forecast.question import Question
from client.shop.forecast.serving import forecast_parts
from client.shop.forecast.setting import OnStep, Setting, set_up
from client.shop.override.applying import Change, chosen_days, chosen_products
from client.shop.override.override import Override
from client.shop.settings import Shop
from common.errors import ConfigError

USUAL_DAYS = 28  # that are forecast by day


@dataclass(frozen=True)
class Score:
    """What came of the days of an override, and how far what was expected without and with it was off."""

    sold: float
    miss_without: float
    miss_with: float

    @property
    def helped(self) -> bool:
        """Whether the forecast was nearer with it."""
        return self.miss_with < self.miss_without


def measure_effect(history: Kept, shop: Shop, made: Override, *, today: date, on_step: OnStep) -> Override:
    """Forecast the days of an override without and with it, older ones counting in both.

    Raises
    ------
    ConfigError
        Its days have passed, or there is nothing it is about.
    DataError
        There is nothing to forecast from.
    """
    setting = _set_up(history, shop, made, today=today, on_step=on_step)
    names = np.array(setting.sales.products, dtype=object)
    chosen = chosen_products(made, list(names), setting.categories.of)
    if not chosen.any():
        raise ConfigError(_say_unknown(made, setting))
    older = setting.change
    newer = Change((*older.overrides, made), older.first, setting.categories.of)
    places = np.flatnonzero(newer.touches(list(names)))
    plain = replace(setting, change=replace(older, overrides=()))
    fitted = fit(setting, choose_names("", setting)[0], on_step, lengths=(1,))
    means = np.concatenate([part.without for part in forecast_parts(plain, fitted, places)])
    about, is_open = list(names[places]), ~setting.days.closed[setting.days.origin :]
    own = np.ix_(chosen[places], chosen_days(made, older.first, means.shape[1]))
    without, with_it = (float(change.apply(means, about, is_open)[own].sum()) for change in (older, newer))
    if with_it == without == 0.0:
        raise ConfigError(
            f"Nothing is forecast of {name_of(made)} from {made.first} to {made.last}, so no share of it can be added; "
            "give --total instead, or days on which the shop is open."
        )
    return made.model_copy(update={"without": without, "with_it": with_it})


def _set_up(history: Kept, shop: Shop, made: Override, *, today: date, on_step: OnStep) -> Setting:
    span = history.span()
    if span is not None and made.first <= span[1]:
        raise ConfigError(f"--from {made.first} has passed: sales are known up to {span[1]}; choose days ahead.")
    days = (made.last - span[1]).days if span is not None else 1
    question = Question(by="day", horizon=f"{max(days, USUAL_DAYS)}d")  # so that it says what `forecast` does
    return set_up(history, shop, question, today=today, on_step=on_step)[0]


def _say_unknown(made: Override, setting: Setting) -> str:
    if made.of == "product":
        return f"No product {made.name!r} was ever sold in this shop; see: hansa-client forecast"
    names = ", ".join(setting.categories.names[:10]) or "none, for no products were imported with their categories"
    return f"There is no category {made.name!r} in this shop; there are {names}."


def name_of(made: Override) -> str:
    """Name what it is about."""
    return "the whole shop" if made.of == "shop" else f"{made.of} {made.name}"


def score(history: Kept, made: Override) -> Score | None:
    """Hold it against what was sold, once sales are known beyond its days; None before."""
    span = history.span()
    if span is None or span[1] < made.last or made.without is None or made.with_it is None:
        return None
    table = history.products()
    of = dict(zip(table["product"].to_pylist(), table["category"].to_pylist(), strict=True))
    chosen = chosen_products(made, list(of), {name: category or "" for name, category in of.items()})
    daily = history.daily([name for name, is_chosen in zip(of, chosen, strict=True) if is_chosen])
    days = daily["day"].to_pylist()
    inside = [made.first <= day <= made.last for day in days]
    sold = float(np.nan_to_num(daily["units"].to_numpy().astype(float))[np.array(inside, bool)].sum())
    return Score(sold, abs(sold - made.without), abs(sold - made.with_it))
