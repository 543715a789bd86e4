"""Make the requests and welcomes of this folder, once, with the first code that wrote them; they are never made again.

    PYTHONPATH=$PWD python tests/vectors/0.2/make.py

The certificates are drawn anew at every run, so a second run gives other files that are as good. registry.sqlite is
that of the first version, opened by commit a0f63ea, which knew two steps, and its member revoked there.
"""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from certs.authority import Authority, make_authority
from certs.key import NODE_CURVE, TLS_CURVE
from certs.request import JoinRequest, Welcome, make_request, make_welcome, write_document

HERE = Path(__file__).parent
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
MADE_AT = datetime(2026, 11, 30, 9, 30, 0, 250000, tzinfo=UTC)


def main(scratch: Path) -> None:
    tls_key, node_key = derive_private_key(1001, TLS_CURVE), derive_private_key(1002, NODE_CURVE)
    request = make_request("north", 32, tls_key=tls_key, node_key=node_key, at=MADE_AT)
    later = make_request("north", 64, tls_key=tls_key, node_key=node_key, at=MADE_AT.replace(hour=10))
    authority = make_authority(scratch, "hanse")
    welcome = answer(request, authority)
    written, other, answered = as_json(request, scratch), as_json(later, scratch), as_json(welcome, scratch)
    dump(written, "north.request.json")
    dump(answered, "north.welcome.json")
    dump(as_json(answer(later, authority), scratch), "bad/welcome-of-another-request.json")
    dump(answered | {"address": "elsewhere:8443"}, "bad/welcome-address.json")
    dump(answered | {"authority": answered["certificate"]}, "bad/welcome-authority.json")
    dump({key: answered[key] for key in answered if key not in ("request", "signature")}, "bad/welcome-unsigned.json")
    for name, change in {
        "name": {"name": "south"},
        "size-class": {"size_class": 4096},
        "date": {"made_at": "2026-12-01T09:30:00.250000+00:00"},
        "certificate-request": {"certificate_request": other["certificate_request"]},
        "node-proof": {"node_proof": other["node_proof"]},
        "tls-proof": {"tls_proof": other["tls_proof"]},
        "date-of-another-form": {"made_at": "2026-11-30T09:30:00.25Z"},
        "later-schema": {"schema": 3},
        "unknown-key": {"nonce": "1"},
    }.items():
        dump(written | change, f"bad/request-{name}.json")


def answer(request: JoinRequest, authority: Authority) -> Welcome:
    return make_welcome(
        request,
        federation="hanse",
        address="localhost:8443",
        authority=authority.pem.decode(),
        certificate=authority.sign_merchant(request).decode(),
        key=KEY,
    )


def as_json(document: JoinRequest | Welcome, scratch: Path) -> dict[str, Any]:
    write_document(document, scratch / "document.json")
    said: dict[str, Any] = json.loads((scratch / "document.json").read_text())
    return said


def dump(said: dict[str, Any], name: str) -> None:
    (HERE / name).write_text(json.dumps(said, indent=2) + "\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
