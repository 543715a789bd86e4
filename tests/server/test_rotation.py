"""Rotations at the coordinator: what is on the disk at each step, whom it waits for, and what a kill leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from certs.authority import Authority, fingerprint, read_certificate
from certs.key import NODE_CURVE, TLS_CURVE, read_key, read_or_make_curve_key, read_or_make_signing_key
from certs.request import JoinRequest, make_request
from common.errors import ConfigError
from common.message.signature import name_key, public_bytes
from common.message.succession import link_of, read_lineage
from server.folder import CoordinatorFolder
from server.founding import check_settings, make_federation
from server.process.trust import Watch, find_members, read_authorities
from server.registry.registry import Registry
from server.rotation import (
    AUTHORITY,
    SIGNING_KEY,
    begin_authority,
    begin_signing_key,
    describe_rotation,
    find_locked_out,
    find_waiting,
    finish_authority,
    finish_signing_key,
    read_trust,
)


@pytest.fixture
def home(tmp_path: Path) -> CoordinatorFolder:
    home = CoordinatorFolder(tmp_path / "coordinator")
    settings = check_settings(
        name="hanse", hosts=("localhost",), bind="127.0.0.1", gateway_port=1, superlink_port=2, status_port=3
    )
    make_federation(home, settings)
    return home


@pytest.fixture
def registry(home: CoordinatorFolder) -> Iterator[Registry]:
    with closing(Registry(home.registry)) as opened:
        yield opened


def ask(home: CoordinatorFolder, name: str) -> JoinRequest:
    folder = home.folder / name
    folder.mkdir(exist_ok=True)
    tls_key = read_or_make_curve_key(folder / "tls.key", TLS_CURVE)
    return make_request(name, 64, tls_key=tls_key, node_key=read_or_make_curve_key(folder / "node.key", NODE_CURVE))


def enroll(home: CoordinatorFolder, registry: Registry, name: str, *, protocol: int = 2) -> JoinRequest:
    request = ask(home, name)
    pem = Authority(home.authority).sign_merchant(request)
    registry.enroll(request, certificate=fingerprint(read_certificate(pem, origin="")), pem=pem.decode())
    registry.note_protocol(name, protocol)
    return request


def die(*words: object) -> None:
    raise KeyboardInterrupt


def test_the_old_key_names_the_new_one_and_signs_until_the_finish(home: CoordinatorFolder, registry: Registry) -> None:
    old = public_bytes(read_or_make_signing_key(home.signing_key))
    name = begin_signing_key(home, registry)
    assert public_bytes(read_or_make_signing_key(home.signing_key)) == old
    lineage = read_lineage(old, [link_of(signed) for signed in registry.successions()])
    assert name_key(lineage.keys[-1]) == name
    with pytest.raises(ConfigError, match="is being rotated already"):
        begin_signing_key(home, registry)
    assert finish_signing_key(home, registry) == name
    assert public_bytes(read_or_make_signing_key(home.signing_key)) == lineage.keys[-1]
    assert not home.next_signing_key.exists()
    with pytest.raises(ConfigError, match="No signing key is being rotated"):
        finish_signing_key(home, registry)
    begin_signing_key(home, registry)
    finish_signing_key(home, registry)
    assert len(read_lineage(old, [link_of(signed) for signed in registry.successions()]).keys) == 3


def test_killed_after_the_key_was_made_it_is_the_same_key_that_is_named(
    home: CoordinatorFolder, registry: Registry
) -> None:
    made = public_bytes(read_or_make_signing_key(home.next_signing_key))
    with pytest.raises(ConfigError, match="No signing key is being rotated"):
        finish_signing_key(home, registry)
    assert begin_signing_key(home, registry) == name_key(made)


def test_a_lost_signing_key_is_said_and_not_made_anew(home: CoordinatorFolder, registry: Registry) -> None:
    home.signing_key.unlink()
    with pytest.raises(ConfigError, match="bring it back from a copy"):
        begin_signing_key(home, registry)
    assert not home.signing_key.exists()


def test_both_authorities_are_trusted_until_the_finish(home: CoordinatorFolder, registry: Registry) -> None:
    old = Authority(home.authority).pem
    begin_authority(home, registry)
    new = Authority(home.next_authority).pem
    assert read_authorities(home) == old + b"\n" + new
    trust = read_trust(home, registry)
    assert (trust.authorities, trust.authority) == ((old.decode(), new.decode()), new.decode())
    server = home.authority / "server.pem"
    read_certificate(server.read_bytes(), origin="").verify_directly_issued_by(read_certificate(old, origin=""))
    finish_authority(home, registry)
    assert Authority(home.authority).pem == new
    read_certificate(server.read_bytes(), origin="").verify_directly_issued_by(read_certificate(new, origin=""))
    read_key(home.authority / "authority.key")  # which others may not read
    assert read_trust(home, registry).authorities == (new.decode(),)
    with pytest.raises(ConfigError, match="No authority is being rotated"):
        finish_authority(home, registry)


def test_a_finish_that_was_killed_half_way_is_done_again(
    home: CoordinatorFolder, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_authority(home, registry)
    new = Authority(home.next_authority).pem
    with monkeypatch.context() as killing:
        killing.setattr("server.rotation.sign_server", die)
        with pytest.raises(KeyboardInterrupt):
            finish_authority(home, registry)
    assert read_trust(home, registry).authorities == (new.decode(),)
    finish_authority(home, registry)
    assert Authority(home.authority).pem == new
    server = read_certificate((home.authority / "server.pem").read_bytes(), origin="")
    server.verify_directly_issued_by(read_certificate(new, origin=""))


def test_status_says_what_is_under_way_and_whom_it_waits_for(home: CoordinatorFolder, registry: Registry) -> None:
    enroll(home, registry, "north")
    enroll(home, registry, "south", protocol=1)
    assert describe_rotation(home, registry) == {"under_way": [], "waiting_for": []}
    begin_authority(home, registry)
    assert describe_rotation(home, registry) == {"under_way": [AUTHORITY], "waiting_for": ["north", "south"]}
    trust = read_trust(home, registry)
    registry.note_welcome("north", content=b"said", welcome_hash="w", digest=trust.digest)
    registry.note_welcome_taken("north", "another")
    assert [member.name for member in find_waiting(registry, trust)] == ["north", "south"]
    registry.note_welcome_taken("north", "w")
    waiting = find_waiting(registry, trust)
    assert [member.name for member in waiting] == ["south"]
    assert find_locked_out(AUTHORITY, waiting) == waiting
    assert find_locked_out(SIGNING_KEY, waiting) == waiting, "protocol 1 knows no succession"
    registry.note_protocol("south", 2)
    assert find_locked_out(SIGNING_KEY, find_waiting(registry, trust)) == []
    finish_authority(home, registry)
    assert describe_rotation(home, registry)["waiting_for"] == ["north", "south"], "the old one is still trusted there"


def test_every_certificate_of_a_member_opens_the_gateway_until_it_is_enrolled_anew(
    home: CoordinatorFolder, registry: Registry
) -> None:
    enroll(home, registry, "north")
    registry.note_certificate("f" * 64, member="north", pem="newer")
    known = find_members(registry)
    assert {member.name for member in known.values()} == {"north"}
    assert len(known) == 2
    registry.revoke("north")
    assert not any(member.is_welcome for member in find_members(registry).values())
    registry.enroll(ask(home, "north"), certificate="a" * 64, pem="newest")
    assert list(find_members(registry)) == ["a" * 64]


def test_what_has_read_a_key_is_started_anew_when_it_is_another(home: CoordinatorFolder, registry: Registry) -> None:
    watch = Watch(home)
    assert watch.look() == frozenset()
    begin_signing_key(home, registry)
    begin_authority(home, registry)
    assert watch.look() == frozenset(), "the old ones go on"
    finish_signing_key(home, registry)
    assert watch.look() == {"coordinator"}
    finish_authority(home, registry)
    assert watch.look() == {"superlink", "gateway", "coordinator"}
    assert watch.look() == frozenset()
