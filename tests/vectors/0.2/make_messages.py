"""How these vectors were made, once, by the version that first spoke protocol 2: `python make_messages.py FOLDER`.

They are read for ever and never made again (docs/protocol.md).
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import torch
from cryptography.hazmat.primitives.asymmetric.ec import derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import RecordDict

from certs import authority as authority_module
from certs.authority import Authority, make_authority
from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key
from certs.request import Welcome, make_request
from client.daemon.membership import JoinedFederation
from client.daemon.renewal import take_welcome
from common.message import call, proposal
from common.message.call import sign_call
from common.message.proposal import encode_signed, parse_proposal
from common.message.record import hash_vector
from common.message.round import RoundRequest, encode_request
from common.message.signature import Signed, public_bytes, sign
from common.message.succession import Link, succeed
from common.message.welcome import LiveWelcome, decode_welcome, encode_welcome, encode_welcome_receipt, hash_welcome
from common.message.wire import from_wire, to_wire

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NEXT, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes(range(first, first + 32))) for first in (32, 64))
TLS_SECRET = 2026  # a merchant's TLS key that everybody knows, since its certificates are tested
AT, DAYS = datetime(2026, 12, 1, 12, tzinfo=UTC), 365 * 500
NODE_KEYS = ("node key of north", "node key of south")


def main(out: Path) -> None:
    """Write every format that protocol 2 added, good and bad."""
    for name in ("messages", "bad"):
        (out / name).mkdir(exist_ok=True)
    write_calls(out)
    write_welcomes(out)


def write_calls(out: Path) -> None:
    """Write a proposal with its quorum and a round with its call, and what is neither."""
    first = parse_proposal(from_wire((out.parent / "0.1/messages/proposal.bin").read_bytes())["about"]["content"])
    offered = first.model_copy(update={"cohort_size": 2, "quorum": 2})
    write(out / "messages/proposal.bin", encode_signed(sign(offered.to_bytes(), KEY, purpose=proposal.PURPOSE)))
    parameters = torch.tensor([0.5, -1.0, 2.0])
    request = RoundRequest(first.run_hash, 1, hash_vector(parameters), parameters)
    signed = sign_call(
        KEY, run_hash=request.plan_hash, round_number=1, model_hash=request.model_hash, quorum=2, node_keys=NODE_KEYS
    )
    write(out / "messages/request.bin", encode_request(replace(request, call=signed)))
    said = json.loads(signed.content)
    bad = {
        "call-unknown-key": said | {"novelty": 1},
        "call-later-schema": said | {"schema": 99},
        "call-unsorted": said | {"asked": said["asked"][::-1]},
        "call-twice": said | {"asked": said["asked"][:1] * 2},
        "call-quorum-of-more": said | {"quorum": 3},
    }
    for name, document in bad.items():
        content = json.dumps(document, separators=(",", ":")).encode()
        write(out / f"bad/{name}.bin", encode_request(replace(request, call=sign(content, KEY, purpose=call.PURPOSE))))
    other = sign(signed.content, KEY, purpose=proposal.PURPOSE)
    write(out / "bad/call-signed-as-proposal.bin", encode_request(replace(request, call=other)))
    changed = Signed(signed.content.replace(b'"quorum":2', b'"quorum":1'), signed.signature)
    write(out / "bad/call-changed.bin", encode_request(replace(request, call=changed)))
    record = encode_request(replace(request, call=signed))
    del record.config_records["about"]["call_signature"]
    write(out / "bad/call-without-signature.bin", record)


def write_welcomes(out: Path) -> None:
    """Write a merchant's federation before and after a new welcome, and welcomes that are not to be taken."""
    merchant = out / "merchant"
    merchant.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        write_welcomes_in(Path(folder), out, merchant)


def write_welcomes_in(folder: Path, out: Path, merchant: Path) -> None:
    """Make the keys and authorities that it takes."""
    old, new = (make_long_authority(folder / name) for name in ("old", "new"))
    tls_key = derive_private_key(TLS_SECRET, TLS_CURVE)
    node_key = read_or_make_curve_key(folder / "node.key", NODE_CURVE)
    request = make_request("north", 32, tls_key=tls_key, node_key=node_key)
    other_key = read_or_make_curve_key(folder / "other.key", TLS_CURVE)
    other = make_request("north", 32, tls_key=other_key, node_key=node_key)
    first = Welcome(
        federation="hanse", name="north", address="localhost:8443", authority=old.pem.decode(),
        certificate=old.sign_merchant(request, days=DAYS).decode(), coordinator=public_bytes(KEY).hex(),
    )  # fmt: skip
    joined = JoinedFederation(welcome=first, size_class=32)
    (merchant / "federation-joined.json").write_text(dump(joined))
    said = LiveWelcome(
        federation="hanse", name="north", address="localhost:8444",
        certificate=new.sign_merchant(request, days=DAYS).decode(), authority=new.pem.decode(),
        authorities=(old.pem.decode(), new.pem.decode()), coordinator=public_bytes(KEY).hex(), issued_at=AT,
    )  # fmt: skip
    links = (succeed(KEY, public_bytes(NEXT), AT),)
    good = welcome(said, links)
    write(out / "messages/welcome.bin", good)
    receipt = encode_welcome_receipt(hash_welcome(said.to_bytes()))
    write(out / "messages/welcome_receipt.bin", receipt)
    taken = take_welcome(joined, *decode_welcome(good), tls_key=tls_key, now=AT)
    (merchant / "federation-renewed.json").write_text(dump(taken))
    spoil_welcomes(out / "bad", said, links, for_other=new.sign_merchant(other, days=DAYS).decode())


def spoil_welcomes(out: Path, said: LiveWelcome, links: tuple[Link, ...], *, for_other: str) -> None:
    """Spoil one thing in each."""
    for name, more in (("unknown-key", {"novelty": 1}), ("later-schema", {"schema": 99})):
        content = json.dumps(json.loads(said.to_bytes()) | more, separators=(",", ":")).encode()
        write(out / f"welcome-{name}.bin", encode_welcome(sign(content, KEY, purpose="renewal"), links))
    write(out / "welcome-signed-as-release.bin", encode_welcome(sign(said.to_bytes(), KEY, purpose="release"), links))
    forged = Link(content=links[0].content, signature=succeed(STRANGER, public_bytes(NEXT), AT).signature)
    write(out / "welcome-forged-successor.bin", welcome(said, (forged,), key=NEXT))
    write(out / "welcome-of-another-chain.bin", welcome(said, (succeed(STRANGER, public_bytes(NEXT), AT),), key=NEXT))
    changes: dict[str, dict[str, object]] = {
        "for-another-key": {"certificate": for_other},
        "for-another-name": {"name": "south"},
        "dated-ahead": {"issued_at": AT + timedelta(days=400)},
        "rolled-back": {"issued_at": AT - timedelta(days=1)},
    }
    for name, change in changes.items():
        write(out / f"welcome-{name}.bin", welcome(said.model_copy(update=change), links))
    record = welcome(said, links)
    record.config_records["about"]["novelty"] = 1
    write(out / "welcome-additional-field.bin", record)
    record = welcome(said, links)
    record.config_records["about"]["successions"] = b'[{"content": 1}]'
    write(out / "welcome-broken-links.bin", record)


def welcome(said: LiveWelcome, links: tuple[Link, ...], *, key: Ed25519PrivateKey = KEY) -> RecordDict:
    """Sign a welcome."""
    return encode_welcome(sign(said.to_bytes(), key, purpose="renewal"), links)


def make_long_authority(folder: Path) -> Authority:
    """Make an authority that outlives every version."""
    folder.mkdir()
    authority_module.AUTHORITY_DAYS = DAYS
    return make_authority(folder, "hanse")


def dump(federation: JoinedFederation) -> str:
    """Write a federation as a merchant does."""
    return json.dumps(federation.model_dump(mode="json"), indent=2) + "\n"


def write(path: Path, record: object) -> None:
    """Write a message's bytes."""
    path.write_bytes(to_wire(record))  # type: ignore[arg-type]


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
