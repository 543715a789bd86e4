"""Reading an export beside pandas: the two ways do the same before they are timed."""

from pathlib import Path

import pytest

from client.shop.source.opening import look
from simulation.bench.markdown import find_bound
from simulation.bench.reading import (
    EXPORTS,
    Export,
    read_with_few_columns,
    read_with_hansa,
    read_with_pandas,
    write_export,
)


@pytest.mark.parametrize("number", range(len(EXPORTS)))
def test_both_ways_give_the_same_daily_demand(tmp_path: Path, number: int) -> None:
    path = tmp_path / EXPORTS[number].name
    write_export(path, EXPORTS[number], 3000)
    ways = (read_with_hansa, read_with_pandas, read_with_few_columns)
    found = [way(str(path), number, warm=False) for way in ways]
    assert found == [found[0]] * 3
    assert found[0][0] > 2900


@pytest.mark.parametrize("export", EXPORTS)
def test_the_dialect_of_each_export_is_the_one_that_would_be_guessed(tmp_path: Path, export: Export) -> None:
    write_export(tmp_path / "x.csv", export, 3000)
    (seen,) = look("x.csv", tmp_path)
    assert seen.dialect is not None
    assert seen.dialect.model_copy(update={"thousands": ""}) == export.dialect.model_copy(update={"thousands": ""})


def test_three_times_as_fast_as_pandas_is_asked() -> None:
    bound = find_bound("reading", {}, {"of": "pandas", "to": "hansa"})
    assert bound is not None
    assert (bound.is_met(2.9), bound.is_met(3.0)) == (False, True)
