"""The gateway's own server in a thread, before a recording server in the SuperLink's place, and merchants' sockets."""

from __future__ import annotations

import asyncio
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from certs.authority import Authority, fingerprint, read_certificate
from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key
from certs.request import make_request
from network.coordinator import PROTOBUF, Knocker
from server.folder import CoordinatorFolder, Settings
from server.founding import make_federation
from server.process.door import DoorServer
from server.process.gateway import make_server
from server.process.headers import NEWS
from server.registry.registry import Registry
from simulation.localhost.processes import free_port

HEARTBEAT = "/v1/fleet/send-node-heartbeat"
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/protobuf\r\nset-cookie: a=b\r\nserver: x\r\nflwr-odd: y\r\n"


@dataclass
class Recorder:
    """An HTTPS server that writes down, byte by byte, what it is asked, and answers as it is told."""

    listener: socket.socket
    context: ssl.SSLContext
    answer: bytes = b"ok"
    seen: list[tuple[bytes, bytes]] = field(default_factory=list)

    def serve(self) -> None:
        with suppress(OSError):  # closed: the test is over
            while True:
                plain, _ = self.listener.accept()
                threading.Thread(target=self._talk, args=(plain,), daemon=True).start()

    def _talk(self, plain: socket.socket) -> None:
        with suppress(OSError), plain, self.context.wrap_socket(plain, server_side=True) as caller:
            waiting = b""
            while True:
                while b"\r\n\r\n" not in waiting:
                    if not (part := caller.recv(65536)):
                        return
                    waiting += part
                head, _, waiting = waiting.partition(b"\r\n\r\n")
                (length,) = [
                    int(line.partition(b":")[2]) for line in head.lower().split(b"\r\n") if b"-length:" in line
                ]
                while len(waiting) < length and (part := caller.recv(65536)):
                    waiting += part
                if not is_own_question(head):
                    self.seen.append((head, waiting[:length]))
                waiting = waiting[length:]
                caller.sendall(OK + b"content-length: %d\r\n\r\n" % len(self.answer) + self.answer)


def is_own_question(head: bytes) -> bool:
    """Whether the gateway asks for news on its own, for nobody: no merchant's key goes with it."""
    return head.startswith(b"POST %s " % NEWS.encode()) and b"flwr-public-key" not in head.lower()


@dataclass
class Doorway:
    home: CoordinatorFolder
    settings: Settings
    recorder: Recorder
    server: DoorServer

    @property
    def port(self) -> int:
        return self.settings.gateway_port

    def member(self, name: str) -> Knocker:
        """Enroll a merchant without the command line, which takes a second each."""
        return enroll(self.home, self.port, name)

    def connect(self, knocker: Knocker, *, seconds: float = 30.0) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=knocker.authority)
        assert knocker.certificate is not None
        context.load_cert_chain(knocker.certificate, knocker.tls_key)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=seconds)
        return context.wrap_socket(plain, server_hostname="127.0.0.1")

    def silent(self, *, seconds: float = 30.0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=seconds)


def enroll(home: CoordinatorFolder, port: int, name: str) -> Knocker:
    folder = home.folder / "merchants" / name
    folder.mkdir(parents=True)
    tls_key = read_or_make_curve_key(folder / "tls.key", TLS_CURVE)
    node_key = read_or_make_curve_key(folder / "node.key", NODE_CURVE)
    request = make_request(name, 64, tls_key=tls_key, node_key=node_key)
    pem = Authority(home.authority).sign_merchant(request)
    (folder / "tls.pem").write_bytes(pem)
    registry = Registry(home.registry)
    registry.enroll(request, certificate=fingerprint(read_certificate(pem, origin="the test")))
    registry.close()
    return Knocker(port, home.authority / "authority.pem", folder / "tls.pem", folder / "tls.key", node_key)


@contextmanager
def serving_doorway(folder: Path, **settings: int) -> Iterator[Doorway]:
    port = free_port()
    chosen = Settings(
        name="hanse", hosts=("127.0.0.1",), bind="127.0.0.1", gateway_port=port, superlink_port=port + 1, **settings
    )
    home = CoordinatorFolder(folder)
    make_federation(home, chosen)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home.authority / "server.pem", home.authority / "server.key")
    recorder = Recorder(socket.create_server(("127.0.0.1", port + 1)), context)
    threading.Thread(target=recorder.serve, daemon=True).start()
    started: queue.Queue[DoorServer] = queue.Queue()

    def serve() -> None:  # made in the thread that serves: SQLite wants it so
        server = make_server(home, chosen)
        started.put(server)
        asyncio.run(server.serve())

    thread = threading.Thread(target=serve)
    thread.start()
    server = started.get(timeout=60)
    try:
        await_true(lambda: server.started)
        yield Doorway(home, chosen, recorder, server)
    finally:
        server.should_exit = True
        thread.join(60)
        recorder.listener.close()


def await_true(look: Callable[[], bool], *, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.02)


def proper_headers(knocker: Knocker, body: bytes = b"") -> list[tuple[bytes, bytes]]:
    """List what Flower's client and httpx send."""
    said = {
        "host": f"127.0.0.1:{knocker.port}",
        "accept-encoding": "identity",
        "connection": "keep-alive",
        "user-agent": "python-httpx/0.28.1",
        **PROTOBUF,
        "flwr-package-name": "flwr",
        "flwr-package-version": "1.42.0",
        "flwr-component-name": "SuperNode",
        "hansa-protocol": "1-2",
        **knocker.sign(),
        "content-length": str(len(body)),
    }
    return [(name.encode(), value.encode()) for name, value in said.items()]


def write_request(headers: list[tuple[bytes, bytes]], body: bytes = b"", *, line: bytes | None = None) -> bytes:
    lines = [line or b"POST " + HEARTBEAT.encode() + b" HTTP/1.1", *(name + b": " + value for name, value in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def read_status(caller: socket.socket) -> int:
    """Read an answer to its end, or to the connection's; 0 where there is none."""
    said = b""
    with suppress(OSError):
        while part := caller.recv(65536):
            said += part
            head, found, body = said.partition(b"\r\n\r\n")
            if found and len(body) >= read_length(head):
                break
    return int(said.split(b" ", 2)[1]) if said.startswith(b"HTTP/1.1 ") else 0


def read_length(head: bytes) -> int:
    lines = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(lines[0].partition(b":")[2]) if lines else 0


def ends(caller: socket.socket) -> bool:
    """Whether the other side ends a connection that says nothing, before the socket's own timeout."""
    try:
        return caller.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True
