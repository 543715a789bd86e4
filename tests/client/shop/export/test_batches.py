"""Where batches end, which rows are damaged and how orders lie changes nothing that it should not.

Hypothesis draws orders with lines that stand apart, one product twice, cells in the first line only and refunds.
"""

from datetime import date

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SHOPIFY = [
    "Name", "Email", "Financial Status", "Currency", "Created at", "Lineitem quantity", "Lineitem name",
    "Lineitem price", "Lineitem sku", "Cancelled at", "Refunded Amount",
]  # fmt: skip
TABLE = ["order", "who", "state", "money", "day", "qty", "name", "price", "sku"]
TABLE_COLUMNS = {
    "order": "order", "customer": "who", "state": "state", "currency": "money", "day": "day", "quantity": "qty",
    "price": "price", "product": "sku",
}  # fmt: skip
IN_FIXTURE = [HealthCheck.function_scoped_fixture]  # converters are made anew for each conversion
FEW = settings(max_examples=8, deadline=None, suppress_health_check=IN_FIXTURE)
MANY = settings(max_examples=100, deadline=None, suppress_health_check=IN_FIXTURE)
DAMAGE = ["", "?", "31.31.2026", "1,000,x"]


@st.composite
def orders(draw: st.DrawFn) -> list[list[list[str]]]:
    """Draw orders, each a list of rows; what belongs to the order stands in its first row or in each."""
    drawn = []
    for number in range(draw(st.integers(1, 5))):
        state = draw(st.sampled_from(["paid", "pending", "refunded", "partially_refunded"]))
        refund = "3.00" if "refund" in state else "0"
        lines = draw(st.lists(st.tuples(st.sampled_from("AB"), st.integers(-1, 3)), min_size=1, max_size=4))
        rows, in_each_row = [], draw(st.booleans())
        for place, (sku, quantity) in enumerate(lines):
            head = (
                [f"c{number}@x.co", state, "USD", f"2026-01-0{number + 1} 10:00:00 +0100"]
                if not place or in_each_row
                else [""] * 4
            )
            end = [sku, "", refund if not place or in_each_row else ""]
            rows.append([f"#{number}", *head, str(quantity), f"Tea {sku}", "2.50", *end])
        drawn.append(rows)
    return drawn


def records(converted, drop=("row",)):
    """List all records of all kinds, in no order."""
    found = []
    for kind, table in converted.records.items():
        names = [name for name in table.column_names if name not in drop]
        columns = [table[name].to_pylist() for name in names]
        found += [(kind, *map(str, values)) for values in zip(*columns, strict=True)]
    return sorted(found)


def of_table(rows):
    return [row[:9] for row in rows]


@pytest.fixture(params=["shopify", "table"])
def run(request, in_batches):
    def convert(rows, cuts=()):
        if request.param == "shopify":
            return in_batches(SHOPIFY, rows, cuts, format="shopify")
        return in_batches(TABLE, of_table(rows), cuts, columns=TABLE_COLUMNS)

    return convert


def check_records_are_the_same_wherever_batches_end(run, drawn, data):
    rows = [row for order in drawn for row in order]
    rows = data.draw(st.permutations(rows))  # lines of one order stand apart, some before the order's first
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=4))
    whole, parts = run(rows), run(rows, cuts)
    assert records(parts, drop=()) == records(whole, drop=())
    assert sorted((each.reason, each.count) for each in parts.left_out) == sorted(
        (each.reason, each.count) for each in whole.left_out
    )


@FEW
@given(drawn=orders(), data=st.data())
def test_records_are_the_same_wherever_batches_end(run, drawn, data):
    check_records_are_the_same_wherever_batches_end(run, drawn, data)


@pytest.mark.slow
@MANY
@given(drawn=orders(), data=st.data())
def test_records_are_the_same_wherever_batches_end_in_many_draws(run, drawn, data):
    check_records_are_the_same_wherever_batches_end(run, drawn, data)


def check_a_damaged_row_changes_records_of_its_own_order_only(run, drawn, data):
    rows = [list(row) for order in drawn for row in order]
    place = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(1, len(rows[0]) - 1))
    damaged = [list(row) for row in rows]
    damaged[place][column] = data.draw(st.sampled_from(DAMAGE))
    number = rows[place][0]
    before, after = run(rows), run(damaged)
    for kind in ("sales", "returns"):
        others = [_without(converted, kind, number) for converted in (before, after)]
        assert others[0] == others[1]


@FEW
@given(drawn=orders(), data=st.data())
def test_a_damaged_row_changes_records_of_its_own_order_only(run, drawn, data):
    check_a_damaged_row_changes_records_of_its_own_order_only(run, drawn, data)


@pytest.mark.slow
@MANY
@given(drawn=orders(), data=st.data())
def test_a_damaged_row_changes_records_of_its_own_order_only_in_many_draws(run, drawn, data):
    check_a_damaged_row_changes_records_of_its_own_order_only(run, drawn, data)


def _without(converted, kind, number):
    table = converted.records.get(kind)
    if table is None:
        return []
    rows = table.filter(pa.compute.not_equal(table["order"], number)).to_pylist()
    return sorted(map(str, rows))


def check_whole_orders_in_another_order_are_the_same_records(run, drawn, data):
    moved = data.draw(st.permutations(drawn))
    before = run([row for order in drawn for row in order])
    after = run([row for order in moved for row in order])
    assert records(before) == records(after)


@FEW
@given(drawn=orders(), data=st.data())
def test_whole_orders_in_another_order_are_the_same_records(run, drawn, data):
    check_whole_orders_in_another_order_are_the_same_records(run, drawn, data)


@pytest.mark.slow
@MANY
@given(drawn=orders(), data=st.data())
def test_whole_orders_in_another_order_are_the_same_records_in_many_draws(run, drawn, data):
    check_whole_orders_in_another_order_are_the_same_records(run, drawn, data)


def check_lines_of_an_order_in_another_order_are_the_same_lines(run, drawn, data):
    moved = [[order[0], *data.draw(st.permutations(order[1:]))] for order in drawn]
    before = run([row for order in drawn for row in order])
    after = run([row for order in moved for row in order])
    assert records(before) == records(after)


@FEW
@given(drawn=orders(), data=st.data())
def test_lines_of_an_order_in_another_order_are_the_same_lines(run, drawn, data):
    check_lines_of_an_order_in_another_order_are_the_same_lines(run, drawn, data)


@pytest.mark.slow
@MANY
@given(drawn=orders(), data=st.data())
def test_lines_of_an_order_in_another_order_are_the_same_lines_in_many_draws(run, drawn, data):
    check_lines_of_an_order_in_another_order_are_the_same_lines(run, drawn, data)


LATE = [  # lines of one order before, at and after its first line with a day, with lines of another between
    ["#1", "", "", "", "", "1", "Tea", "2.50", "A", "", ""],
    ["#2", "b@x.co", "paid", "EUR", "2026-01-02 10:00:00 +0100", "1", "Tea", "2.50", "A", "", ""],
    ["#1", "a@x.co", "refunded", "EUR", "2026-01-01 10:00:00 +0100", "4", "Tea", "2.50", "A", "", "3.00"],
    ["#2", "", "", "", "", "1", "Tea", "2.50", "A", "", ""],
    ["#1", "a@x.co", "refunded", "EUR", "2026-01-01 10:00:00 +0100", "2", "Tea", "2.50", "A", "", "3.00"],
]


@pytest.mark.parametrize("cuts", [(), (1,), (2,), (3,), (4,), (1, 2, 3, 4)])
def test_lines_that_stand_apart_are_numbered_and_refunded_alike_wherever_batches_end(in_batches, facts, cuts):
    converted = in_batches(SHOPIFY, LATE, cuts, format="shopify")
    assert facts(converted, "sales", "order", "line", "quantity", "day") == [
        ("#1", "A#3", 1.0, date(2026, 1, 1)),  # it waited for its order's day
        ("#2", "A", 1.0, date(2026, 1, 2)),
        ("#1", "A", 4.0, date(2026, 1, 1)),
        ("#2", "A#2", 1.0, date(2026, 1, 2)),
        ("#1", "A#2", 2.0, date(2026, 1, 1)),
    ]
    assert facts(converted, "returns", "row", "order", "amount") == [(4, "#1", 3.0)]
