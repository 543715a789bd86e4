"""How these vectors were made, once, by the version that first spoke protocol 2: `python make.py FOLDER`.

They are read for ever and never made again (docs/protocol.md).
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.message import call, proposal
from common.message.call import sign_call
from common.message.proposal import encode_signed, parse_proposal
from common.message.record import hash_vector
from common.message.round import RoundRequest, encode_request
from common.message.signature import Signed, sign
from common.message.wire import from_wire, to_wire

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NODE_KEYS = ("node key of north", "node key of south")


def main(out: Path) -> None:
    """Write every format that protocol 2 added, good and bad."""
    for name in ("messages", "bad"):
        (out / name).mkdir(exist_ok=True)
    write_calls(out)


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


def write(path: Path, record: object) -> None:
    """Write a message's bytes."""
    path.write_bytes(to_wire(record))  # type: ignore[arg-type]


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
