"""Plans that the merchant's own is not: what it may be asked next, over a shop that is made up.

The code is the same for every plan, and a fault may lie in a part of it that this plan does not use: another aggregate,
a product of two columns, a lookup, a covariate known ahead, a season, a rhythm, a clipping rule, a rehearsal. The shop
has entities that begin late, days on which several buy the same, gaps, and half of its keys in a lookup.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from client.audit.neighbour import make_neighbours
from client.audit.replay import Pair, Replayer
from client.audit.rounds import pair_rounds, sample_rounds
from client.audit.size.model import cold
from client.audit.source import make_source
from client.audit.subject import AuditSubject
from common.errors import DataError
from common.plan.schema import Active, AnchorPlan, Attribute, DataPlan, Lookup, Measure
from common.privacy.clipping_rule import clipping_rule

ENTITIES = 6
SHORT_SPAN, LONG_SPAN = 60, 430  # days; a season needs more than a year
FILE, KEYS = "audit.parquet", "keys.csv"
SHAPE = {"window_steps": 8, "positions": 2, "position_steps": None, "season": False, "rhythm": False}
LOOKED_AT = (
    "the first entity leaves",
    "the last entity leaves",
    "the entity with most rows leaves",
    "an ordinary entity sorted first joins",
    "an entity with everything 16-fold joins",
)


def other_plans(subject: AuditSubject) -> Iterator[tuple[str, AuditSubject]]:
    """Give the subject other plans and the shop that is made up; the terms stay as they are."""
    amount = Measure(aggregate="sum", column="amount")
    aggregates = {
        "mean": Measure(aggregate="mean", column="amount"),
        "rows": Measure(aggregate="rows"),
        "distinct": Measure(aggregate="distinct", column="kind"),
        "sum": amount,
        "worth": Measure(aggregate="sum", column="price"),
    }
    yield "every aggregate", _shop(subject, observed=aggregates)
    yield "a mean", _shop(subject, target=aggregates["mean"])
    product = Measure(aggregate="sum", column="worth")
    yield "a product of two columns", _shop(subject, target=product, derived={"worth": ("amount", "gap")})
    size = Attribute(column="size", categories=("s", "l"))
    yield "a lookup", _shop(subject, lookups=(Lookup(path=KEYS, key="who", column="who"),), static=(size,))
    yield "who bought lately", _shop(subject, active=Active(days=2, within_days=30))
    yield "a rhythm", _with_model(_shop(subject), rhythm=True)
    yield "weekdays", _with_model(_shop(subject, rows="panel"), anchor=AnchorPlan(by_weekday=True))
    for likelihood in ("negative_binomial", "hurdle_negative_binomial", "log_normal"):
        yield f"a likelihood {likelihood}", _with_model(_shop(subject), likelihood=likelihood)
    yield "a season", _with_model(_shop(subject, span=LONG_SPAN), season=True)
    switching = _shop(subject, rows="panel", known=(Attribute(column="switch"),), missing="closed")
    yield "a covariate known ahead", _with_model(switching, anchor=AnchorPlan(regime="switch"))
    rule = replace(subject.mechanism, rule=clipping_rule("automatic"))
    yield "automatic clipping", replace(_shop(subject), mechanism=rule)
    shop = _shop(subject)
    federation = shop.plan.federation.model_copy(update={"rehearsal": True})
    yield "a rehearsal", replace(shop, plan=shop.plan.model_copy(update={"federation": federation}))


def _with_model(subject: AuditSubject, **changes: object) -> AuditSubject:
    return replace(subject, plan=cold(subject.plan, **changes))


def _shop(subject: AuditSubject, *, span: int = SHORT_SPAN, **data: object) -> AuditSubject:
    span += 2 * subject.plan.model.horizon_days
    start = subject.origin - timedelta(days=span)
    fields: dict[str, object] = {
        "path": FILE,
        "rows": "events",
        "entity": "who",
        "time": "day",
        "target": Measure(aggregate="sum", column="amount"),
        "start": start,
        "end": max(subject.plan.data.end, subject.origin + timedelta(days=subject.plan.model.horizon_days)),
    }
    rows = make_rows(start, span, dense=data.get("rows") == "panel")
    source = make_source(rows, FILE)
    if data.get("lookups"):
        source = replace(source, lookups={KEYS: _keys(rows)})
    plan = subject.plan.model_copy(update={"data": DataPlan.model_validate({**fields, **data})})
    return replace(subject, plan=cold(plan, **SHAPE, anchor=AnchorPlan()), source=source, allowed=None)


def make_rows(start: date, span: int, *, dense: bool) -> pd.DataFrame:
    """Make rows up: entities that begin one after the other, on some days twice; or `dense`, once on every day."""
    rows = []
    for who in range(ENTITIES):
        for day in range(who * span // (ENTITIES + 1), span):
            some = (day * (who + 2)) % 3 if who % 2 == 0 or day % 7 < 4 else 0  # every second has weekdays of its own
            is_new = dense and who % 2 == 1 and day < 2 * span // 3  # there, and nobody buys it yet
            for row in range(1 if dense else some):
                drawn = (7919 * (day + 1) + 104_729 * (who + 1) + 31 * row) % 1009
                rows.append(
                    {
                        "who": f"entity {who}",
                        "day": (start + timedelta(days=day)).isoformat(),
                        "amount": str(0 if is_new else 1 + drawn % 9),
                        "price": str(1 + drawn % 101),
                        "gap": "" if drawn % 4 == 0 else str(1 + drawn % 5),
                        "kind": "abc"[drawn % 3],
                        "switch": f"{drawn / 1009:.4f}",
                    }
                )
    return pd.DataFrame(rows).sort_values("day", kind="stable", ignore_index=True)


def _keys(rows: pd.DataFrame) -> bytes:
    """Make a lookup in which just over half of the rows find their key, and no newcomer does."""
    counts, found, lines = rows["who"].value_counts(), 0, ["who,size"]
    ordinary = f"entity {ENTITIES // 2}"  # of which newcomers are copies
    for place, (who, count) in enumerate(counts.items()):
        if found < len(rows) / 2 and who != ordinary:
            found += count
            lines.append(f"{who},{'sl'[place % 2]}")
    return ("\n".join(lines) + "\n").encode()


def check_plan(subject: AuditSubject, generator: np.random.Generator) -> list[str]:
    """Compare the shop with neighbours of it under one of these plans."""
    try:
        legs = subject.own_legs()
    except DataError as error:
        return [f"it cannot be read: {error}"]
    numbers = sample_rounds(subject.plan, subject.num_rounds, generator)
    first, last = pair_rounds(subject.plan, numbers, int(generator.integers(0, 48)))
    replayer = Replayer(subject, legs, subject.mechanism)
    found = [*replayer.check_asked((first, last))[1], *replayer.check_broken(float("nan"), (first,))[1]]
    for place, kind in enumerate(LOOKED_AT):
        neighbour = next(
            each for each in make_neighbours(subject.source, subject.plan.data, subject.origin) if each.kind == kind
        )
        sentences = replayer.check_neighbour(Pair(subject, neighbour), ((first, last)[place % 2],))[1]
        found += [f"{kind}: {sentence}" for sentence in sentences]
    return found
