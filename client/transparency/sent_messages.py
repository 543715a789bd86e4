"""What left, byte for byte, and what each part of it says in plain words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from client.account.ledger.entry import Seal, Spend, local
from client.account.ledger.ledger import Ledger
from common.message.round import RoundReply, decode_reply
from common.message.sum_round import SumReply, decode_sum_reply, is_sum
from common.message.wire import from_wire
from common.privacy.lattice import to_real
from common.privacy.mechanism import Mechanism

SHOWN_NUMBERS = 6

# Every field that may leave, in the words of a merchant; a field without a row here fails a test.
MEANINGS = {
    "plan_hash": "names the plan that you approved, and whether it runs with noise; the coordinator sent it",
    "round_number": "says which round this answers; the coordinator sent it",
    "total": "the sum over all your entities of how each would change the model, clipped, with noise on every number",
}
# The same of a round of a secure sum (`common.message.sum_round`).
SUM_MEANINGS = MEANINGS | {
    "session_hash": "names the sum: the plan and everyone in it; the coordinator sent it",
    "total": "that sum with your share of the noise, and masks on every number: alone it tells nobody anything, since "
    "only together with those of the others do the masks fall away",
    "next_shares": "pieces of your next round's secrets, each sealed for one other merchant; made by chance",
}


@dataclass(frozen=True)
class SentMessage:
    """A message that left, or was about to, and the spend that pays for it."""

    line: int
    spend: Spend
    seal: Seal
    content: bytes

    @property
    def reply(self) -> RoundReply | SumReply:
        """What the bytes say."""
        record, size = from_wire(self.content), self.spend.num_coordinates
        return decode_sum_reply(record, size=size) if is_sum(record) else decode_reply(record, size=size)


def departures_of(ledger: Ledger) -> list[SentMessage]:
    """List every sealed message, oldest first; its bytes are checked against the ledger."""
    found, entries = [], ledger.entries
    for seal in entries:
        spend = entries[seal.spend - 1] if isinstance(seal, Seal) else None
        if isinstance(seal, Seal) and isinstance(spend, Spend):
            found.append(SentMessage(seal.spend, spend, seal, ledger.message(seal.spend) or b""))
    return found


def describe(departure: SentMessage) -> dict[str, Any]:
    """Decode one message into what it says, and what it would say of nobody."""
    spend, reply = departure.spend, departure.reply
    return {
        "kind": "sum",
        "line": departure.line,
        "sealed_at": departure.seal.at.isoformat(),
        "plan": spend.plan,
        "asked": spend.asked,
        "quorum": spend.quorum,
        "call": spend.call,
        "num_bytes": departure.seal.num_bytes,
        "sha256": departure.seal.digest,
        "fields": _masked_fields(reply) if isinstance(reply, SumReply) else _fields(reply, spend),
    }


def _fields(reply: RoundReply, spend: Spend) -> dict[str, Any]:
    mechanism = Mechanism(spend.clipping_norm, spend.noise_multiplier)
    return {
        "plan_hash": reply.plan_hash,
        "round_number": reply.round_number,
        "total": {
            "count": reply.total.numel(),
            "first": reply.total[:SHOWN_NUMBERS].tolist(),
            "norm": float(torch.linalg.vector_norm(to_real(reply.total, mechanism.lattice_step))),
            "norm_of_noise_alone": mechanism.noise_std * math.sqrt(reply.total.numel()),
        },
    }


def _masked_fields(reply: SumReply) -> dict[str, Any]:
    return {
        "plan_hash": reply.place.plan_hash,
        "session_hash": reply.place.session_hash,
        "round_number": reply.place.round_number,
        "total": {"count": reply.total.numel(), "first": reply.total[:SHOWN_NUMBERS].tolist(), "masked": True},
        "next_shares": list(reply.next_shares),
    }


def explain(departure: SentMessage) -> str:
    """Say in plain words what one message is made of."""
    told = describe(departure)
    meanings = SUM_MEANINGS if isinstance(departure.reply, SumReply) else MEANINGS
    values = {name: _say(name, value) for name, value in told["fields"].items()}
    lines = [
        f"Line {departure.line}, sealed {local(departure.seal.at)}: {told['num_bytes']} bytes, plan {told['plan']!r}",
        *(f"  {name}: {values[name]}\n    {meaning}" for name, meaning in meanings.items()),
        f"  {_company(departure.spend)}",
        "  and nothing else: no count, no loss, no name, no date of yours.",
        f"  SHA-256 {told['sha256']}",
    ]
    return "\n".join(lines)


def _say(name: str, value: Any) -> str:
    if name == "next_shares":
        return f"one for each of {', '.join(value)}" if value else "none"
    if name != "total":
        return str(value)
    numbers = f"{value['count']} whole numbers: {', '.join(map(str, value['first']))} …"
    if "masked" in value:
        return f"{numbers}; masked, each looks drawn by lot"
    return (
        f"{numbers}; as a vector they have length {value['norm']:.4g}, that of the noise alone would be about "
        f"{value['norm_of_noise_alone']:.4g}"
    )


def _company(spend: Spend) -> str:
    """Say in whose company it left; what was asked is no part of the message."""
    if spend.asked is None:
        return "in answer to a round that nobody signed: who else was asked is not known"
    return (
        f"in answer to a round that was asked of {spend.asked} merchants, with a quorum of {spend.quorum}, as the "
        f"coordinator signed; call {(spend.call or '')[:12]}: the others that were asked have the same"
    )


def hex_lines(content: bytes) -> str:
    """Lay bytes out sixteen a line, with what can be read beside them."""
    rows = [content[place : place + 16] for place in range(0, len(content), 16)]
    return "\n".join(
        f"{16 * number:08x}  {row.hex(' '):<47}  {''.join(chr(byte) if 32 <= byte < 127 else '.' for byte in row)}"
        for number, row in enumerate(rows)
    )
