"""From every export of one shop to the same daily demand, through the command line; and what goes wrong on the way."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client.shop.history.history import History
from client.shop.invented.database import write_database
from client.shop.invented.export import write_exports, write_side_tables
from client.shop.invented.shop import InventedShop
from client.shop.settings import read_shop

FILES = ("shopify", "woocommerce", "german", "sheet", "taobao", "sqlite")
PLACE = ("--time-zone", "Europe/Berlin", "--currency", "EUR", "--country", "DE")
Run = Callable[..., Any]
Demand = Callable[[Path], dict[Any, float]]


@pytest.fixture
def exports(invented: InventedShop, tmp_path: Path) -> dict[str, Path]:
    return write_exports(invented, tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_every_export_gives_the_true_daily_demand(
    name: str, hansa_client: Run, exports: dict[str, Path], invented: InventedShop, demand: Demand
) -> None:
    said = hansa_client("init", exports[name].name, "--folder", "shop", "--yes", *PLACE)
    assert (said.code, said.stderr) == (0, "")
    assert demand(Path("shop")) == invented.daily_demand()
    assert read_shop(Path("shop")).closed_weekdays == ("sunday",)
    assert found_in(Path("shop"), invented) == []
    assert [word for word in invented.private if word in said.stdout] == []


@pytest.mark.parametrize("server", ["postgres_url", "mariadb_url"])
def test_a_database_server_gives_the_true_daily_demand(
    server: str, hansa_client: Run, invented: InventedShop, demand: Demand, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(server)
    write_database(invented, url)
    said = hansa_client("init", url, "--folder", "shop", "--yes", *PLACE)
    assert (said.code, said.stderr) == (0, "")
    assert demand(Path("shop")) == invented.daily_demand()
    assert found_in(Path("shop"), invented) == []
    again = hansa_client("import", "--folder", "shop", "--json").json
    assert {counts["new"] for each in again["imports"] for counts in each["counts"].values()} <= {0}


def found_in(folder: Path, invented: InventedShop) -> list[str]:
    """Find canaries in the bytes of every file of a folder, as text of every encoding that an export has."""
    content = b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    encodings = ("utf-8", "cp1252", "utf-16-le")
    return [word for word in invented.private if any(word.encode(each) in content for each in encodings)]


def test_a_canary_would_be_found(invented: InventedShop, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "note.bin").write_bytes(b"\x00" + invented.people[3].name.encode("cp1252") + b"\x00")
    assert found_in(tmp_path / "kept", invented) == [invented.people[3].last_name]


@pytest.mark.slow
def test_reviews_keep_their_words_and_lose_who_can_be_reached(
    hansa_client: Run, invented: InventedShop, tmp_path: Path
) -> None:
    paths = write_side_tables(invented, tmp_path)
    orders = write_exports(invented, tmp_path)["german"]
    said = hansa_client("init", orders, *paths.values(), "--folder", "shop", "--yes", *PLACE, "--json").json
    kinds = {source["kind"] for source in said["sources"]}
    assert kinds == {"sales", "stock", "views", "reviews", "prices", "promotions"}
    assert found_in(Path("shop"), invented) == []
    texts = History.open(Path("shop")).records("reviews")["text"].to_pylist()
    assert len(texts) == len(invented.reviews)
    assert any("Fragen an" in text for text in texts)


@pytest.mark.slow
def test_the_settings_are_written_for_people_and_no_cell_of_a_person_is_in_them(
    hansa_client: Run, exports: dict[str, Path], invented: InventedShop
) -> None:
    hansa_client("init", exports["german"].name, "--yes", *PLACE)
    text = Path("shop.toml").read_text()
    assert "# its days begin and end there" in text
    assert tomllib.loads(text)["sources"][0]["columns"]["day"] == "Bestelldatum"
    assert [word for word in invented.private if word in text] == []


@pytest.mark.slow
def test_two_exports_of_the_same_sales_do_not_double_demand(
    hansa_client: Run, exports: dict[str, Path], invented: InventedShop, demand: Demand
) -> None:
    both = (exports["german"].name, exports["taobao"].name)
    said = hansa_client("init", *both, "--folder", "shop", "--yes", *PLACE)
    assert "exportorderdetaillist tells of the same sales as bestellungen (100% of the days" in said.stdout
    assert demand(Path("shop")) == invented.daily_demand()
    hansa_client("init", *both, "--folder", "both", "--yes", *PLACE, "--also", "exportorderdetaillist")
    assert sum(demand(Path("both")).values()) == 2 * sum(invented.daily_demand().values())


def test_a_second_init_is_refused_and_adding_keeps_what_a_person_wrote(
    hansa_client: Run, exports: dict[str, Path], invented: InventedShop, tmp_path: Path
) -> None:
    write_side_tables(invented, tmp_path)
    hansa_client("init", exports["german"].name, "--yes", *PLACE)
    refused = hansa_client("init", "stock_levels.csv", "--yes")
    assert refused.code == 2
    assert re.fullmatch(
        r"hansa-client: shop\.toml is there already; add a source to it with --add, .*\n", refused.stderr
    )
    Path("shop.toml").write_text("# mine\n" + Path("shop.toml").read_text())
    assert hansa_client("init", "stock_levels.csv", "--add").code == 0
    assert Path("shop.toml").read_text().startswith("# mine\n")
    assert [source.kind for source in read_shop(Path()).sources] == ["sales", "products", "stock"]


def test_nobody_at_the_terminal_is_told_which_flags_to_give(hansa_client: Run, exports: dict[str, Path]) -> None:
    said = hansa_client("init", exports["german"].name)
    assert said.code == 2
    assert said.stderr == (
        "hansa-client: Nobody is here to be asked: give --yes to take what is proposed, or say it: --time-zone "
        "Europe/Berlin, --currency EUR, --country DE.\n"
    )
    assert not Path("shop.toml").exists()
    assert hansa_client("init", exports["german"].name, *PLACE).code == 0


@pytest.mark.slow
def test_a_wrong_guess_can_be_set_right(hansa_client: Run, exports: dict[str, Path]) -> None:
    wish = ("--set", "bestellungen.product=Bezeichnung")
    assert hansa_client("init", exports["german"].name, "--yes", *PLACE, *wish).code == 0
    assert read_shop(Path()).sources[0].columns["product"] == "Bezeichnung"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ("product=Bezeichnung", "names no source; write it as bestellungen.day=COLUMN"),
        ("bestellungen.goods=Bezeichnung", "'goods' is no field of sales"),
        ("bestellungen.product=Ware", "has no column 'Ware'; it has Bestellnummer"),
    ],
)
def test_a_wish_that_cannot_be_is_one_sentence(
    wish: str, sentence: str, hansa_client: Run, exports: dict[str, Path]
) -> None:
    said = hansa_client("init", exports["german"].name, "--yes", *PLACE, "--set", wish)
    assert (said.code, said.stderr.count("\n")) == (2, 1)
    assert sentence in said.stderr


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"", b"\x00\xff\xfe"])
def test_a_file_in_which_nothing_of_a_shop_is_seen_is_one_sentence(content: bytes, hansa_client: Run) -> None:
    Path("x.csv").write_bytes(content)
    said = hansa_client("init", "x.csv", "--yes")
    assert (said.code, said.stderr.count("\n")) == (2, 1)
    assert not Path("shop.toml").exists()


@pytest.mark.slow
def test_it_runs_as_a_program_of_its_own(exports: dict[str, Path], tmp_path: Path) -> None:
    line = [sys.executable, "-m", "client", "init", exports["woocommerce"].name, "--yes", "--json"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert '"kind": "sales"' in done.stdout
