"""The coordinator's page as a browser draws it."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key
from certs.request import make_request
from common.message.proposal import PURPOSE, Proposal
from common.message.signature import sign
from common.plan.reading import read_plan
from common.privacy.accounting import delta_for, epsilon_of
from server.coordinator.journal import Journal
from server.folder import CoordinatorFolder
from server.page.dashboard import make_server
from server.registry.registry import Registry

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
PLAN = Path(__file__).parents[3] / "plans" / "federation.toml"


@pytest.fixture
def home(tmp_path: Path) -> CoordinatorFolder:
    """Lay out a federation of one member, whose first round has missed another."""
    home = CoordinatorFolder(tmp_path)
    home.settings_file.write_text('name = "hanse"\nhosts = ["localhost"]\n')
    tls_key = read_or_make_curve_key(tmp_path / "tls.key", TLS_CURVE)
    node_key = read_or_make_curve_key(tmp_path / "node.key", NODE_CURVE)
    proposal = Proposal(plan=read_plan(PLAN), private=True, cohort_size=1)
    with closing(Registry(home.registry)) as registry:
        registry.enroll(make_request("alice", 64, tls_key=tls_key, node_key=node_key), certificate="1")
        signed = sign(proposal.to_bytes(), Ed25519PrivateKey.generate(), purpose=PURPOSE)
        registry.add_launch(
            signed, run_hash=proposal.run_hash, plan="federation", num_rounds=10, quorum=1, round_seconds=60.0
        )
        registry.note_terms(1, "alice", 64, 2.0)
        registry.note_answers(1, round_number=1, members=["alice"])
        registry.note_launch(1, round_number=1)
    home.launch(1).mkdir(parents=True)
    refused = {"<script>document.title='broken'</script>": "no answer before the deadline"}
    Journal(home.launch(1) / "journal.jsonl").write("round", round=1, answered=["alice"], refused=refused, seconds=0.7)
    return home


@pytest.fixture
def address(home: CoordinatorFolder) -> Iterator[str]:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = make_server(home, port)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join(60)


def test_the_page_asks_for_nothing_from_outside(address: str) -> None:
    page = httpx.get(address)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert "http" not in page.text.replace("http-equiv", "")


def test_the_status_is_what_the_command_says(address: str) -> None:
    (launch,) = httpx.get(address + "status.json").json()["launches"]
    assert (launch["round"], launch["num_rounds"], launch["state"]) == (1, 10, "running")
    assert launch["epsilon_by_size_class"] == {"64": pytest.approx(epsilon_of(0.5, delta_for(64)), abs=1e-3)}


@pytest.mark.skipif(BROWSER is None, reason="no browser here: install chromium")
def test_a_browser_draws_members_rounds_and_reasons(address: str, tmp_path: Path) -> None:
    assert BROWSER is not None
    drawn = subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'browser'}",
            "--virtual-time-budget=3000", "--dump-dom", address,
        ],
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout  # fmt: skip
    assert "Federation hanse" in drawn
    assert '<td class="">alice</td>' in drawn
    assert "federation, running, round 1 of 10" in drawn
    assert "no answer before the deadline" in drawn
    assert "&lt;script&gt;" in drawn  # what others wrote is text, never markup
    assert "<title>hansa: the federation</title>" in drawn
