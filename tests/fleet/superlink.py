"""A real SuperLink on loopback with real TLS, and what a coordinator does with it, small."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import Message, RecordDict
from flwr.cli.build import build_fab_from_files
from flwr.common.serde import fab_to_proto, run_from_proto
from flwr.proto.control_pb2 import RegisterNodeRequest, StartRunRequest, StopRunRequest
from flwr.proto.runtime_pb2 import AcquireTaskRequest, PullTaskInputRequest
from flwr.supercore.constant import TaskType
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.fab import Fab
from flwr.supercore.heartbeat import HeartbeatSender, make_task_heartbeat_fn_http
from flwr.supercore.interceptors import SuperExecAuthHttpInterceptor
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.grid import HttpGrid

from certs.authority import Authority, make_authority
from certs.key import TLS_CURVE, read_or_make_curve_key
from certs.request import JoinRequest, Welcome, make_welcome, read_document, write_document

START_SECONDS = 180.0  # it takes five, and more than sixty where ten processes want each core
PROTECTED = frozenset({"/flwr.proto.Runtime/AcquireTask"})
PYPROJECT = b"""[project]
name = "nothing"
version = "0.1.0"
license = "Apache-2.0"

[tool.flwr.app]
publisher = "nobody"

[tool.flwr.app.components]
serverapp = "nothing:app"
clientapp = "nothing:app"
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class SuperLink:
    """A process that can be stopped and started again on the same port and state."""

    folder: Path
    port: int
    authority: Authority
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "superlink.log").read_text()

    def start(self) -> None:
        command = [
            str(Path(sys.executable).with_name("flower-superlink")),
            "--host", "127.0.0.1", "--port", str(self.port),
            "--ssl-certfile", str(self.folder / "server.pem"),
            "--ssl-keyfile", str(self.folder / "server.key"),
            "--ssl-ca-certfile", str(self.folder / "authority.pem"),
            "--enable-supernode-auth", "--isolation", "process",
            "--superexec-auth-secret-file", str(self.folder / "secret"),
            "--disable-runtime-dependency-installation",
            "--database", str(self.folder / "state.db"),
        ]  # fmt: skip
        with (self.folder / "superlink.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=os.environ | {"FLWR_HOME": str(self.folder / "flwr")}
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with socket.socket() as caller:
                if caller.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise TimeoutError(self.log)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.process = None

    @contextmanager
    def control(self) -> Iterator[ControlHttpClient]:
        with ControlHttpClient.from_server_address(
            self.address, insecure=False, root_certificates=self.authority.pem, interceptors=[]
        ) as client:
            yield client

    def enroll(
        self, request: JoinRequest, *, address: str = "", key: Ed25519PrivateKey | None = None, days: int = 365
    ) -> Welcome:
        """Do what a coordinator does with a request: register the node, sign the certificate."""
        with self.control() as client:
            client.RegisterNode(RegisterNodeRequest(public_key=request.node_key.encode()))
        return make_welcome(
            request,
            federation="test",
            address=address or self.address,
            authority=self.authority.pem.decode(),
            certificate=self.authority.sign_merchant(request, days=days).decode(),
            key=key or Ed25519PrivateKey.generate(),
        )

    def enroll_file(self, request: Path, *, key: Ed25519PrivateKey | None = None) -> Path:
        """Answer one file with another."""
        answer = request.with_suffix(".welcome")
        write_document(self.enroll(read_document(request, JoinRequest), key=key), answer)
        return answer

    @contextmanager
    def run(self, code: bytes = b"app = None\n") -> Iterator[Coordinator]:
        """Start a Flower run whose archive holds this code, and take its task."""
        content, _ = build_fab_from_files({"pyproject.toml": PYPROJECT, "nothing.py": code})
        fab = Fab(hashlib.sha256(content).hexdigest(), content, {})
        with self.control() as client:
            run_id = int(client.StartRun(StartRunRequest(fab=fab_to_proto(fab))).run_id)
        grid = HttpGrid(self.address, insecure=False, root_certificates=self.authority.pem, token=self._acquire(run_id))
        task = grid._runtime_client.PullTaskInput(PullTaskInputRequest())
        TaskIdentity.task_id, TaskIdentity.run_id = task.task_id, task.run.run_id
        TaskIdentity.node_id = task.context.node_id
        grid.set_run(run_from_proto(task.run))
        heart = HeartbeatSender(make_task_heartbeat_fn_http(grid._runtime_client))
        heart.start()
        try:
            yield Coordinator(grid)
        finally:
            heart.stop()
            try:
                with self.control() as client:
                    client.StopRun(StopRunRequest(run_id=run_id))
            except httpx.HTTPError:
                pass  # the SuperLink was restarted, which ended the run
            grid.close()

    def _acquire(self, run_id: int) -> str:
        secret = (self.folder / "secret").read_bytes()
        auth = SuperExecAuthHttpInterceptor(master_secret=secret, protected_methods=PROTECTED)
        with RuntimeHttpClient.from_server_address(
            self.address, insecure=False, root_certificates=self.authority.pem, interceptors=[auth]
        ) as client:
            for _ in range(300):
                answer = client.AcquireTask(AcquireTaskRequest(supported_task_types=[TaskType.SERVER_APP]))
                if answer.token and answer.task.run_id == run_id:
                    return str(answer.token)
                time.sleep(0.1)
        raise TimeoutError(self.log)


@dataclass
class Coordinator:
    """Ask merchants, and wait for what they say."""

    grid: HttpGrid

    def wait_for(self, node_id: int, *, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while node_id not in self.grid.get_node_ids():
            assert time.monotonic() < deadline, "the merchant did not connect"
            time.sleep(0.1)

    def send(self, node_id: int, kind: str, content: RecordDict, *, ttl: float = 120.0) -> str:
        (message_id,) = self.grid.push_messages([Message(content, node_id, kind, ttl=ttl)])
        return message_id

    def collect(self, message_id: str, *, seconds: float = 60) -> Message:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if replies := list(self.grid.pull_messages([message_id])):
                return replies[0]
            time.sleep(0.05)
        raise TimeoutError("no reply")

    def ask(self, node_id: int, kind: str, content: RecordDict, *, seconds: float = 60) -> Message:
        return self.collect(self.send(node_id, kind, content, ttl=seconds + 60), seconds=seconds)


def make_superlink(folder: Path) -> SuperLink:
    """Lay out a federation's folder; nothing runs yet."""
    folder.mkdir(parents=True)
    authority = make_authority(folder, "test")
    key = read_or_make_curve_key(folder / "server.key", TLS_CURVE)
    (folder / "server.pem").write_bytes(authority.sign_server(["127.0.0.1", "localhost"], key.public_key()))
    (folder / "secret").write_bytes(secrets.token_bytes(32))
    return SuperLink(folder, free_port(), authority)
