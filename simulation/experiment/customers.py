"""What `hansa-client customers` says at past days, held against what came and against simple yardsticks.

    served     what `hansa-client customers` serves
    bg_nbd     BG/NBD alone, as it is in the paper
    simple     logistic regression on recency and number of purchases, fitted one horizon earlier
    five       the same with tenure, purchases of the last 90 days and spend

Everything is fitted on what was known before the day. The purchases are a plan's events, one shop for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from jaxtyping import Float

from client.decision.customer.buy_till_die import fit_past, times_of
from client.decision.customer.calibration import GROUPS, Point, group_by_chance
from client.decision.customer.outlook import RISK_DAYS, Outlook, foresee_customers
from client.decision.customer.past import Past, look_back, see
from client.decision.customer.purchase import Purchases, make_purchases
from client.decision.customer.segment import SEGMENTS
from client.forecast.method.logistic import fit_logistic
from common.data.panel import Panel
from common.errors import ConfigError

FIVE = (0, 1, 2, 4, 8)  # columns of the features: recency, count, tenure, count of 90 days, spend
EDGE = 1e-4
REPEATS, SEED = 400, 7


@dataclass(frozen=True)
class Skill:
    """How well one method told who buys.

    `worse` is how much more log-loss it had than what is served, and `error` the standard error of that. `furthest` is
    the largest gap between said and seen among ten groups, `by_chance` what it would be under in 19 of 20 cases if all
    that was said were exactly true.
    """

    method: str
    auc: float
    log_loss: float
    worse: float
    error: float
    furthest: float
    by_chance: float
    groups: tuple[Point, ...]


@dataclass(frozen=True)
class Risk:
    """Money of one segment's customers with something at risk: usual, said to be at risk, and lost of the usual.

    `low` and `high` hold what was lost in 19 of 20 draws of customers. `stayed_away` is the share that bought nothing.
    """

    segment: str
    customers: int
    usual: float
    at_risk: float
    lost: float
    low: float
    high: float
    stayed_away: float
    said_away: float


@dataclass(frozen=True)
class Verdict:
    """One day: skills, purchases and money said and seen, with the range of four in five, and the money at risk."""

    day: str
    horizon_days: int
    customers: int
    share: float
    skills: tuple[Skill, ...]
    orders: tuple[float, float]
    money: tuple[float, float, float, float]
    above: float
    below: float
    risks: tuple[Risk, ...]


def purchases_of(panel: Panel) -> Purchases:
    """Take a panel of customers as one shop's purchases.

    Raises
    ------
    ConfigError
        The plan observes no `spend`.
    """
    if "spend" not in panel.channels:
        raise ConfigError(
            "The plan observes no column 'spend'; customers need one: [data.observed] spend = { aggregate = \"sum\" … }"
        )
    who, day = np.nonzero(panel.target > 0)
    amount = panel.observed[who, day, panel.channels.index("spend")]
    names = np.asarray(panel.entities).astype(np.str_)
    return make_purchases(names[who], day, amount.astype(np.float64), start=panel.start, num_days=panel.num_days)


def judge_day(
    purchases: Purchases,
    day: date,
    horizon_days: int,
    *,
    on_step: Callable[[str, float], None] = lambda what, share: None,
) -> Verdict:
    """Hold what would have been said at a day against what came.

    Raises
    ------
    ConfigError
        The horizon has not ended yet.
    """
    if purchases.day_of(day) + horizon_days > purchases.num_days:
        raise ConfigError(f"{horizon_days} days from {day} on are not known yet; choose an earlier day with --origins.")
    outlook = foresee_customers(purchases, day, horizon_days, on_step=on_step)
    ahead = outlook.ahead
    past = look_back(purchases, purchases.day_of(day))  # the same customers, who go on
    came = see(past, horizon_days)
    chances = {"served": ahead.chance, **yardsticks(purchases, past, horizon_days)}
    skills = tuple(_skill(name, told, ahead.chance, came.bought) for name, told in chances.items())
    order = np.argsort(outlook.table["customer"].to_numpy(zero_copy_only=False))
    low, high = (outlook.table[name].to_numpy()[order] for name in ("value_low", "value_high"))
    everyone = outlook.sums[-1]
    return Verdict(
        str(day), horizon_days, len(came.count), float(came.bought.mean()), skills,
        (float(ahead.orders.sum()), float(came.count.sum())),
        (everyone.money, everyone.low, everyone.high, float(came.money.sum())),
        float((came.money > high + 0.01).mean()), float((came.money < low - 0.01).mean()),
        judge_risk(purchases, outlook),
    )  # fmt: skip


def yardsticks(purchases: Purchases, past: Past, horizon_days: int) -> dict[str, Float[np.ndarray, " some"]]:
    """Let the simple methods speak, with nothing tuned."""
    earlier = look_back(purchases, past.day - horizon_days)
    rows, bought = earlier.features(horizon_days), see(earlier, horizon_days).bought
    here = past.features(horizon_days)
    told = {"bg_nbd": fit_past(past).buys(*times_of(past), float(horizon_days))}
    for name, columns in (("simple", FIVE[:2]), ("five", FIVE)):
        told[name] = fit_logistic(rows[:, columns], bought).predict(here[:, columns])
    return told


def _skill(name: str, told: np.ndarray, served: np.ndarray, bought: np.ndarray) -> Skill:
    from sklearn.metrics import roc_auc_score  # heavy

    loss, own = _log_loss(told, bought), _log_loss(served, bought)
    groups = group_by_chance(told, bought)
    furthest = max(abs(each.said - each.seen) for each in groups)
    worse = loss - own
    error = float(worse.std(ddof=1) / np.sqrt(len(worse)))
    scores = (float(roc_auc_score(bought, told)), float(loss.mean()), float(worse.mean()), error)
    return Skill(name, *scores, furthest, _furthest_by_chance(told), groups)


def _furthest_by_chance(told: Float[np.ndarray, " some"]) -> float:
    """Draw who buys by what was said, and give the gap of the furthest group that 19 in 20 draws stay under."""
    generator, order = np.random.default_rng(SEED), np.argsort(told, kind="stable")
    bought = generator.random((REPEATS, len(told))) < told[order]
    gaps = [
        np.abs(bought[:, own].mean(axis=1) - told[order][own].mean())
        for own in np.array_split(np.arange(len(told)), GROUPS)
    ]
    return float(np.quantile(np.max(gaps, axis=0), 0.95))


def _log_loss(told: np.ndarray, bought: np.ndarray) -> Float[np.ndarray, " some"]:
    safe = np.clip(told, EDGE, 1 - EDGE)
    return -np.log(np.where(bought, safe, 1 - safe))


def judge_risk(purchases: Purchases, outlook: Outlook) -> tuple[Risk, ...]:
    """Hold the money that was said to be at risk against what was then lost; nothing where that is not known yet."""
    day = purchases.day_of(outlook.origin)
    if day + RISK_DAYS > purchases.num_days:
        return ()
    table = outlook.table
    at_risk = np.nan_to_num(table["value_at_risk"].to_numpy())
    place = np.searchsorted(purchases.customers, np.array(table["customer"].to_pylist()))
    usual, away = np.nan_to_num(table["usual_value_90"].to_numpy()), 1 - table["chance_90"].to_numpy()
    came = purchases.spend(place, day, day + RISK_DAYS)
    stayed = purchases.count(place, day, day + RISK_DAYS) == 0
    segment = np.array(table["segment"].to_pylist())
    generator, risks = np.random.default_rng(SEED), []
    for name in (*SEGMENTS, "all"):
        own = (at_risk > 0) & ((segment == name) | (name == "all"))
        if not own.any():
            continue
        lost, number = (usual - came)[own], int(own.sum())
        drawn = lost[generator.integers(number, size=(REPEATS, number))].sum(axis=1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        sums = (float(usual[own].sum()), float(at_risk[own].sum()), float(lost.sum()), float(low), float(high))
        risks.append(Risk(name, number, *sums, float(stayed[own].mean()), float(away[own].mean())))
    return tuple(risks)


def pool_groups(verdicts: Sequence[Verdict], method: str) -> tuple[Point, ...]:
    """Put the groups of several days together, by rank: three days have three times the customers and less chance."""
    each = [next(skill for skill in verdict.skills if skill.method == method).groups for verdict in verdicts]
    return tuple(
        Point(
            sum(point.customers for point in points),
            float(np.average([point.said for point in points], weights=[point.customers for point in points])),
            float(np.average([point.seen for point in points], weights=[point.customers for point in points])),
            float("nan"),
            float("nan"),
        )
        for points in zip(*each, strict=True)
    )
