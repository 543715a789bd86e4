"""A secure sum of the version that first had one is read for ever, and what it refused is refused for ever."""

import hashlib
import hmac
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from client.secure_sum.agreed import MemoryAgreements
from client.secure_sum.kept import RoundSecrets
from client.secure_sum.member import SumMember
from client.secure_sum.store import Kind, SumStore
from common.errors import DataError, HansaError, PrivacyError
from common.secure_sum.agreement import check_agreement, check_signature, write_agreement
from common.secure_sum.keys import SignedKeys, load_secret, verify_keys
from common.secure_sum.mask import expand, pair_seed, self_seed
from common.secure_sum.recovery import Reveal
from common.secure_sum.roster import Peer, Session
from common.secure_sum.sealing import Way, open_share
from common.secure_sum.shamir import combine, split, weigh
from server.secure_sum.round import SumRound
from sum_world import folder_in_memory, open_store

FROZEN = Path(__file__).parent / "0.2" / "sum"
GOOD: dict[str, Any] = json.loads((FROZEN / "good.json").read_text())
BAD: dict[str, list[dict[str, Any]]] = json.loads((FROZEN / "bad.json").read_text())
NUMBER, MODEL, SURVIVORS = GOOD["round_number"], GOOD["model_hash"], GOOD["survivors"]
KEYS = {name: SignedKeys.from_bytes(bytes.fromhex(keys)) for name, keys in GOOD["keys"].items()}


def session_of(said: dict[str, Any]) -> Session:
    roster = tuple(Peer.model_validate(peer) for peer in said["roster"])
    return Session(said["run_hash"], roster, said["threshold"], said["colluders"])


SESSION = session_of(GOOD["session"])


def secret(name: str, what: str) -> bytes:
    return bytes.fromhex(GOOD["secrets"][name][what])


def unhex(named: dict[str, str]) -> dict[str, bytes]:
    return {name: bytes.fromhex(content) for name, content in named.items()}


def reveal_of(said: dict[str, Any]) -> Reveal:
    return Reveal(unhex(said["self_shares"]), unhex(said["key_shares"]))


def masked_of(name: str) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(GOOD["masked"][name]), dtype="<u8")


def round_before_reveals() -> SumRound:
    asked = SumRound(SESSION, NUMBER, MODEL)
    for name, keys in KEYS.items():
        asked.add_keys(name, keys)
    asked.keys()
    for name, shares in GOOD["shares"].items():
        asked.add_shares(name, unhex(shares))
    asked.participants()
    for name in GOOD["masked"]:
        asked.add_masked(name, masked_of(name))
    asked.survivors()
    for name, signature in GOOD["signatures"].items():
        asked.add_signature(name, bytes.fromhex(signature))
    asked.signatures()
    return asked


@pytest.fixture
def member() -> Iterator[SumMember]:
    """The member whose file is frozen, as it was when the round was over."""
    with folder_in_memory() as folder:
        shutil.copy(FROZEN / "north.sqlite", folder / "north.sqlite")
        store = open_store(folder / "north.sqlite")
        identity = Ed25519PrivateKey.from_private_bytes(secret("north", "identity"))
        yield SumMember(SESSION, "north", identity, store, agreements=MemoryAgreements())


def test_the_session_has_the_hash_that_it_had() -> None:
    assert SESSION.hash == GOOD["session"]["hash"]


# Written from docs/protocol.md §10.2 and §10.5 alone, with HMAC in the place of a library's HKDF.
def test_seeds_follow_from_the_page() -> None:
    def derive(shared: bytes, purpose: str, *names: str, model: str = "") -> str:
        info = f"hansa sum {purpose}\0".encode() + bytes.fromhex(SESSION.hash) + NUMBER.to_bytes(8, "big")
        for name in names:
            info += len(name.encode()).to_bytes(2, "big") + name.encode()
        info += bytes.fromhex(model)
        extracted = hmac.digest(bytes(32), shared, "sha256")
        return hmac.digest(extracted, info + b"\1", "sha256").hex()

    for pair, seed in GOOD["pair_seeds"].items():
        low, high = pair.split()
        public = X25519PublicKey.from_public_bytes(KEYS[high].of(NUMBER).mask)
        shared = X25519PrivateKey.from_private_bytes(secret(low, "mask")).exchange(public)
        assert derive(shared, "mask", low, high, model=MODEL) == seed
    for name, seed in GOOD["self_seeds"].items():
        assert derive(secret(name, "seed"), "self", name) == seed
        committed = b"hansa sum seed\0" + bytes.fromhex(SESSION.hash) + NUMBER.to_bytes(8, "big")
        committed += len(name.encode()).to_bytes(2, "big") + name.encode() + secret(name, "seed")
        assert hashlib.sha256(committed).digest() == KEYS[name].of(NUMBER).commitment


def test_seeds_and_a_mask_are_what_they_were() -> None:
    for pair, seed in GOOD["pair_seeds"].items():
        low, high = pair.split()
        for name, other in ((low, high), (high, low)):
            key, public = load_secret(secret(name, "mask")), KEYS[other].of(NUMBER).mask
            where = {"round_number": NUMBER, "model_hash": MODEL, "names": (name, other)}
            assert pair_seed(key, public, SESSION, **where).hex() == seed
    for name, seed in GOOD["self_seeds"].items():
        assert self_seed(secret(name, "seed"), SESSION, round_number=NUMBER, name=name).hex() == seed
    assert expand(bytes.fromhex(GOOD["mask"]["seed"]), 9).tolist() == GOOD["mask"]["words"]


@pytest.mark.parametrize("name", SESSION.names)
def test_keys_are_verified_and_signed_as_they_were(name: str, tmp_path: Path) -> None:
    verify_keys(SESSION, name, KEYS[name])
    with closing(SumStore(tmp_path / "sums.sqlite")) as store:
        drawn = RoundSecrets(*(secret(name, what) for what in ("mask", "seal", "seed")))
        store.keep(SESSION.hash, NUMBER, Kind.SECRETS, drawn.to_bytes())
        identity = Ed25519PrivateKey.from_private_bytes(secret(name, "identity"))
        member = SumMember(SESSION, name, identity, store, agreements=MemoryAgreements())
        assert member.keys(NUMBER, 1).to_bytes().hex() == GOOD["keys"][name]


def test_bundles_open_to_the_shares_that_they_were_split_into() -> None:
    for owner, sealed in GOOD["shares"].items():
        split_up = {
            what: split(
                secret(owner, kind),
                [SESSION.point(name) for name in SESSION.names],
                coefficients=[int(one, 16) for one in GOOD["coefficients"][owner][what]],
            )
            for what, kind in (("self", "seed"), ("key", "mask"))
        }
        for name, content in unhex(sealed).items():
            key, public = load_secret(secret(name, "seal")), KEYS[owner].of(NUMBER).seal
            bundle = open_share(content, Way(SESSION, NUMBER, owner, name), secret=key, public=public)
            place = SESSION.point(name) - 1
            assert (bundle.self_share, bundle.key_share) == (split_up["self"][place], split_up["key"][place])


def test_shares_give_the_secrets_back() -> None:
    weights = weigh([SESSION.point(name) for name in SURVIVORS])
    for owner in SURVIVORS:
        shares = [bytes.fromhex(GOOD["reveals"][name]["self_shares"][owner]) for name in SURVIVORS]
        assert combine(shares, weights) == secret(owner, "seed")


def test_the_agreement_is_written_and_checked_as_it_was() -> None:
    written = write_agreement(SESSION, SURVIVORS, round_number=NUMBER, model_hash=MODEL)
    assert written.hex() == GOOD["agreement"]
    check_agreement(SESSION, SURVIVORS, round_number=NUMBER, model_hash=MODEL, signatures=unhex(GOOD["signatures"]))


def test_a_file_of_that_version_says_again_what_it_said(member: SumMember) -> None:
    incoming = {name: bytes.fromhex(GOOD["shares"][name]["north"]) for name in SESSION.names if name != "north"}
    assert member.keys(NUMBER, 1) == KEYS["north"]
    assert member.shares(NUMBER, KEYS) == unhex(GOOD["shares"]["north"])
    again = member.mask(NUMBER, np.zeros(3, dtype=np.int64), incoming, model_hash=MODEL)
    assert again.tobytes().hex() == GOOD["masked"]["north"]
    assert member.agree(NUMBER, MODEL, SURVIVORS).hex() == GOOD["signatures"]["north"]
    assert member.reveal(NUMBER, unhex(GOOD["signatures"])) == reveal_of(GOOD["reveals"]["north"])


def test_the_sum_is_what_it_was_and_that_of_the_survivors() -> None:
    asked = round_before_reveals()
    for name, said in GOOD["reveals"].items():
        asked.add_reveal(name, reveal_of(said))
    assert asked.total().tolist() == GOOD["total"]
    assert GOOD["total"] == np.sum([GOOD["totals"][name] for name in SURVIVORS], axis=0).tolist()


def cases(kind: str) -> list[Any]:
    return [pytest.param(said, id=said["case"]) for said in BAD[kind]]


@pytest.mark.parametrize("said", cases("session"))
def test_a_session_that_is_none_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(HansaError):
        session_of({**GOOD["session"], **said["change"]})


@pytest.mark.parametrize("said", cases("keys"))
def test_keys_that_are_none_are_refused(said: dict[str, Any]) -> None:
    with pytest.raises(HansaError):
        verify_keys(SESSION, said["name"], SignedKeys.from_bytes(bytes.fromhex(said["keys"])))


@pytest.mark.parametrize("said", cases("shares"))
def test_a_bundle_that_is_none_is_refused(said: dict[str, Any]) -> None:
    way = Way(SESSION, NUMBER, said["by"], said["to"])
    key, public = load_secret(secret(said["to"], "seal")), KEYS[said["by"]].of(NUMBER).seal
    with pytest.raises(HansaError):
        open_share(bytes.fromhex(said["sealed"]), way, secret=key, public=public)


@pytest.mark.parametrize("said", cases("signature"))
def test_a_signature_that_is_none_is_refused_everywhere(said: dict[str, Any], member: SumMember) -> None:
    name, signature = said["name"], bytes.fromhex(said["signature"])
    with pytest.raises(HansaError):
        check_signature(SESSION, SURVIVORS, round_number=NUMBER, model_hash=MODEL, name=name, signature=signature)
    with pytest.raises(HansaError):
        member.reveal(NUMBER, {**unhex(GOOD["signatures"]), name: signature})


@pytest.mark.parametrize("said", cases("reveal"))
def test_a_reveal_that_is_none_is_refused(said: dict[str, Any]) -> None:
    asked = round_before_reveals()
    with pytest.raises(HansaError):
        asked.add_reveal("north", reveal_of(said))


@pytest.mark.parametrize("said", cases("total"))
def test_shares_that_do_not_give_what_was_published_give_no_sum(said: dict[str, Any]) -> None:
    asked = round_before_reveals()
    for name in SURVIVORS:
        asked.add_reveal(name, reveal_of(said if name == "north" else GOOD["reveals"][name]))
    with pytest.raises(HansaError):
        asked.total()


@pytest.mark.parametrize(
    ("name", "error"),
    [("bad-changed", PrivacyError), ("bad-later-version", DataError), ("bad-without-table", PrivacyError)],
)
def test_a_file_that_is_none_is_refused(name: str, error: type[HansaError], tmp_path: Path) -> None:
    path = shutil.copy(FROZEN / f"{name}.sqlite", tmp_path / "sums.sqlite")
    with pytest.raises(error), closing(SumStore(path)) as store:
        store.find(SESSION.hash, NUMBER, Kind.SECRETS)
