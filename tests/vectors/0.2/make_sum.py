"""How these vectors of the secure sum were made, once, by the version that first had one: `python make_sum.py FOLDER`.

They are read for ever and never made again (docs/protocol.md). Every secret in them is known to everybody.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.secure_sum.agreed import MemoryAgreements
from client.secure_sum.kept import RoundSecrets, SharedOut
from client.secure_sum.member import SumMember
from client.secure_sum.store import Kind, SumStore
from common.message.signature import public_bytes, sign
from common.secure_sum.agreement import PURPOSE as AGREEMENT
from common.secure_sum.agreement import sign_agreement, write_agreement
from common.secure_sum.keys import PURPOSE as KEYS
from common.secure_sum.keys import load_secret
from common.secure_sum.mask import expand, pair_seed, self_seed
from common.secure_sum.roster import Peer, Session
from common.secure_sum.sealing import ShareBundle, Way, seal_share
from common.secure_sum.shamir import PRIME, split
from server.secure_sum.round import SumRound

NAMES = ("café", "east", "north", "south", "西")  # in the order of their code points
LOST = "south"
ROUND, MODEL = 7, "cd" * 32
TOTALS = {name: [place + 1, -(2**40) * place, 2**60 - place] for place, name in enumerate(NAMES)}


def main(out: Path) -> None:
    """Write one sum of five members, of whom one is lost, and what is to be refused."""
    folder = out / "sum"
    folder.mkdir()
    session = make_session()
    members = {name: make_member(session, name, folder) for name in NAMES}
    asked = run(session, members)
    good = describe(session, members, asked)
    (folder / "good.json").write_text(dump(good))
    (folder / "bad.json").write_text(dump(spoil(session, good)))
    keep_one_file(folder, members)


def secret(what: str, name: str) -> bytes:
    """Give 32 bytes that everybody knows."""
    return hashlib.sha256(f"vector {what} {name}".encode()).digest()


def identity(name: str) -> Ed25519PrivateKey:
    """Give a member's identity."""
    return Ed25519PrivateKey.from_private_bytes(secret("identity", name))


def make_session() -> Session:
    """Make the session of the five."""
    roster = tuple(
        Peer(name=name, key=public_bytes(identity(name)).hex(), size_class=10 * (place + 1))
        for place, name in enumerate(NAMES)
    )
    return Session("ab" * 32, roster, threshold=4, colluders=1)


def coefficients(name: str, what: str) -> list[int]:
    """Give three coefficients that everybody knows."""
    return [int.from_bytes(hashlib.sha512(f"{what} {name} {power}".encode()).digest()) % PRIME for power in (1, 2, 3)]


def make_member(session: Session, name: str, folder: Path) -> SumMember:
    """Make a member whose secrets are known."""
    store = SumStore(folder / f"{name}.sqlite")
    drawn = RoundSecrets(*(secret(what, name) for what in ("mask", "seal", "seed")))
    store.keep(session.hash, ROUND, Kind.SECRETS, drawn.to_bytes())
    return SumMember(session, name, identity(name), store, agreements=MemoryAgreements())


def run(session: Session, members: dict[str, SumMember]) -> SumRound:
    """Run the round, with shares that are known."""
    asked = SumRound(session, ROUND, MODEL)
    for name, member in members.items():
        asked.add_keys(name, member.keys(ROUND, 1))
    for name, member in members.items():
        share_out(session, name, member, asked)
        asked.add_shares(name, member.shares(ROUND, asked.keys()))
    for name, member in members.items():
        if name != LOST:
            asked.add_masked(name, member.mask(ROUND, np.array(TOTALS[name]), asked.shares_for(name), model_hash=MODEL))
    for name in asked.survivors():
        asked.add_signature(name, members[name].agree(ROUND, MODEL, asked.survivors()))
    for name in asked.survivors():
        asked.add_reveal(name, members[name].reveal(ROUND, asked.signatures()))
    return asked


def share_out(session: Session, name: str, member: SumMember, asked: SumRound) -> None:
    """Keep shares by known coefficients before the member draws any."""
    points = [session.point(other) for other in NAMES]
    self_shares = split(secret("seed", name), points, coefficients=coefficients(name, "self"))
    key_shares = split(secret("mask", name), points, coefficients=coefficients(name, "key"))
    bundles = {other: ShareBundle(*shares) for other, *shares in zip(NAMES, self_shares, key_shares, strict=True)}
    public = {other: keys.of(ROUND) for other, keys in asked.keys().items()}
    sealed = {
        other: seal_share(
            bundles[other],
            Way(session, ROUND, name, other),
            secret=load_secret(secret("seal", name)),
            public=public[other].seal,
        )
        for other in NAMES
        if other != name
    }
    member._store.keep(session.hash, ROUND, Kind.SHARES, SharedOut(public, bundles[name], sealed).to_bytes())


def describe(session: Session, members: dict[str, SumMember], asked: SumRound) -> dict[str, Any]:
    """Say everything that passed, and every secret behind it."""
    pairs = [(one, other) for one in NAMES for other in NAMES if one < other]
    keys = {name: signed.of(ROUND) for name, signed in asked.keys().items()}
    agreement = write_agreement(session, asked.survivors(), round_number=ROUND, model_hash=MODEL)
    return {
        "session": {
            "run_hash": session.run_hash,
            "roster": [peer.model_dump(mode="json") for peer in session.roster],
            "threshold": session.threshold,
            "colluders": session.colluders,
            "hash": session.hash,
        },
        "round_number": ROUND,
        "model_hash": MODEL,
        "secrets": {
            name: {what: secret(what, name).hex() for what in ("identity", "mask", "seal", "seed")} for name in NAMES
        },
        "coefficients": {
            name: {what: [f"{one:066x}" for one in coefficients(name, what)] for what in ("self", "key")}
            for name in NAMES
        },
        "pair_seeds": {
            f"{one} {other}": pair_seed(
                load_secret(secret("mask", one)),
                keys[other].mask,
                session,
                round_number=ROUND,
                model_hash=MODEL,
                names=(one, other),
            ).hex()
            for one, other in pairs
        },
        "self_seeds": {
            name: self_seed(secret("seed", name), session, round_number=ROUND, name=name).hex() for name in NAMES
        },
        "mask": {"seed": secret("mask", "one").hex(), "words": expand(secret("mask", "one"), 9).tolist()},
        "keys": {name: signed.to_bytes().hex() for name, signed in asked.keys().items()},
        "shares": {
            name: {other: sealed.hex() for other, sealed in asked._shares[name].items()} for name in NAMES
        },
        "totals": TOTALS,
        "masked": {name: vector.tobytes().hex() for name, vector in asked._masked.items()},
        "survivors": list(asked.survivors()),
        "agreement": agreement.hex(),
        "signatures": {name: signature.hex() for name, signature in asked.signatures().items()},
        "reveals": {
            name: {
                "self_shares": {owner: share.hex() for owner, share in reveal.self_shares.items()},
                "key_shares": {owner: share.hex() for owner, share in reveal.key_shares.items()},
            }
            for name, reveal in asked._reveals.items()
        },
        "total": asked.total().tolist(),
    }  # fmt: skip


def spoil(session: Session, good: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Spoil one thing in each; every one is to be refused."""
    keys, shares, reveal = good["keys"]["north"], good["shares"]["north"], good["reveals"]["north"]
    agreement = bytes.fromhex(good["agreement"])
    signed_as_keys = sign(agreement, identity("north"), purpose=KEYS).signature.hex()
    other_model = write_agreement(session, good["survivors"], round_number=ROUND, model_hash="ef" * 32)
    all_of_them = write_agreement(session, NAMES, round_number=ROUND, model_hash=MODEL)
    block = bytes.fromhex(keys)
    content = bytes.fromhex(session.hash) + block[:8] + b"\0\5north" + b"\0\0\0\1" + block[72:]
    flipped = f"{int(keys[-1], 16) ^ 1:x}"
    north = identity("north")
    fewer = {name: share for name, share in reveal["self_shares"].items() if name != "north"}
    own, key = reveal["self_shares"], reveal["key_shares"]
    return {
        "session": [
            {"case": "threshold too low", "change": {"threshold": 3}},
            {"case": "no colluders", "change": {"colluders": 0}},
            {"case": "as many colluders as the threshold", "change": {"colluders": 4}},
            {"case": "threshold above the roster", "change": {"threshold": 6}},
            {"case": "unsorted", "change": {"roster": good["session"]["roster"][::-1]}},
            {"case": "twice", "change": {"roster": good["session"]["roster"][:1] * 2 + good["session"]["roster"][2:]}},
        ],
        "keys": [
            {"case": "changed", "name": "north", "keys": keys[:-1] + flipped},
            {"case": "cut", "name": "north", "keys": keys[:-2]},
            {"case": "of another member", "name": "south", "keys": keys},
            {"case": "moved to another round", "name": "north", "keys": f"{ROUND + 1:016x}" + keys[16:]},
            {"case": "signed as an agreement", "name": "north", "keys": keys[:16]
             + sign(content, identity("north"), purpose=AGREEMENT).signature.hex() + keys[144:]},
            {"case": "without a round", "name": "north", "keys": keys[:144]},
        ],
        "shares": [
            {"case": "changed", "by": "north", "to": "east", "sealed": "00" + shares["east"][2:]},
            {"case": "cut", "by": "north", "to": "east", "sealed": shares["east"][:-2]},
            {"case": "for another", "by": "north", "to": "east", "sealed": shares["south"]},
            {"case": "turned about", "by": "north", "to": "east", "sealed": good["shares"]["east"]["north"]},
            {"case": "from another", "by": "south", "to": "east", "sealed": shares["east"]},
        ],
        "signature": [
            {"case": "of another model", "name": "north", "signature": sign_agreement(other_model, north).hex()},
            {"case": "of another set", "name": "north", "signature": sign_agreement(all_of_them, north).hex()},
            {"case": "of another member", "name": "north", "signature": good["signatures"]["east"]},
            {"case": "of one who is not in it", "name": "south",
             "signature": sign_agreement(agreement, identity("south")).hex()},
            {"case": "for another purpose", "name": "north", "signature": signed_as_keys},
            {"case": "cut", "name": "north", "signature": good["signatures"]["north"][:-2]},
        ],
        "reveal": [
            {"case": "both shares of one owner", "self_shares": own, "key_shares": {**key, "east": own["east"]}},
            {"case": "the other share of the lost", "self_shares": {**own, LOST: key[LOST]}, "key_shares": {}},
            {"case": "without its own share", "self_shares": fewer, "key_shares": key},
            {"case": "cut", "self_shares": {**own, "east": own["east"][:-2]}, "key_shares": key},
            {"case": "beyond the field", "self_shares": {**own, "east": "ff" * 33}, "key_shares": key},
        ],
        "total": [
            {"case": "another seed's share", "self_shares": {**own, "east": own["north"]}, "key_shares": key},
            {"case": "another key's share", "self_shares": own, "key_shares": {LOST: own["east"]}},
        ],
    }  # fmt: skip


def keep_one_file(folder: Path, members: dict[str, SumMember]) -> None:
    """Keep one member's file, and make those that are to be refused of it."""
    for name, member in members.items():
        member._store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        member._store._connection.execute("PRAGMA journal_mode = DELETE")
        member._store.close()
        if name != "north":
            (folder / f"{name}.sqlite").unlink()
    for name in ("changed", "later-version", "without-table"):
        shutil.copy(folder / "north.sqlite", folder / f"bad-{name}.sqlite")
    write_into(folder / "bad-changed.sqlite", "DROP TRIGGER never_changed", "UPDATE kept SET content = digest")
    write_into(folder / "bad-later-version.sqlite", "PRAGMA user_version = 99")
    write_into(folder / "bad-without-table.sqlite", "ALTER TABLE kept RENAME TO holds")


def write_into(path: Path, *statements: str) -> None:
    """Change a file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def dump(said: object) -> str:
    """Write JSON that a person can read."""
    return json.dumps(said, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
