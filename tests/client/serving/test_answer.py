"""What is answered: true, whole, of one edition, and of the described form."""

from datetime import date, timedelta

import pytest
from pydantic import BaseModel

from client.serving.api.forecast import ForecastAnswer
from client.serving.api.insight import HealthAnswer, MarketAnswer, ScoreAnswer
from client.serving.api.order import OrderAnswer
from client.serving.api.override import OverrideAnswer, OverrideList
from client.serving.api.product import ProductAnswer
from client.serving.api.state import Status
from client.shop.forecast.outlook import forecast_shop
from client.shop.forecast.question import Question
from client.shop.history.history import History
from client.shop.settings import read_shop
from served_shop import DAYS, PRODUCTS, Serving
from small_shop import START

FIRST = START + timedelta(days=DAYS)
ANSWERS = {
    "forecasts": ForecastAnswer,
    "forecasts?by=week": ForecastAnswer,
    "orders?everything=true": OrderAnswer,
    "products": ProductAnswer,
    "market": MarketAnswer,
    "health": HealthAnswer,
    "score": ScoreAnswer,
    "status": Status,
}


@pytest.mark.parametrize(("path", "model"), ANSWERS.items())
def test_an_answer_has_the_form_that_is_described(served: Serving, path: str, model: type[BaseModel]) -> None:
    answer = served.ask(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    model.model_validate(answer.json())


@pytest.mark.parametrize("path", [path for path in ANSWERS if path != "status"])
def test_an_answer_names_its_edition_and_is_not_sent_twice(served: Serving, path: str) -> None:
    answer = served.ask(f"/api/v1/{path}")
    name = served.status()["edition"]["name"]
    assert answer.headers["x-hansa-edition"] == answer.json()["edition"] == name
    again = served.ask(f"/api/v1/{path}", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content, again.headers["x-hansa-edition"]) == (304, b"", name)
    assert served.ask(f"/api/v1/{path}", headers={"if-none-match": '"another"'}).status_code == 200


@pytest.mark.parametrize("by", ["day", "week"])
def test_what_is_served_is_what_the_command_says(served: Serving, by: str) -> None:
    shop = read_shop(served.folder)
    question = Question(by)  # type: ignore[arg-type]
    said = forecast_shop(History.open(served.folder), shop, question, today=date.today()).table.to_pylist()
    products = served.ask("/api/v1/forecasts", params={"by": by}).json()["products"]
    rows = [{**period, "product": one["product"]} for one in products for period in one["periods"]]
    assert [(row["product"], row["name"]) for row in rows] == [(row["product"], row["period"]) for row in said]
    for name in ("mean", "q10", "q50", "q90", "probability", "without"):
        assert [row[name] for row in rows] == pytest.approx([row[name] for row in said], rel=1e-9), name


def test_forecasts_are_cut_by_product_day_and_page(served: Serving) -> None:
    whole = served.ask("/api/v1/forecasts").json()
    assert whole["from"] == str(FIRST)
    assert whole["total"] == PRODUCTS
    one = served.ask("/api/v1/forecasts", params={"product": "P1", "from": FIRST, "to": FIRST + timedelta(1)}).json()
    (mine,) = [each for each in whole["products"] if each["product"] == "P1"]
    assert one["products"] == [{**mine, "periods": mine["periods"][:2]}]
    second = served.ask("/api/v1/forecasts", params={"offset": 1, "limit": 1}).json()
    assert second["products"] == whole["products"][1:2]
    assert (second["next"], whole["next"]) == (2, None)


@pytest.mark.parametrize(
    ("path", "status", "code", "words"),
    [
        ("/api/v1/forecasts?product=P9", 404, "not_found", "P9"),
        ("/api/v1/forecasts?by=month", 422, "invalid", "by: "),
        ("/api/v1/forecasts?limit=0", 422, "invalid", "limit: "),
        ("/api/v1/forecasts?from=2023-05-05&to=2023-05-04", 400, "bad_question", "before"),
        ("/api/v1/customers", 409, "not_available", "names a customer"),
        ("/api/v1/reviews", 409, "not_available", "no reviews"),
        ("/api/v1/explanations/P9", 404, "not_found", "P9"),
        ("/api/v1/imports/99", 404, "not_found", "99"),
        ("/api/v1/orders?supplier=nobody", 404, "not_found", "nobody"),
        ("/api/v1/nothing", 404, "not_found", "address"),
        ("/api/v1/whatif", 405, "not_allowed", "method"),
        ("/api/v1/recommendations?customer=nobody", 404, "not_found", "nobody"),
        ("/api/v1/forecasts?to=0", 422, "invalid", "to: "),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(
    served: Serving, path: str, status: int, code: str, words: str
) -> None:
    answer = served.ask(path)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    assert words in error["message"]
    assert "Traceback" not in answer.text


def test_an_explanation_adds_up_to_the_forecast_that_is_served(served: Serving) -> None:
    day = served.ask("/api/v1/forecasts", params={"product": "P2"}).json()["products"][0]["periods"][3]
    why = served.ask("/api/v1/explanations/P2", params={"period": day["name"]}).json()
    assert why["forecast"] == pytest.approx(day["mean"], rel=1e-9)
    assert sum(part["pieces"] for part in why["parts"]) == pytest.approx(day["mean"], rel=1e-6, abs=1e-6)
    beyond = served.ask("/api/v1/explanations/P2?period=2031-01-01")
    assert (beyond.status_code, "2031-01-01" in beyond.json()["error"]["message"]) == (404, True)


def test_a_question_about_prices_that_were_never_told_is_a_sentence(served: Serving) -> None:
    with served.client as client:
        answer = client.post("/api/v1/whatif", json={"products": ["P1"], "change": 0.05})
        both = client.post("/api/v1/whatif", json={"products": ["P1"], "change": 0.05, "discount": 0.2})
        unknown = client.post("/api/v1/whatif", json={"producst": ["P1"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "bad_data")
    assert (both.status_code, both.json()["error"]["code"]) == (400, "bad_question")
    assert unknown.status_code == 422


def test_an_override_can_be_tried_and_nothing_is_kept(served: Serving) -> None:
    wanted = {"of": "product", "name": "P1", "first": str(FIRST), "last": str(FIRST), "factor": 2.0}
    with served.client as client:
        tried = client.post("/api/v1/overrides/preview", json={**wanted, "author": "Ana", "reason": "window"})
    made = OverrideAnswer.model_validate(tried.json())
    assert made.without is not None
    assert made.with_it == pytest.approx(2 * made.without)
    assert OverrideList.model_validate(served.ask("/api/v1/overrides").json()).overrides == []


def test_a_purchase_order_has_no_formula_in_it(served: Serving) -> None:
    answer = served.ask("/api/v1/orders/purchase")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.startswith("supplier,product,name,quantity")
    assert "\n=" not in answer.text
    assert ",=" not in answer.text


def test_the_description_tells_of_every_error(served: Serving) -> None:
    described = served.ask("/openapi.json").json()
    for path, methods in described["paths"].items():
        for method, what in methods.items():
            assert what["summary"], (path, method)
            if path.startswith("/api/v1"):
                assert {"401", "409", "422", "503"} <= set(what["responses"]), (path, method)
    assert "/api/v1/forecasts" in described["paths"]


def test_prometheus_reads_what_was_asked(served: Serving) -> None:
    before = served.ask("/metrics").text
    served.ask("/api/v1/products")
    after = served.ask("/metrics").text
    line = 'hansa_requests_total{method="GET",route="/products",status="200"}'
    assert _read(after, line) == _read(before, line) + 1
    assert "hansa_edition_stale 0.0" in after


def _read(text: str, name: str) -> float:
    found = [line for line in text.splitlines() if line.startswith(name)]
    return float(found[0].rpartition(" ")[2]) if found else 0.0
