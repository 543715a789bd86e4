"""What a table seems to be: guessed from names and values, in three languages, with evidence."""

import pytest

from client.shop.export.proposal import propose
from client.shop.settings import Dialect
from common.errors import DataError

TABLES = {
    "german sales": (
        "Bestellnummer;Datum;Artikelnummer;Bezeichnung;Menge;Einzelpreis;Kundennummer;Status\n"
        "A1;03.02.2026;100;Tee;2;4,50;K1;versendet\nA2;04.02.2026;200;Becher;1;10,00;K2;storniert",
        "sales",
        {"order": "Bestellnummer", "day": "Datum", "product": "Artikelnummer", "quantity": "Menge",
         "price": "Einzelpreis", "customer": "Kundennummer", "state": "Status"},
    ),
    "chinese sales": (
        "订单号;下单时间;商品编码;商品名称;数量;单价;会员编号\n1;2026-01-01 10:00;A;杯子;1;3.5;7\n"
        "2;2026-01-02 10:00;B;茶;2;4;8",
        "sales",
        {"order": "订单号", "day": "下单时间", "product": "商品编码", "quantity": "数量", "price": "单价",
         "customer": "会员编号"},
    ),
    "english panel": (
        "date;store;sku;units\n2026-01-01;S;A;3\n2026-01-01;S;B;4\n2026-01-02;S;A;2",
        "sales",
        {"day": "date", "product": "sku", "quantity": "units"},
    ),
    "returns": (
        "order id;sku;returned quantity;return date\n1;A;1;2026-01-04",
        "returns",
        {"order": "order id", "product": "sku", "quantity": "returned quantity", "day": "return date"},
    ),
    "german views": ("Datum;Artikelnr;Seitenaufrufe\n2026-01-01;A;33", "views",
                     {"day": "Datum", "product": "Artikelnr", "quantity": "Seitenaufrufe"}),
    "chinese carts": ("日期;商品ID;加购件数\n2026-01-01;A;3", "carts",
                      {"day": "日期", "product": "商品ID", "quantity": "加购件数"}),
    "searches": ("date;search_term;searches\n2026-01-01;green tea;3", "searches",
                 {"day": "date", "words": "search_term", "quantity": "searches"}),
    "reviews": ("date;product;rating;review;reviewer name\n2026-01-01;A;5;nice;Bob", "reviews",
                {"day": "date", "product": "product", "rating": "rating", "text": "review"}),
    "german stock": ("Datum;Artikelnr;Bestand\n2026-02-01;A;3", "stock",
                     {"day": "Datum", "product": "Artikelnr", "on_hand": "Bestand"}),
    "in words": ("date;sku;availability\n2026-01-01;A;out of stock\n2026-01-01;B;in stock", "stock",
                 {"day": "date", "product": "sku", "out": "availability"}),
    "chinese prices": ("商品编码;售价;生效日期\nA;3.5;2026-01-01", "prices",
                       {"product": "商品编码", "price": "售价", "first_day": "生效日期"}),
    "promotions": ("start;end;sku;discount\n2026-01-01;2026-01-05;A;20 %", "promotions",
                   {"first_day": "start", "last_day": "end", "product": "sku", "discount": "discount"}),
    "german closures": ("von;bis;Grund\n2026-12-24;2026-12-26;Betriebsferien, geschlossen", "closures",
                        {"first_day": "von", "last_day": "bis", "name": "Grund"}),
    "events": ("start date;end date;event\n2026-12-24;2026-12-26;Fair", "events",
               {"first_day": "start date", "last_day": "end date", "name": "event"}),
    "products": ("sku;product name;category\nA;Tea;Drinks", "products",
                 {"product": "sku", "name": "product name", "category": "category"}),
}  # fmt: skip
GERMAN = Dialect(separator=";", decimal=",", dates="dmy")


@pytest.mark.parametrize("name", TABLES)
def test_the_kind_of_a_table_and_its_columns_are_seen(look, name):
    text, kind, columns = TABLES[name]
    dialect = GERMAN if name == "german sales" else Dialect(separator=";")
    proposal = propose(look(text, separator=";", dialect=dialect), name="mine")
    assert proposal is not None
    assert (proposal.settings.kind, proposal.settings.columns) == (kind, columns)
    assert {guess.field for guess in proposal.guesses} == {"kind", *columns}
    assert all(guess.reason for guess in proposal.guesses)


def test_states_are_sorted_by_what_their_words_mean(look):
    text = TABLES["german sales"][0]
    proposal = propose(look(text, separator=";", dialect=GERMAN), name="mine")
    assert proposal.settings.states == {"sold": ("versendet",), "cancelled": ("storniert",)}


def test_a_panel_is_said_to_be_one_and_its_stock_is_a_source_of_its_own(look):
    text = "date,sku,units,stock\n2026-01-01,A,3,10\n2026-01-01,B,4,0\n2026-01-02,A,2,8\n2026-01-02,B,0,0"
    proposal = propose(look(text), name="daily")
    assert proposal.guesses[0].reason == "a row for each product and day, with how many were sold: sales"
    (stock,) = proposal.also
    assert (stock.name, stock.kind) == ("daily-stock", "stock")
    assert stock.columns == {"day": "date", "product": "sku", "on_hand": "stock"}


def test_two_columns_that_may_be_the_day_are_a_question_with_the_best_guess_first(look):
    text = "order id,created at,order date,sku,qty\n1,2026-01-03,2026-01-01,A,1\n2,2026-01-03,2026-01-02,A,1"
    proposal = propose(look(text), name="mine")
    (day,) = [guess for guess in proposal.guesses if guess.field == "day"]
    assert (day.column, day.certain) == ("order date", False)
    assert proposal.questions == ("Is the day in 'order date' or in 'created at'? 'order date' is taken.",)


def test_values_decide_where_names_alone_would_mislead(look):
    text = "date,day,sku,quantity,units\nMonday,2026-01-05,A,many,3\nTuesday,2026-01-06,A,few,4"
    columns = propose(look(text), name="mine").settings.columns
    assert (columns["day"], columns["quantity"]) == ("day", "units")


def test_a_day_that_is_called_something_else_is_found_by_its_values(look):
    proposal = propose(look("booked,sku,qty\n2026-01-05,A,3\n2026-01-06,A,1"), name="mine")
    (day,) = [guess for guess in proposal.guesses if guess.field == "day"]
    assert day.column == "booked"
    assert "values are days" in day.reason


def test_without_a_quantity_each_row_is_one_and_it_is_asked(look, convert, facts):
    text = "order id,date,sku\n1,2026-01-05,A\n1,2026-01-05,A"
    proposal = propose(look(text), name="mine")
    assert proposal.questions == ("How many were sold in each row? No column says so, and each row counts as one.",)
    converted = convert(text, columns=proposal.settings.columns)
    assert facts(converted, "sales", "line", "quantity") == [("A", 1.0), ("A#2", 1.0)]


def test_a_column_for_each_day_is_refused_with_what_to_do(look):
    with pytest.raises(DataError, match=r"a column for each day \(2026-01-01 … 2026-01-03\); lay it out with a row"):
        propose(look("product,2026-01-01,2026-01-02,2026-01-03\nA,1,2,3"), name="mine")


def test_a_column_for_each_product_is_refused_with_what_to_do(look):
    with pytest.raises(DataError, match=r"a column for each product \(Mug, Tea, Plate …\)"):
        propose(look("date,Mug,Tea,Plate\n2026-01-01,1,2,3\n2026-01-02,1,2,3"), name="mine")


WEATHER = "date,celsius,rain,wind\n2026-01-01,-1.5,0,3\n2026-01-02,2.5,1.2,4"


@pytest.mark.parametrize("text", ["a,b\n1,2", "name,address\nBob,Street 1", "x\n", WEATHER])
def test_a_table_of_something_else_is_nothing(look, text):
    assert propose(look(text), name="mine") is None


def test_several_currencies_and_lines_without_a_price_are_asked_for(look):
    text = (
        "Name,Financial Status,Created at,Lineitem quantity,Lineitem name,Lineitem price,Currency\n"
        "#1,paid,2026-01-01 10:00:00 +0100,1,Tea set,12,EUR\n#1,,,1,Mug,0,\n"
        "#2,paid,2026-01-01 11:00:00 +0100,1,Mug,5,USD\n"
    )
    questions = propose(look(text), name="mine").questions
    assert [question.split("?")[0] for question in questions] == [
        "What is one of each of EUR, USD worth in the shop's own money",
        "Are lines without a price parts of a bundle that has a line of its own",
    ]


def test_many_orders_that_were_not_paid_are_asked_for(look, convert, facts):
    text = "Name,Financial Status,Created at,Lineitem quantity,Lineitem name\n" + "".join(
        f"#{number},{'pending' if number < 5 else 'paid'},2026-01-01 10:00:00 +0100,1,Tea\n" for number in range(10)
    )
    proposal = propose(look(text), name="mine")
    assert proposal.questions[0].startswith("Do customers pay on delivery? 50% of the states say")
    states = [facts(convert(text, "shopify", states=said), "sales", "state") for said in ({}, {"sold": ("pending",)})]
    assert [each.count(("sold",)) for each in states] == [5, 10]


def test_a_column_of_customers_numbers_is_taken_and_one_of_their_names_is_not(look):
    numbers = propose(look("Datum,Artikel,Menge,Kunde\n2026-01-05,A,1,K17\n2026-01-06,A,1,K18"), name="mine")
    names = propose(look("Datum,Artikel,Menge,Kunde\n2026-01-05,A,1,Eva Lee\n2026-01-06,A,1,Bo Ray"), name="mine")
    assert numbers.settings.columns["customer"] == "Kunde"
    assert "customer" not in names.settings.columns
    assert not [guess for guess in (*numbers.guesses, *names.guesses) if "K17" in guess.samples]
