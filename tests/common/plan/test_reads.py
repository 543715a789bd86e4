"""What a plan reads is one list; a key that names a column and is not in it fails here."""

from __future__ import annotations

import types
from collections.abc import Callable
from datetime import date
from itertools import count
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from common.data.cells import as_names
from common.data.usable import choose_rows, name_columns
from common.plan.reads import columns_in, columns_of, files_of, what_is_read
from common.plan.schema import DataPlan, Plan

NO_COLUMNS = {  # texts of a plan's data that name no column and no file
    "time_zone",
    "observed.<name>",
    "derived.<name>",
    "filters.equals",
    "known.categories",
    "ahead.known.categories",
    "holidays.country",
    "holidays.subdivision",
    "holidays.near",
    "school_holidays.names",
    "static.categories",
}


class Filler:
    """Fill every text of a section with a name of its own, and every choice with one of its values."""

    def __init__(self, choose: Callable[[tuple[Any, ...]], Any]) -> None:
        self._choose, self._numbers = choose, count()
        self.texts: dict[str, str] = {}  # by the text, the key it stands under

    def section(self, form: type[BaseModel], key: str = "") -> Any:
        names = form.model_fields
        return form.model_construct(
            **{name: self.value(field.annotation, f"{key}.{name}".strip(".")) for name, field in names.items()}
        )

    def value(self, annotation: Any, key: str) -> Any:
        origin, parts = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self.value(parts[0], key)
        if origin is Literal:
            return self._choose(parts)
        if origin in (Union, types.UnionType):
            return self.value(parts[0], key)
        if origin is tuple:
            return tuple(self.value(part, key) for part in parts if part is not Ellipsis)
        if origin is dict:
            return {self.value(parts[0], f"{key}.<name>"): self.value(parts[1], key)}
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return self.section(annotation, key)
        if annotation is str:
            text = f"text-{next(self._numbers)}"
            self.texts[text] = key
            return text
        return {int: 1, float: 1.0, bool: True, date: date(2024, 1, 1), type(None): None}[annotation]


@pytest.mark.parametrize("place", [0, -1], ids=["first", "last"])
def test_every_text_of_a_plan_s_data_is_read_or_known_to_name_no_column(place: int) -> None:
    filler = Filler(lambda values: values[place])
    data = filler.section(DataPlan)
    data = data.model_copy(update={"source": "file"})  # what is drawn is in no file
    read = {use.column for use in what_is_read(data)} | set(files_of(data))
    assert len(filler.texts) > 15
    unread = {key for text, key in filler.texts.items() if text not in read}
    deal = {"deal.column"} if data.deal.by != "group" else set[str]()  # else the name of an observed channel
    assert unread == NO_COLUMNS | deal


def test_a_key_that_is_added_and_forgotten_is_noticed() -> None:
    class Later(DataPlan):
        weight: str = ""

    filler = Filler(lambda values: values[-1])
    data = filler.section(Later).model_copy(update={"source": "file"})
    read = {use.column for use in what_is_read(data)} | set(files_of(data))
    assert "weight" in {key for text, key in filler.texts.items() if text not in read}


@pytest.fixture
def data(make_plan: Callable[..., Plan]) -> DataPlan:
    plan = make_plan(
        data={
            "entity": "product",
            "derived": {"spend": ["units", "price"], "twice": ["spend", "rate"], "price": ["price", "tax"]},
            "target": {"aggregate": "sum", "column": "spend"},
            "filters": [{"column": "twice", "above": 0.0}, {"column": "price", "above": 0.0}],
            "lookups": [{"path": "rates.csv", "key": "land", "column": "Land"}],
        }
    )
    return plan.data


def test_a_computed_column_is_in_no_file_and_its_factors_are(data: DataPlan) -> None:
    assert set(columns_of(data)) == {"product", "time", "units", "price", "rate", "tax", "land"}
    assert {use.key for use in what_is_read(data) if use.column == "price"} == {
        "data.derived.spend",
        "data.derived.price",
    }


def test_a_lookup_may_hold_any_column_but_only_it_is_joined_by_its_own(data: DataPlan) -> None:
    assert files_of(data) == ("rows.csv", "rates.csv")
    own, other = columns_in(data).values()
    assert "Land" not in own
    assert set(other) == {*own, "Land"}
    assert "Land" not in columns_of(data)


def test_a_plan_that_draws_its_data_reads_no_file(make_plan: Callable[..., Plan]) -> None:
    drawn = make_plan(data={"source": "synthetic", "path": ""}).data
    assert files_of(drawn) == ()
    assert columns_in(drawn) == {}


def test_rows_are_chosen_from_the_columns_that_are_said_to_be_read_and_from_no_other(data: DataPlan) -> None:
    import pandas as pd

    named = [column for column in columns_of(data) if column != "land"]
    rows = pd.DataFrame({column: ["2024-01-03" if column == "time" else "2"] for column in named})
    usable = choose_rows(rows, data)
    assert len(usable.rows) == 1
    assert as_names(usable.rows["spend"])[0] == "4"
    assert set(name_columns(data)) <= set(named)
