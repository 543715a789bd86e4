"""What few can take from all is bounded: places, time and memory, at a gateway with small bounds over real TLS."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from common.errors import ConfigError
from common.http import pace
from common.http.listening import listen
from network.coordinator import Knocker
from network.doorway import Doorway, await_true, ends, proper_headers, read_status, serving_doorway, write_request
from server.process import door, gateway, limits
from server.registry.registry import Registry

SECONDS = 60.0  # generous: what ends within it was set to end within one


@pytest.fixture(scope="module")
def doorway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    bounds = {"unshaken_per_address": 6, "connections_per_member": 4, "requests_at_once": 3, "body_megabytes": 64}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "ROOM_SECONDS", 1.0)
        # What a test is about it makes short itself; nothing else ends by itself.
        patch.setattr(pace, "GRACE_SECONDS", SECONDS)
        patch.setattr(door, "HANDSHAKE_SECONDS", SECONDS)
        patch.setattr(door, "HEAD_SECONDS", SECONDS)
        with serving_doorway(tmp_path_factory.mktemp("door"), **bounds) as made:
            yield made


@pytest.fixture(scope="module")
def alice(doorway: Doorway) -> Knocker:
    return doorway.member("alice")


@pytest.fixture(scope="module")
def mallory(doorway: Doorway) -> Knocker:
    return doorway.member("mallory")


def comes_through(doorway: Doorway, knocker: Knocker, body: bytes = b"") -> bool:
    with doorway.connect(knocker) as caller:
        caller.sendall(write_request(proper_headers(knocker, body), body))
        return read_status(caller) == 200


def begin_body(doorway: Doorway, knocker: Knocker, num_bytes: int) -> ssl.SSLSocket:
    """Send a head that states a body, and none of it."""
    caller = doorway.connect(knocker)
    headers = [(n, b"%d" % num_bytes if n == b"content-length" else v) for n, v in proper_headers(knocker)]
    caller.sendall(write_request(headers))
    return caller


def await_waiting(doorway: Doorway, *, silent: int, shaking: int) -> None:
    """Wait until so many have not shaken hands: those who said nothing, and those who began."""
    waiting = doorway.server.servers[0]._waiting
    kinds = (waiting._silent, waiting._shaking)
    await_true(lambda: [sum(map(len, list(kind.values()))) for kind in kinds] == [silent, shaking])


@pytest.fixture(autouse=True)
def nobody_waits(doorway: Doorway) -> None:
    """Begin each test when those of the one before, who hung up, have left the door."""
    await_waiting(doorway, silent=0, shaking=0)


def test_of_those_who_do_not_shake_hands_the_oldest_gives_way(doorway: Doorway, alice: Knocker) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(doorway.silent(seconds=SECONDS)) for _ in range(6)]
        await_waiting(doorway, silent=6, shaking=0)
        assert comes_through(doorway, alice), "the seventh from this address"
        assert ends(silent[0])
        more = [stack.enter_context(doorway.silent(seconds=SECONDS)) for _ in range(6)]
        assert all(ends(caller) for caller in silent)
        assert comes_through(doorway, alice)
        assert ends(more[0])


def test_who_has_said_something_goes_after_those_who_say_nothing(doorway: Doorway, alice: Knocker) -> None:
    with ExitStack() as stack:
        speaking = stack.enter_context(doorway.silent(seconds=SECONDS))
        speaking.sendall(b"\x16\x03\x01")  # a handshake begins so
        await_waiting(doorway, silent=0, shaking=1)
        silent = [stack.enter_context(doorway.silent(seconds=SECONDS)) for _ in range(20)]
        assert all(ends(caller) for caller in silent[:15])
        speaking.settimeout(0.2)
        assert not ends(speaking)
        assert comes_through(doorway, alice)


def test_who_begins_a_handshake_and_stops_crowds_out_its_own_kind(doorway: Doorway, alice: Knocker) -> None:
    with ExitStack() as stack:
        silent = stack.enter_context(doorway.silent(seconds=0.2))
        begun = [stack.enter_context(doorway.silent(seconds=SECONDS)) for _ in range(5)]
        for caller in begun:
            caller.sendall(b"\x16\x03\x01")
        await_waiting(doorway, silent=1, shaking=5)
        assert comes_through(doorway, alice)
        assert ends(begun[0])
        assert not ends(silent)


def test_a_handshake_has_a_deadline(doorway: Doorway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "HANDSHAKE_SECONDS", 0.5)
    for word in (b"", b"\x16\x03\x01"):
        with doorway.silent(seconds=SECONDS) as caller:
            caller.sendall(word)
            assert ends(caller)


def test_a_head_that_does_not_end_has_a_deadline_also_after_a_request(
    doorway: Doorway, alice: Knocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with doorway.connect(alice, seconds=SECONDS) as caller:
        caller.sendall(write_request(proper_headers(alice)))
        assert read_status(caller) == 200
        monkeypatch.setattr(door, "HEAD_SECONDS", 0.5)
        caller.sendall(b"POST /v1/fleet")
        assert ends(caller), "the second head"
    with doorway.connect(alice, seconds=SECONDS) as caller:
        assert ends(caller), "no head at all"
    with doorway.connect(alice, seconds=SECONDS) as caller:
        caller.sendall(b"POST /v1/fleet/push-object HTTP/1.1\r\nhost: x\r\n")
        assert ends(caller)


def test_a_head_that_drips_has_the_same_deadline(
    doorway: Doorway, alice: Knocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "HEAD_SECONDS", 0.5)
    with doorway.connect(alice, seconds=0.1) as caller:
        began = time.monotonic()
        caller.sendall(b"POST /v1/fleet/push-object HTTP/1.1\r\n")
        with suppress(OSError):  # reset, broken or ended, as TLS has it
            while time.monotonic() - began < SECONDS:
                caller.sendall(b"x")
                time.sleep(0.05)
        assert time.monotonic() - began < SECONDS


def test_of_a_members_connections_the_oldest_idle_one_gives_way_and_no_other_members(
    doorway: Doorway, alice: Knocker, mallory: Knocker
) -> None:
    with ExitStack() as stack:
        own = stack.enter_context(doorway.connect(alice, seconds=SECONDS))
        own.sendall(write_request(proper_headers(alice)))
        assert read_status(own) == 200
        held = [stack.enter_context(doorway.connect(mallory, seconds=SECONDS)) for _ in range(5)]
        assert ends(held[0])
        held[4].sendall(write_request(proper_headers(mallory)))
        assert read_status(held[4]) == 200
        own.sendall(write_request(proper_headers(alice)))
        assert read_status(own) == 200


def test_a_body_that_stops_is_let_go_of(doorway: Doorway, alice: Knocker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "GRACE_SECONDS", 0.5)
    with begin_body(doorway, alice, 1 << 20) as caller:
        caller.sendall(b"x" * 1000)
        assert read_status(caller) == 429


def test_a_body_that_keeps_the_slowest_pace_may_take_its_time(
    doorway: Doorway, alice: Knocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "GRACE_SECONDS", 3.0)
    part, parts = b"x" * pace.SLOWEST_BYTES, 7
    with begin_body(doorway, alice, len(part) * parts) as caller:
        for _ in range(parts):
            caller.sendall(part)
            time.sleep(0.5)
        assert read_status(caller) == 200


def test_one_members_bodies_take_no_more_than_its_share_and_others_pass(
    doorway: Doorway, alice: Knocker, mallory: Knocker
) -> None:
    room = doorway.server.config.loaded_app.default._room
    with ExitStack() as stack:
        size = 39 << 20
        first = stack.enter_context(begin_body(doorway, mallory, size))
        await_true(lambda: room.held == size)
        others = [stack.enter_context(begin_body(doorway, mallory, size)) for _ in range(3)]
        keeper = threading.Thread(target=drip, args=(first,))
        keeper.start()
        assert comes_through(doorway, alice, b"x" * (20 << 20)), "a body of another member"
        assert sorted(read_status(caller) for caller in others) == [429, 429, 429]
        assert room.held <= limits.MEMBER_BYTES
        first.close()
        keeper.join()
    await_true(lambda: room.held == 0)


def drip(caller: socket.socket) -> None:
    """Keep the slowest pace until the connection is closed."""
    try:
        while True:
            caller.sendall(b"x" * (pace.SLOWEST_BYTES // 4))
            time.sleep(0.1)
    except (OSError, ValueError):
        pass


def test_who_reads_an_answer_too_slowly_is_let_go_of(
    doorway: Doorway, alice: Knocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "GRACE_SECONDS", 0.5)
    room = doorway.server.config.loaded_app.default._room
    doorway.recorder.answer = b"x" * (30 << 20)
    try:
        with doorway.connect(alice, seconds=SECONDS) as caller:
            caller.sendall(write_request(proper_headers(alice)))
            await_true(lambda: room.held == 30 << 20)
            await_true(lambda: room.held == 0)
    finally:
        doorway.recorder.answer = b"ok"
    assert comes_through(doorway, alice)


def test_a_large_answer_arrives_whole(doorway: Doorway, alice: Knocker) -> None:
    doorway.recorder.answer = bytes(range(256)) * (5 << 12)
    try:
        assert alice.ask("/v1/fleet/pull-object").content == doorway.recorder.answer
    finally:
        doorway.recorder.answer = b"ok"


def test_a_revocation_holds_for_a_body_that_is_under_way(doorway: Doorway) -> None:
    eve = doorway.member("eve")
    with begin_body(doorway, eve, 100) as caller:
        caller.sendall(b"x" * 50)
        registry = Registry(doorway.home.registry)
        registry.revoke("eve")
        registry.close()
        await_true(lambda: not comes_through(doorway, eve))
        seen = len(doorway.recorder.seen)
        caller.sendall(b"x" * 50)
        assert read_status(caller) == 403
    assert len(doorway.recorder.seen) == seen


def test_a_port_that_is_taken_is_one_sentence(doorway: Doorway) -> None:
    with pytest.raises(ConfigError, match=f"Port {doorway.port} on 127.0.0.1 cannot be used"):
        listen("127.0.0.1", doorway.port)


def test_a_limit_of_files_that_is_too_small_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.resource, "getrlimit", lambda _: (1024, 1024))
    with pytest.raises(ConfigError, match="LimitNOFILE"):
        gateway.count_connections()
    raised: list[tuple[int, int]] = []
    others = door.MOST_UNSHAKEN + gateway.LINES + gateway.OTHER_FILES
    monkeypatch.setattr(gateway.resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(gateway.resource, "setrlimit", lambda _, both: raised.append(both))
    assert gateway.count_connections() == 4096 - others
    monkeypatch.setattr(gateway.resource, "getrlimit", lambda _: (256, gateway.resource.RLIM_INFINITY))
    assert gateway.count_connections() == gateway.MOST_CONNECTIONS
    assert raised == [(4096, 4096), (gateway.MOST_CONNECTIONS + others, gateway.resource.RLIM_INFINITY)]


def test_the_service_may_open_the_files_that_the_gateway_needs() -> None:
    text = Path("docs/deploy/hansa-server.service").read_text()
    stated = int(text.partition("LimitNOFILE=")[2].split()[0])
    needed = gateway.MOST_CONNECTIONS + door.MOST_UNSHAKEN + gateway.LINES + gateway.OTHER_FILES
    assert stated >= needed
