"""Requests and welcomes of the version that dated and signed all of them, and a registry from before revocations."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from certs.request import JoinRequest, Welcome, check_answer, check_request, read_document, write_document
from common.errors import HansaError
from server.registry.registry import Registry
from server.registry.table import STEPS

FOLDER = Path(__file__).parent / "0.2"
NEWER = "was written by a newer version of hansa; install that version to read it"
DIGEST = "e4958b5f2c23f6a32235392e38e259e94033ff2a495ca8d23c6ddcac4748919a"


def north() -> JoinRequest:
    return read_document(FOLDER / "north.request.json", JoinRequest)


def read_request(path: Path) -> Any:
    return check_request(read_document(path, JoinRequest))


def read_welcome(path: Path) -> Any:
    return check_answer(read_document(path, Welcome), north())


def test_a_request_is_read_and_its_proofs_cover_what_the_protocol_says() -> None:
    request = north()
    assert check_request(request).is_signature_valid
    said = json.loads((FOLDER / "north.request.json").read_text())
    covered = {key: value for key, value in said.items() if key not in ("node_proof", "tls_proof")}
    content = b"hansa request\0" + json.dumps(covered, sort_keys=True, separators=(",", ":")).encode()
    assert request.content == content
    assert request.digest == hashlib.sha256(content).hexdigest() == DIGEST


def test_a_welcome_answers_its_request_and_is_written_as_it_was_read(tmp_path: Path) -> None:
    welcome = read_document(FOLDER / "north.welcome.json", Welcome)
    check_answer(welcome, north())
    for document, name in ((welcome, "north.welcome.json"), (north(), "north.request.json")):
        write_document(document, tmp_path / name)
        assert json.loads((tmp_path / name).read_text()) == json.loads((FOLDER / name).read_text())


@pytest.mark.parametrize(
    ("name", "read", "sentence"),
    [
        ("request-name.json", read_request, "'south' does not prove"),
        ("request-size-class.json", read_request, "'north' does not prove"),
        ("request-date.json", read_request, "'north' does not prove"),
        ("request-certificate-request.json", read_request, "'north' does not prove"),
        ("request-node-proof.json", read_request, "'north' does not prove"),
        ("request-tls-proof.json", read_request, "'north' does not prove"),
        ("request-date-of-another-form.json", read_request, "is no JoinRequest of this version"),
        ("request-later-schema.json", read_request, NEWER),
        ("request-unknown-key.json", read_request, NEWER),
        ("welcome-address.json", read_welcome, "is not as its coordinator signed it"),
        ("welcome-authority.json", read_welcome, "is not as its coordinator signed it"),
        ("welcome-of-another-request.json", read_welcome, "answers another request than the latest one here"),
        ("welcome-unsigned.json", read_welcome, "is of an older version of hansa"),
    ],
)
def test_a_bad_one_is_one_sentence(name: str, read: Callable[[Path], Any], sentence: str) -> None:
    with pytest.raises(HansaError, match=sentence) as caught:
        read(FOLDER / "bad" / name)
    assert "\n" not in str(caught.value)


def test_a_registry_of_two_steps_keeps_who_was_revoked_and_has_its_node_shut_out(tmp_path: Path) -> None:
    path = Path(shutil.copy(FOLDER / "registry.sqlite", tmp_path))
    with closing(Registry(path)) as registry:
        (member,) = registry.members()
        assert (member.name, member.is_welcome, member.node_id) == ("north", False, None)
        assert registry.left() == {2**64 - 3: "north"}
        assert [terms.is_lapsed for terms in registry.terms(1)] == [True]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
