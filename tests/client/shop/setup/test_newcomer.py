"""What a shop owner who is new gives to `init`, written as real exports are, and what she reads."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from client.shop.settings import read_shop
from client.shop.setup.founding import Said, choose_facts
from client.shop.setup.survey import survey
from common.errors import DataError

Run = Callable[..., Any]
Demand = Callable[[Path], dict[Any, float]]
DAYS = [date(2024, 3, 1) + timedelta(days=number) for number in range(60)]


def _write(path: Path, header: str, rows: list[str], encoding: str = "utf-8") -> Path:
    path.write_text("\n".join([header, *rows, ""]), encoding=encoding)
    return path


def test_taobao_s_two_reports_in_one_folder_are_read_together(
    hansa_client: Run, demand: Demand, tmp_path: Path
) -> None:
    (tmp_path / "exports").mkdir()
    lines = [f'="{24 * 10**17 + n}",{title},{sku},{quantity},交易成功' for n in range(60)
             for title, sku, quantity in (("茶杯", "CUP", 2), ("茶壶", "POT", 1))]  # fmt: skip
    orders = [f'="{24 * 10**17 + n}",买家{n},88.00,交易成功,{day} 20:11:00,茶杯,2,3' for n, day in enumerate(DAYS)]
    detail, whole = tmp_path / "exports" / "ExportOrderDetailList.csv", tmp_path / "exports" / "ExportOrderList.csv"
    _write(detail, "订单编号,标题,外部系统编号,购买数量,订单状态", lines, "gbk")
    _write(
        whole, "订单编号,买家会员名,买家实际支付金额,订单状态,订单创建时间,宝贝标题,宝贝种类,宝贝总数量", orders, "gbk"
    )
    said = hansa_client("init", "exports", "--folder", "shop", "--yes")
    assert "?" not in said.stdout
    assert "It is read together with ExportOrderList.csv, which says the day of each order." in said.stdout
    assert demand(Path("shop")) == {(sku, day): units for day in DAYS for sku, units in (("CUP", 2), ("POT", 1))}


def test_a_product_without_the_shop_s_own_number_is_not_lost(tmp_path: Path) -> None:
    rows = [f"{day:%m/%d/%y},Ring,1,,20.00,20.00,{'R1' if day.day % 2 else ''}" for day in DAYS]
    path = _write(tmp_path / "etsy.csv", "Sale Date,Item Name,Quantity,Discount Amount,Price,Item Total,SKU", rows)
    columns = survey([str(path)], tmp_path).found[0].settings.columns
    assert (columns["product"], columns["amount"]) == ("Item Name", "Item Total")


@pytest.mark.parametrize(
    ("header", "rows", "sentence"),
    [
        ("timestamp,event,item", ["2024-01-01T10:00:00Z,view,tea", "2024-01-01T11:00:00Z,purchase,tea"],
         "says in 'event' what happened in each row, and not every row is a sale"),
        ("product,2024-01-01,2024-01-02,2024-01-03", ["tea,1,2,3", "mug,0,1,0"],
         "has a column for each day (2024-01-01 … 2024-01-03); lay it out with a row for each product and day"),
        ("date,product,quantity", [], "has no row that can be read below the names of its columns"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_read_is_told_how_to_lay_it_out(
    header: str, rows: list[str], sentence: str, tmp_path: Path
) -> None:
    path = _write(tmp_path / "table.csv", header, rows)
    with pytest.raises(DataError) as refused:
        survey([str(path)], tmp_path)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("times", "zone"),
    [
        (["2024-01-05T23:45:00+01:00", "2024-07-05T23:45:00+02:00"], "Europe/Berlin"),
        (["2024-01-05 23:45:00 -0500", "2024-07-05 23:45:00 -0400"], "America/New_York"),
        (["2024-01-05T23:45:00.000+00:00", "2024-07-05T23:45:00.000+00:00"], "UTC"),
        (["2024-01-05T23:45:00+01:00", "2024-01-05T23:45:00+05:00"], "UTC"),
    ],
)
def test_the_clock_is_that_of_the_times_of_orders(
    times: list[str], zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    path = _write(
        tmp_path / "pos.csv", "receipt,time,article,qty", [f"{n},{time},tea,1" for n, time in enumerate(times)]
    )
    assert choose_facts(survey([str(path)], tmp_path).found, Said()).time_zone.value == zone


@pytest.mark.parametrize(("amount", "currency"), [('"$1,200.50"', "USD"), ("£3.20", "GBP"), ("3.20", "EUR")])
def test_the_currency_is_that_whose_sign_stands_beside_amounts(
    amount: str, currency: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    path = _write(tmp_path / "us.csv", "Order Number,Order Date,Item,Qty,Amount", [f"1,2024-01-05,tea,1,{amount}"] * 3)
    assert choose_facts(survey([str(path)], tmp_path).found, Said()).currency.value == currency


def test_a_total_below_the_rows_is_no_fault(hansa_client: Run, tmp_path: Path) -> None:
    rows = [f"{day},T{day.day % 3},tea {day.day % 3},4" for day in DAYS]
    _write(tmp_path / "sales.csv", "日期,商品编码,商品名称,数量", [*rows, "合计,,,240"])
    said = hansa_client("init", "sales.csv", "--folder", "deep/shop", "--yes", "--json").json
    assert [each["advice"] for done in said["imports"] for each in done["left_out"]] == ["", ""]
    assert (said["check"]["facts"]["units sold"], said["check"]["facts"]["orders"]) == (240, 0)
    assert read_shop(Path("deep/shop")).sources[0].name == "sales"


def test_without_a_sale_the_next_step_is_an_export_of_orders(hansa_client: Run, tmp_path: Path) -> None:
    _write(tmp_path / "stock.csv", "date,sku,stock", [f"{day},tea,4" for day in DAYS])
    said = hansa_client("init", "stock.csv", "--folder", "my shop", "--yes").stdout
    assert "Next: hansa-client init ORDERS --add --folder 'my shop'" in said
    assert "hansa-client forecast" not in said


def test_what_is_no_code_of_a_currency_is_not_shown(hansa_client: Run, tmp_path: Path) -> None:
    rows = [f"{n},{day},tea,1,{'anna@canary.example' if n == 7 else 'EUR'}" for n, day in enumerate(DAYS)]
    _write(tmp_path / "orders.csv", "Order Number,Order Date,Item,Qty,Currency", rows)
    said = hansa_client("init", "orders.csv", "--folder", "shop", "--yes")
    assert "canary" not in (said.stdout + said.stderr).lower()


def test_an_address_in_a_title_is_not_kept_nor_one_in_a_cell_that_moved_shown(
    hansa_client: Run, demand: Demand, tmp_path: Path
) -> None:
    title = "Portrait for anna@canary.example or +49 170 5551234"
    rows = [f"{n},{day},{title if n % 3 else 'tea'},{'Anna Canary' if n == 5 else 1}" for n, day in enumerate(DAYS)]
    _write(tmp_path / "orders.csv", "Order Number,Order Date,Item,Qty", rows)
    said = hansa_client("init", "orders.csv", "--folder", "shop", "--yes")
    assert sum(demand(Path("shop")).values()) == len(DAYS) - 1
    kept = b"".join(path.read_bytes() for path in Path("shop").iterdir() if path.is_file()).lower()
    assert b"canary" not in kept
    assert b"5551234" not in kept
    assert "canary" not in (said.stdout + said.stderr).lower()
