"""A round's request in the words of each member: from protocol 2 on with who is asked, signed for this one round."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import RecordDict

from common.message.call import CALLS, sign_call
from common.message.round import RoundRequest, encode_request
from server.registry.registry import Member
from server.round.collection import Word


def calling(members: Collection[Member], *, quorum: int, key: Ed25519PrivateKey) -> Word:
    """Sign every request with the node keys of all who are asked, also those to whom it is said in protocol 1.

    Parameters
    ----------
    members
        Everyone who may be asked; each has a node id.
    """
    by_node = {member.node_id: member for member in members}

    def word(request: RoundRequest, node_ids: Collection[int]) -> Mapping[int, RecordDict]:
        call = sign_call(
            key,
            run_hash=request.plan_hash,
            round_number=request.round_number,
            model_hash=request.model_hash,
            quorum=quorum,
            node_keys=[by_node[node_id].node_key for node_id in node_ids],
        )
        first, called = encode_request(request), encode_request(replace(request, call=call))
        return {node_id: called if by_node[node_id].protocol >= CALLS else first for node_id in node_ids}

    return word
