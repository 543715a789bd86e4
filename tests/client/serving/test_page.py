"""The page of a real server: its languages, its forms, its headers, and what others wrote into names."""

import gzip
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from browser.english import find_english
from client.language.speech import PSEUDO, speaking
from client.page.frame import Around, render
from client.page.menu import MENU
from client.page.view.demand import show_demand
from client.page.view.order import show_orders
from client.page.view.setting import show_settings
from client.page.view.today import show_today
from client.serving.edition.disk import read_edition
from client.shop.settings import read_shop
from served_shop import Serving

PATHS = [entry.path for entry in MENU]
CHINESE_SIGN = re.compile(r"[\u3400-\u9fff]")
LETTER = re.compile(r"[^\W\d_]")


@pytest.fixture(scope="module")
def browser(served: Serving) -> Iterator[httpx.Client]:
    """A browser that opened the page, and is asked for English."""
    with served.client as client:
        page = client.post("/api/v1/sessions").json()["page"]
    asked = {"accept-language": "en"}
    with httpx.Client(base_url=served.address, timeout=60, trust_env=False, headers=asked) as made:
        assert made.get(page, follow_redirects=True).status_code == 200
        yield made


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts = list[str]()

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def text_of(page: str) -> str:
    reader = _Text()
    reader.feed(page)
    return "\n".join(reader.parts)


def token_of(page: str) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("path", PATHS)
def test_every_view_is_a_page_that_loads_nothing_from_elsewhere(browser: httpx.Client, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code in (200, 409)  # 409 where this small shop has no customers or reviews
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert (
        answer.headers["referrer-policy"] == "same-origin"
    )  # else a browser sends the page's forms as of Origin: null
    assert not re.search(r"""(?:src|href|action)=["']?(?:https?:)?//""", answer.text)
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=", answer.text)
    assert len(gzip.compress(answer.content)) < 60_000


@pytest.mark.parametrize("path", PATHS)
def test_every_view_speaks_chinese(browser: httpx.Client, path: str) -> None:
    text = browser.get(path, headers={"accept-language": "zh-CN,zh;q=0.9"}).text
    assert '<html lang="zh">' in text
    assert len(CHINESE_SIGN.findall(text)) > 60
    assert find_english(text_of(text)) == []


@pytest.mark.parametrize(
    "path",
    ["/customers/abcdef", "/demand/nothing", "/orders/supplier?name=nobody&day=2026-01-01", "/federation/request/a"],
)
def test_a_refusal_speaks_chinese(browser: httpx.Client, path: str) -> None:
    answer = browser.get(path, headers={"accept-language": "zh"})
    assert answer.status_code >= 400
    assert len(CHINESE_SIGN.findall(answer.text)) > 60
    assert find_english(text_of(answer.text)) == []


def test_the_page_s_script_is_told_in_chinese_and_a_program_in_english(browser: httpx.Client, served: Serving) -> None:
    token = token_of(browser.get("/data").text)
    asked = {"accept-language": "zh", "x-hansa-csrf": token, "content-type": "application/octet-stream"}
    path = "/api/v1/imports?name=a.csv&source=till"
    assert browser.post(path, headers=asked, content=b"").json()["error"]["message"] == "内容是空的。"
    with served.client as program:
        told = program.post(path, headers={"accept-language": "zh"}, content=b"").json()
    assert told["error"]["message"] == "The body is empty."


def test_english_would_be_found() -> None:
    assert find_english("预测 There is no customer abc in this shop. 完") == ["There is no customer abc in this shop"]
    assert find_english("Earl Grey Blue Flower Supreme 茶，hansa-client init SOURCE --add") == []


def test_a_script_in_a_products_name_is_text(browser: httpx.Client) -> None:
    for path in ("/demand", "/orders", "/what-if", "/demand/%3D1%2B1%20%3Cscript%3E"):
        text = browser.get(path).text
        assert "=1+1 &lt;script&gt;" in text, path
        assert "1 <script>" not in text, path


def test_the_chosen_language_lasts_and_leads_back_to_a_page_of_ours_alone(browser: httpx.Client) -> None:
    token = token_of(browser.get("/demand").text)
    answer = browser.post("/language", data={"csrf": token, "language": "zh", "back": "/demand?q=P1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/demand?q=P1")
    assert "samesite=strict" in answer.headers["set-cookie"].lower()
    assert '<html lang="zh">' in browser.get("/orders").text
    for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "/茶", ""):
        told = browser.post("/language", data={"csrf": token, "language": "en", "back": elsewhere})
        assert told.headers["location"] == "/"
    assert '<html lang="en">' in browser.get("/orders").text


def test_a_form_knows_the_way_back_to_a_page_whose_name_has_any_letter(browser: httpx.Client) -> None:
    text = browser.get("/demand/%E8%8C%B6%3F").text
    (back,) = re.findall(r'name="back" value="([^"]*)"', text)
    assert back == "/demand/%E8%8C%B6%3F"
    told = browser.post("/language", data={"csrf": token_of(text), "language": "en", "back": back})
    assert told.headers["location"] == back


def test_settings_that_changed_meanwhile_are_not_taken_back_by_an_older_form(
    browser: httpx.Client, served: Serving
) -> None:
    before = (served.folder / "shop.toml").read_bytes()
    said = {"csrf": token_of(browser.get("/settings").text), "version": "0" * 64, "shop.name": "Older"}
    answer = browser.post("/settings", data=said)
    assert answer.status_code == 409
    assert "have changed since this form was loaded" in answer.text
    assert (served.folder / "shop.toml").read_bytes() == before


def test_a_form_of_many_fields_is_read_and_one_of_too_many_is_refused(browser: httpx.Client) -> None:
    said = {"csrf": token_of(browser.get("/settings").text)} | {f"n{number}": "1" for number in range(2000)}
    assert browser.post("/settings", data=said).status_code == 409
    many = browser.post(
        "/settings", content="&" * 20_001, headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert many.status_code == 413


FORMS = ["/orders", "/override", "/settings", "/language", "/data/read"]
STEPS = ("policy", "ask", "welcome", "coordinator", "plan", "approve", "begin", "end")
JOINING = [f"/federation/{step}" for step in STEPS]


@pytest.mark.parametrize("path", [*FORMS, *JOINING])
def test_a_form_of_another_site_changes_nothing(browser: httpx.Client, served: Serving, path: str) -> None:
    before = (served.folder / "shop.toml").read_bytes()
    token = token_of(browser.get("/").text)
    foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert browser.post(path, data={"csrf": token, "do": "keep"}, headers=foreign).status_code == 403
    assert browser.post(path, data={"do": "keep"}).status_code == 403
    assert browser.post(path, data={"csrf": "0" * 64, "do": "keep"}).status_code == 403
    assert (served.folder / "shop.toml").read_bytes() == before
    assert not (served.folder / "policy.toml").exists()


def test_what_is_chosen_is_in_the_files_until_it_is_taken_back(browser: httpx.Client, served: Serving) -> None:
    page = browser.get("/orders").text
    token = token_of(page)
    (day,) = re.findall(r'name="day" value="([0-9-]{10})"', page)
    for other in ({}, {"day": "2020-01-01"}):  # a form that was left open over night
        late = browser.post("/orders", data={"csrf": token, "do": "keep", "pieces P1": "9", **other})
        assert late.status_code == 409
        assert "those of another day" in late.text
    assert not (served.folder / "served" / "chosen.json").exists()
    wrong = browser.post("/orders", data={"csrf": token, "day": day, "do": "keep", "pieces P1": "many"})
    assert wrong.status_code == 400
    assert "many is no number of pieces of P1" in wrong.text
    chosen = {
        "csrf": token,
        "day": day,
        "do": "keep",
        "pieces P1": "7",
        "pieces =1+1 <script>": "2",
        "pieces nothing": "3",
    }
    kept = browser.post("/orders", data=chosen)
    assert (kept.status_code, kept.headers["location"]) == (303, "/orders?done=kept")
    table = browser.get("/orders.csv").text
    assert '"\'=1+1 <script>"' in table
    assert re.search(r'"P1",.*,7,', table)
    assert "nothing" not in table
    book = browser.get("/orders.xlsx")
    assert book.content[:2] == b"PK"
    page = browser.get("/orders?done=kept").text
    assert "These quantities are kept" in page
    assert 'value="7"' in page
    back = browser.post("/orders", data={"csrf": token, "day": day, "do": "propose"})
    assert back.headers["location"] == "/orders?done=proposed"
    assert not re.search(r'"P1",.*,7,', browser.get("/orders.csv").text)
    assert not (served.folder / "served" / "chosen.json").exists()


def test_what_cannot_be_expected_is_said_in_a_sentence(browser: httpx.Client, served: Serving) -> None:
    token = token_of(browser.get("/demand/P1").text)
    said = {"csrf": token, "product": "P1", "first": "2023-05-20", "last": "2023-05-10", "change": "20", "reason": "x"}
    for wrong, sentence in (
        ({}, "It ends before it begins"),
        ({"last": "soon"}, "Write a day as 2026-12-24."),
        ({"last": "2023-05-21"}, "Say who expects it, and why"),
        ({"last": "2023-05-21", "author": "Ana", "change": "lots"}, "lots is no number."),
        ({"product": "P9"}, "Nothing is forecast of"),
    ):
        answer = browser.post("/override", data={**said, **wrong})
        assert answer.status_code in (400, 404)
        assert sentence in answer.text
    assert not (served.folder / "overrides.json").exists()


@pytest.mark.parametrize(
    "path", ["/demand/nobody", "/customers/ff", "/asset/page.0000.js", "/federation/request/x", "/no"]
)
def test_what_is_not_there_is_said(browser: httpx.Client, path: str) -> None:
    assert browser.get(path).status_code in (404, 409)


def test_scripts_and_styles_are_kept_for_ever_and_packed(browser: httpx.Client) -> None:
    page = browser.get("/what-if").text
    found = re.findall(r'(?:src|href)="(/asset/[^"]+)"', page)
    assert len(found) == 5
    for path in found:
        answer = browser.get(path)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-encoding"] == "gzip"


class Texts(HTMLParser):
    """Every text of a page that a person reads or hears, the catalogue's sentences taken out."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._skipped = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self._skipped += tag in ("script", "style") or bool(
            self._skipped and tag not in ("input", "br", "link", "meta")
        )
        self.found += [told[name] or "" for name in ("title", "aria-label", "placeholder", "alt") if name in told]

    def handle_endtag(self, tag: str) -> None:
        self._skipped = max(self._skipped - 1, 0)

    def handle_data(self, data: str) -> None:
        if not self._skipped:
            self.found.append(data)

    def outside(self) -> list[str]:
        """Texts with letters that no ⟦…⟧ is around."""
        left = []
        for text in self.found:
            bare = text
            while re.search(r"⟦[^⟦⟧]*⟧", bare):
                bare = re.sub(r"⟦[^⟦⟧]*⟧", "", bare)
            left += [bare.strip()] * bool(LETTER.search(bare))
        return left


def test_a_text_outside_the_catalogue_is_noticed() -> None:
    assert Texts("<p>⟦a ⟦b⟧ c⟧ <b title='x'>3 d</b></p><script>e</script>").outside() == ["x", "3 d"]


def test_no_view_says_anything_that_is_not_in_the_catalogue(served: Serving) -> None:
    edition = read_edition(served.folder / "served" / served.status()["edition"]["name"])
    shop, order = read_shop(served.folder), edition.part("orders").document
    day, data = edition.imprint.day, set(edition.by_week.products)
    with speaking(PSEUDO):
        rows = [{**row, "why": ""} for row in edition.rows("orders").to_pylist()]
        document = {**order, "rows": rows, "said": [], "assumed": []}
        views = {
            "today": show_today(day=day, order=document, customer=None, changed=[], problems=[], warnings=[]),
            "demand": {**show_demand(edition.by_week, categories={}, today=day), "made": []},
            "order": show_orders(document, {row["product"]: 3.0 for row in rows}),
            "setting": show_settings(shop, ["Tea Ltd"]),
        }
    data |= {shop.name, "Tea Ltd", "中文", "English", *(row["class"] for row in rows), "Europe/Berlin", "EUR"}
    for view, values in views.items():
        around = Around(shop.name, shop.currency, view, "/", "t", day, day)
        said = Texts(render(view, around, values, spoken=PSEUDO)).outside()
        parts = {
            part.strip()
            for text in said
            for part in re.split(r"·|€[\d,.]+|\d+ \w{3}( \d{4})?|Mon|Tue|Wed|Thu|Fri|Sat|Sun", text)
            if part
        }
        assert {part for part in parts if LETTER.search(part)} <= data, view


def test_everything_of_the_page_is_in_the_wheel() -> None:
    folder = Path(__file__).parents[3] / "client"
    named = {path.suffix for path in (folder / "page").rglob("*") if path.is_file()} - {".pyc"}
    assert named == {".py", ".html", ".css", ".js", ""}
    assert (folder / "language" / "zh.po").is_file()
