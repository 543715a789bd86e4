"""Bytes of the contents that one member and the coordinator exchange in a round, in a secure sum and without.

In a secure sum the threshold of members signs and reveals, so that much of the two later trips is counted for each. The
call that says who is asked is in neither; what carries a content (heads, envelopes) is measured over the network.
"""

from __future__ import annotations

import torch
from flwr.app import RecordDict

from client.secure_sum.member import SumMember
from common.message import sum_agree, sum_reveal
from common.message.round import RoundReply, RoundRequest, encode_reply, encode_request
from common.message.sum_place import Place
from common.message.sum_reveal import Revealed
from common.message.sum_round import SumReply, SumRequest, encode_sum_reply, encode_sum_request
from common.message.vector import hash_vector
from common.message.wire import to_wire
from server.secure_sum.round import SumRound


def count_bytes(sums: SumRound, member: SumMember, name: str, *, size: int) -> dict[str, float]:
    """Count both of one member, who has survived a round that is over, with keys and shares of the next on board."""
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
    return {"sum": _bytes(masked) + share * _bytes(closing), "plain": float(_bytes(plain))}


def _bytes(contents: list[RecordDict]) -> int:
    return sum(len(to_wire(content)) for content in contents)
