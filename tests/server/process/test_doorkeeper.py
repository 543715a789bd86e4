"""The gateway's judgement of a request, without a network: which protocol a member speaks, and whether we do."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key
from certs.request import JoinRequest, make_request
from common.message.protocol import HEADER
from server.process import gateway
from server.process.gateway import KEY_HEADER, Doorkeeper
from server.registry.registry import Registry

TOMORROW = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def request_of_north(tmp_path: Path) -> JoinRequest:
    tls_key = read_or_make_curve_key(tmp_path / "tls.key", TLS_CURVE)
    return make_request(
        "north", 64, tls_key=tls_key, node_key=read_or_make_curve_key(tmp_path / "node.key", NODE_CURVE)
    )


@pytest.fixture
def registry(tmp_path: Path, request_of_north: JoinRequest) -> Iterator[Registry]:
    with closing(Registry(tmp_path / "registry.sqlite")) as opened:
        opened.enroll(request_of_north, certificate="c" * 64)
        yield opened


@pytest.fixture
def door(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Doorkeeper]:
    monkeypatch.setattr(gateway, "LOOK_SECONDS", 0.0)
    with closing(Doorkeeper(tmp_path / "registry.sqlite", requests_per_second=100)) as keeper:
        yield keeper


def headers(request: JoinRequest, spoken: str | None) -> dict[str, str]:
    said = {KEY_HEADER: b64encode(request.node_key.encode()).decode()}
    return said if spoken is None else said | {HEADER: spoken}


def knock(door: Doorkeeper, request: JoinRequest, spoken: str | None) -> int:
    return door.judge("c" * 64, TOMORROW, headers(request, spoken))[0]


def test_a_member_of_the_first_version_comes_in_and_speaks_protocol_1(
    door: Doorkeeper, registry: Registry, request_of_north: JoinRequest
) -> None:
    assert knock(door, request_of_north, None) == 200
    assert registry.members()[0].protocol == 1


def test_what_a_member_speaks_is_noted_when_it_changes_and_not_at_every_knock(
    door: Doorkeeper, registry: Registry, request_of_north: JoinRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert knock(door, request_of_north, "1-9") == 200
    assert registry.members()[0].protocol == 2
    assert knock(door, request_of_north, None) == 200
    assert registry.members()[0].protocol == 2, "so soon after it is not written again"
    monkeypatch.setattr(gateway, "NOTE_SECONDS", 0.0)
    assert knock(door, request_of_north, None) == 200
    assert registry.members()[0].protocol == 1


def test_the_certificate_of_a_member_that_an_older_version_enrolled_is_noted_when_it_comes_in(
    door: Doorkeeper, registry: Registry, request_of_north: JoinRequest
) -> None:
    assert knock(door, request_of_north, "1-2") == 200
    door.note_certificate("c" * 64, "pem")
    door.note_certificate("d" * 64, "of a stranger")
    assert [(found.fingerprint, found.pem) for found in registry.certificates()["north"]] == [("c" * 64, "pem")]


def test_a_certificate_that_was_handed_out_just_now_opens_at_once(
    door: Doorkeeper, registry: Registry, request_of_north: JoinRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "LOOK_SECONDS", 3600.0)
    assert knock(door, request_of_north, "1-2") == 200
    registry.note_certificate("e" * 64, member="north", pem="newer")
    assert door.judge("e" * 64, TOMORROW, headers(request_of_north, "1-2"))[0] == 200
    assert door.judge("f" * 64, TOMORROW, headers(request_of_north, "1-2"))[0] == 403


def test_a_member_with_whom_nothing_is_spoken_is_refused_and_not_noted(
    door: Doorkeeper, registry: Registry, request_of_north: JoinRequest
) -> None:
    assert knock(door, request_of_north, "3-4") == 426
    assert registry.members()[0].protocol == 1


def test_who_has_not_shown_its_own_node_key_notes_nothing(
    door: Doorkeeper, registry: Registry, request_of_north: JoinRequest
) -> None:
    status, _ = door.judge("c" * 64, TOMORROW, {HEADER: "1-2", KEY_HEADER: "another"})
    assert (status, registry.members()[0].protocol) == (403, 1)
