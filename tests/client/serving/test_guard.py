"""Who is not answered: without the token, by another name, from another page, too much, too odd."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from served_shop import Serving

PATHS = ["/api/v1/forecasts", "/api/v1/status", "/openapi.json", "/metrics", "/", "/nothing"]


@contextmanager
def open_browser(served: Serving) -> Iterator[httpx.Client]:
    """A browser that opened the page by an address that the API made for it."""
    with served.client as client:
        page = client.post("/api/v1/sessions").json()["page"]
    with httpx.Client(base_url=served.address, timeout=60, trust_env=False) as browser:
        answer = browser.get(page)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        yield browser


def knock(served: Serving, said: bytes) -> bytes:
    """Send bytes, and read until the other side ends."""
    parts = urlsplit(served.address)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as line:
        answer = b""
        try:
            line.sendall(said)
            while part := line.recv(1 << 16):
                answer += part
        except ConnectionError:
            pass  # it was let go of while it still spoke
    return answer


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("said", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic abc"}])
def test_without_the_token_nothing_is_answered(served: Serving, path: str, said: dict[str, str]) -> None:
    answer = httpx.get(f"{served.address}{path}", headers=said, trust_env=False)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unknown")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("path", ["/live", "/ready"])
def test_that_it_lives_is_told_to_everybody_on_the_machine(served: Serving, path: str) -> None:
    assert httpx.get(f"{served.address}{path}", trust_env=False).status_code == 200


@pytest.mark.parametrize("host", ["shop.example", "127.0.0.1.nip.io", "localhost.evil.example", ""])
@pytest.mark.parametrize("path", ["/live", "/api/v1/status"])
def test_a_name_that_is_not_its_own_is_refused(served: Serving, host: str, path: str) -> None:
    answer = served.ask(path, headers={"host": host})
    assert answer.status_code in (400, 421)
    assert "edition" not in answer.text


def test_the_printed_address_opens_one_browser_once(served: Serving) -> None:
    with httpx.Client(base_url=served.address, trust_env=False) as first:
        answer = first.get(served.page)
        cookie = answer.headers["set-cookie"]
        assert answer.status_code == 303
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert first.get("/api/v1/status").status_code == 200
        assert first.get(served.page).status_code == 303  # who has a session comes in again
    assert httpx.get(served.page, trust_env=False).json()["error"]["code"] == "used"


def test_a_session_that_is_not_the_servers_own_opens_nothing(served: Serving) -> None:
    with open_browser(served) as browser:
        (name, value) = next(iter(browser.cookies.items()))
    for forged in (value[:-1] + ("0" if value[-1] != "0" else "1"), "9999999999.x.y", "", value.replace(".", "..")):
        answer = httpx.get(f"{served.address}/api/v1/status", cookies={name: forged}, trust_env=False)
        assert answer.status_code == 401, forged


def test_a_session_changes_nothing_without_the_pages_own_token(served: Serving) -> None:
    with open_browser(served) as browser:
        assert browser.get("/api/v1/status").status_code == 200
        answer = browser.post("/api/v1/editions")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "no_csrf_token")
        wrong = browser.post("/api/v1/editions", headers={"x-hansa-csrf": "0" * 64})
        form = browser.post("/api/v1/overrides", data={"csrf": "0" * 64})
    assert (wrong.status_code, form.status_code) == (403, 403)


@pytest.mark.parametrize(
    "said",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://[::1"},
        {"origin": ""},
    ],
)
def test_what_another_page_sends_is_refused_even_with_the_token(served: Serving, said: dict[str, str]) -> None:
    with served.client as client:
        answer = client.delete("/api/v1/overrides/1", headers=said)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_page")


@pytest.mark.parametrize(
    "path",
    [
        "/../token",
        "/..%2ftoken",
        "/api/v1/%2e%2e/%2e%2e/served/token",
        "//etc/passwd",
        "/api/v1/explanations/..%2f..%2fshop.toml",
        "/open/../api/v1/status",
        "/live/../api/v1/status",
        "/open/%2e%2e/api/v1/status",
        "/%00",
    ],
)
def test_games_with_paths_lead_nowhere(served: Serving, path: str) -> None:
    said = f"GET {path} HTTP/1.1\r\nhost: {urlsplit(served.address).netloc}\r\nconnection: close\r\n\r\n"
    answer = knock(served, said.encode())
    assert answer.split(b" ")[1] in (b"400", b"401", b"404"), answer[:200]
    assert served.token.encode() not in answer


def test_a_head_of_ten_megabytes_is_let_go_of(served: Serving) -> None:
    netloc = urlsplit(served.address).netloc.encode()
    answer = knock(served, b"GET /live HTTP/1.1\r\nhost: " + netloc + b"\r\nx: " + b"a" * (10 << 20) + b"\r\n\r\n")
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431")
    medium = b"GET /live HTTP/1.1\r\nhost: " + netloc + b"\r\nconnection: close\r\nx: " + b"a" * 20_000 + b"\r\n\r\n"
    assert b"431" in knock(served, medium)[:16]
    assert served.ask("/live").status_code == 200


def test_a_body_of_ten_megabytes_is_refused_before_it_is_read(served: Serving) -> None:
    with served.client as client:
        answer = client.post("/api/v1/whatif", content=b"x" * (10 << 20))
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
        chunked = client.post("/api/v1/whatif", content=(b"x" * (1 << 18) for _ in range(12)))
    assert chunked.status_code == 413


def test_names_of_products_are_data_and_nothing_else(served: Serving) -> None:
    answer = served.ask("/api/v1/forecasts", params={"product": "=1+1 <script>"})
    assert answer.json()["products"][0]["product"] == "=1+1 <script>"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
