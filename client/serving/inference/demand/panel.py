"""From the numbers of a request to a panel: a row per series, a column per day, the days ahead at the end."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from jaxtyping import Float

from common.data.panel import Panel, closed_days
from common.plan.schema import DataPlan

ONE_DAY = timedelta(days=1)


def lay_out_units(
    units: Float[np.ndarray, "row day"], last_day: date, horizon_days: int, plan: DataPlan | None = None
) -> Panel:
    """Lay series out, and the days ahead behind them.

    A row is a function of its own numbers. A day that is not known counts as closed, and nothing is open before the
    first sale, as in a shop's own history (`client.shop.forecast.panel`).

    Parameters
    ----------
    units
        Sold each day up to `last_day`; NaN where it is not known.
    plan
        Says which days are closed for all; none if left out.
    """
    rows, past = units.shape
    shape = (rows, past + horizon_days)
    start = last_day - (past - 1) * ONE_DAY
    target, is_open = np.zeros(shape, np.float32), np.ones(shape, bool)
    is_open[:, :past] = ~np.isnan(units)
    target[:, :past] = np.nan_to_num(units)
    if plan is not None:
        end = last_day + horizon_days * ONE_DAY
        is_open &= ~closed_days(plan.model_copy(update={"start": start, "end": end}))
    sold = target > 0
    first_day = np.where(sold.any(axis=1), sold.argmax(axis=1), shape[1])
    is_open &= np.arange(shape[1]) >= first_day[:, None]
    return Panel(
        start=start,
        channels=(),
        covariates=(),
        entities=np.array([str(row) for row in range(rows)], dtype=object),
        merchants=np.full(rows, "request", dtype=object),
        target=target * is_open,
        observed=np.zeros((*shape, 0), np.float32),
        known=np.zeros((*shape, 0), np.float32),
        static=np.zeros((rows, 0), np.float32),
        open=is_open,
        first_day=first_day,
        censored=np.zeros(shape, bool),
    )
