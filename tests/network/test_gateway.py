"""The gateway over real TLS, in front of a real SuperLink, with everybody who should not come in."""

import re
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from flwr.proto.control_pb2 import ListNodesRequest
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.date import now

from certs.authority import make_authority
from certs.key import TLS_CURVE, read_or_make_curve_key
from certs.request import make_request
from network.coordinator import (
    PROTOBUF,
    Coordinator,
    Knocker,
    activation,
    await_entry,
    make_coordinator,
    run_cli,
    run_process,
)
from network.doorway import await_true
from server.process.headers import LARGEST_BODY, PASSED, PULL_PARCEL, PUSH_PARCEL
from server.process.loopback import WORD_HEADER, make_word
from server.process.superlink import open_superlink

ACTIVATE = "/v1/fleet/activate-node"
ALREADY_IN = 412  # Flower's own, to whoever was let in before; to whom it does not know it says the same
HIDDEN = [
    "/",
    "/v1/control/list-nodes",
    "/v1/control/start-run",
    "/v1/control/register-node",
    "/v1/runtime/acquire-task",
    "/v1/runtime/pull-task-input",
    "/v1/fleet/register-node",
    "/v1/fleet/unregister-node",
    "/v1/fleet/get-fab",
    "/v1/fleet/get-run",
    "/v1/fleet/../control/list-nodes",
    "/v1/fleet/%2e%2e/control/list-nodes",
    "/v1/fleet//activate-node",
    "/v1/fleet/activate-node/",
    "/v1/hansa/ask",
    "/v1/hansa/answers",
    "/docs",
    "/openapi.json",
]


@pytest.fixture(scope="module")
def coordinator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinator]:
    made = make_coordinator(tmp_path_factory.mktemp("gateway"))
    member = made.join("alice")
    made.home.registry.chmod(0o644)  # as an earlier version left it
    with made.running(member):
        yield made


def members_on_the_page(coordinator: Coordinator) -> dict[str, str | None]:
    """Ask the page that `up` serves."""
    with httpx.Client(base_url=f"http://127.0.0.1:{coordinator.port + 2}") as page:
        assert "hanse" in page.get("/").text
        return {member["name"]: member["line"] for member in page.get("/status.json").json()["members"]}


@pytest.fixture(scope="module")
def alice(coordinator: Coordinator) -> Knocker:
    made = coordinator.join("alice")
    await_entry(made)
    return made


@pytest.fixture(scope="module")
def bob(coordinator: Coordinator) -> Knocker:
    made = coordinator.join("bob")
    await_entry(made)
    return made


def test_a_member_comes_through_and_is_known_to_flower(alice: Knocker) -> None:
    assert alice.ask(ACTIVATE, activation(alice)).status_code == ALREADY_IN


@pytest.mark.parametrize("path", HIDDEN)
def test_no_other_path_is_published_not_even_to_a_member(alice: Knocker, path: str) -> None:
    answer = alice.ask(path)
    assert (answer.status_code, answer.text) == (404, "refused")


def test_the_published_paths_are_ten() -> None:
    assert len(PASSED) == 10
    assert {path for path in PASSED if not path.startswith("/v1/fleet/")} == {PULL_PARCEL, PUSH_PARCEL}


@pytest.mark.parametrize("path", ["/", "/v1/control/list-nodes", "/v1/runtime/acquire-task", ACTIVATE])
def test_who_has_only_the_authoritys_certificate_gets_no_connection(alice: Knocker, path: str) -> None:
    stranger = Knocker(alice.port, alice.authority, None, alice.tls_key, alice.node_key)
    with pytest.raises(httpx.TransportError):
        stranger.ask(path, activation(alice))


def test_a_certificate_of_another_authority_gets_no_connection(alice: Knocker, tmp_path: Path) -> None:
    other = make_authority(tmp_path, "hanse")
    request = make_request(
        "alice", 64, tls_key=read_or_make_curve_key(alice.tls_key, TLS_CURVE), node_key=alice.node_key
    )
    (tmp_path / "tls.pem").write_bytes(other.sign_merchant(request))
    with pytest.raises(httpx.TransportError):
        Knocker(alice.port, alice.authority, tmp_path / "tls.pem", alice.tls_key, alice.node_key).ask(ACTIVATE)


def test_an_expired_certificate_gets_no_connection(coordinator: Coordinator) -> None:
    with pytest.raises(httpx.TransportError):
        coordinator.join("late", days=-0.01).ask(ACTIVATE)


def test_a_certificate_that_was_signed_but_not_enrolled_is_refused(coordinator: Coordinator) -> None:
    other = coordinator.join("twice", days=300)  # not the one whose fingerprint was noted
    time.sleep(1.0)
    assert other.ask(ACTIVATE, activation(other)).status_code == 403


def test_one_members_certificate_does_not_open_for_anothers_node_key(alice: Knocker, bob: Knocker) -> None:
    assert alice.with_node_key(bob).ask(ACTIVATE, activation(bob)).status_code == 403
    assert bob.ask(ACTIVATE, activation(bob)).status_code == ALREADY_IN


def test_with_a_stolen_node_key_a_member_does_not_act_as_another(alice: Knocker, bob: Knocker) -> None:
    """Its own key is judged and the other's passed on, where both stand in one head and two readers differ."""
    body, own, stolen = activation(bob), alice.sign(), bob.sign()
    fields = [("host", "gateway"), *PROTOBUF.items(), *own.items(), *stolen.items(), ("content-length", len(body))]
    head = "\r\n".join(["POST /v1/fleet/activate-node HTTP/1.1", *(f"{name}: {value}" for name, value in fields)])
    context = ssl.create_default_context(cafile=alice.authority)
    context.load_cert_chain(alice.certificate, alice.tls_key)
    with (
        socket.create_connection(("127.0.0.1", alice.port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        secured.sendall(head.encode() + b"\r\n\r\n" + body)
        assert secured.recv(100).startswith(b"HTTP/1.1 400")


def test_a_message_of_another_node_is_refused_behind_the_gateway(alice: Knocker, bob: Knocker) -> None:
    assert bob.ask(ACTIVATE, activation(alice)).status_code == 401  # its own key in the header, alice's in the body


def test_an_old_signature_is_refused_behind_the_gateway(alice: Knocker) -> None:
    assert alice.ask(ACTIVATE, activation(alice), at=now() - timedelta(hours=1)).status_code == 401


def test_a_revoked_member_is_out_within_seconds_also_on_an_open_connection(coordinator: Coordinator) -> None:
    eve = coordinator.join("eve")
    await_entry(eve)
    with eve.client() as client:
        headers = PROTOBUF | eve.sign()
        assert client.post(ACTIVATE, content=activation(eve), headers=headers).status_code == ALREADY_IN
        run_cli("revoke", "eve", "--folder", str(coordinator.home.folder))
        await_true(lambda: client.post(ACTIVATE, content=activation(eve), headers=headers).status_code == 403)
    await_entry(coordinator.join("eve"))  # enrolled again, it is welcome again


def test_a_body_beyond_any_message_is_refused_before_it_is_read(alice: Knocker) -> None:
    head = "\r\n".join(
        [
            "POST /v1/fleet/push-object HTTP/1.1",
            "host: gateway",
            *(f"{name}: {value}" for name, value in (PROTOBUF | alice.sign()).items()),
            f"content-length: {LARGEST_BODY + 1}",
        ]
    )
    context = ssl.create_default_context(cafile=alice.authority)
    context.load_cert_chain(alice.certificate, alice.tls_key)
    with (
        socket.create_connection(("127.0.0.1", alice.port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        secured.sendall(head.encode() + b"\r\n\r\n")
        assert secured.recv(100).startswith(b"HTTP/1.1 413")


def test_a_merchant_that_asks_too_often_is_held_up_and_no_other(coordinator: Coordinator, bob: Knocker) -> None:
    mallory = coordinator.join("mallory")
    await_entry(mallory)
    headers = PROTOBUF | mallory.sign()

    def ask_often(_: int) -> bool:
        with mallory.client() as client:
            return any(client.post("/v1/fleet/nothing", headers=headers).status_code == 429 for _ in range(500))

    with ThreadPoolExecutor(6) as askers:  # one alone asks too seldom where the machine is busy
        assert any(askers.map(ask_often, range(6)))
    assert bob.ask(ACTIVATE, activation(bob)).status_code in (200, ALREADY_IN)


def test_plain_bytes_and_old_tls_get_nothing(alice: Knocker) -> None:
    with socket.create_connection(("127.0.0.1", alice.port), timeout=60) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"200" not in plain.recv(1000)
    old = ssl.create_default_context(cafile=alice.authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        pytest.raises(ssl.SSLError),
        socket.create_connection(("127.0.0.1", alice.port), timeout=60) as plain,
        old.wrap_socket(plain, server_hostname="127.0.0.1"),
    ):
        pass


def test_the_superlink_listens_on_loopback_alone(coordinator: Coordinator) -> None:
    port = f"{coordinator.home.read_settings().superlink_port:04X}"
    table = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    listening = re.findall(rf" ([0-9A-F]+):{port} \S+ 0A ", table)
    assert listening == ["0100007F"]


def test_every_refusal_is_in_the_log_with_its_reason(coordinator: Coordinator, alice: Knocker) -> None:
    alice.ask("/v1/control/list-nodes")
    text = (coordinator.home.logs / "gateway.log").read_text()
    assert "a path that is not published" in text


def test_a_second_up_and_a_taken_port_are_one_sentence(coordinator: Coordinator, tmp_path: Path) -> None:
    second = run_process("up", "--folder", str(coordinator.home.folder))
    assert (second.returncode, second.stderr.count("\n")) == (2, 1)
    assert "up already" in second.stderr
    shutil.copytree(coordinator.home.folder, tmp_path / "copy", ignore=shutil.ignore_patterns("*.sqlite*"))
    taken = run_process("up", "--folder", str(tmp_path / "copy"))
    assert (taken.returncode, taken.stderr.count("\n")) == (2, 1)
    assert "cannot be used" in taken.stderr


def test_who_reaches_loopback_without_the_word_gets_nothing_of_the_superlink(coordinator: Coordinator) -> None:
    """What any user of the machine could do: Flower's own client, which trusts no certificate and shows no word."""
    superlink = open_superlink(coordinator.home, coordinator.home.read_settings())
    with superlink.control() as client:
        assert client.ListNodes(ListNodesRequest()).nodes_info is not None
    with (
        ControlHttpClient.from_server_address(
            superlink.address, insecure=False, root_certificates=superlink.authority, interceptors=[]
        ) as client,
        pytest.raises(httpx.HTTPStatusError) as caught,
    ):
        client.ListNodes(ListNodesRequest())
    assert (caught.value.response.status_code, caught.value.response.text) == (403, "refused")


@pytest.mark.parametrize("shown", [[], ["wrong"], ["right", "right"], ["right", "wrong"], ["wrong", "right"]])
def test_every_path_of_the_superlink_wants_the_word_once(coordinator: Coordinator, shown: list[str]) -> None:
    word = make_word(coordinator.home.secret.read_bytes())
    headers = [(WORD_HEADER, text.replace("right", word).replace("wrong", "0" * 64)) for text in shown]
    trusted = ssl.create_default_context(cafile=coordinator.home.authority / "authority.pem")
    port = coordinator.home.read_settings().superlink_port
    with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=trusted, headers=PROTOBUF, timeout=60) as client:
        for path in (*HIDDEN, *sorted(PASSED), "/v1/control/stop-run", "/health", "/v1/responses"):
            for method in ("GET", "POST"):
                assert client.request(method, path, headers=headers).status_code == 403


def test_what_the_coordinator_keeps_is_its_owners_alone(coordinator: Coordinator) -> None:
    home = coordinator.home
    own = [home.folder, *home.folder.glob("*")]
    own += [path for folder in (home.logs, home.authority, home.launches, home.flower) for path in folder.rglob("*")]
    made = [path for path in own if path.name not in ("merchants", "up.log", ".gitignore")]  # those are the test's
    assert {"registry.sqlite", "gateway.log", "federation.toml"} <= {path.name for path in made}
    assert [path for path in made if path.exists() and path.stat().st_mode & 0o077] == []
    assert "Other users of this machine could reach 1 files and folders" in (home.folder / "up.log").read_text()


def test_who_came_through_the_gateway_is_online_on_the_page_and_who_never_came_is_offline(
    coordinator: Coordinator, alice: Knocker
) -> None:
    coordinator.join("never-there")
    alice.ask(ACTIVATE, activation(alice))
    await_true(lambda: members_on_the_page(coordinator)["alice"] == "online", seconds=30)
    assert members_on_the_page(coordinator)["never-there"] == "offline"
    with httpx.Client(base_url=f"http://127.0.0.1:{coordinator.port + 2}") as page:
        assert page.post("/revoke", data={"member": "alice"}).status_code == 404  # nothing acts without the option
