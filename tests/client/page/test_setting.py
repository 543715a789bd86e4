"""Settings: a form that is read back is the shop it was made of; what cannot be is refused whole."""

from pathlib import Path
from typing import Any

import pytest

from client.language.speech import CHINESE, speaking
from client.page.route.setting import OLD_NAME, _write
from client.page.view.setting import read_settings, show_settings
from client.shop.settings import FILE_NAME, Shop, read_shop
from common.errors import ConfigError

TEXT = """
name = "Tea & <b>Pots</b>"
time_zone = "Europe/Berlin"
currency = "EUR"
country = "DE"
closed_weekdays = ["sunday"]
closed_dates = ["2026-12-24"]
closed_holidays = true
rates = { CHF = 1.05 }
[[sources]]
name = "till"
location = "till.csv"
columns = { order = "order", day = "day", product = "product", quantity = "quantity" }
[order]
service_level = 0.975
review_days = 7
budget = 1000.0
order_weekdays = ["monday"]
[[suppliers]]
name = "Tea Ltd"
lead_days = 4.5
line_cost = 2.0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / FILE_NAME).write_text(TEXT)
    return tmp_path


def fields_of(shop: Shop, **changed: list[str]) -> dict[str, list[str]]:
    """What a browser sends of the form of a shop."""
    shown = show_settings(shop, ["Tea Ltd", "Pots"])
    entries = [*shown["shop_fields"], *shown["order_fields"]]
    entries += [each for supplier in shown["suppliers"] for each in supplier["fields"]]
    sent = {each["name"]: [_value(each)] for each in entries if each["kind"] != "yes" or each["is_on"]}
    for chosen in (shown["closed"], shown["ordered"]):
        sent[chosen["name"]] = [day for day, _, is_on in chosen["days"] if is_on]
    sent["supplier"] = [supplier["name"] for supplier in shown["suppliers"]]
    return {**sent, **changed}


def _value(each: dict[str, Any]) -> str:
    if each["kind"] == "choice":
        return next(choice["value"] for choice in each["choices"] if choice["is_chosen"])
    return "1" if each["kind"] == "yes" else each["value"]


@pytest.mark.parametrize("language", ["en", CHINESE])
def test_a_form_that_nobody_touched_changes_nothing(folder: Path, language: str) -> None:
    shop = read_shop(folder)
    with speaking(language):
        assert read_settings(shop, fields_of(shop)) == shop


def test_what_is_changed_is_changed_and_all_else_stays(folder: Path) -> None:
    shop = read_shop(folder)
    changed = {"order.service_level": ["98"], "order.budget": [""], "closed_weekdays": ["saturday", "sunday"]}
    fresh = read_settings(shop, fields_of(shop, **changed, **{"supplier.1.lead_days": ["3"]}))
    assert (fresh.order.service_level, fresh.order.budget) == (0.98, None)
    assert fresh.closed_weekdays == ("saturday", "sunday")
    assert [(each.name, each.lead_days, each.line_cost) for each in fresh.suppliers] == [
        ("Tea Ltd", 4.5, 2.0),
        ("Pots", 3.0, None),
    ]
    assert (fresh.sources, fresh.rates) == (shop.sources, shop.rates)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"shop.time_zone": ["Mars/Olympus"]}, "time_zone 'Mars/Olympus' is unknown"),
        ({"order.service_level": ["150"]}, "order.service_level"),
        ({"order.lead_days": ["soon"]}, "Days from order to shelf: soon is no number"),
        ({"shop.currency": ["euro"]}, "currency"),
        ({"shop.closed_dates": ["yesterday"]}, "closed_dates"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(folder: Path, changed: dict[str, list[str]], said: str) -> None:
    shop = read_shop(folder)
    with pytest.raises(ConfigError, match=said):
        read_settings(shop, fields_of(shop, **changed))


def test_what_others_may_not_read_stays_so(folder: Path) -> None:
    (folder / FILE_NAME).chmod(0o600)
    shop = read_shop(folder)
    _write(folder, shop.model_copy(update={"name": "Other"}))
    assert {(folder / name).stat().st_mode & 0o777 for name in (FILE_NAME, OLD_NAME)} == {0o600}


def test_the_file_is_written_whole_and_the_old_one_kept(folder: Path) -> None:
    shop = read_shop(folder)
    fresh = read_settings(shop, fields_of(shop, **{"shop.name": ['Tea "now"']}))
    _write(folder, fresh)
    assert read_shop(folder) == fresh
    assert (folder / OLD_NAME).read_text() == TEXT
    written = (folder / FILE_NAME).stat().st_mtime_ns
    _write(folder, fresh)  # nothing to write
    assert (folder / FILE_NAME).stat().st_mtime_ns == written
    assert (folder / OLD_NAME).read_text() == TEXT
