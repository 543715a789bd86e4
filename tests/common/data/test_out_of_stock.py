"""Days that ran out of stock: by the entity's own rows alone, and never a day that is closed."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from common.data.panel import Panel, empty_panel
from common.plan.schema import DataPlan
from panels import build_panel

ROWS = pd.DataFrame(
    {
        "product": ["tea", "tea", "tea", "cup", "cup"],
        "day": ["2024-01-01", "2024-01-02", "2024-01-02", "2024-01-03", "2024-01-05"],
        "units": ["3", "2", "0", "0", "4"],
        "gone": ["no", "", "yes", "1", "nobody knows"],
    }
)


def plan_of(**fields: Any) -> DataPlan:
    given = {
        "path": "rows.csv",
        "rows": "events",
        "entity": "product",
        "time": "day",
        "target": {"aggregate": "sum", "column": "units"},
        "out_of_stock": "gone",
        "start": "2024-01-01",
        "end": "2024-01-05",
    }
    return DataPlan.model_validate_json(json.dumps({**given, **fields}))


def censored_of(panel: Panel) -> dict[str, list[int]]:
    return {name: np.flatnonzero(own).tolist() for name, own in zip(panel.entities, panel.censored, strict=True)}


def test_a_day_is_out_of_stock_where_one_of_its_rows_says_so_and_a_row_of_nothing_counts() -> None:
    panel = build_panel(ROWS, plan_of())
    assert censored_of(panel) == {"cup": [2], "tea": [1]}
    assert panel.target[panel.entities == "tea"].tolist() == [[3, 2, 0, 0, 0]]


@pytest.mark.parametrize("yes", ["true", "TRUE", "yes", "1", "1.0", "是", True, 1, 1.0])
def test_many_words_say_yes(yes: Any) -> None:
    rows = ROWS.assign(gone=pd.Series([yes] + [None] * 4, dtype=object))
    assert censored_of(build_panel(rows, plan_of())) == {"cup": [], "tea": [0]}


@pytest.mark.parametrize("no", ["false", "no", "0", "否", "12", "", "-1", "out", None, False, float("nan")])
def test_whatever_does_not_say_yes_is_a_day_like_any_other(no: Any) -> None:
    panel = build_panel(ROWS.assign(gone=pd.Series([no] * 5, dtype=object)), plan_of())
    assert not panel.censored.any()
    assert panel.target.sum() == 9


def test_a_closed_day_is_not_out_of_stock() -> None:
    panel = build_panel(ROWS, plan_of(closed_dates=["2024-01-02"]))
    assert censored_of(panel) == {"cup": [2], "tea": []}


def test_a_plan_without_the_key_has_no_such_day_and_reads_no_such_column() -> None:
    panel = build_panel(ROWS.drop(columns="gone"), plan_of(out_of_stock=""))
    assert panel.censored.shape == panel.target.shape
    assert not panel.censored.any()


def test_what_others_say_changes_no_entity_s_days() -> None:
    together = build_panel(ROWS, plan_of())
    alone = build_panel(ROWS[ROWS["product"] == "tea"], plan_of())
    assert together.censored[together.entities == "tea"].tolist() == alone.censored.tolist()


def test_the_panel_of_nobody_and_of_some_have_the_days_too() -> None:
    assert empty_panel(plan_of()).censored.shape == (0, 5)
    assert build_panel(ROWS, plan_of()).select(np.array([1])).censored.tolist() == [[False, True, False, False, False]]


@pytest.mark.parametrize("target", [{"aggregate": "rows"}, {"aggregate": "mean", "column": "units"}])
def test_a_target_that_does_not_add_up_is_refused(target: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="a target that adds up"):
        plan_of(target=target)
