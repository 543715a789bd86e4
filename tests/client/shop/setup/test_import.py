"""What is new comes in, what is known stays, what is not as it was is said; a plan's file follows."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from client.shop.invented.database import write_database
from client.shop.invented.german import write_german
from client.shop.invented.invention import Size, invent_shop
from client.shop.invented.shop import InventedShop
from client.shop.invented.shopify import write_shopify
from client.shop.settings import read_shop

PLACE = ("--yes", "--time-zone", "Europe/Berlin", "--currency", "EUR", "--country", "DE")
DAYS = [f"2024-05-{day:02d}" for day in range(1, 31)]
Run = Callable[..., Any]
Demand = Callable[[Path], dict[Any, float]]


@pytest.fixture
def orders(invented: InventedShop, tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_bytes(write_german(invented.orders))
    return path


@pytest.mark.slow
def test_the_same_file_twice_changes_nothing(
    hansa_client: Run, orders: Path, invented: InventedShop, demand: Demand
) -> None:
    hansa_client("init", orders.name, *PLACE)
    said = hansa_client("import")
    nothing = "nothing new, the file is the same as before\n"
    assert (said.code, said.stdout) == (0, f"orders: {nothing}orders-products: {nothing}")
    assert demand(Path()) == invented.daily_demand()


def test_a_newer_export_brings_what_is_new_and_what_changed(
    hansa_client: Run, orders: Path, invented: InventedShop, demand: Demand
) -> None:
    half = len(invented.orders) // 2
    orders.write_bytes(write_german(invented.orders[:half]))
    hansa_client("init", orders.name, *PLACE)
    later = orders.with_name("later.csv")
    later.write_bytes(write_german(invented.orders[half - 20 :]))
    said, _ = hansa_client("import", "orders", "--file", "later.csv", "--json").json["imports"]
    lines = [
        sum(len(order.lines) for order in some) for some in (invented.orders[half:], invented.orders[half - 20 : half])
    ]
    assert (said["counts"]["sales"]["new"], said["counts"]["sales"]["already_there"]) == tuple(lines)
    assert demand(Path()) == invented.daily_demand()


@pytest.mark.slow
def test_a_pattern_takes_in_files_that_have_come_since(
    hansa_client: Run, invented: InventedShop, demand: Demand, tmp_path: Path
) -> None:
    third = len(invented.orders) // 3
    (tmp_path / "exports").mkdir()
    parts = [invented.orders[:third], invented.orders[third : 2 * third], invented.orders[2 * third :]]
    for number, part in enumerate(parts[:2]):
        (tmp_path / "exports" / f"{number}.csv").write_bytes(write_german(part))
    hansa_client("init", "exports/*.csv", *PLACE)
    assert {source.location for source in read_shop(Path()).sources} == {"exports/*.csv"}
    (tmp_path / "exports" / "2.csv").write_bytes(write_german(parts[2]))
    assert hansa_client("import").code == 0
    assert demand(Path()) == invented.daily_demand()


def test_files_of_a_pattern_that_overlap_count_once(
    hansa_client: Run, invented: InventedShop, demand: Demand, tmp_path: Path
) -> None:
    half, exports = len(invented.orders) // 2, tmp_path / "exports"
    exports.mkdir()
    (exports / "a.csv").write_bytes(write_shopify(invented.orders[: half + 20]))
    (exports / "b.csv").write_bytes(write_shopify(invented.orders[half - 20 :]))
    said = hansa_client("init", "exports", "--folder", "shop", *PLACE, "--json").json
    assert [each["source"] for each in said["imports"]] == ["exports (a.csv)", "exports (b.csv)"]
    assert demand(Path("shop")) == invented.daily_demand()
    (exports / "c.csv").write_bytes(write_shopify(invented.orders[:half]))
    again = hansa_client("import", "--folder", "shop", "--json").json["imports"]
    assert [each["same_file"] for each in again] == [True, True, False]
    assert demand(Path("shop")) == invented.daily_demand()


def test_equal_rows_of_two_tables_of_a_folder_count_once_and_those_of_one_twice(
    hansa_client: Run, demand: Demand, tmp_path: Path
) -> None:
    rows = "".join(f"2024-05-{day:02d},tea,1\n" for day in range(1, 11))
    (tmp_path / "exports").mkdir()
    for name in ("a.csv", "b.csv"):
        (tmp_path / "exports" / name).write_text("day,product,quantity\n" + rows + rows)
    hansa_client("init", "exports", "--folder", "shop", *PLACE)
    assert set(demand(Path("shop")).values()) == {2.0}


@pytest.mark.parametrize("twice", [20, 0])
def test_exports_of_one_program_named_one_by_one_count_what_both_have_once(
    twice: int, hansa_client: Run, invented: InventedShop, demand: Demand, tmp_path: Path
) -> None:
    half = len(invented.orders) // 2
    (tmp_path / "a.csv").write_bytes(write_german(invented.orders[: half + twice]))
    (tmp_path / "b.csv").write_bytes(write_german(invented.orders[half - twice :]))
    said = hansa_client("init", "a.csv", "b.csv", "--folder", "shop", *PLACE, "--json").json
    if twice:
        assert [(each["kept"], each["other"], each["joined"]) for each in said["same_sales"]] == [("a", "b", True)]
        assert {source.same_as for source in read_shop(Path("shop")).sources if source.name == "b"} == {"a"}
    assert demand(Path("shop")) == invented.daily_demand()


def test_two_tills_of_one_program_count_both(hansa_client: Run, demand: Demand, tmp_path: Path) -> None:
    numbers = np.random.default_rng(4)
    for name in ("north", "south"):
        rows = [f"{day},p{place},{numbers.integers(1, 9)}" for day in DAYS for place in range(3)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["day,product,quantity", *rows]) + "\n")
    hansa_client("init", "north.csv", "south.csv", "--folder", "shop", *PLACE)
    told = pd.concat([pd.read_csv(tmp_path / f"{name}.csv") for name in ("north", "south")])
    assert sum(demand(Path("shop")).values()) == told["quantity"].sum()


def test_a_pattern_of_one_file_stays_a_pattern(hansa_client: Run, orders: Path, invented: InventedShop) -> None:
    hansa_client("init", "ord*.csv", *PLACE)
    assert {source.location for source in read_shop(Path()).sources} == {"ord*.csv"}


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (b";Menge;", b";Anzahl;", "has no column 'Menge', which shop.toml names; others in it are "),
        (b";", b"\t", "is written otherwise than shop.toml says: separator '\\t' instead of ';'; export it as before"),
    ],
)
def test_a_file_that_is_not_as_it_was_is_one_sentence(
    before: bytes, after: bytes, sentence: str, hansa_client: Run, orders: Path, invented: InventedShop, demand: Demand
) -> None:
    hansa_client("init", orders.name, *PLACE)
    orders.write_bytes(orders.read_bytes().replace(before, after))
    said = hansa_client("import")
    assert (said.code, said.stderr.count("\n")) == (2, 1)
    assert sentence in said.stderr
    assert demand(Path()) == invented.daily_demand()


@pytest.mark.slow
def test_what_one_source_lacks_costs_no_other_anything(hansa_client: Run, orders: Path, tmp_path: Path) -> None:
    orders.with_name("stock.csv").write_text("date,sku,on_hand\n2024-03-01,NA,5\n2024-03-02,NA,4\n")
    hansa_client("init", orders.name, "stock.csv", *PLACE)
    orders.unlink()
    orders.with_name("stock.csv").write_text("date,sku,on_hand\n2024-03-02,NA,4\n2024-03-03,NA,3\n")
    said = hansa_client("import")
    assert said.code == 2
    assert said.stdout == "stock: stock 1 new, 1 already there\n"
    assert said.stderr == "hansa-client: orders: There is no file orders.csv; see that it is there.\n"


def test_names_that_are_none_are_one_sentence(hansa_client: Run, orders: Path) -> None:
    assert "There are no settings of a shop at shop.toml" in hansa_client("import").stderr
    hansa_client("init", orders.name, *PLACE)
    assert "shop.toml has no source 'order'; there are orders, orders-pr" in hansa_client("import", "order").stderr


@pytest.mark.slow
def test_a_plan_follows_every_import(hansa_client: Run, orders: Path, invented: InventedShop) -> None:
    hansa_client("init", orders.name, *PLACE)
    assert "A plan needs a history of 84 days" in hansa_client("adapt", "--new-plan", "plan.toml").stderr
    longer = invent_shop(13, Size(invented.first_day.replace(month=1), invented.last_day, num_people=40))
    orders.write_bytes(write_german(longer.orders))
    hansa_client("import")
    assert hansa_client("adapt", "--new-plan", "plan.toml").code == 0
    made = hansa_client("adapt", "plan.toml")
    assert made.code == 0, made.stderr
    assert "units (data.target): pieces ordered, in orders that are sold" in made.stdout
    assert hansa_client("check", "plan.toml", "--data-root", "data").code == 0
    before = pd.read_parquet("data/demand.parquet")["units"].sum()
    more = invent_shop(14, Size(invented.first_day, invented.last_day, num_people=40))
    Path("more.csv").write_bytes(write_german(more.orders).replace(b"\n1", b"\n9"))
    assert "Wrote data/demand.parquet for its plan." in hansa_client("import", "orders", "--file", "more.csv").stdout
    assert pd.read_parquet("data/demand.parquet")["units"].sum() > before


@pytest.mark.slow
def test_a_killed_import_of_a_database_goes_on_and_loses_and_doubles_nothing(
    hansa_client: Run, demand: Demand, tmp_path: Path
) -> None:
    big = invent_shop(15, Size(orders_a_day=60.0, num_people=400))
    write_database(big, f"sqlite:///{tmp_path / 'shop.sqlite'}")
    line = [sys.executable, "-m", "client", "init", "shop.sqlite", *PLACE]
    for seconds in (3.0, 4.0, 5.0):
        running = subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        running.send_signal(signal.SIGKILL)
        running.wait()
        if (tmp_path / "shop.toml").exists():
            line = [sys.executable, "-m", "client", "import"]
    assert subprocess.run(line, cwd=tmp_path, env=dict(os.environ), capture_output=True, check=False).returncode == 0
    assert demand(tmp_path) == big.daily_demand()
