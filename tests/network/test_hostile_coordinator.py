"""A coordinator that would run its own code at the merchants: a stock node runs it, hansa's daemon does not.

The stock node is the positive control: without it, a marker that is never written would prove nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flwr.app import Message, RecordDict
from flwr.proto.control_pb2 import ListNodesRequest, RegisterNodeRequest

from certs.key import NODE_CURVE, read_or_make_curve_key
from certs.request import public_pem
from fleet.shop import Shop, make_shop
from fleet.superlink import SuperLink, make_superlink

pytestmark = pytest.mark.slow
COMMANDS = Path(sys.executable).parent
HOSTILE = """
from pathlib import Path
from flwr.app import Message, RecordDict
from flwr.clientapp import ClientApp
Path({marker!r}).write_text("imported")
app = ClientApp()

@app.train()
def train(message, context):
    Path({marker!r}).write_text("ran")
    return Message(RecordDict(), reply_to=message)
"""


@pytest.fixture
def superlink(tmp_path: Path) -> Iterator[SuperLink]:
    link = make_superlink(tmp_path / "coordinator")
    link.start()
    yield link
    link.stop()


@contextmanager
def stock_node(superlink: SuperLink, folder: Path) -> Iterator[int]:
    """Run Flower's own SuperNode; give its node id."""
    key = read_or_make_curve_key(folder / "stock.key", NODE_CURVE)
    (folder / "stock.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    with superlink.control() as client:
        node_id = client.RegisterNode(RegisterNodeRequest(public_key=public_pem(key.public_key()))).node_id
    command = [
        str(COMMANDS / "flower-supernode"),
        "--superlink", superlink.address,
        "--root-certificates", str(superlink.folder / "authority.pem"),
        "--auth-supernode-private-key", str(folder / "stock.pem"),
    ]  # fmt: skip
    with (folder / "stock.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env=os.environ | {"FLWR_HOME": str(folder / "stock"), "PATH": f"{COMMANDS}:{os.environ['PATH']}"},
            start_new_session=True,  # it interrupts the group that it belongs to
        )
    try:
        yield int(node_id)
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def daemon(superlink: SuperLink, folder: Path) -> Iterator[tuple[Shop, int]]:
    """Run hansa's daemon; give its shop and its node id."""
    shop = make_shop(folder / "shop", coordinator="a" * 64)
    assert shop.command("join", "shop-1").returncode == 0
    welcome = superlink.enroll_file(shop.folder / "shop-1.request.json")
    assert shop.command("join", "--welcome", welcome).returncode == 0
    shop.start()
    try:
        shop.wait_for_state("connected")
        yield shop, int(shop.health["node_id"])
    finally:
        shop.stop()


def test_code_from_the_coordinator_runs_at_stock_nodes_and_never_at_hansas(
    superlink: SuperLink, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    code = HOSTILE.format(marker=str(marker)).encode()
    with superlink.run(code) as coordinator, stock_node(superlink, tmp_path) as node_id:
        coordinator.wait_for(node_id)
        message_id = coordinator.send(node_id, "train", RecordDict())
        deadline = time.monotonic() + 90
        while not (marker.exists() and marker.read_text() == "ran"):
            assert time.monotonic() < deadline, (tmp_path / "stock.log").read_text()[-3000:]
            time.sleep(0.2)
        del message_id
    marker.unlink()
    with superlink.run(code) as coordinator, daemon(superlink, tmp_path) as (shop, node_id):
        coordinator.wait_for(node_id)
        replies: list[Message] = [
            coordinator.ask(node_id, kind, RecordDict()) for kind in ("train", "evaluate", "query", "train.other")
        ]
        time.sleep(5)
        assert all(reply.has_error() and reply.error.reason == "declined" for reply in replies)
        assert not marker.exists()
        files = [file.name for file in shop.folder.rglob("*") if file.is_file() and file.suffix in (".py", ".fab")]
        assert files == []
    assert not marker.exists()
    assert "get-fab" in superlink.log  # the stock node asked for it
    with superlink.control() as client:
        assert len(client.ListNodes(ListNodesRequest()).nodes_info) == 2
