from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from client.shop.settings import (
    Days,
    Dialect,
    OrderSettings,
    PlanSettings,
    Shop,
    SourceSettings,
    SupplierSettings,
)
from client.shop.setup.naming import name_source
from client.shop.setup.writing import write_shop, write_source
from common.plan.reading import parse_toml

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(name=TEXTS, location=TEXTS, column=TEXTS, word=TEXTS, rate=st.floats(1e-6, 1e6))
def test_what_was_written_is_read_back_whatever_the_texts_hold(
    name: str, location: str, column: str, word: str, rate: float
) -> None:
    source = SourceSettings(
        name="orders",
        location=location,
        table=word,
        dialect=Dialect(encoding="cp1252", separator="\t", decimal=",", thousands=".", dates="dmy", header_row=3),
        columns={"day": column, "product": word},
        states={"sold": (word, column), "test": ()},
        follow=column,
    )
    shop = Shop(
        name=name,
        time_zone="Europe/Berlin",
        currency="EUR",
        country="DE",
        rates={"CHF": rate},
        closed_weekdays=("sunday",),
        closed_dates=(date(2024, 12, 24),),
        days=Days(closed="told", out="guess"),
        missing_ahead="refuse",
        sources=(source, source.model_copy(update={"name": "more", "dialect": None, "states": {}})),
        plans=(PlanSettings(path=location, columns={column: word}),),
        order=OrderSettings(service_level=0.9, lead_days=rate % 300, order_weekdays=("monday",), budget=rate),
        suppliers=(SupplierSettings(name=name, lead_days=3, order_weekdays=("friday", "sunday")),),
    )
    assert parse_toml(write_shop(shop), Shop, origin="shop.toml") == shop


def test_a_source_can_be_written_behind_what_a_person_changed() -> None:
    text = write_shop(Shop(name="a", time_zone="Asia/Shanghai", currency="CNY"))
    more = write_source(SourceSettings(name="orders", location="orders.csv", columns={"day": "Date"}))
    read = parse_toml(f"# my own words\n{text}\n{more}", Shop, origin="shop.toml")
    assert [source.name for source in read.sources] == ["orders"]


def test_sources_are_named_after_their_file_or_table() -> None:
    assert name_source("data/Bestellungen März.csv", "", ()) == "bestellungen-marz"
    assert name_source("verkaeufe.xlsx", "Verkäufe", ()) == "verkaeufe-verkaufe"
    assert name_source("postgresql://shop@host/base", "public.order_lines", ()) == "public-order_lines"
    assert name_source("订单.csv", "", ()) == "source"
    assert name_source("订单.csv", "", ("source", "source-2")) == "source-3"
