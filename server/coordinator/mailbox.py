"""Questions to members that nobody waits for: posted now, looked after whenever the coordinator loop comes by."""

from __future__ import annotations

import time
from dataclasses import dataclass

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid


@dataclass(frozen=True)
class Reply:
    """What came of a question; no content is a refusal, and so is silence until the end of its time."""

    member: str
    subject: str
    content: RecordDict | None


@dataclass(frozen=True)
class _Open:
    member: str
    subject: str
    expires_at: float


class Mailbox:
    """Keep the questions that are open, one for each member and subject."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._open: dict[str, _Open] = {}

    def is_open(self, member: str, subject: str) -> bool:
        """Whether such a question waits for its answer."""
        return any((question.member, question.subject) == (member, subject) for question in self._open.values())

    def post(
        self, content: RecordDict, *, member: str, node_id: int, subject: str, message_type: str, timeout_seconds: float
    ) -> bool:
        """Send a question, and say whether it was taken: not from a member who is away."""
        message = Message(content, node_id, message_type, ttl=timeout_seconds, group_id=subject)
        message_ids = list(self._grid.push_messages([message]))
        if not message_ids or not message_ids[0]:
            return False
        self._open[message_ids[0]] = _Open(member, subject, time.monotonic() + timeout_seconds)
        return True

    def collect(self) -> list[Reply]:
        """Return what has come since the last time."""
        return [reply for message_id in list(self._open) if (reply := self._look(message_id)) is not None]

    def _look(self, message_id: str) -> Reply | None:
        question = self._open[message_id]
        content: RecordDict | None = None
        for reply in self._grid.pull_messages([message_id]):
            if reply.metadata.reply_to_message_id == message_id:
                content = None if reply.has_error() else reply.content
                break
        else:
            if time.monotonic() < question.expires_at:
                return None
        del self._open[message_id]
        return Reply(question.member, question.subject, content)
