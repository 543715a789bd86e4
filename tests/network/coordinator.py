"""A federation's folder with its SuperLink and gateway running, and merchants that knock."""

from __future__ import annotations

import base64
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from flwr.proto.fleet_pb2 import ActivateNodeRequest, ActivateNodeResponse, DeactivateNodeRequest
from flwr.supercore.date import now

from certs.authority import Authority
from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key
from certs.request import JoinRequest, Welcome, make_request, public_pem, read_document, write_document
from fleet.typed import type_here
from server.cli import main
from server.folder import CoordinatorFolder
from simulation.localhost.processes import free_port

PROTOBUF = {"content-type": "application/protobuf", "accept": "application/protobuf"}


def run_cli(*words: str) -> None:
    """Type a command of the coordinator, in this process."""
    done = type_here(main, *words)
    assert done.returncode == 0, done.stderr


def run_process(*words: str) -> subprocess.CompletedProcess[str]:
    """Type a command of the coordinator, in a process of its own."""
    command = [sys.executable, "-c", "from server.cli import main; main()", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class Knocker:
    """Someone with a certificate and a node key, which need not belong together."""

    port: int
    authority: Path
    certificate: Path | None
    tls_key: Path
    node_key: EllipticCurvePrivateKey

    def with_node_key(self, other: Knocker) -> Knocker:
        return Knocker(self.port, self.authority, self.certificate, self.tls_key, other.node_key)

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        context = ssl.create_default_context(cafile=self.authority)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.tls_key)
        with httpx.Client(base_url=f"https://127.0.0.1:{self.port}", verify=context, timeout=60) as client:
            yield client

    def sign(self, at: datetime | None = None) -> dict[str, str]:
        """Sign a request as Flower's nodes do."""
        timestamp = (at or now()).isoformat()
        signature = self.node_key.sign(timestamp.encode(), ECDSA(SHA256()))
        return {
            "flwr-public-key": base64.b64encode(public_pem(self.node_key.public_key())).decode(),
            "flwr-timestamp": timestamp,
            "flwr-signature": base64.b64encode(signature).decode(),
        }

    def ask(self, path: str, content: bytes = b"", *, at: datetime | None = None) -> httpx.Response:
        with self.client() as client:
            return client.post(path, content=content, headers=PROTOBUF | self.sign(at))


@dataclass
class Coordinator:
    """A federation's folder, and its `up`."""

    home: CoordinatorFolder
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-c", "from server.cli import main; main()"]
        with (self.home.folder / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "up", "--folder", str(self.home.folder)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.process = None
        return code

    @contextmanager
    def running(self, member: Knocker, *, seconds: float = 60) -> Iterator[None]:
        """Run `up` until the block ends, and see that it ends well."""
        self.start()
        try:
            await_gateway(self, member, seconds=seconds)
            yield
        finally:
            code = self.stop()
        assert code == 0

    def join(self, name: str, *, days: float | None = None) -> Knocker:
        """Let a merchant in; with `days` its certificate is valid for another time than usual."""
        folder = self.home.folder / "merchants" / name
        folder.mkdir(parents=True, exist_ok=True)
        tls_key = read_or_make_curve_key(folder / "tls.key", TLS_CURVE)
        node_key = read_or_make_curve_key(folder / "node.key", NODE_CURVE)
        request = make_request(name, 64, tls_key=tls_key, node_key=node_key)
        write_document(request, folder / "request.json")
        words = ("--out", str(folder / "welcome.json"), "--folder", str(self.home.folder))
        run_cli("enroll", str(folder / "request.json"), *words)
        welcome = read_document(folder / "welcome.json", Welcome)
        pem = welcome.certificate.encode()
        if days is not None:
            pem = Authority(self.home.authority).sign_merchant(
                read_document(folder / "request.json", JoinRequest), days=days
            )
        (folder / "tls.pem").write_bytes(pem)
        (folder / "authority.pem").write_text(welcome.authority)
        return Knocker(self.port, folder / "authority.pem", folder / "tls.pem", folder / "tls.key", node_key)


def make_coordinator(folder: Path) -> Coordinator:
    port = free_port()
    run_cli("init", "hanse", "--host", "127.0.0.1", "--bind", "127.0.0.1", "--port", str(port), "--folder", str(folder))
    home = CoordinatorFolder(folder)
    settings = home.settings_file.read_text()
    home.settings_file.write_text(re.sub(r"requests_per_second = \d+", "requests_per_second = 50", settings))
    return Coordinator(home, port)


def await_gateway(coordinator: Coordinator, knocker: Knocker, *, seconds: float = 60) -> None:
    """Wait until an enrolled merchant is let through to the SuperLink, which knows it: it comes and goes again."""
    node_id = await_entry(knocker, seconds=seconds, say=lambda: (coordinator.home.folder / "up.log").read_text())
    leaving = DeactivateNodeRequest(node_id=node_id).SerializeToString()
    assert knocker.ask("/v1/fleet/deactivate-node", leaving).status_code == 200


def await_entry(knocker: Knocker, *, seconds: float = 60, say: Callable[[], str] = str) -> int:
    """Wait until Flower takes a merchant in; return its node id.

    Nothing but 200 will do: 412 says that Flower knows nobody by this key just as well as that it is there already.
    """
    deadline, found = time.monotonic() + seconds, ""
    while time.monotonic() < deadline:
        try:
            answer = knocker.ask("/v1/fleet/activate-node", activation(knocker))
            if answer.status_code == 200:
                return int(ActivateNodeResponse.FromString(answer.content).node_id)
            found = str(answer.status_code)
        except httpx.TransportError as error:
            found = type(error).__name__
        time.sleep(0.2)
    raise AssertionError(f"still {found}: {say()}")


def activation(knocker: Knocker) -> bytes:
    key = public_pem(knocker.node_key.public_key())
    return ActivateNodeRequest(public_key=key, heartbeat_interval=30).SerializeToString()
