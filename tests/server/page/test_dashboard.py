"""The coordinator's page over a real registry: what it shows, in which words, and what it refuses to do."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from browser.driver import BROWSER, SERIOUS, browse, install_tools
from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key
from certs.request import JoinRequest, Welcome, make_request, read_document, write_document
from common.http import connection
from common.message.proposal import PURPOSE, Proposal
from common.message.signature import sign
from common.plan.reading import read_plan
from common.privacy.accounting import delta_for, epsilon_of
from server.coordinator.journal import Journal
from server.folder import CoordinatorFolder
from server.founding import check_settings, make_federation
from server.page.action.office import MOST_GUESSES, Office
from server.page.dashboard import make_server
from server.page.wording import MEANINGS
from server.process.seen import Seen, read_seen, write_seen
from server.registry.registry import Registry
from simulation.localhost.processes import free_port

PLAN = Path(__file__).parents[3] / "plans" / "federation.toml"
CODE = "ABCD2345"
NAMES = ("alice", "bob", "carol", "dora", "emil")


def request_of(folder: Path, name: str) -> JoinRequest:
    tls_key = read_or_make_curve_key(folder / f"{name}.tls.key", TLS_CURVE)
    node_key = read_or_make_curve_key(folder / f"{name}.node.key", NODE_CURVE)
    return make_request(name, 64, tls_key=tls_key, node_key=node_key)


@pytest.fixture
def home(tmp_path: Path) -> CoordinatorFolder:
    """Lay out a federation: alice accepted, bob declined, carol is silent, dora is offline, emil was revoked."""
    home = CoordinatorFolder(tmp_path / "federation")
    ports = {"gateway_port": 8443, "superlink_port": 8444, "status_port": 8445}
    make_federation(home, check_settings(name="hanse", hosts=("localhost",), bind="127.0.0.1", **ports))
    proposal = Proposal(plan=read_plan(PLAN), private=True, cohort_size=1)
    with closing(Registry(home.registry)) as registry:
        for number, name in enumerate(NAMES):
            registry.enroll(request_of(tmp_path, name), certificate=str(number))
        signed = sign(proposal.to_bytes(), Ed25519PrivateKey.generate(), purpose=PURPOSE)
        registry.add_launch(
            signed, run_hash=proposal.run_hash, plan="federation", num_rounds=10, quorum=1, round_seconds=60.0
        )
        registry.note_terms(1, "alice", 64, 2.0)
        registry.note_terms(1, "bob", None, None)
        registry.note_answers(1, round_number=1, members=["alice"])
        registry.note_launch(1, round_number=1)
        registry.revoke("emil")
    home.launch(1).mkdir(parents=True)
    refused = {"<script>document.title='broken'</script>": "no answer before the deadline"}
    journal = Journal(home.launch(1) / "journal.jsonl")
    journal.write("missed", round=1, answered=[], refused={}, seconds=3.5, sent_bytes=4000, received_bytes=0)
    journal.write(
        "round", round=1, answered=["alice"], refused=refused, seconds=0.7, sent_bytes=8000, received_bytes=8000
    )
    now = datetime.now(UTC)
    last = dict.fromkeys(("alice", "bob", "carol"), now) | {"dora": now - timedelta(hours=1)}
    write_seen(home.seen, Seen(now, last))
    return home


@contextmanager
def serving(home: CoordinatorFolder, office: Office | None = None, port: int | None = None) -> Iterator[str]:
    port = port or free_port()
    server = make_server(home, port, office)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(60)


@pytest.fixture
def address(home: CoordinatorFolder) -> Iterator[str]:
    with serving(home) as address:
        yield address


@pytest.fixture
def acting(home: CoordinatorFolder) -> Iterator[httpx.Client]:
    """A browser that opened the address on the terminal."""
    port = free_port()
    office = Office(port, CODE)
    with serving(home, office, port) as address, httpx.Client(base_url=address) as client:
        assert client.get(office.make_path()).status_code == 303
        yield client


def csrf_of(client: httpx.Client) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/invite").text)
    assert found
    return found[1]


def is_welcome(home: CoordinatorFolder, name: str) -> bool:
    with closing(Registry(home.registry)) as registry:
        return any(member.name == name and member.is_welcome for member in registry.members())


def test_who_sends_a_head_slowly_is_let_go_of_and_others_are_answered(
    home: CoordinatorFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.3)
    with serving(home) as address:
        at = urlsplit(address)
        with socket.create_connection((str(at.hostname), int(at.port or 0)), timeout=20) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\nx-")  # and never comes to its end
            assert httpx.get(f"{address}/status.json", trust_env=False).status_code == 200
            assert slow.recv(1) == b""


def test_the_page_asks_for_nothing_from_outside(address: str) -> None:
    page = httpx.get(address)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert "http" not in page.text
    for path in re.findall(r'(?:href|src)="(/asset/[^"]+)"', page.text):
        asset = httpx.get(address + path)
        assert (asset.status_code, asset.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")


def test_the_status_is_what_the_command_says(address: str) -> None:
    (launch,) = httpx.get(f"{address}/status.json").json()["launches"]
    assert (launch["round"], launch["num_rounds"], launch["state"]) == (1, 10, "running")
    assert launch["epsilon_by_size_class"] == {"64": pytest.approx(epsilon_of(0.5, delta_for(64)), abs=1e-3)}
    assert launch["totals"] == {"seconds": 4.2, "missed_seconds": 3.5, "sent_bytes": 12000, "received_bytes": 8000}


def test_online_offline_silent_declined_and_accepted_are_told_apart(address: str, home: CoordinatorFolder) -> None:
    status = httpx.get(f"{address}/status.json").json()
    lines = {member["name"]: member["line"] for member in status["members"]}
    assert lines == {"alice": "online", "bob": "online", "carol": "online", "dora": "offline", "emil": None}
    (launch,) = status["launches"]
    accepted = [terms["member"] for terms in launch["accepted"]]
    assert (accepted, launch["declined"], launch["silent"]) == (["alice"], ["bob"], ["carol"])
    for spoken in ("en", "zh"):
        page = httpx.get(address, headers={"accept-language": spoken}).text
        legend = page[page.index('id="legend"') :]
        words = re.findall(r'<dt><span class="tag[^"]*">([^<]+)</span></dt><dd>([^<]+)</dd>', legend)
        assert len({word for word, _ in words}) == len({meaning for _, meaning in words}) == len(MEANINGS) == 5
    write_seen(home.seen, Seen(datetime.now(UTC) - timedelta(minutes=5), {"alice": datetime.now(UTC)}))
    status = httpx.get(f"{address}/status.json").json()  # no gateway has written for a while: nobody knows
    assert {member["line"] for member in status["members"]} == {None}
    assert status["launches"][0]["silent"] == []
    assert "Who is online is not known" in httpx.get(address).text


def test_both_languages_are_whole_and_what_others_wrote_is_text(address: str) -> None:
    english = httpx.get(address, headers={"accept-language": "en"}).text
    chinese = httpx.get(address, headers={"accept-language": "zh-CN"}).text
    assert "round 1 of 10" in english
    assert "8.0 kB" in english
    assert '<html lang="zh">' in chinese
    assert "第 1 轮，共 10 轮" in chinese
    for page in (english, chinese):
        assert "&lt;script&gt;document" in page
        assert "<script>" not in page
    with httpx.Client(base_url=address, headers={"accept-language": "en"}) as client:
        assert client.get("/language/zh").headers["location"] == "/"
        assert '<html lang="zh">' in client.get("/").text


def test_without_the_option_there_is_nothing_that_acts(address: str, home: CoordinatorFolder) -> None:
    for path in ("/invite", "/invite/review", "/launch", "/launch/review", "/revoke", "/revoke/alice", "/open/word"):
        for method in ("GET", "POST"):
            assert httpx.request(method, address + path, data={"typed": "alice", "code": CODE}).status_code == 404
    assert "<form" not in httpx.get(address).text
    assert is_welcome(home, "alice")


def test_a_member_is_revoked_by_who_types_its_name_and_the_terminals_code(
    acting: httpx.Client, home: CoordinatorFolder
) -> None:
    assert "alice" in acting.get("/revoke/alice").text
    assert acting.get("/revoke/alice").headers["referrer-policy"] == "same-origin"  # else a browser says Origin: null
    assert CODE not in acting.get("/revoke/alice").text + acting.get("/").text
    form = {"csrf": csrf_of(acting), "member": "alice", "typed": "alice", "code": CODE}
    wrong = [
        (403, form | {"typed": "bob"}, {}),
        (403, form | {"code": "ABCD2346"}, {}),
        (403, form | {"csrf": "0"}, {}),
        (403, form, {"origin": "http://evil.example"}),
        (403, form, {"origin": "null"}),
        (403, form, {"origin": "http://[::1"}),
        (403, form, {"origin": "http://127.0.0.1:1"}),
        (403, form, {"sec-fetch-site": "cross-site"}),
        (421, form, {"host": "evil.example"}),
        (413, form | {"more": "x" * 300_000}, {}),
    ]
    for status, fields, headers in wrong:
        assert acting.post("/revoke", data=fields, headers=headers).status_code == status
    stranger = httpx.post(f"{acting.base_url}/revoke", data=form)
    assert stranger.status_code == 401
    assert httpx.get(f"{acting.base_url}/revoke/alice").status_code == 401
    assert is_welcome(home, "alice")
    assert acting.post("/revoke", data=form).status_code == 200
    assert not is_welcome(home, "alice")


def test_who_guesses_the_code_too_often_closes_the_actions(acting: httpx.Client, home: CoordinatorFolder) -> None:
    form = {"csrf": csrf_of(acting), "member": "alice", "typed": "alice", "code": "22222222"}
    for _ in range(MOST_GUESSES):
        assert acting.post("/revoke", data=form).status_code == 403
    told = acting.post("/revoke", data=form | {"code": CODE})
    assert (told.status_code, "start hansa-server up again" in told.text) == (403, True)
    assert is_welcome(home, "alice")


def test_a_merchant_is_let_in_as_by_the_command(acting: httpx.Client, home: CoordinatorFolder, tmp_path: Path) -> None:
    write_document(request_of(tmp_path, "frida"), tmp_path / "frida.json")
    form = {"csrf": csrf_of(acting), "request": (tmp_path / "frida.json").read_text()}
    assert "size class 64" in acting.post("/invite/review", data=form).text
    assert not is_welcome(home, "frida")
    done = acting.post("/invite", data=form | {"typed": "frida", "code": CODE})
    assert done.status_code == 200, done.text
    assert is_welcome(home, "frida")
    (tmp_path / "welcome.json").write_bytes(acting.get("/welcome/frida").content)
    assert read_document(tmp_path / "welcome.json", Welcome).name == "frida"
    assert httpx.get(f"{acting.base_url}/welcome/frida").status_code == 401
    again = acting.post("/invite", data=form | {"typed": "frida", "code": CODE})
    assert (again.status_code, "was used already" in again.text) == (409, True)
    assert acting.get("/welcome/..%2Fsigning").status_code in (404, 409)


def test_a_plan_is_launched_by_who_types_its_hash(acting: httpx.Client, home: CoordinatorFolder) -> None:
    text = PLAN.read_text().replace('name = "', 'name = "page-', 1)
    form = {"csrf": csrf_of(acting), "plan": text, "quorum": "1", "noise": "without"}
    seen = acting.post("/launch/review", data=form).text
    digest = re.search(r"[0-9a-f]{64}", re.sub(r'value="[^"]*"', "", seen))
    assert digest
    refused = acting.post("/launch", data=form | {"typed": digest[0][:7], "code": CODE})
    assert refused.status_code == 403
    done = acting.post("/launch", data=form | {"typed": digest[0][:8], "code": CODE})
    assert done.status_code == 200, done.text
    with closing(Registry(home.registry)) as registry:
        assert [launch.plan for launch in registry.launches()][1].startswith("page-")
    broken = acting.post("/launch/review", data=form | {"plan": "name ="})
    assert (broken.status_code, "is no TOML" in broken.text) == (409, True)


def test_what_the_gateway_writes_of_who_was_seen_is_this(tmp_path: Path) -> None:
    path, at = tmp_path / "seen.json", datetime(2026, 11, 30, 12, tzinfo=UTC)
    write_seen(path, Seen(at, {"alice": at - timedelta(seconds=59), "bob": at - timedelta(seconds=60)}))
    assert json.loads(path.read_text()) == {
        "schema": 1,
        "at": "2026-11-30T12:00:00+00:00",
        "seen": {"alice": "2026-11-30T11:59:01+00:00", "bob": "2026-11-30T11:59:00+00:00"},
    }
    seen = read_seen(path)
    assert seen is not None
    assert [seen.is_online(name) for name in ("alice", "bob", "carol")] == [True, False, False]
    for damaged in ("", "[]", '{"at": 1, "seen": {}}', '{"at": "2026-11-30", "seen": {"a": "2026-11-30"}}', "[" * 9999):
        path.write_text(damaged)
        assert read_seen(path) is None


@pytest.mark.slow
def test_in_a_browser_a_member_is_revoked_by_keyboard_and_every_view_is_whole_in_both_languages(
    home: CoordinatorFolder, tmp_path: Path
) -> None:
    tools, port = install_tools(tmp_path), free_port()
    office = Office(port, CODE)
    views = [
        {"path": path, "language": spoken, "width": width, "dark": width == 390,
         "picture": str(tmp_path / f"{path.strip('/').replace('/', '-') or 'look'}-{spoken}-{width}.png")}
        for path in ("/", "/invite", "/launch", "/revoke/bob")
        for spoken in ("en", "zh")
        for width in (1440, 390)
    ]  # fmt: skip
    code = ["tab to input[name=typed]", "type alice", "tab to input[name=code]", f"type {CODE}"]
    act = {"path": "/revoke/alice", "language": "en", "width": 1440, "keys": [*code, "tab to main button", "send"]}
    with serving(home, office, port) as address:
        (revoked,) = browse(tools, address=address, opened=office.make_path(), views=[act])
        assert "The gateway is closed to alice." in revoked["text"]
        assert not is_welcome(home, "alice")
        found = browse(tools, address=address, opened=office.make_path(), views=views)
    assert len(found) == len(views)
    for seen in found:
        where = (seen["path"], seen["language"], seen["width"])
        assert (seen["status"], seen["told"]) == (200, []), where
        assert seen["wide"] <= 0, where
        assert [fault for fault in seen["axe"]["found"] if fault.startswith(SERIOUS)] == [], where
        assert seen["axe"]["passes"] > 15, where
        if seen["language"] == "zh":
            assert len(re.findall(r"[\u3400-\u9fff]", seen["text"])) > 40, where
    assert BROWSER
