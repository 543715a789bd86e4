"""Bytes of the contents that one member and the coordinator exchange in a round, in a secure sum and without.

In a secure sum the threshold of members signs and reveals, so that much of the two later trips is counted for each. The
call that says who is asked is in neither; what carries a content (heads, envelopes) is measured over the network.
"""

from __future__ import annotations

import torch
from flwr.app import ConfigRecord, RecordDict

from client.secure_sum.member import SumMember
from common.message import sum_agree, sum_reveal
from common.message.record import ABOUT
from common.message.round import RoundReply, RoundRequest, encode_reply, encode_request
from common.message.sum_place import Place
from common.message.sum_reveal import Revealed
from common.message.sum_round import SumReply, SumRequest, encode_sum_reply, encode_sum_request
from common.message.vector import hash_vector
from common.message.wire import to_wire
from server.secure_sum.round import SumRound


def count_bytes(sums: SumRound, member: SumMember, name: str, *, size: int) -> dict[str, float]:
    """Count both of one member, who has survived a round that is over, with keys and shares of the next on board.

    Returns
    -------
    dict
        `sum` and `plain`, and what makes their difference: each field that comes from each of many members, and under
        `frames` what stands around them all.
    """
    session, number = sums.session, sums.round_number
    place = Place(session.run_hash, session.hash, number)
    parameters = torch.zeros(size)
    request = RoundRequest(session.run_hash, number, hash_vector(parameters), parameters)
    keys, shares, signatures = sums.keys(), sums.shares_for(name), sums.signatures()
    reveal = member.reveal(number, signatures)
    masked = [
        encode_sum_request(SumRequest(place, request, shares, keys)),
        encode_sum_reply(SumReply(place, torch.zeros(size + 1, dtype=torch.int64), member.shares(number, keys))),
    ]
    closing = [
        sum_agree.encode_question(place, model_hash=sums.model_hash, survivors=sums.survivors()),
        sum_agree.encode_signature(place, signatures[name]),
        sum_reveal.encode_question(place, signatures),
        sum_reveal.encode_revealed(place, Revealed(reveal.self_shares, reveal.key_shares)),
    ]
    plain = [
        encode_request(request),
        encode_reply(RoundReply(session.run_hash, number, torch.zeros(size, dtype=torch.int64))),
    ]
    share = session.threshold / len(sums.survivors())
    total, before = _bytes(masked) + share * _bytes(closing), float(_bytes(plain))
    request_about, reply_about, survivors, _, shown, revealed = (_about(content) for content in (*masked, *closing))
    parts = {
        "keys": _field(request_about, "next_keys"),
        "bundles to it": _field(request_about, "shares"),
        "bundles of it": _field(reply_about, "next_shares"),
        "signatures": share * _field(shown, "signatures"),
        "revealed shares": share * (_field(revealed, "self_shares") + _field(revealed, "key_shares")),
        "survivors": share * _field(survivors, "survivors"),
    }
    return {"sum": total, "plain": before, **parts, "frames": total - before - sum(parts.values())}


def _about(content: RecordDict) -> ConfigRecord:
    return content.config_records[ABOUT]


def _field(about: ConfigRecord, name: str) -> int:
    value = about[name]
    assert isinstance(value, bytes)  # noqa: S101  for mypy: each of these is
    return len(value)


def _bytes(contents: list[RecordDict]) -> int:
    return sum(len(to_wire(content)) for content in contents)
