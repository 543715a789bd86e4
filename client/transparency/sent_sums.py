"""What leaves for a secure sum beside its rounds, in a merchant's words: keys, sealed shares, signatures, reveals."""

from __future__ import annotations

from typing import Any

from flwr.app import RecordDict

from common.message.peer import PEER, decode_peer
from common.message.record import ABOUT
from common.message.sum_agree import AGREE, decode_signature
from common.message.sum_keys import KEYS, SIGNED_BYTES, decode_keys
from common.message.sum_place import Place
from common.message.sum_reveal import REVEAL, decode_revealed
from common.message.sum_shares import SHARES, decode_shares

SUM_KINDS = {PEER: "peer key", KEYS: "one-time keys", SHARES: "shares", AGREE: "agreement", REVEAL: "reveal"}
SUM_ANSWERED = {
    PEER: "a question for the peer key",
    KEYS: "a question for one-time keys",
    SHARES: "a question for shares",
    AGREE: "a set of merchants of a sum",
    REVEAL: "the signatures under a set of merchants",
}
SUM_MEANINGS = {
    "name": "your name in the federation",
    "key": "your public peer key, by which the other merchants of a sum know you; its other half never leaves",
    "session_hash": "names the sum: the plan and everyone in it; the coordinator sent it",
    "keys": "your public keys for so many rounds, each used in one; made by chance, and of no row of yours",
    "shares": "pieces of your round's secrets, each sealed so that one other merchant can open it, and made by chance",
    "signature": "your signature: under a set it says that these merchants' masked sums and no others may be added up",
    "self_shares": "your pieces of the masks of those whose masked sums are added up; they take the masks off the sum",
    "key_shares": "your pieces of the keys of those who were lost on the way; never both pieces of one merchant",
}


def read_sum_fields(answers: str, record: RecordDict) -> dict[str, Any]:
    """Decode what answered one of a sum's messages into what it says.

    Raises
    ------
    MessageError
        It is of another version.
    """
    if answers == PEER:
        shown = decode_peer(record)
        return {"name": shown.name, "key": shown.key, "signature": "64 bytes"}
    if answers == KEYS:
        place, keys = decode_keys(record, num_rounds=_count_rounds(record))
        return _said(place) | {"keys": f"of {len(keys)} rounds"}
    if answers == SHARES:
        place, shares = decode_shares(record)
        return _said(place) | {"shares": f"one for each of {', '.join(shares)}"}
    if answers == AGREE:
        place, signature = decode_signature(record)
        return _said(place) | {"signature": f"{len(signature)} bytes"}
    place, revealed = decode_revealed(record)
    return _said(place) | {
        "self_shares": f"of {', '.join(revealed.self_shares) or 'nobody'}",
        "key_shares": f"of {', '.join(revealed.key_shares) or 'nobody'}",
    }


def _count_rounds(record: RecordDict) -> int:
    """Read of how many rounds keys were sent: as many as there are bytes for."""
    keys = record.config_records[ABOUT].get("keys", b"") if ABOUT in record.config_records else b""
    return len(keys) // SIGNED_BYTES if isinstance(keys, bytes) else 0


def _said(place: Place) -> dict[str, Any]:
    return {"plan_hash": place.plan_hash, "session_hash": place.session_hash, "round_number": place.round_number}
