import pytest

from client.shop.export.proposal import propose
from client.shop.setup.founding import Said, choose_facts, make_shop, open_questions, read_rates, read_weekdays
from client.shop.setup.surmise import surmise
from client.shop.setup.survey import Surveyed
from client.shop.source.source import Look
from common.errors import ConfigError


def surveyed(**columns: tuple[str, ...]) -> Surveyed:
    look = Look("orders.csv", "", "delimited", columns, None)
    proposal = propose(look, name="orders")
    assert proposal is not None
    return Surveyed(look, proposal)


def german(**more: tuple[str, ...]) -> Surveyed:
    return surveyed(Bestelldatum=("2024-01-02", "2024-01-03"), Artikelnummer=("a", "b"), Menge=("1", "2"), **more)


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


def test_german_columns_tell_of_germany_its_clock_and_its_money() -> None:
    facts = surmise([german()])
    assert [fact.value for fact in (facts.country, facts.time_zone, facts.currency)] == ["DE", "Europe/Berlin", "EUR"]
    assert facts.country.reason == "the columns have German names"


def test_chinese_columns_tell_of_china() -> None:
    facts = surmise([surveyed(日期=("2024-01-02",), 商品编码=("a",), 数量=("1",))])
    assert [fact.value for fact in (facts.country, facts.time_zone, facts.currency)] == ["CN", "Asia/Shanghai", "CNY"]


def test_countries_and_currencies_in_the_cells_count_more_than_names() -> None:
    facts = surmise([german(Land=("AT", "AT"), Währung=("CHF", "CHF"))])
    assert [fact.value for fact in (facts.country, facts.time_zone, facts.currency)] == ["AT", "Europe/Vienna", "CHF"]


def test_the_clock_of_this_computer_serves_where_nothing_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    table = surveyed(date=("2024-01-02",), sku=("a",), quantity=("1",))
    assert surmise([table]).time_zone.value == "UTC"
    monkeypatch.setenv("TZ", "Europe/Paris")
    facts = surmise([table])
    assert [fact.value for fact in (facts.country, facts.time_zone, facts.currency)] == ["FR", "Europe/Paris", "EUR"]


def test_what_was_said_is_taken_and_asked_no_more() -> None:
    facts = choose_facts([german()], Said(time_zone="Europe/Vienna", country="AT"))
    assert (facts.time_zone.value, facts.country.value, facts.currency.value) == ("Europe/Vienna", "AT", "EUR")
    assert list(open_questions(facts)) == ["currency"]


def test_a_setting_that_is_not_legal_is_one_sentence() -> None:
    facts = choose_facts([german()], Said(time_zone="Europe/Nowhere"))
    with pytest.raises(ConfigError, match="time_zone 'Europe/Nowhere' is unknown"):
        make_shop(Said(), facts, [])


def test_weekdays_and_rates_are_read_as_they_are_typed() -> None:
    assert read_weekdays(" Sunday, monday") == ("monday", "sunday")
    assert (read_weekdays("none"), read_weekdays("")) == ((), None)
    assert read_rates(["chf=1.05"]) == {"CHF": 1.05}
    with pytest.raises(ConfigError, match="'sonntag' is no weekday"):
        read_weekdays("Sonntag")
    with pytest.raises(ConfigError, match="is no rate"):
        read_rates(["CHF"])


def times(*cells: str, **more: tuple[str, ...]) -> Surveyed:
    size = len(cells)
    return surveyed(date=cells, sku=("a", "b", "c", "d")[:size], quantity=("1", "2", "3", "4")[:size], **more)


@pytest.mark.parametrize(
    ("cells", "zone"),
    [
        (("2024-03-01T00:00:00+01:00", "2024-04-01T00:00:00+02:00"), "Europe/Berlin"),
        (("2024-03-01 10:00:00 -0500", "2024-04-01 10:00:00 -0400"), "America/New_York"),
        (("2024-03-01T10:00:00.000+08:00",), "Asia/Shanghai"),
        (("2024-01-01T00:00+05:30", "2024-07-01T00:00+05:30"), "Asia/Kolkata"),
    ],
)
def test_offsets_of_the_times_tell_of_the_clock(cells: tuple[str, ...], zone: str) -> None:
    found = surmise([times(*cells)]).time_zone
    assert found.value == zone
    assert "its clock is that of the times, which say" in found.reason


def test_a_country_is_asked_first_for_a_clock_with_the_offsets_of_the_times() -> None:
    told = times("2024-03-01T00:00:00+01:00", "2024-07-01T00:00:00+02:00", Land=("AT", "AT"))
    assert surmise([told]).time_zone.value == "Europe/Vienna"
    said = choose_facts([times("2024-03-01 10:00:00 -0600")], Said(country="US"))
    assert said.time_zone.value == "America/Chicago"


def test_times_of_greenwich_tell_nothing_and_offsets_without_a_clock_are_named() -> None:
    assert "nothing in the tables" in surmise([times("2024-03-01T00:00:00Z", "2024-07-01T00:00:00Z")]).time_zone.reason
    odd = surmise([times("2024-01-01T00:00:00+02:00", "2024-02-01T00:00:00+11:00")]).time_zone
    assert (odd.value, "goes with +02:00 and +11:00" in odd.reason) == ("UTC", True)
