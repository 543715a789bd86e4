"""The contract with Flower's fleet API, held against a real SuperLink; and what a hostile gateway can do."""

from __future__ import annotations

import gzip
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, RecordDict

from certs.authority import Authority, make_authority
from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key
from certs.request import JoinRequest, make_request
from client.daemon.envelope import MOST_MESSAGE_BYTES
from client.daemon.gateway_client import GatewayClient, read_clock
from client.daemon.gateway_error import MessageOver, Refused, Unreachable
from common.errors import MessageError
from common.message.protocol import HEADER, write_spoken
from fleet.superlink import Coordinator, SuperLink, free_port, make_superlink

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern")  # Flower's old name for its way to pack a FAB
HELLO = RecordDict({"about": ConfigRecord({"word": "hello"})})


@dataclass
class Caller:
    """Keys and certificate of one merchant, as `client.daemon.membership` would read them."""

    request: JoinRequest
    node_key: EllipticCurvePrivateKey
    context: ssl.SSLContext


def make_caller(folder: Path, authority: Authority, *, name: str = "shop", trusts: Authority | None = None) -> Caller:
    folder.mkdir(exist_ok=True)
    tls_key = read_or_make_curve_key(folder / "tls.key", TLS_CURVE)
    node_key = read_or_make_curve_key(folder / "node.key", NODE_CURVE)
    request = make_request(name, 32, tls_key=tls_key, node_key=node_key)
    (folder / "tls.pem").write_bytes(authority.sign_merchant(request))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=(trusts or authority).pem.decode())
    context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
    return Caller(request, node_key, context)


@pytest.fixture(scope="module")
def superlink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SuperLink]:
    link = make_superlink(tmp_path_factory.mktemp("coordinator") / "folder")
    link.start()
    yield link
    link.stop()


@pytest.fixture
def client(superlink: SuperLink, tmp_path: Path) -> Iterator[GatewayClient]:
    """Connect one enrolled merchant."""
    caller = make_caller(tmp_path / "shop", superlink.authority)
    superlink.enroll(caller.request)
    with closing(GatewayClient(superlink.address, caller.node_key, caller.context)) as connected:
        connected.connect()
        yield connected


def paths_of(client: GatewayClient) -> list[str]:
    """List the paths that are asked for from here on."""
    paths: list[str] = []
    client._client._client.event_hooks["request"].append(lambda request: paths.append(request.url.path))
    return paths


def send(coordinator: Coordinator, client: GatewayClient, content: RecordDict) -> str:
    return coordinator.send(client.connect(), "train", content)


def test_a_message_comes_and_its_reply_goes(superlink: SuperLink, client: GatewayClient) -> None:
    assert client.pull() is None
    assert client.heartbeat()
    paths = paths_of(client)
    with superlink.run() as coordinator:
        asked = send(coordinator, client, HELLO)
        envelope = client.pull()
        assert envelope is not None
        assert envelope.message.metadata.message_id == asked
        message = client.fetch(envelope)
        assert message.content["about"]["word"] == "hello"
        assert client.pull() is None, "a message is taken once"
        reply = Message(RecordDict({"about": ConfigRecord({"word": "back"})}), reply_to=message)
        client.push(reply)
        client.push(reply)  # as after an answer that got lost
        answer = coordinator.collect(asked)
        assert answer.content["about"]["word"] == "back"
        assert answer.metadata.src_node_id == message.metadata.dst_node_id
    client.deactivate()
    assert not [path for path in paths if "fab" in path or "get-run" in path], "no code is asked for"


def test_a_refusal_reaches_the_coordinator_as_an_error(superlink: SuperLink, client: GatewayClient) -> None:
    with superlink.run() as coordinator:
        asked = send(coordinator, client, HELLO)
        envelope = client.pull()
        assert envelope is not None
        client.push(Message(Error(2, "declined"), reply_to=envelope.message))
        assert coordinator.collect(asked).error.reason == "declined"


def test_a_message_of_too_many_objects_is_refused_before_one_is_pulled(
    superlink: SuperLink, client: GatewayClient
) -> None:
    paths = paths_of(client)
    with superlink.run() as coordinator:
        send(coordinator, client, RecordDict({f"r{number}": ConfigRecord({"n": number}) for number in range(20)}))
        envelope = client.pull()
        assert envelope is not None
        with pytest.raises(MessageError, match="more than 16 objects"):
            client.fetch(envelope)
    assert not [path for path in paths if path.endswith("pull-object")]


@pytest.mark.parametrize("repeats", [False, True])
def test_a_message_that_is_too_large_is_refused(superlink: SuperLink, client: GatewayClient, repeats: bool) -> None:
    count = MOST_MESSAGE_BYTES // 4 + 1
    values = (torch.zeros(count) if repeats else torch.arange(count, dtype=torch.float32)).numpy()  # zeros: one chunk
    with superlink.run() as coordinator:
        send(coordinator, client, RecordDict({"vector": ArrayRecord({"values": Array(values)})}))
        envelope = client.pull()
        assert envelope is not None
        with pytest.raises(MessageError, match="larger than"):
            client.fetch(envelope)


def test_a_reply_to_a_run_that_is_over_is_over_too(superlink: SuperLink, client: GatewayClient) -> None:
    with superlink.run() as coordinator:
        send(coordinator, client, HELLO)
        envelope = client.pull()
        assert envelope is not None
    with pytest.raises(MessageOver):
        client.push(Message(HELLO, reply_to=envelope.message))


def test_a_node_that_is_not_registered_is_refused(superlink: SuperLink, tmp_path: Path) -> None:
    caller = make_caller(tmp_path / "stranger", superlink.authority)
    with closing(GatewayClient(superlink.address, caller.node_key, caller.context)) as client:
        for call, kind, word in ((client.connect, Unreachable, "not registered"), (client.pull, Refused, "401")):
            with pytest.raises(kind, match=word):
                call()


def test_a_merchant_that_was_killed_is_let_in_at_once_by_its_node_id(superlink: SuperLink, tmp_path: Path) -> None:
    caller = make_caller(tmp_path / "shop", superlink.authority)
    superlink.enroll(caller.request)
    with closing(GatewayClient(superlink.address, caller.node_key, caller.context)) as killed:
        node_id = killed.connect()
    with (
        closing(GatewayClient(superlink.address, caller.node_key, caller.context)) as forgetful,
        pytest.raises(Unreachable, match="earlier connection"),
    ):
        forgetful.connect()
    for remembered in (node_id, node_id + 1):  # the second is of an enrolment that is over
        with closing(
            GatewayClient(superlink.address, caller.node_key, caller.context, node_id=remembered)
        ) as restarted:
            assert restarted.connect() == node_id
            restarted.deactivate()


def test_another_line_is_gone_over_to_once_something_passes_it_and_not_before(
    superlink: SuperLink, client: GatewayClient, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = make_authority(tmp_path / "other", "test")
    deaf = make_caller(tmp_path / "shop", superlink.authority, trusts=other)
    with pytest.raises(Refused, match="no valid certificate of this federation"):
        client.switch(superlink.address, deaf.context, patience_seconds=0.0)
    assert client.heartbeat(), "it stays on the line before"
    fresh = make_caller(tmp_path / "shop", superlink.authority)
    before = client._client
    client.switch(superlink.address, fresh.context, patience_seconds=0.0)
    assert client._client is not before
    assert client.heartbeat()
    assert not before._client.is_closed, "a heartbeat of another thread may be on it"


def test_nobody_is_there(tmp_path: Path) -> None:
    caller = make_caller(tmp_path / "shop", make_authority(tmp_path, "test"))
    with (
        closing(GatewayClient(f"127.0.0.1:{free_port()}", caller.node_key, caller.context)) as client,
        pytest.raises(Unreachable, match="Nobody answers"),
    ):
        client.pull()


@dataclass
class Gateway:
    """An HTTPS server that answers everything the same way."""

    authority: Authority
    port: int
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    endless: bool = False
    asked: list[str] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with serving(tmp_path / "gateway", ["127.0.0.1"]) as served:
        yield served


@contextmanager
def serving(folder: Path, hosts: list[str], *, days: int = 100) -> Iterator[Gateway]:
    folder.mkdir()
    authority = make_authority(folder, "test")
    key = read_or_make_curve_key(folder / "server.key", TLS_CURVE)
    (folder / "server.pem").write_bytes(authority.sign_server(hosts, key.public_key(), days=days))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority.pem.decode())
    gateway = Gateway(authority, 0)

    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            gateway.asked.append(self.path)
            gateway.told = {name.lower(): value for name, value in self.headers.items()}
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(gateway.status)
            for name, value in gateway.headers.items():
                self.send_header(name, value)
            if gateway.endless:
                self.send_header("connection", "close")
                self.end_headers()
                self.send_endlessly()
                return
            self.send_header("content-length", str(len(gateway.body)))
            self.end_headers()
            self.wfile.write(gateway.body)

        def do_GET(self) -> None:
            self.do_POST()

        def send_endlessly(self) -> None:
            try:
                while True:
                    self.wfile.write(bytes(1 << 16))
            except OSError:
                self.close_connection = True

        def log_request(self, code: object = "-", size: object = "-") -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Page)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    gateway.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield gateway
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def calling(gateway: Gateway, tmp_path: Path) -> Iterator[GatewayClient]:
    caller = make_caller(tmp_path / "shop", gateway.authority)
    with closing(GatewayClient(gateway.address, caller.node_key, caller.context)) as client:
        yield client


@pytest.mark.parametrize(
    ("status", "kind", "word"),
    [
        (401, Refused, "node key"),
        (403, Refused, "revoked"),
        (429, Unreachable, "429"),
        (500, Unreachable, "500"),
        (502, Unreachable, "502"),
        (400, MessageOver, "400"),
    ],
)
def test_every_status_has_its_sentence(
    gateway: Gateway, calling: GatewayClient, status: int, kind: type[Exception], word: str
) -> None:
    gateway.status = status
    with pytest.raises(kind, match=word):
        calling.pull()


def test_a_redirect_is_not_followed(gateway: Gateway, calling: GatewayClient) -> None:
    gateway.status, gateway.headers = 307, {"location": f"https://{gateway.address}/elsewhere"}
    with pytest.raises(Unreachable, match="307"):
        calling.pull()
    assert gateway.asked == ["/v1/fleet/pull-messages"]


def test_an_answer_that_is_packed_is_not_unpacked(gateway: Gateway, calling: GatewayClient) -> None:
    gateway.headers, gateway.body = {"content-encoding": "gzip"}, gzip.compress(bytes(1 << 20))
    with pytest.raises(MessageError, match="packed"):
        calling.pull()


def test_an_answer_without_an_end_is_left(gateway: Gateway, calling: GatewayClient) -> None:
    gateway.endless = True
    with pytest.raises(MessageError, match="larger than"):
        calling.pull()


def test_an_answer_in_another_language_is_no_gateway(gateway: Gateway, calling: GatewayClient) -> None:
    gateway.body = b"<html>"
    with pytest.raises(Unreachable, match="no gateway"):
        calling.pull()


def test_the_other_side_cannot_end_this_process_by_its_version(gateway: Gateway, calling: GatewayClient) -> None:
    gateway.status = 412
    gateway.body = b'{"code": 1, "detail": "[flwr-runtime-version-incompatible] no"}'
    gateway.headers = {"flwr-version-incompatibility-message": "no"}
    with pytest.raises(Unreachable):
        calling.pull()


def test_a_gateway_of_another_authority_is_told_nothing(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = make_authority(tmp_path / "other", "test")
    caller = make_caller(tmp_path / "shop", gateway.authority, trusts=other)
    with (
        closing(GatewayClient(gateway.address, caller.node_key, caller.context)) as client,
        pytest.raises(Refused, match="no valid certificate of this federation"),
    ):
        client.pull()
    assert gateway.asked == []


def test_a_merchant_of_another_authority_is_turned_away(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = make_authority(tmp_path / "other", "test")
    caller = make_caller(tmp_path / "shop", other, trusts=gateway.authority)
    with (
        closing(GatewayClient(gateway.address, caller.node_key, caller.context)) as client,
        pytest.raises((Refused, Unreachable)),
    ):
        client.pull()
    assert gateway.asked == []


@pytest.mark.parametrize(
    ("hosts", "days", "word"), [(["example.org"], 100, "IP address"), (["127.0.0.1"], 0, "expired")]
)
def test_a_gateway_with_a_wrong_certificate_is_told_nothing(
    tmp_path: Path, hosts: list[str], days: int, word: str
) -> None:
    with serving(tmp_path / "gateway", hosts, days=days) as gateway:
        caller = make_caller(tmp_path / "shop", gateway.authority)
        with (
            closing(GatewayClient(gateway.address, caller.node_key, caller.context)) as client,
            pytest.raises(Refused, match=word),
        ):
            client.pull()
        assert gateway.asked == []


def test_the_gateways_clock_can_be_read(gateway: Gateway, tmp_path: Path) -> None:
    caller = make_caller(tmp_path / "shop", gateway.authority)
    told = read_clock(gateway.address, caller.context)
    assert told is not None
    assert told.tzinfo is not None


@pytest.mark.parametrize(
    ("spoken", "word"), [("4-5", "this one is older and has to be"), ("7-7", "this one is older and has to be")]
)
def test_a_gateway_that_speaks_no_protocol_of_ours_is_one_sentence(
    gateway: Gateway, calling: GatewayClient, tmp_path: Path, spoken: str, word: str
) -> None:
    gateway.headers, gateway.status = {HEADER: spoken}, 426
    caller = make_caller(tmp_path / "other", gateway.authority)
    for ask in (calling.pull, calling.connect, lambda: read_clock(gateway.address, caller.context)):
        with pytest.raises(Refused, match=f"speaks protocols {spoken}, this version of hansa 1-3; {word}"):
            ask()


@pytest.mark.parametrize("spoken", [None, "1-1", "1-2", "2-9"])
def test_a_gateway_that_speaks_one_of_ours_or_says_nothing_is_asked(
    gateway: Gateway, calling: GatewayClient, spoken: str | None
) -> None:
    gateway.headers = {} if spoken is None else {HEADER: spoken}
    assert calling.pull() is None
    assert gateway.told[HEADER] == write_spoken()
