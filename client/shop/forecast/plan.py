"""A plan for one shop, made in memory: what a coordinator's plan says of many, read off the shop's own history.

Nothing is fitted here. The shape is that of the public weekly model for counts, so that it can serve from day one; what
does not depend on the shop was chosen once, on several shops' development days, and stands in this file.
"""

from __future__ import annotations

from datetime import date, timedelta

from client.shop.settings import Shop
from common.plan.schema import AnchorPlan, Attribute, DataPlan, EvaluationPlan, Measure, ModelPlan, Plan, PrivacyPlan

STEP_DAYS = 7
HALF_LIFE_DAYS, PRIOR_DAYS = 56.0, 7.0  # of the anchor's levels
SEASON_DAYS = 2 * 365  # of history before the time of year can be told from a trend


def make_plan(
    shop: Shop,
    *,
    start: date,
    origin: date,
    horizon_days: int,
    counts: bool,
    closed: tuple[date, ...] = (),
    known: tuple[str, ...] = (),
) -> Plan:
    """Describe a shop's daily demand and the horizon from `origin` on as a plan.

    Parameters
    ----------
    start
        First day of the history.
    horizon_days
        A multiple of seven.
    counts
        Whether demand is in whole pieces: then its distribution is one of counts.
    closed
        Every day of the span on which the shop is closed, its weekdays and holidays among them.
    known
        Names of what is known ahead of each day.
    """
    data = DataPlan(
        path="history.duckdb",
        rows="panel",
        entity="product",
        time="day",
        target=Measure(aggregate="sum", column="units"),
        known=tuple(Attribute(column=name) for name in known),
        closed_dates=closed,
        start=start,
        end=origin + timedelta(days=horizon_days - 1),
        time_zone=shop.time_zone,
    )
    model = make_model_plan(horizon_days, counts=counts, season=(origin - start).days >= SEASON_DAYS)
    return Plan(
        name=shop.name,
        data=data,
        model=model,
        privacy=PrivacyPlan(unit="product"),
        evaluation=EvaluationPlan(origins=(origin,), methods=("routed_own",)),
    )


def make_model_plan(horizon_days: int, *, counts: bool, season: bool) -> ModelPlan:
    """Describe the network that reads a shop's demand.

    Parameters
    ----------
    season
        Whether the history is long enough to see the time of year.
    """
    return ModelPlan(
        step="week",
        horizon_days=horizon_days,
        likelihood="negative_binomial" if counts else "log_normal",
        hidden_size=12,
        decoder_size=12,
        window_steps=60,
        season=season,
        rhythm=True,
        direct=True,
        anchor=AnchorPlan(half_life_days=HALF_LIFE_DAYS, by_weekday=True, prior_days=PRIOR_DAYS),
    )
