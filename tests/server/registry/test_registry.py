from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key
from certs.request import JoinRequest, make_request
from common.errors import ConfigError, DataError
from common.message.signature import Signed
from server.registry.registry import Registry, State

SIGNED = Signed(b"content", b"s" * 64)
LARGEST_NODE = 2**64 - 1


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with closing(Registry(tmp_path / "registry.sqlite")) as opened:
        yield opened


def request(folder: Path, name: str, *, keys: str = "") -> JoinRequest:
    tls_key = read_or_make_curve_key(folder / f"{keys or name}.tls", TLS_CURVE)
    node_key = read_or_make_curve_key(folder / f"{keys or name}.node", NODE_CURVE)
    return make_request(name, 64, tls_key=tls_key, node_key=node_key)


def add_launch(registry: Registry, run_hash: str = "a" * 64) -> int:
    return registry.add_launch(SIGNED, run_hash=run_hash, plan="demo", num_rounds=3, quorum=2, round_seconds=5.0)


def test_a_member_keeps_its_name_and_node_key_together(registry: Registry, tmp_path: Path) -> None:
    registry.enroll(request(tmp_path, "alice"), certificate="1")
    with pytest.raises(ConfigError, match="'alice'"):
        registry.enroll(request(tmp_path, "bob", keys="alice"), certificate="2")
    with pytest.raises(ConfigError, match="'alice'"):
        registry.enroll(request(tmp_path, "alice", keys="bob"), certificate="2")
    registry.enroll(request(tmp_path, "alice"), certificate="2")
    assert [(member.name, member.certificate) for member in registry.members()] == [("alice", "2")]


def test_a_revoked_member_is_welcome_again_when_it_is_enrolled_again(registry: Registry, tmp_path: Path) -> None:
    registry.enroll(request(tmp_path, "alice"), certificate="1")
    assert registry.note_node(registry.members()[0], LARGEST_NODE)
    registry.revoke("alice")
    (member,) = registry.members()
    assert (member.is_welcome, member.node_id, registry.left()) == (False, None, {LARGEST_NODE: "alice"})
    registry.enroll(request(tmp_path, "alice"), certificate="2")
    assert registry.members()[0].is_welcome
    with pytest.raises(ConfigError, match="no member 'bob'"):
        registry.revoke("bob")


def test_a_member_keeps_its_key_until_it_is_revoked_and_may_come_back_with_another(
    registry: Registry, tmp_path: Path
) -> None:
    registry.enroll(request(tmp_path, "alice"), certificate="1")
    with pytest.raises(ConfigError, match="hansa-server revoke alice"):
        registry.enroll(request(tmp_path, "alice", keys="new"), certificate="2")
    registry.revoke("alice")
    registry.enroll(request(tmp_path, "alice", keys="new"), certificate="2")
    registry.enroll(request(tmp_path, "bob"), certificate="3")
    registry.revoke("bob")
    with pytest.raises(ConfigError, match="belongs to the member 'alice'"):
        registry.enroll(request(tmp_path, "bob", keys="new"), certificate="4")


def test_a_request_is_used_once_and_an_old_one_brings_nobody_back(registry: Registry, tmp_path: Path) -> None:
    early, first, later = (request(tmp_path, "alice") for _ in range(3))
    registry.enroll(first, certificate="1")
    with pytest.raises(ConfigError, match="was used already; have it make a new one with: hansa-client join alice"):
        registry.enroll(first, certificate="2")
    with pytest.raises(ConfigError, match="is older than the one of"):
        registry.enroll(early, certificate="2")
    registry.revoke("alice")
    for lying_about in (first, later):
        with pytest.raises(ConfigError, match=r"was used already|is from before it was revoked"):
            registry.enroll(lying_about, certificate="2")
    assert not registry.members()[0].is_welcome
    registry.enroll(request(tmp_path, "alice"), certificate="2")
    registry.revoke("alice")
    registry.revoke("alice")
    registry.enroll(request(tmp_path, "alice"), certificate="3")
    for lying_about in (first, early, later):
        with pytest.raises(ConfigError, match="is older than the one of"):
            registry.enroll(lying_about, certificate="4")


def test_a_node_of_somebody_who_left_meanwhile_is_not_noted(registry: Registry, tmp_path: Path) -> None:
    registry.enroll(request(tmp_path, "alice"), certificate="1")
    (member,) = registry.members()
    registry.revoke("alice")
    assert not registry.note_node(member, 7)
    registry.enroll(request(tmp_path, "alice", keys="new"), certificate="2")
    assert not registry.note_node(member, 7), "a node is one key's"
    assert registry.members()[0].node_id is None


def test_a_launch_that_was_stopped_meanwhile_is_not_finished(registry: Registry) -> None:
    number = add_launch(registry)
    registry.note_launch(number, state=State.STOPPED)
    registry.finish(number, round_number=3)
    assert registry.launch(number).state == State.STOPPED
    registry.note_launch(number, state=State.RUNNING)
    registry.finish(number, round_number=3)
    assert (registry.launch(number).state, registry.launch(number).round_number) == (State.FINISHED, 3)


def test_a_run_is_launched_once(registry: Registry) -> None:
    add_launch(registry)
    with pytest.raises(ConfigError, match="as number 1"):
        add_launch(registry)
    assert add_launch(registry, "b" * 64) == 2


def test_an_answer_counts_once_however_often_its_round_is_asked(registry: Registry, tmp_path: Path) -> None:
    registry.enroll(request(tmp_path, "alice"), certificate="1")
    number = add_launch(registry)
    registry.note_terms(number, "alice", 64, 4.0)
    for round_number in (1, 1, 2):
        registry.note_answers(number, round_number=round_number, members=["alice"])
    (terms,) = registry.terms(number)
    assert (terms.num_rounds, terms.noise_multiplier) == (2, 4.0)


def test_a_model_and_its_receipts(registry: Registry, tmp_path: Path) -> None:
    registry.enroll(request(tmp_path, "alice"), certificate="1")
    number = add_launch(registry)
    for _ in range(2):
        registry.add_model(
            SIGNED, model_hash="m", launch=number, round_number=3, file="f", released_at=datetime.now(UTC)
        )
        registry.note_receipt("m", "alice")
    assert [(model.model_hash, model.signed) for model in registry.models()] == [("m", SIGNED)]
    assert list(registry.receipts("m")) == ["alice"]


def test_another_process_sees_what_was_written(registry: Registry, tmp_path: Path) -> None:
    with closing(Registry(tmp_path / "registry.sqlite")) as other:
        version = other.version
        registry.enroll(request(tmp_path, "alice"), certificate="1")
        assert other.version != version
        assert [member.name for member in other.members()] == ["alice"]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Cannot use the registry"):
        Registry(tmp_path / "nowhere" / "registry.sqlite")
    (tmp_path / "rubbish").write_bytes(b"no database at all" * 100)
    with pytest.raises(DataError, match="Cannot use the registry"):
        Registry(tmp_path / "rubbish")


def test_a_peer_key_is_one_members_and_is_forgotten_with_its_revocation(registry: Registry, tmp_path: Path) -> None:
    for name in ("alice", "bob"):
        registry.enroll(request(tmp_path, name), certificate=name)
    assert registry.note_peer("alice", "a" * 64)
    assert not registry.note_peer("bob", "a" * 64)
    assert registry.note_peer("bob", "b" * 64)
    assert registry.note_peer("alice", "c" * 64)
    assert registry.peer_keys() == {"alice": "c" * 64, "bob": "b" * 64}
    registry.revoke("alice")
    assert registry.peer_keys() == {"bob": "b" * 64}
