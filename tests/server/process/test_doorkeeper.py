"""The gateway's judgement of a request, without a network: which protocol a member speaks, and whether we do."""

import os
import shutil
import sqlite3
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key
from certs.request import JoinRequest, make_request
from common.errors import DataError
from common.message.protocol import HEADER, SPOKEN
from server.process import doorkeeper
from server.process.doorkeeper import Doorkeeper
from server.process.headers import KEY_HEADER
from server.registry.registry import BUSY_SECONDS, Registry

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
    monkeypatch.setattr(doorkeeper, "LOOK_SECONDS", 0.0)
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
    assert registry.members()[0].protocol == SPOKEN[-1]
    assert knock(door, request_of_north, None) == 200
    assert registry.members()[0].protocol == SPOKEN[-1], "so soon after it is not written again"
    monkeypatch.setattr(doorkeeper, "NOTE_SECONDS", 0.0)
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
    monkeypatch.setattr(doorkeeper, "LOOK_SECONDS", 3600.0)
    assert knock(door, request_of_north, "1-2") == 200
    registry.note_certificate("e" * 64, member="north", pem="newer")
    assert door.judge("e" * 64, TOMORROW, headers(request_of_north, "1-2"))[0] == 200
    assert door.judge("f" * 64, TOMORROW, headers(request_of_north, "1-2"))[0] == 403


def test_a_member_with_whom_nothing_is_spoken_is_refused_and_not_noted(
    door: Doorkeeper, registry: Registry, request_of_north: JoinRequest
) -> None:
    assert knock(door, request_of_north, "4-5") == 426
    assert registry.members()[0].protocol == 1


def test_who_has_not_shown_its_own_node_key_notes_nothing(
    door: Doorkeeper, registry: Registry, request_of_north: JoinRequest
) -> None:
    status, _ = door.judge("c" * 64, TOMORROW, {HEADER: "1-2", KEY_HEADER: "another"})
    assert (status, registry.members()[0].protocol) == (403, 1)


def test_a_registry_that_another_process_writes_is_read_on_and_holds_nobody_up(
    door: Doorkeeper, tmp_path: Path, request_of_north: JoinRequest
) -> None:
    with closing(sqlite3.connect(tmp_path / "registry.sqlite", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert knock(door, request_of_north, "1-2") == 200, "only the note of its protocol has to wait"
        assert time.monotonic() - began < BUSY_SECONDS / 2
        writer.execute("ROLLBACK")


@pytest.mark.parametrize("damage", ["damaged", "emptied", "taken away", "of another version"])
def test_without_a_registry_nobody_is_let_in_and_with_it_everybody_again(
    door: Doorkeeper, registry: Registry, tmp_path: Path, request_of_north: JoinRequest, damage: str
) -> None:
    assert knock(door, request_of_north, None) == 200
    path, kept = tmp_path / "registry.sqlite", tmp_path / "kept.sqlite"
    registry.close()
    with closing(sqlite3.connect(path)) as opened:
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(path, kept)
    replace(path, damage)
    assert knock(door, request_of_north, None) in (403, 503)
    assert knock(door, request_of_north, None) in (403, 503)
    os.replace(kept, path)
    for name in ("registry.sqlite-wal", "registry.sqlite-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    assert knock(door, request_of_north, None) == 200


def replace(path: Path, damage: str) -> None:
    """Put something else in the registry's place, as a restore from a wrong copy would."""
    other = path.with_name("other.sqlite")
    if damage == "taken away":
        path.unlink()
        return
    if damage == "damaged":
        other.write_bytes(b"no database at all" * 1000)
    elif damage == "emptied":
        Registry(other).close()
    else:
        with closing(sqlite3.connect(other)) as opened:
            opened.execute("PRAGMA user_version = 999")
            opened.commit()
    os.replace(other, path)
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def test_a_gateway_that_starts_beside_a_locked_registry_says_so(tmp_path: Path) -> None:
    path = tmp_path / "registry.sqlite"
    Registry(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DataError, match="locked"):
            Doorkeeper(path, requests_per_second=100)


def test_a_registry_that_is_damaged_in_place_lets_nobody_in(
    door: Doorkeeper, registry: Registry, tmp_path: Path, request_of_north: JoinRequest
) -> None:
    assert knock(door, request_of_north, None) == 200
    registry._connection.execute("PRAGMA foreign_keys = OFF")
    registry._connection.execute("DROP TABLE speaks")
    assert knock(door, request_of_north, None) == 503
    assert knock(door, request_of_north, None) == 503


def test_a_clock_that_is_set_back_fills_no_bucket_and_a_certificate_expires_by_the_day(
    door: Doorkeeper, request_of_north: JoinRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 0.0)
    statuses = [knock(door, request_of_north, None) for _ in range(700)]
    assert {200, 429} == set(statuses)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    assert door.judge("c" * 64, yesterday, headers(request_of_north, None))[0] == 403


def test_a_certificate_that_was_replaced_while_it_was_judged_stays_out(
    door: Doorkeeper, registry: Registry, request_of_north: JoinRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key was stolen, say: the thief knocks in the half second in which the gateway knows the old one still."""
    assert knock(door, request_of_north, "1-2") == 200
    keys = {name: read_or_make_curve_key(tmp_path / f"{name}.key", TLS_CURVE) for name in ("fresh",)}
    node_key = read_or_make_curve_key(tmp_path / "node.key", NODE_CURVE)
    registry.enroll(
        make_request("north", 64, tls_key=keys["fresh"], node_key=node_key), certificate="d" * 64, pem="fresh"
    )
    door.note_certificate("c" * 64, "stolen")
    assert [found.fingerprint for found in registry.certificates()["north"]] == ["d" * 64]
    assert knock(door, request_of_north, "1-2") == 403
