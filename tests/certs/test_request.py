"""A request is one whole: both keys sign everything in it, and its date is held against the coordinator's clock."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256

from certs.authority import Authority, make_authority
from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key
from certs.request import AHEAD, OLDEST, JoinRequest, check_date, check_request, make_request
from common.errors import DataError

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def ask(folder: Path, name: str = "alice", size_class: int = 64, *, at: datetime = NOON) -> JoinRequest:
    tls_key = read_or_make_curve_key(folder / f"{name}.tls", TLS_CURVE)
    node_key = read_or_make_curve_key(folder / f"{name}.node", NODE_CURVE)
    return make_request(name, size_class, tls_key=tls_key, node_key=node_key, at=at)


FIELDS = [field for field in JoinRequest.model_fields if field != "schema_number"]


@pytest.mark.parametrize("field", FIELDS)
def test_no_part_of_a_request_may_be_that_of_another(tmp_path: Path, field: str) -> None:
    """Neither of another merchant's, nor of another one of its own, where there the part is another."""
    own = ask(tmp_path)
    check_request(own)
    for other in (ask(tmp_path, "bob", 128, at=NOON + timedelta(hours=1)), ask(tmp_path, "alice", 128, at=NOON)):
        if getattr(other, field) != getattr(own, field):
            with pytest.raises(DataError, match="does not prove"):
                check_request(own.model_copy(update={field: getattr(other, field)}))


@pytest.mark.parametrize("other", ["{pem}\n", "a word before it\n{pem}", "{pem} ", "bare"])
def test_a_node_key_is_written_in_one_way_only(tmp_path: Path, other: str) -> None:
    """Else a key that was revoked under one name comes back under another, as a key that nobody has seen."""
    keys = read_or_make_curve_key(tmp_path / "node", NODE_CURVE), read_or_make_curve_key(tmp_path / "tls", TLS_CURVE)
    request = make_request("alice", 64, node_key=keys[0], tls_key=keys[1], at=NOON)
    pem = request.node_key
    written = request.model_copy(update={"node_key": pem.rstrip() if other == "bare" else other.format(pem=pem)})
    proofs = [base64.b64encode(key.sign(written.content, ECDSA(SHA256()))).decode() for key in keys]
    with pytest.raises(DataError, match="does not prove"):
        check_request(written.model_copy(update={"node_proof": proofs[0], "tls_proof": proofs[1]}))


def test_no_certificate_is_signed_for_a_request_that_was_changed(tmp_path: Path) -> None:
    authority: Authority = make_authority(tmp_path, "hanse")
    with pytest.raises(DataError, match="'mallory' does not prove"):
        authority.sign_merchant(ask(tmp_path).model_copy(update={"name": "mallory"}))


def test_a_request_may_lie_about_for_a_month_and_no_longer(tmp_path: Path) -> None:
    request = ask(tmp_path)
    check_date(request, now=NOON + OLDEST)
    with pytest.raises(DataError, match="more than 30 days ago; have it make a new one with: hansa-client join alice"):
        check_date(request, now=NOON + OLDEST + timedelta(seconds=1))


def test_a_merchants_clock_may_be_five_minutes_ahead_and_no_further(tmp_path: Path) -> None:
    request = ask(tmp_path)
    check_date(request, now=NOON - AHEAD)
    with pytest.raises(DataError, match="have whichever clock is wrong set right"):
        check_date(request, now=NOON - AHEAD - timedelta(seconds=1))


def test_two_requests_are_never_the_same(tmp_path: Path) -> None:
    assert ask(tmp_path).digest != ask(tmp_path).digest
