"""Both pages that hansa serves, asked in raw HTTP by every name, path and method; and every page that it writes."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import pytest

from client.daemon.health import Health, serving
from client.transparency.card_page import STYLE
from common.command.page import HEADERS, allow, is_own_host, meta
from server.folder import CoordinatorFolder
from server.page.dashboard import make_server

FOREIGN = [
    "Host: evil.example",
    "Host: evil.example:{port}",
    "Host: localhost.evil.example:{port}",
    "Host: 127.0.0.1.evil.example",
    "Host: evil.example@localhost",
    "Host: 10.0.0.1:{port}",
    "Host: 0.0.0.0:{port}",
    "Host: localhost:port",
    "Host:",
]
OWN = ["Host: localhost:{port}", "Host: 127.0.0.1:{port}", "Host: [::1]:{port}", "Host: LOCALHOST:9999"]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"]
PATHS = ["/", "/status.json", "/nothing", "http://evil.example/status.json"]
SECRET = b"hanse"  # what either page tells


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(params=["coordinator", "merchant"], scope="module")
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Serve one of the pages."""
    folder, chosen = tmp_path_factory.mktemp("pages"), free_port()
    if request.param == "merchant":
        health = Health(folder / "health.json")
        health.change_state("connected", error=SECRET.decode())
        with serving(health, chosen):
            yield chosen
        return
    home = CoordinatorFolder(folder)
    home.settings_file.write_text('name = "hanse"\nhosts = ["coordinator.example"]\n')
    server = make_server(home, chosen)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    yield chosen
    server.should_exit = True
    thread.join(60)


def ask(port: int, method: str, path: str, *lines: str) -> bytes:
    """Say exactly these bytes, and give all that comes back."""
    head = [f"{method} {path} HTTP/1.1", *(line.format(port=port) for line in lines), "Connection: close", "", ""]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        line.sendall("\r\n".join(head).encode())
        answer = b""
        while part := line.recv(1 << 16):
            answer += part
        return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def headers(answer: bytes) -> dict[str, str]:
    lines = answer.split(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", PATHS)
def test_whoever_asks_by_a_foreign_name_is_refused(port: int, path: str, method: str) -> None:
    for host in FOREIGN:
        answer = ask(port, method, path, host)
        assert status(answer) in (400, 421), (host, answer)
        assert SECRET not in answer
    assert status(ask(port, method, path, FOREIGN[0])) == 421


def test_whoever_asks_by_no_name_or_by_two_is_refused(port: int) -> None:
    for lines in ((), ("Host: localhost", "Host: evil.example"), ("Host: evil.example", "Host: localhost")):
        assert status(ask(port, "GET", "/status.json", *lines)) in (400, 421)


@pytest.mark.parametrize("host", OWN)
def test_whoever_asks_by_a_name_of_loopback_is_answered(port: int, host: str) -> None:
    answer = ask(port, "GET", "/status.json", host)
    assert status(answer) == 200
    assert SECRET in answer


def test_every_answer_has_the_headers_of_every_page(port: int) -> None:
    for method in METHODS:
        for path in PATHS:
            for host in (OWN[0], FOREIGN[0]):
                found = headers(ask(port, method, path, host))
                policy = found.pop("content-security-policy")
                assert "default-src 'none'" in policy
                assert "frame-ancestors 'none'" in policy
                assert "unsafe" not in policy
                for name, value in HEADERS.items():
                    if name != "content-security-policy":
                        assert found[name] == value, (method, path, host)


def test_a_name_is_loopbacks_own_or_foreign() -> None:
    assert all(is_own_host([host.format(port=1).removeprefix("Host: ")]) for host in OWN)
    assert not any(is_own_host([host.format(port=1).removeprefix("Host:").strip()]) for host in FOREIGN)


def test_every_page_that_is_written_as_a_file_says_its_policy() -> None:
    """The card's is by the hash of its style; the simulator's reports have styles in their drawings."""
    policy = allow(styles=[STYLE])
    assert re.search(r"style-src 'sha256-[A-Za-z0-9+/]{43}='", policy)
    head = files("simulation.report").joinpath("head.html").read_text()
    for written in (meta(policy), head):
        assert "default-src 'none'; base-uri 'none'; form-action 'none'" in written
        assert 'name="referrer" content="no-referrer"' in written
    templates = Path(str(files("simulation.report"))).glob("*.html")
    pages = [text for file in templates if "<!doctype" in (text := file.read_text())]
    assert len(pages) >= 3
    assert all('{% include "head.html" %}' in text for text in pages)
