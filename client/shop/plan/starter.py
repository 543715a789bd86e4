"""Write a commented plan for a federation of shops like this one, for whoever is to coordinate it."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow.compute as pc

from client.shop.calendar.day_after import day_after
from client.shop.history.history import History
from client.shop.settings import Shop
from client.shop.setup.writing import quote
from common.errors import DataError

HORIZON_DAYS = 35  # what a shop asks for by weeks: the rest of this one, and four more
FEWEST_DAYS = 84  # of history, or nothing can be learnt of such a horizon
WINDOW_STEPS = 60
_PLAN = """\
# A plan for shops like {shop}: pieces a day of each product, {horizon} days ahead. Nothing in it tells what was sold.
# Every shop makes the file that it reads with: hansa-client adapt PLAN
name = {name}

[data]
path = "demand.parquet"          # below every shop's --data-root
rows = "panel"                   # one row for each product and day
entity = "product"
time = "day"
target = {{ aggregate = "sum", column = "units" }}
missing = "zero"                 # a product without a row on an open day sold nothing
closed_weekdays = [{closed}]{closed_note}
start = {start}
end = {end}               # the last day that is forecast
time_zone = {time_zone}
{known}
{observed}[model]
step = "day"
horizon_days = {horizon}
likelihood = "negative_binomial" # pieces are counted
hidden_size = 24
decoder_size = 24
window_steps = {window}                # steps of history that one round reads
positions = 4
season = {season}                   # see the time of year; needs two years of history
anchor = {{ half_life_days = 28.0, by_weekday = true{regime} }}

[privacy]
unit = "product"                 # whom epsilon protects: a trade secret, and no promise to customers
training = {{ num_rounds = 60, learning_rate = 0.003, ema = 0.9 }}

[federation]
rehearsal = true                 # a model that every shop can weigh on its own last days comes too
start = "cold"
training = {{ num_rounds = 100, learning_rate = 0.01, ema = 0.9 }}

[evaluation]
origins = [{origin}]           # rounds learn from the days before it, forecasts begin there
methods = ["seasonal_naive", "weekday_mean", "anchor", "gru_local", "federated", "federated_eps8", "routed_own"]
"""


def write_plan(history: History, shop: Shop) -> str:
    """Write a plan that reads what this shop has.

    Raises
    ------
    DataError
        Its history is too short for one.
    """
    span = history.span()
    if span is None or (span[1] - span[0]).days < FEWEST_DAYS:
        raise DataError(
            f"A plan needs a history of {FEWEST_DAYS} days, and this one has {_days(span)}; import more first."
        )
    start, origin = span[0], day_after(span[1])
    has_offers = history.records("promotions").num_rows > 0
    closed = shop.closed_weekdays
    return _PLAN.format(
        shop=" ".join(shop.name.split()),
        name=quote(f"{shop.name} and others"),
        closed=", ".join(map(quote, closed)),
        closed_note="" if closed else "              # days without sales that are no zero demand",
        start=start,
        end=origin + timedelta(days=HORIZON_DAYS - 1),
        origin=origin,
        horizon=HORIZON_DAYS,
        window=WINDOW_STEPS,
        season=str((origin - start).days >= 730).lower(),
        time_zone=quote(shop.time_zone),
        known='known = [{ column = "promotion" }] # known ahead, to every shop\n' if has_offers else "",
        regime=', regime = "promotion"' if has_offers else "",
        observed=_observed(history),
    )


def _observed(history: History) -> str:
    daily = history.daily()
    told = [name for name in ("views", "carts") if (pc.sum(daily[name]).as_py() or 0) > 0]
    if not told:
        return ""
    lines = [f'{name} = {{ aggregate = "sum", column = "{name}" }}' for name in told]
    return "\n".join(["[data.observed]                  # seen beside demand, in the past alone", *lines, "", ""])


def _days(span: tuple[date, date] | None) -> int:
    return 0 if span is None else (span[1] - span[0]).days + 1
