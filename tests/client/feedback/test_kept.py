"""What was served is kept once, bounded, and read again as it was."""

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from client.feedback import kept as module
from client.feedback.forecast import keep_forecast, read_forecasts
from client.feedback.kept import FILE_NAME, keep, list_kinds, read_kept
from client.shop.forecast.outlook import Outlook
from client.shop.forecast.period import cut_periods
from client.shop.forecast.question import Question
from client.shop.forecast.weight import Weighed
from common.errors import DataError
from common.forecast.table import QUANTILES

NOW = datetime(2025, 3, 3, 20, 0, tzinfo=UTC)
MONDAY = date(2025, 3, 3)


def make_outlook(origin: date, *, mean: float = 2.5, weeks: int = 4) -> Outlook:
    """An answer without the plan that it came of, which is not kept."""
    periods = cut_periods("week", origin, origin + timedelta(days=7 * weeks - 1))
    number = len(periods)
    table = pa.table(
        {
            "product": np.repeat(["tea", "pot"], number),
            "name": ["?"] * 2 * number,
            "period": [period.name for period in periods] * 2,
            "open_days": [7] * 2 * number,
            "mean": np.repeat([mean, 10 * mean], number),
            **{name: np.repeat([float(place), 10.0 * place], number) for place, name in enumerate(QUANTILES)},
            "state": ["sold"] * 2 * number,
        }
    )
    weighed = Weighed({"anchor": 0.25, "warm": 0.75}, {})
    made = object.__new__(Outlook)
    for name, value in {
        "by": "week",
        "origin": origin,
        "last": periods[-1].last,
        "periods": periods,
        "table": table,
        "weighed": weighed,
    }.items():
        object.__setattr__(made, name, value)
    return made


def serve(folder: Path, origin: date, **other: float) -> bool:
    outlook = make_outlook(origin, **other)
    return keep_forecast(folder, outlook, Question(), last_sale=origin - timedelta(days=1), made=NOW)


def test_a_forecast_is_read_again_as_it_was_served(tmp_path: Path) -> None:
    assert serve(tmp_path, date(2025, 3, 5), mean=2.34567)
    (served,) = read_forecasts(tmp_path)
    assert (served.origin, served.by, served.rehearsed) == (date(2025, 3, 5), "week", False)
    assert served.methods == {"anchor": 0.25, "warm": 0.75}
    first = served.table.slice(0, 1).to_pylist()[0]
    assert (first["first"], first["last"], first["partial"]) == (date(2025, 3, 5), date(2025, 3, 9), True)
    assert first["mean"] == pytest.approx(2.346)
    assert [first[name] for name in QUANTILES] == list(range(len(QUANTILES)))


def test_the_same_answer_to_the_same_question_is_kept_once(tmp_path: Path) -> None:
    assert serve(tmp_path, MONDAY)
    assert not serve(tmp_path, MONDAY)
    assert serve(tmp_path, MONDAY, mean=3.0), "late rows made another forecast of it"
    assert len(list(read_forecasts(tmp_path))) == 2


def test_a_forecast_of_days_that_had_come_is_told_apart(tmp_path: Path) -> None:
    keep_forecast(tmp_path, make_outlook(MONDAY), Question(), last_sale=MONDAY, made=NOW)
    assert list(read_forecasts(tmp_path)) == []
    assert len(list(read_forecasts(tmp_path, rehearsed=True))) == 1


def test_evenings_of_long_ago_become_one_a_week_and_none_is_kept_for_ever(tmp_path: Path) -> None:
    days = [*range(0, 30, 3), *range(200, 230), *range(660, 700)]
    for day in days:
        first = str(MONDAY + timedelta(days=day))
        keep(tmp_path, "order", NOW, {"lines": [{"first": first, "last": first}]})
    origins = [(each.first - MONDAY).days for each in read_kept(tmp_path, "order")]
    recent = [day for day in origins if day >= 699 - module.DAILY_DAYS]
    assert recent == list(range(699 - module.DAILY_DAYS, 700)), "of the last weeks every evening stays"
    assert origins[: -len(recent)] == [200, 203, 210, 217, 224, 660], "and the first of each week before"


def test_beyond_the_bound_the_oldest_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(tmp_path, MONDAY)
    (size,) = (len(each.body) for each in read_kept(tmp_path, "forecast"))
    monkeypatch.setattr(module, "MOST_BYTES", 2 * size + size // 2)
    serve(tmp_path, MONDAY + timedelta(days=1))
    serve(tmp_path, MONDAY + timedelta(days=2))
    assert [served.origin.day for served in read_forecasts(tmp_path)] == [4, 5]


def test_a_proposal_is_kept_with_its_days_and_once(tmp_path: Path) -> None:
    lines = [{"product": "tea", "first": "2025-03-04", "last": "2025-03-18", "covered": 12.0}]
    assert keep(tmp_path, "order", NOW, {"lines": lines, "supplier": "Löwe"})
    assert not keep(tmp_path, "order", NOW + timedelta(hours=1), {"lines": lines, "supplier": "Löwe"})
    (kept,) = read_kept(tmp_path, "order")
    assert (kept.first, kept.last, kept.made) == (date(2025, 3, 4), date(2025, 3, 18), NOW)
    assert kept.payload == {"lines": lines, "supplier": "Löwe"}
    assert list_kinds(tmp_path) == {"order": 1}


def test_a_damaged_or_newer_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 200)
    with pytest.raises(DataError, match=r"Cannot use .*bring a copy back"):
        read_kept(tmp_path, "order")
    (tmp_path / FILE_NAME).unlink()
    keep(tmp_path, "order", NOW, {})
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(DataError, match="newer version of hansa"):
        keep(tmp_path, "order", NOW, {})
