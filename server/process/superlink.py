"""The SuperLink, and how the coordinator reaches it.

With `memory_state`, `parcel` and `lean_grid` this is all of the server that leans on Flower's inside; their tests are
the contract with flwr 1.42.

The SuperLink is Flower's own application, as `flower-superlink` starts it, behind the word of `loopback.py`. It keeps
nothing on the disk: who is enrolled stands in the registry, what was asked is asked again in the same words, and with
Flower's database every request would cost twice the time.

Flower would have a SuperLink start our code from an uploaded archive (FAB). Here nothing is ever installed from one:
the SuperLink runs in process isolation, so that whoever shows the shared secret may take a task, and the coordinator
takes its own. The FAB that a run must have holds no code and is fetched by nobody.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import uvicorn
from flwr.cli.build import build_fab_from_files
from flwr.common.serde import fab_to_proto, run_from_proto
from flwr.proto.control_pb2 import (
    ListNodesRequest,
    RegisterNodeRequest,
    StartRunRequest,
    StopRunRequest,
    UnregisterNodeRequest,
)
from flwr.proto.runtime_pb2 import AcquireTaskRequest, PullTaskInputRequest
from flwr.server.superlink.linkstate import linkstate_factory
from flwr.serverapp import Grid
from flwr.supercore.constant import NodeStatus, TaskType
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.fab import Fab
from flwr.supercore.heartbeat import HeartbeatSender, make_task_heartbeat_fn_http
from flwr.supercore.http_logging import get_uvicorn_log_config
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor, SuperExecAuthHttpInterceptor
from flwr.supercore.logger import console_handler
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.cli.flower_superlink import SuperLinkLifespan, _parse_superlink_lifespan_config
from flwr.superlink.main import create_app

from common.disk.reading import read_file
from common.errors import HansaError
from server.folder import CoordinatorFolder, Settings
from server.process.lean_grid import LeanGrid
from server.process.loopback import IDLE_SECONDS, Guard, show_word
from server.process.memory_state import MemoryState
from server.process.parcel import Parcels

ACQUIRE_SECONDS = 30.0
ACQUIRE_PAUSE_SECONDS = 0.1
REQUEST_TIMEOUT_SECONDS = 10.0
SHUTDOWN_SECONDS = 1  # for questions that wait for news
PROTECTED = frozenset({"/flwr.proto.Runtime/AcquireTask"})
PYPROJECT = b"""[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "hansa"
version = "0.1.0"
license = "Apache-2.0"

[tool.flwr.app]
publisher = "hansa"

[tool.flwr.app.components]
serverapp = "nothing:app"
clientapp = "nothing:app"
"""
NOTHING = b"# No code: merchants and coordinator run what they have installed.\napp = None\n"


@dataclass(frozen=True)
class SuperLink:
    """How to reach a SuperLink on loopback.

    Attributes
    ----------
    authority
        PEM of who signed its certificate.
    secret
        What it shares with the coordinator's own processes alone.
    """

    address: str
    authority: bytes
    secret: bytes

    @contextmanager
    def control(self) -> Iterator[ControlHttpClient]:
        """Open Flower's Control API: nodes and runs."""
        with ControlHttpClient.from_server_address(
            self.address,
            insecure=False,
            root_certificates=self.authority,
            interceptors=[RuntimeVersionHttpInterceptor(component_name="flwr CLI")],
        ) as client:
            show_word(client._client, self.secret)
            yield client

    def register(self, node_keys: Sequence[str]) -> list[int]:
        """Let nodes in by their public keys (PEM); return their ids.

        Registering twice gives the same id; registering after `unregister` gives another, so that nothing which was
        asked of the node before is answered by it now.
        """
        known = {key: node_id for node_id, key in self.nodes().items()}
        with self.control() as client:
            for key in dict.fromkeys(node_keys):
                if key not in known:
                    known[key] = int(client.RegisterNode(RegisterNodeRequest(public_key=key.encode())).node_id)
        return [known[key] for key in node_keys]

    def unregister(self, node_id: int) -> None:
        """Shut a node out: what it was asked is over. One that is out already stays out."""
        if node_id in self.nodes():
            with self.control() as client:
                client.UnregisterNode(UnregisterNodeRequest(node_id=node_id))

    def nodes(self) -> dict[int, str]:
        """Give the public key (PEM) of every node that is let in, by its id."""
        with self.control() as client:
            found = client.ListNodes(ListNodesRequest()).nodes_info
        return {int(node.node_id): node.public_key.decode() for node in found if node.status != NodeStatus.UNREGISTERED}

    @contextmanager
    def grid(self) -> Iterator[Grid]:
        """Start a Flower run, take its task, and give the Grid that reaches its merchants.

        One run lives in a process at a time: Flower keeps the identity that `Message()` reads globally.

        Raises
        ------
        HansaError
            The SuperLink gives no task within half a minute.
        """
        run_id = self._start_run()
        token = self._take_task(run_id)
        grid = LeanGrid(self.address, authority=self.authority, token=token)
        runtime: RuntimeHttpClient = grid._runtime_client
        show_word(runtime._client, self.secret)
        heart = HeartbeatSender(make_task_heartbeat_fn_http(runtime))
        heart.start()
        try:
            task = runtime.PullTaskInput(PullTaskInputRequest())
            TaskIdentity.task_id = task.task_id
            TaskIdentity.run_id = task.run.run_id
            TaskIdentity.node_id = task.context.node_id
            grid.set_run(run_from_proto(task.run))
            yield grid
        finally:
            heart.stop()
            self._stop_run(run_id)
            grid.close()

    def _start_run(self) -> int:
        content, _ = build_fab_from_files({"pyproject.toml": PYPROJECT, "nothing.py": NOTHING})
        fab = Fab(hashlib.sha256(content).hexdigest(), content, {})
        with self.control() as client:
            return int(client.StartRun(StartRunRequest(fab=fab_to_proto(fab))).run_id)

    def _stop_run(self, run_id: int) -> None:
        try:
            with self.control() as client:
                client.StopRun(StopRunRequest(run_id=run_id))
        except httpx.HTTPError:
            pass  # it is over, or the SuperLink is gone and will call it failed

    def _take_task(self, run_id: int) -> str:
        """Take tasks until ours comes; another one, left over from before, is let go."""
        request = AcquireTaskRequest(supported_task_types=[TaskType.SERVER_APP])
        deadline = time.monotonic() + ACQUIRE_SECONDS
        with RuntimeHttpClient.from_server_address(
            self.address,
            insecure=False,
            root_certificates=self.authority,
            interceptors=[
                RuntimeVersionHttpInterceptor(component_name="SuperExec"),
                SuperExecAuthHttpInterceptor(master_secret=self.secret, protected_methods=PROTECTED),
            ],
        ) as client:
            show_word(client._client, self.secret)
            while time.monotonic() < deadline:
                answer = client.AcquireTask(request)
                if answer.token and answer.task.run_id == run_id:
                    return str(answer.token)
                if not answer.token:
                    time.sleep(ACQUIRE_PAUSE_SECONDS)
        raise HansaError("The SuperLink gave the coordinator no task; see logs/superlink.log and start it again.")


def open_superlink(home: CoordinatorFolder, settings: Settings) -> SuperLink:
    """Describe the SuperLink of a federation's folder."""
    return SuperLink(
        address=f"127.0.0.1:{settings.superlink_port}",
        authority=read_file(home.authority / "authority.pem"),
        secret=read_file(home.secret),
    )


def superlink_words(home: CoordinatorFolder, settings: Settings) -> list[str]:
    """Write the words that `flower-superlink` would be started with, on loopback alone."""
    return [
        "--host", "127.0.0.1",
        "--port", str(settings.superlink_port),
        "--ssl-certfile", str(home.authority / "server.pem"),
        "--ssl-keyfile", str(home.authority / "server.key"),
        "--ssl-ca-certfile", str(home.authority / "authority.pem"),
        "--enable-supernode-auth",
        "--isolation", "process",
        "--superexec-auth-secret-file", str(home.secret),
        "--disable-runtime-dependency-installation",
    ]  # fmt: skip


def serve_superlink(home: CoordinatorFolder, settings: Settings) -> None:
    """Serve Flower's SuperLink to who shows the word, until SIGTERM."""
    linkstate_factory.InMemoryLinkState = MemoryState  # type: ignore[attr-defined]  # Flower has no other way
    sys.argv = ["flower-superlink", *superlink_words(home, settings)]  # Flower reads its words there, and nowhere else
    config = _parse_superlink_lifespan_config()
    uvicorn.run(
        Guard(Parcels(create_app(config, SuperLinkLifespan)), home.secret.read_bytes()),
        host=config.host,
        port=config.port,
        log_config=get_uvicorn_log_config(console_handler.level),
        access_log=False,  # a line for each question of a thousand merchants
        ssl_keyfile=config.ssl_keyfile,
        ssl_certfile=config.ssl_certfile,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        workers=1,
    )
