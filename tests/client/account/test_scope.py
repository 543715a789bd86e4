"""A plan that reads what the policy does not name, or counts another thing as one entity, is refused by its words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from client.account.agreement import Offer, agree, require_approved
from client.account.ledger.ledger import Ledger
from client.account.policy import Policy
from client.account.scope import require_within
from client.data.root import DataRoot
from client.data.rows import read
from common.errors import DataError, PrivacyError
from common.plan.schema import Plan

SCOPE = {
    "entity": "product",
    "never": ["email"],
    "files": {
        "sales.csv": ["product", "date", "units", "price", "promotion", "kind"],
        "kinds.csv": ["kind", "margin"],
        "makers.csv": ["Product", "maker", "date"],
    },
    "lookups": {"makers.csv": "Product"},
    "public": ["kinds.csv"],
}
DATA: dict[str, Any] = {
    "path": "sales.csv",
    "rows": "panel",
    "entity": "product",
    "time": "date",
    "target": {"aggregate": "sum", "column": "units"},
}
KINDS = {"path": "kinds.csv", "key": "kind", "column": "kind"}
MAKERS = {"path": "makers.csv", "key": "product", "column": "Product"}


@pytest.fixture
def policy(make_policy: Callable[..., Policy]) -> Policy:
    return make_policy(unit="product", data=SCOPE)


@pytest.fixture
def product_plan(make_plan: Callable[..., Plan]) -> Callable[..., Plan]:
    """Make a plan about products; named arguments change its data."""
    return lambda **data: make_plan(data=DATA | data, privacy={"unit": "product"})


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"rows": "events"},
        {"known": [{"column": "promotion"}, {"column": "price"}]},
        {"static": [{"column": "kind", "categories": ["a"]}], "filters": [{"column": "units", "above": 0.0}]},
        {"derived": {"worth": ["units", "price"]}, "observed": {"worth": {"aggregate": "sum", "column": "worth"}}},
        {"derived": {"units": ["units", "price"]}},
        {"deal": {"by": "group", "column": "product", "characters": 2, "merchants": 2}},
        {"lookups": [KINDS], "known": [{"column": "margin"}]},
        {"lookups": [MAKERS], "static": [{"column": "maker", "categories": ["a"]}]},
        {"lookups": [KINDS, MAKERS], "deal": {"by": "random", "merchants": 2, "smallest": 1, "largest": 2}},
    ],
)
def test_a_plan_within_the_policy_is_accepted(
    policy: Policy, product_plan: Callable[..., Plan], data: dict[str, Any]
) -> None:
    require_within(policy, product_plan(**data))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"entity": "row_id"}, "counts every 'row_id' as one entity (data.entity), the policy's entity is 'product'"),
        ({"entity": "date"}, "counts every 'date' as one entity"),
        ({"entity": "Product"}, "counts every 'Product' as one entity"),
        ({"merchant": "date"}, "tells merchants apart by the column 'date' (data.merchant), the policy names none"),
        (
            {"deal": {"by": "group", "column": "date", "characters": 7, "merchants": 2}},
            "splits entities by the column 'date' (data.deal)",
        ),
        ({"derived": {"product": ["units", "price"]}}, "would compute 'product' (data.derived)"),
        ({"path": "other.csv"}, "would read the file 'other.csv'"),
        ({"path": "./sales.csv"}, "would read the file './sales.csv'"),
        ({"lookups": [KINDS | {"path": "other.csv"}]}, "would read the file 'other.csv'"),
        ({"lookups": [MAKERS | {"key": "date", "column": "date"}]}, "would join 'makers.csv' by 'date' to 'date'"),
        ({"lookups": [MAKERS | {"column": "maker"}]}, "by 'maker' to 'product', so that one unit could meet another's"),
        ({"lookups": [{"path": "sales.csv", "key": "date", "column": "date"}]}, "would join 'sales.csv' by 'date'"),
        ({"lookups": [KINDS | {"column": "colour"}]}, "'colour' (data.lookups.0.column), which data.files does not"),
        ({"lookups": [KINDS | {"key": "colour"}]}, "'colour' (data.lookups.0.key)"),
        (
            {"time": "changed"},
            "would read the column 'changed' (data.time), which data.files does not list for 'sales.csv'",
        ),
        ({"target": {"aggregate": "sum", "column": "profit"}}, "'profit' (data.target)"),
        ({"observed": {"views": {"aggregate": "sum", "column": "profit"}}}, "'profit' (data.observed.views)"),
        ({"derived": {"worth": ["units", "cost"]}}, "'cost' (data.derived.worth)"),
        ({"derived": {"worth": ["worth", "units"]}}, "'worth' (data.derived.worth)"),
        ({"known": [{"column": "margin"}]}, "'margin' (data.known), which data.files does not list for 'sales.csv'"),
        ({"static": [{"column": "colour"}]}, "'colour' (data.static)"),
        ({"filters": [{"column": "colour", "equals": "red"}]}, "'colour' (data.filters)"),
        ({"known": [{"column": "email"}]}, "would read the column 'email' (data.known), which data.never"),
        ({"path": "../sales.csv"}, "is no path below the data root, since it leads upwards"),
        ({"path": "/sales.csv"}, "since it is absolute"),
        ({"lookups": [KINDS | {"path": "C:\\\\kinds.csv"}]}, "data.lookups.0.path = "),
    ],
)
@pytest.mark.parametrize("by_hash", [False, True])
def test_a_plan_beyond_the_policy_is_refused_though_its_hash_is_approved(
    make_policy: Callable[..., Policy],
    product_plan: Callable[..., Plan],
    ledger: Ledger,
    data: dict[str, Any],
    said: str,
    by_hash: bool,
) -> None:
    plan = product_plan(**data)
    approval = {"plans": [plan.hash]} if by_hash else {}
    offer = Offer(plan, private=True, coordinator="c" * 64, cohort_size=5)
    with pytest.raises(PrivacyError) as caught:
        agree(make_policy(unit="product", data=SCOPE, approval=approval), offer, ledger, num_coordinates=100)
    assert said in str(caught.value)
    assert str(caught.value).startswith("The plan 'small' ")
    assert "\n" not in str(caught.value)


def test_without_a_section_nothing_is_accepted_automatically_and_a_hash_is(
    make_policy: Callable[..., Policy], make_offer: Callable[..., Offer]
) -> None:
    offer = make_offer()
    with pytest.raises(PrivacyError, match=r"has no \[data\] section .*hansa-client policy --plan") as caught:
        require_approved(make_policy(data=None), offer)
    assert offer.plan.hash in str(caught.value)
    require_approved(make_policy(data=None, approval={"plans": [offer.plan.hash]}), offer)
    outside = make_offer(plan={"data": {"path": "/etc/rows.csv"}})
    with pytest.raises(PrivacyError, match="is no path below the data root"):
        require_approved(make_policy(data=None, approval={"plans": [outside.plan.hash]}), outside)


def test_a_policy_of_several_shops_in_one_file_wants_both_columns(
    make_policy: Callable[..., Policy], product_plan: Callable[..., Plan]
) -> None:
    files = SCOPE["files"] | {"sales.csv": ["shop", "product", "date", "units"]}  # type: ignore[operator]
    policy = make_policy(unit="product", data=SCOPE | {"merchant": "shop", "files": files})
    require_within(policy, product_plan(merchant="shop"))
    with pytest.raises(PrivacyError, match=r"by the column '' \(data\.merchant\), the policy's is 'shop'"):
        require_within(policy, product_plan())
    with pytest.raises(PrivacyError, match=r"would join 'makers\.csv' .*the policy allows none"):
        require_within(policy, product_plan(merchant="shop", lookups=[MAKERS]))


def test_each_record_of_a_plan_within_the_policy_is_one_value_of_its_entity_column(
    policy: Policy, product_plan: Callable[..., Plan], tmp_path: Any
) -> None:
    generator = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "product": [f"p{number}" for number in generator.integers(0, 5, 60)],
            "date": pd.Timestamp("2024-01-01") + pd.to_timedelta(generator.integers(0, 60, 60), unit="D"),
            "units": generator.integers(1, 9, 60),
        }
    )
    rows.to_csv(tmp_path / "sales.csv", index=False)
    records = {
        name: len(read(product_plan(**data).data, tmp_path).panel.entities)
        for name, data in {"product": {}, "date": {"entity": "date"}, "merchant": {"merchant": "date"}}.items()
    }
    assert records["product"] == 5 < records["date"]
    assert records["product"] < records["merchant"]  # what a plan could make of one product
    panel = read(product_plan().data, DataRoot(tmp_path, policy.readable)).panel
    assert sorted(panel.entities) == sorted(set(rows["product"]))


CALENDAR = {"path": "calendar.csv", "time": "date", "known": [{"column": "fair"}]}
PRICES = {"path": "prices.csv", "time": "date", "entity": "sku", "known": [{"column": "price"}]}
SCHOOL = {"path": "school.csv"}
CALENDAR_FILES = {
    "calendar.csv": ["date", "fair", "product", "kind"],
    "prices.csv": ["sku", "date", "price", "kind"],
    "school.csv": ["first_day", "last_day"],
}


def calendar_scope(**changes: Any) -> dict[str, Any]:
    scope = {**SCOPE, "files": {**SCOPE["files"], **CALENDAR_FILES}, "lookups": {"prices.csv": "sku"}}  # type: ignore[dict-item]
    return {**scope, "public": ["calendar.csv", "school.csv"], **changes}


@pytest.mark.parametrize(
    ("changes", "data", "said"),
    [
        ({}, {"ahead": [CALENDAR, PRICES], "school_holidays": SCHOOL, "holidays": {"country": "DE"}}, ""),
        ({"public": ["school.csv"]}, {"ahead": [CALENDAR]}, "would read 'calendar.csv' for all entities alike"),
        ({"public": []}, {"school_holidays": SCHOOL}, "would read 'school.csv' for all entities alike"),
        ({}, {"ahead": [{**PRICES, "entity": ""}]}, "would read 'prices.csv' for all entities alike"),
        (
            {},
            {"ahead": [{**PRICES, "entity": "kind"}]},
            "would join 'prices.csv' by 'kind', so that one unit could meet",
        ),
        ({"lookups": {}}, {"ahead": [PRICES]}, "would join 'prices.csv' by 'sku'"),
        ({"lookups": {}, "public": ["prices.csv"]}, {"ahead": [PRICES]}, ""),
        ({}, {"ahead": [{**CALENDAR, "path": "other.csv"}]}, "would read the file 'other.csv'"),
        (
            {},
            {"ahead": [{**CALENDAR, "known": [{"column": "sales"}]}]},
            "would read the column 'sales' (data.ahead.0.known)",
        ),
        ({}, {"ahead": [{**CALENDAR, "known": [{"column": "email"}]}]}, "which data.never of the policy forbids"),
        ({}, {"ahead": [{**PRICES, "path": "sales.csv", "entity": "product"}], "known": []}, ""),
        ({}, {"ahead": [{**PRICES, "path": "sales.csv", "entity": "kind"}]}, "would join 'sales.csv' by 'kind'"),
    ],
)
def test_a_calendar_of_all_entities_must_be_public_and_a_table_of_each_joined_by_its_own_column(
    make_policy: Callable[..., Policy],
    product_plan: Callable[..., Plan],
    changes: dict[str, Any],
    data: dict[str, Any],
    said: str,
) -> None:
    policy, plan = make_policy(unit="product", data=calendar_scope(**changes)), product_plan(**data)
    if not said:
        require_within(policy, plan)
        return
    with pytest.raises(PrivacyError) as caught:
        require_within(policy, plan)
    assert said in str(caught.value)


def test_a_table_of_several_merchants_is_joined_by_both_names(
    make_policy: Callable[..., Policy], product_plan: Callable[..., Plan]
) -> None:
    files = {"sales.csv": ["product", "date", "units", "shop"], "prices.csv": ["product", "date", "price", "shop"]}
    policy = make_policy(unit="product", data={"entity": "product", "merchant": "shop", "files": files})
    table = {**PRICES, "entity": "product", "merchant": "shop"}
    require_within(policy, product_plan(merchant="shop", ahead=[table]))
    with pytest.raises(PrivacyError, match=r"would join 'prices\.csv' by 'product'"):
        require_within(policy, product_plan(merchant="shop", ahead=[{**table, "merchant": ""}]))


def test_the_reading_of_a_calendar_leaves_out_what_the_policy_does_not_name(
    make_policy: Callable[..., Policy], product_plan: Callable[..., Plan], tmp_path: Any
) -> None:
    (tmp_path / "sales.csv").write_text("product,date,units\ntea,2024-01-02,3\n")
    (tmp_path / "calendar.csv").write_text("date,fair,secret\n2024-01-02,1,9\n")
    policy = make_policy(unit="product", data=calendar_scope())
    root = DataRoot(tmp_path, policy.readable)
    assert read(product_plan(ahead=[CALENDAR]).data, root).panel.known.sum() == 1
    hidden = product_plan(ahead=[{**CALENDAR, "known": [{"column": "secret"}]}])
    with pytest.raises(DataError, match="names the column 'secret'"):
        read(hidden.data, root)
