"""What left beside the sums of rounds: terms, receipts and refusals, written down before each was sent.

Sums stand in the ledger, which pays for them. These cost nothing and say nothing of the data, but they leave too, so a
merchant sees them, byte for byte (docs/protocol.md §7.7).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flwr.app import Message, MessageType

from client.transparency.sent_sums import SUM_ANSWERED, SUM_KINDS, SUM_MEANINGS, read_sum_fields
from common.disk.lines import Lines
from common.errors import ConfigError, HansaError
from common.message.decline import DECLINED
from common.message.proposal import PROPOSAL, decode_terms
from common.message.receipt import RELEASE, decode_receipt
from common.message.welcome import WELCOME, decode_welcome_receipt
from common.message.wire import from_wire, to_wire
from common.schema import SCHEMA

KINDS = {PROPOSAL: "terms", RELEASE: "receipt", WELCOME: "welcome receipt", MessageType.TRAIN: "sum"} | SUM_KINDS
ANSWERED = {PROPOSAL: "a proposal", RELEASE: "a model", WELCOME: "a new welcome", MessageType.TRAIN: "a round"}
# Every field that may leave outside of rounds, in the words of a merchant; a field without a row here fails a test.
OTHER_MEANINGS = {
    "plan_hash": "names the plan that you accept, and whether it runs with noise; the coordinator sent it",
    "size_class": "the size class of your policy",
    "noise_multiplier": "the noise that your policy and the plan's price come to; it depends on no row of yours",
    "model_hash": "names the model that is on your disk now; the coordinator sent it",
    "round_number": "says which round of a sum this is about; the coordinator sent it",
    "welcome_hash": "names the new welcome that is on your disk now and in use; the coordinator sent it",
} | SUM_MEANINGS
BY_FLOWER = (
    "Beside these Flower sends, with no number of yours in it: at the start your node's public key, which the "
    "coordinator has from your request; every few seconds the question whether there is a message, and a heartbeat, "
    "with the node id that the coordinator gave; for each message above its id, the run's id, the ids of its objects "
    "and when it was made; for each message that came, that it arrived; at the end a goodbye. Each request is signed "
    "by your node key over its time, and names the versions of Flower and of hansa's protocol. So the coordinator "
    "knows when you are there, and how long an answer takes."
)


@dataclass(frozen=True)
class OtherMessage:
    """A message that left, or was about to, and is no sum.

    Attributes
    ----------
    kind
        terms, receipt or refusal, or one of `client.transparency.sent_sums`.
    answers
        Flower's type of the message that it answers.
    content
        Its bytes (docs/protocol.md §5.6); of a refusal, the one word.
    """

    at: datetime
    kind: str
    answers: str
    content: bytes


class SentLog:
    """Write down what leaves outside of the ledger."""

    def __init__(self, path: Path) -> None:
        self._lines = Lines(path)

    def note(self, reply: Message) -> None:
        """Write a reply down, unless it is a sum, which the ledger has sealed.

        Guarantee: when this returns, the message is on the disk; when it raises, it may not be sent.

        Raises
        ------
        ConfigError
            It cannot be written.
        """
        answers = reply.metadata.message_type
        if reply.has_content() and answers == MessageType.TRAIN:
            return
        kind, content = "refusal", DECLINED.encode()
        if reply.has_content():
            kind, content = KINDS.get(answers, answers), to_wire(reply.content)
        line = {"schema": SCHEMA, "at": datetime.now(UTC).isoformat(), "kind": kind, "answers": answers}
        try:
            self._lines.add(line | {"content": base64.b64encode(content).decode()})
        except OSError as error:
            raise ConfigError(
                f"Cannot write {self._lines.path}: {error.strerror}, so an answer is not sent; make room, or make the "
                "folder writable."
            ) from error

    def read(self) -> tuple[list[OtherMessage], int]:
        """Read everything, the oldest first, and count the lines that say nothing.

        A line that a crash cut short is one of them: its message was not sent.

        Raises
        ------
        DataError
            The file is there and cannot be read.
        """
        lines, broken = self._lines.read_all()
        found = [message for line in lines if (message := _parse(line)) is not None]
        return found, broken + len(lines) - len(found)


def _parse(line: dict[str, Any]) -> OtherMessage | None:
    try:
        content = base64.b64decode(line["content"], validate=True)
        return OtherMessage(datetime.fromisoformat(line["at"]), str(line["kind"]), str(line["answers"]), content)
    except (KeyError, TypeError, ValueError):
        return None


def describe_other(message: OtherMessage) -> dict[str, Any]:
    """Decode one message into what it says."""
    return {
        "kind": message.kind,
        "sent_at": message.at.isoformat(),
        "answers": message.answers,
        "num_bytes": len(message.content),
        "fields": _fields(message),
    }


def _fields(message: OtherMessage) -> dict[str, Any]:
    if message.kind == "refusal":
        return {"reason": message.content.decode(errors="replace")}
    try:
        record = from_wire(message.content)
        match message.answers:
            case str(kind) if kind == PROPOSAL:
                return vars(decode_terms(record))
            case str(kind) if kind == WELCOME:
                return {"welcome_hash": decode_welcome_receipt(record)}
            case str(kind) if kind in SUM_KINDS:
                return read_sum_fields(kind, record)
        return {"model_hash": decode_receipt(record)}
    except HansaError:
        return {}


def explain_other(message: OtherMessage) -> str:
    """Say in plain words what one message is made of."""
    at = f"{message.at.astimezone():%Y-%m-%d %H:%M:%S}"
    if message.kind == "refusal":
        what = (ANSWERED | SUM_ANSWERED).get(message.answers, "a message of another kind")
        return f"Refusal of {what}, {at}: the one word {DECLINED}\n  and nothing else: why stands in your log alone."
    fields = _fields(message) or {"bytes": "of another version of hansa; see them with --raw"}
    lines = [f"{message.kind.capitalize()}, {at}: {len(message.content)} bytes"]
    for name, value in fields.items():
        lines += [f"  {name}: {value}", *([f"    {OTHER_MEANINGS[name]}"] if name in OTHER_MEANINGS else [])]
    return "\n".join([*lines, "  and nothing else."])
