import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from client.data.check.inspection import inspect_files
from client.data.rows import read
from client.shop.history.history import History
from client.shop.invented.shop import InventedShop
from client.shop.plan.adaptation import adapt
from client.shop.plan.ingredient import choose_ingredients
from client.shop.plan.starter import write_plan
from client.shop.record import schema_of
from client.shop.settings import Shop
from common.errors import ConfigError, DataError
from common.plan.reading import parse_plan
from common.plan.schema import Plan

START, LAST = date(2024, 1, 1), date(2024, 5, 31)
ORIGIN = LAST + timedelta(days=1)


def plan_of(*, unit: str = "product", **data: Any) -> Plan:
    text = {
        "path": "demand.parquet",
        "rows": "panel",
        "entity": "item",
        "time": "date",
        "target": {"aggregate": "sum", "column": "units"},
        "start": str(START),
        "end": str(ORIGIN + timedelta(days=6)),
    }
    values = {
        "name": "received",
        "data": {**text, **data},
        "model": {"step": "day", "horizon_days": 7, "likelihood": "negative_binomial"},
        "privacy": {"unit": unit},
        "evaluation": {"origins": [str(ORIGIN)], "methods": ["anchor"]},
    }
    return Plan.model_validate_json(json.dumps(values))


def demand_in(plan: Plan, root: Path) -> dict[tuple[str, date], float]:
    panel = read(plan.data, root, ahead_from=ORIGIN).panel
    return {
        (entity, START + timedelta(days=day)): float(panel.target[place, day])
        for place, entity in enumerate(panel.entities)
        for day in range((LAST - START).days + 1)
        if panel.target[place, day]
    }


def test_what_the_plan_reads_is_the_true_daily_demand(
    history: History, shop: Shop, invented: InventedShop, tmp_path: Path
) -> None:
    plan = plan_of()
    adapted = adapt(history, shop, plan, tmp_path / "data", {})
    assert demand_in(plan, tmp_path / "data") == invented.daily_demand()
    assert [made.say() for made in adapted.made] == [
        "item (data.entity): the product's number",
        "date (data.time): the day, by the shop's clock",
        "units (data.target): pieces ordered, in orders that are sold",
    ]


def test_a_plan_of_events_reads_the_same_demand_line_by_line(
    history: History, shop: Shop, invented: InventedShop, tmp_path: Path
) -> None:
    plan = plan_of(rows="events")
    adapt(history, shop, plan, tmp_path, {})
    assert demand_in(plan, tmp_path) == invented.daily_demand()


def test_customers_are_in_it_as_hashes_alone(
    history: History, shop: Shop, invented: InventedShop, tmp_path: Path
) -> None:
    plan = plan_of(
        unit="customer",
        rows="events",
        entity="buyer",
        target={"aggregate": "distinct", "column": "invoice"},
        path="orders.csv",
    )
    adapted = adapt(history, shop, plan, tmp_path / "data", {})
    text = (tmp_path / "data" / "orders.csv").read_text()
    assert adapted.num_entities == len({order.person for order in invented.orders if order.state == "sold"})
    assert not [word for word in invented.private if word in text]
    assert re.match(r"[0-9a-f]{32}$", text.splitlines()[1].split(",")[0])


def test_promotions_ahead_are_in_it_and_their_days_have_no_demand_yet(
    with_offers: History, shop: Shop, tmp_path: Path
) -> None:
    with with_offers.begin("coming") as importing:
        ahead = {"first_day": ORIGIN, "last_day": ORIGIN + timedelta(days=2), "product": "", "category": ""}
        importing.append("promotions", pa.Table.from_pylist([ahead], schema=schema_of("promotions")))
        importing.finish()
    plan = plan_of(known=[{"column": "promo"}])
    adapt(with_offers, shop, plan, tmp_path, {})
    rows = pd.read_parquet(tmp_path / "demand.parquet")
    coming = rows[rows["date"] >= pd.Timestamp(ORIGIN)]
    assert coming["units"].isna().all()
    assert coming.groupby("date")["promo"].mean().tolist() == [1.0] * 3 + [0.0] * 4
    assert not inspect_files(plan, tmp_path).fails


def test_a_column_that_the_shop_lacks_is_one_sentence_that_says_how_to_get_it(
    history: History, shop: Shop, tmp_path: Path
) -> None:
    plan = plan_of(observed={"views": {"aggregate": "sum", "column": "page_views"}})
    with pytest.raises(DataError, match=r"reads the column page_views, and the history has no page views; add"):
        adapt(history, shop, plan, tmp_path, {})
    adapt(history, shop, plan, tmp_path, {"page_views": "constant 0"})
    assert pd.read_parquet(tmp_path / "demand.parquet")["page_views"].eq(0).all()


def test_a_column_that_no_name_explains_is_asked_for() -> None:
    plan = plan_of(static=[{"column": "xyz"}])
    with pytest.raises(DataError, match=r"Nothing tells what xyz \(data.static\) of the plan is made of"):
        choose_ingredients(plan, {})
    with pytest.raises(ConfigError, match="reads no column 'nothing'"):
        choose_ingredients(plan, {"nothing": "units"})
    with pytest.raises(ConfigError, match="cannot be made of 'gold'"):
        choose_ingredients(plan, {"xyz": "gold"})


def test_categories_that_the_plan_does_not_know_are_said(history: History, shop: Shop, tmp_path: Path) -> None:
    plan = plan_of(static=[{"column": "kind", "categories": ["grocery", "fashion"]}])
    adapted = adapt(history, shop, plan, tmp_path, {"kind": "constant fish"})
    assert "fish of yours are none of them" in adapted.remarks[0]
    assert adapt(history, shop, plan, tmp_path, {"kind": "constant grocery"}).remarks == ()


def test_a_lookup_has_a_file_of_keys_beside_the_rows(history: History, shop: Shop, tmp_path: Path) -> None:
    plan = plan_of(lookups=[{"path": "items.parquet", "key": "item", "column": "id"}], static=[{"column": "kind"}])
    adapt(history, shop, plan, tmp_path, {"kind": "constant 1"})
    assert not inspect_files(plan, tmp_path).fails


@pytest.mark.parametrize("closed", [(), ("sunday",)])
def test_a_new_plan_passes_its_own_check(
    with_offers: History, shop: Shop, closed: tuple[str, ...], tmp_path: Path
) -> None:
    shop = shop.model_copy(update={"closed_weekdays": closed, "name": 'a "shop"\n'})
    plan = parse_plan(write_plan(with_offers, shop))
    adapt(with_offers, shop, plan, tmp_path, {})
    report = inspect_files(plan, tmp_path)
    assert not report.fails, report.as_text()


def test_a_history_that_is_too_short_makes_no_plan(tmp_path: Path, shop: Shop) -> None:
    with pytest.raises(DataError, match="A plan needs a history of 84 days, and this one has 0"):
        write_plan(History.open(tmp_path), shop)
    with pytest.raises(DataError, match="no sale yet"):
        adapt(History.open(tmp_path), shop, plan_of(), tmp_path, {})


def test_a_plan_whose_last_origin_has_passed_is_told_what_is_known_after_the_history(
    with_offers: History, shop: Shop, tmp_path: Path
) -> None:
    with with_offers.begin("coming") as importing:
        ahead = {"first_day": ORIGIN, "last_day": ORIGIN + timedelta(days=2), "product": "", "category": ""}
        importing.append("promotions", pa.Table.from_pylist([ahead], schema=schema_of("promotions")))
        importing.finish()
    plan = plan_of(known=[{"column": "promo"}])
    passed = ORIGIN - timedelta(days=20)
    earlier = plan.model_copy(update={"evaluation": plan.evaluation.model_copy(update={"origins": (passed,)})})
    adapt(with_offers, shop, earlier, tmp_path, {})
    rows = pd.read_parquet(tmp_path / "demand.parquet")
    coming = rows[rows["date"] >= pd.Timestamp(ORIGIN)]
    assert coming.groupby("date")["promo"].mean().tolist() == [1.0] * 3 + [0.0] * 4
