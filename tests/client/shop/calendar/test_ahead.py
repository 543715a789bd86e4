from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from client.shop.calendar.ahead import Ahead, ahead_of, origin_of
from client.shop.calendar.kept import Tables
from client.shop.record import Kind, schema_of
from client.shop.settings import Shop
from common.errors import DataError

FIRST, LAST = date(2024, 1, 1), date(2024, 11, 30)
HORIZON = date(2024, 12, 1), date(2024, 12, 28)


def shop(**settings: Any) -> Shop:
    return Shop.model_validate(
        {"name": "tea", "time_zone": "Europe/London", "currency": "GBP", **settings}, strict=False
    )


def records(kind: Kind, *rows: dict[str, Any]) -> pa.Table:
    schema = schema_of(kind)
    gaps = {name: "" if pa.types.is_string(schema.field(name).type) else None for name in schema.names}
    return pa.Table.from_pylist([{**gaps, **row} for row in rows], schema)


def history(**by_kind: Sequence[dict[str, Any]]) -> Tables:
    days = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]
    rows = [(name, day) for name in ("green", "black", "mug") for day in days]
    daily = pa.table(
        {
            "product": [name for name, _ in rows],
            "day": pa.array([day for _, day in rows], pa.date32()),
            "units": pa.array([10.0] * len(rows)),
            "lines": pa.array([10] * len(rows)),
            "out": pa.array([False] * len(rows)),
        }
    )
    tables = {kind: records(kind, *rows) for kind, rows in by_kind.items()}  # type: ignore[arg-type]
    return Tables(daily, tables, {"green": "tea", "black": "tea", "mug": "ware"})


def keys(ahead: Ahead) -> list[str]:
    return [finding.key for finding in ahead.findings]


def column(ahead: Ahead, name: str) -> list[str]:
    """The days on which a shared covariate is on."""
    marks = ahead.shared[:, ahead.names.index(name)]
    return [str(ahead.first + timedelta(days=int(day))) for day in np.flatnonzero(marks)]


def test_the_day_after_the_last_sale_is_the_first_to_forecast() -> None:
    assert origin_of(history()) == date(2024, 12, 1)
    nothing = Tables(history().by_day.slice(0, 0))
    with pytest.raises(DataError, match="Nothing was ever sold"):
        origin_of(nothing)


def test_public_holidays_and_sales_days_of_the_shop_s_place_are_known_ahead() -> None:
    ahead = ahead_of(history(), shop(country="GB", subdivision="ENG"), *HORIZON, ["green"])
    assert column(ahead, "holiday") == ["2024-12-25", "2024-12-26"]
    assert column(ahead, "day before a holiday") == ["2024-12-24"]
    assert column(ahead, "cyber_monday") == ["2024-12-02"]
    assert "worked weekend" not in ahead.names
    assert "worked weekend" in ahead_of(history(), shop(country="CN"), *HORIZON, ["green"]).names
    assert "holiday" not in ahead_of(history(), shop(), *HORIZON, ["green"]).names


def test_a_price_holds_until_the_next_one_and_where_it_ends_a_finding_says_so_and_the_last_goes_on() -> None:
    prices = [
        {"product": "green", "first_day": date(2024, 1, 1), "last_day": date(2024, 11, 30), "price": 4.0},
        {"product": "green", "first_day": date(2024, 12, 1), "last_day": date(2024, 12, 5), "price": 3.0},
        {"product": "black", "first_day": date(2024, 12, 3), "price": 5.0, "currency": "EUR"},
    ]
    known = history(prices=prices)
    ahead = ahead_of(known, shop(rates={"EUR": 0.8}), *HORIZON, ["green", "black", "mug"])
    assert ahead.by_product[0, :, 2].tolist() == [3.0] * 28
    assert np.isnan(ahead.by_product[1, :2, 2]).all()
    assert ahead.by_product[1, 2:, 2] == pytest.approx(4.0)
    assert np.isnan(ahead.by_product[2, :, 2]).all()
    (finding,) = ahead.findings
    assert finding.sentence.startswith(
        "Prices of 1 of 3 products are known to 2024-12-05; the forecast goes to 2024-12-28: the last price of each"
    )
    with pytest.raises(DataError, match=r'known to 2024-12-05.*missing_ahead = "refuse"'):
        ahead_of(known, shop(rates={"EUR": 0.8}, missing_ahead="refuse"), *HORIZON, ["green"])


def test_a_price_in_money_without_a_rate_is_left_out_and_said() -> None:
    known = history(prices=[{"product": "green", "first_day": FIRST, "price": 4.0, "currency": "USD"}])
    ahead = ahead_of(known, shop(), *HORIZON, ["green"])
    assert np.isnan(ahead.by_product[:, :, 2]).all()
    assert "rates.USD" in ahead.findings[0].sentence


def test_a_promotion_is_of_a_product_a_category_or_everything_and_the_larger_discount_counts() -> None:
    promotions = [
        {"product": "green", "first_day": date(2024, 12, 1), "last_day": date(2024, 12, 2), "discount": 0.2},
        {"category": "tea", "first_day": date(2024, 12, 2), "last_day": date(2024, 12, 3), "discount": 0.1},
        {"first_day": date(2024, 12, 28), "last_day": date(2024, 12, 31), "name": "end of year"},
        {"product": "sugar", "first_day": date(2024, 12, 1), "last_day": date(2024, 12, 31), "discount": 0.9},
    ]
    ahead = ahead_of(history(promotions=promotions), shop(), *HORIZON, ["mug", "green", "black"])
    assert ahead.by_product[:, :4, 1].round(3).tolist() == pytest.approx(
        np.array([[0, 0, 0, 0], [0.2, 0.2, 0.1, 0], [0, 0.1, 0.1, 0]], np.float32)
    )
    assert ahead.by_product[:, 27, :2].tolist() == [[1, 0]] * 3
    assert keys(ahead) == []


def test_what_was_learnt_of_later_is_not_known_yet_and_promotions_that_end_are_said() -> None:
    promotions = [
        {"first_day": date(2024, 12, 3), "last_day": date(2024, 12, 5), "known_from": date(2024, 11, 20)},
        {"first_day": date(2024, 12, 9), "last_day": date(2024, 12, 31), "known_from": date(2024, 12, 2)},
    ]
    ahead = ahead_of(history(promotions=promotions), shop(), *HORIZON, ["green"])
    assert np.flatnonzero(ahead.by_product[0, :, 0]).tolist() == [2, 3, 4]
    assert ahead.findings[0].sentence.startswith("Promotions are known to 2024-12-05; the forecast goes to 2024-12-28")
    later = ahead_of(history(promotions=promotions), shop(), *HORIZON, ["green"], told_by=date(2024, 12, 2))
    assert later.by_product[0, 27, 0] == 1.0


def test_events_have_columns_by_name_and_the_rare_ones_share_one() -> None:
    events = [{"name": "fair", "first_day": date(2024, 12, 7), "last_day": date(2024, 12, 8)}]
    events += [{"name": f"walk {number}", "first_day": date(2024, 3, number + 1)} for number in range(15)]
    ahead = ahead_of(history(events=events), shop(), *HORIZON, ["green"])
    assert column(ahead, "event fair") == ["2024-12-07", "2024-12-08"]
    past = ahead_of(history(events=events), shop(), FIRST, LAST, ["green"])
    assert past.names == ahead.names
    assert len(column(past, "event another event")) == 4
    assert past.findings == ()
    assert keys(ahead) == ["events_end"]


def test_a_year_that_is_not_announced_and_a_place_that_is_not_known_are_findings() -> None:
    far = date(2059, 12, 1), date(2060, 1, 10)
    assert keys(ahead_of(history(), shop(country="CN"), *far, ["green"])).count("holidays_unannounced") == 2
    assert keys(ahead_of(history(), shop(country="XX"), *HORIZON, ["green"])) == ["holidays_place"]
    unknown = ahead_of(history(), shop(country="DE"), date(2101, 1, 1), date(2101, 1, 28), ["green"])
    assert "holidays_unknown" in keys(unknown)
    assert "holidays_doubt" in keys(
        ahead_of(history(), shop(country="GB"), date(2025, 4, 1), date(2025, 4, 28), ["mug"])
    )


def test_the_shop_is_closed_ahead_as_it_was_told() -> None:
    told = shop(
        country="GB", subdivision="ENG", closed_weekdays=["sunday"], closed_dates=["2024-12-24"], closed_holidays=True
    )
    closures = [{"name": "stocktaking", "first_day": date(2024, 12, 4), "last_day": date(2024, 12, 5)}]
    ahead = ahead_of(history(closures=closures), told, *HORIZON, ["green"])
    closed = [day + 1 for day in np.flatnonzero(~ahead.is_open)]
    assert closed == [1, 4, 5, 8, 15, 22, 24, 25, 26]


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(DataError, match="no day from"):
        ahead_of(history(), shop(), HORIZON[1], HORIZON[0], ["green"])
