"""Who is asked in a round, signed by the coordinator for this one round: its call.

| field       | what it is                                                                        |
|-------------|-----------------------------------------------------------------------------------|
| run_hash    | `Plan.run_hash`, as `plan_hash` of the request                                    |
| round_number, model_hash | those of the request                                                 |
| quorum      | the fewest answers that make a round                                              |
| asked       | a ticket of everyone who is asked, sorted, each once                              |

A ticket is a hash of a member's node key and of the run: a merchant finds its own, and those of whom it compares
calls with; it tells nobody's name, and nobody is known again in another run. A count would not do: two merchants that
were each asked alone could not tell from two equal counts, from two lists they can. See docs/protocol.md §5.7.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError, model_validator

from common.message.proposal import FileHash
from common.message.reading import unreadable
from common.message.signature import Signed, sign
from common.plan.schema import Count, Document

PURPOSE = "call"
CALLS = 2  # the first protocol whose rounds are signed


class RoundCall(Document):
    """Who is asked in one round."""

    run_hash: FileHash
    round_number: Count
    model_hash: FileHash
    quorum: Count
    asked: tuple[FileHash, ...]

    @model_validator(mode="after")
    def _is_a_list(self) -> RoundCall:
        if list(self.asked) != sorted(set(self.asked)):
            raise ValueError("asked must be sorted, each once")
        if self.quorum > len(self.asked):
            raise ValueError("the quorum is more than are asked")
        return self

    def to_bytes(self) -> bytes:
        """Write the document that is signed."""
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":")).encode()


def write_ticket(run_hash: str, node_key: str) -> str:
    """Name a member in one run: SHA-256, in hex, over the run and the member's node key (PEM)."""
    return hashlib.sha256(f"hansa member\0{run_hash}\0{node_key}".encode()).hexdigest()


def sign_call(
    key: Ed25519PrivateKey,
    *,
    run_hash: str,
    round_number: int,
    model_hash: str,
    quorum: int,
    node_keys: Collection[str],
) -> Signed:
    """Sign who is asked in a round.

    Parameters
    ----------
    node_keys
        The node key (PEM) of everyone who is asked.
    """
    asked = tuple(sorted(write_ticket(run_hash, node_key) for node_key in node_keys))
    call = RoundCall(run_hash=run_hash, round_number=round_number, model_hash=model_hash, quorum=quorum, asked=asked)
    return sign(call.to_bytes(), key, purpose=PURPOSE)


def parse_call(content: bytes) -> RoundCall:
    """Read a call whose signature was checked.

    Raises
    ------
    MessageError
        If it is no call of this version.
    """
    try:
        return RoundCall.model_validate_json(content)
    except ValidationError as error:
        raise unreadable("A signed call", error) from error
