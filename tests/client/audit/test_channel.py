from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from client.audit.channel import look_at_channels, make_channel_neighbours
from client.audit.source import make_source
from client.audit.subject import AuditSubject
from common.model import features
from common.plan.schema import Plan
from common.privacy.mechanism import Mechanism

KINDS = b"product,kind\n4,a\n5,b\n9,a\n"


@pytest.fixture
def shop(make_plan: Callable[..., Plan]) -> AuditSubject:
    """Make three products with two known covariates, a channel, and an attribute that stands in a lookup."""
    generator, days = np.random.default_rng(0), pd.date_range("2024-01-01", "2024-02-09")
    rows = pd.DataFrame({"product": np.repeat(["4", "5", "9"], len(days)), "date": [*days.strftime("%Y-%m-%d")] * 3})
    rows = rows.assign(
        units=generator.poisson(3.0, len(rows)),
        views=generator.poisson(9.0, len(rows)),
        promotion=generator.integers(0, 2, len(rows)),
        weather=generator.choice(["sun", "rain"], len(rows)),
    ).astype(str)
    plan = make_plan(
        data={
            "rows": "panel",
            "entity": "product",
            "time": "date",
            "target": {"aggregate": "sum", "column": "units"},
            "observed": {"views": {"aggregate": "sum", "column": "views"}},
            "known": [{"column": "promotion"}, {"column": "weather", "categories": ["sun", "rain"]}],
            "static": [{"column": "kind", "categories": ["a", "b"]}],
            "lookups": [{"path": "kinds.csv", "key": "product", "column": "product"}],
            "missing": "closed",
            "end": date(2024, 2, 9),
        },
        model={"season": False, "hidden_size": 16, "decoder_size": 16, "anchor": {"regime": "promotion"}},
        privacy={"unit": "product"},
        evaluation={"origins": [date(2024, 2, 5)]},
    )
    source = replace(make_source(rows, plan.data.path), lookups={"kinds.csv": KINDS})
    return AuditSubject(plan, source, Mechanism(0.5, 3.0), 10, 8.0, 1e-5)


def test_every_column_and_every_cell_of_a_lookup_has_neighbours_of_its_own(shop: AuditSubject) -> None:
    kinds = [neighbour.kind for neighbour in make_channel_neighbours(shop.source, shop.plan.data)]
    assert len(set(kinds)) == len(kinds)
    for column in ("units", "views", "promotion", "weather", "kinds.csv"):
        assert sum(column in kind for kind in kinds) >= 5
    assert sum("days are" in kind for kind in kinds) == 3


def test_covariates_channels_and_lookups_have_no_violation(shop: AuditSubject) -> None:
    assert look_at_channels(shop, generator=np.random.default_rng(0)).violations == ()


@pytest.mark.parametrize("field", ["known", "target"])
def test_what_is_known_a_day_too_early_is_said(shop: AuditSubject, monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    step_features = features._step_features

    def early(panel: Any, plan: Any, cutoffs: Any, anchor: Any) -> Any:
        if field == "target":  # features read demand as the anchor completed it
            demand = np.roll(anchor.completed.demand, -1, axis=1)
            anchor = replace(anchor, completed=replace(anchor.completed, demand=demand))
        panel = replace(panel, **{field: np.roll(getattr(panel, field), -1, axis=1)})
        return step_features(panel, plan, cutoffs, anchor)

    monkeypatch.setattr(features, "_step_features", early)
    found = " ".join(look_at_channels(shop, generator=np.random.default_rng(0), neighbours=False).violations)
    assert "before its day" in found
