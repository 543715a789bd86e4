"""Questions to members that nobody waits for: posted now, looked after whenever the coordinator's loop comes by.

The same question is put to a member again after a minute, then two, four and so on, ten times in all, which takes
eight hours and a half. A member that was away begins anew: it may have changed its mind, and its policy. However often
it comes and goes, a quarter of a minute lies between two questions.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from server.round.collection import Cause, refuse_error

FIRST_PAUSE_SECONDS = 60.0
SHORTEST_PAUSE_SECONDS = 15.0  # also to who was away in between: some come and go every few seconds
MOST_TIMES = 10


class Subject(NamedTuple):
    """What is asked: Flower's message type, and the hash of what it is about."""

    message_type: str
    what: str


@dataclass(frozen=True)
class Letter:
    """A question that is to be put to a member."""

    member: str
    node_id: int
    subject: Subject
    content: RecordDict


@dataclass(frozen=True)
class Reply:
    """What came of a question: a content, or the cause why there is none."""

    member: str
    subject: Subject
    content: RecordDict | None
    cause: Cause | None = None


@dataclass
class _Question:
    """A question to one member, from the first time that it was put."""

    times: int = 0
    asked_at: float = 0.0
    again_at: float = 0.0
    expires_at: float = 0.0
    message_id: str = ""  # empty where it is not open
    is_unreadable: bool = False


class Mailbox:
    """Keep one question for each member and subject."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._questions: dict[tuple[str, Subject], _Question] = {}

    def is_open(self, member: str, subject: Subject) -> bool:
        """Whether such a question waits for its answer."""
        question = self._questions.get((member, subject))
        return question is not None and bool(question.message_id)

    def may_ask(self, member: str, subject: Subject) -> bool:
        """Whether such a question is neither open, nor was put just now, nor too often."""
        question = self._questions.get((member, subject))
        if question is None:
            return True
        return not question.message_id and question.times < MOST_TIMES and time.monotonic() >= question.again_at

    def post(self, content: RecordDict, *, member: str, node_id: int, subject: Subject, timeout_seconds: float) -> bool:
        """Send a question, and say whether it was taken: not from a member who is unknown."""
        self.post_all([Letter(member, node_id, subject, content)], timeout_seconds=timeout_seconds)
        return self.is_open(member, subject)

    def post_all(self, letters: Sequence[Letter], *, timeout_seconds: float) -> None:
        """Send many questions at once; one to a member who is unknown is open no moment."""
        if not letters:
            return
        for letter in letters:
            question = self._questions.setdefault((letter.member, letter.subject), _Question())
            question.asked_at = time.monotonic()
            question.again_at = question.asked_at + FIRST_PAUSE_SECONDS * 2**question.times
            question.expires_at = time.monotonic() + timeout_seconds
            question.times += 1
            question.is_unreadable = False
        messages = [
            Message(
                letter.content,
                letter.node_id,
                letter.subject.message_type,
                ttl=timeout_seconds,
                group_id=" ".join(letter.subject),
            )
            for letter in letters
        ]
        message_ids = list(self._grid.push_messages(messages)) or [""] * len(letters)  # none where all were refused
        for letter, message_id in zip(letters, message_ids, strict=True):
            self._questions[letter.member, letter.subject].message_id = message_id or ""

    def forget(self, member: str) -> None:
        """Begin anew with a member, except for what is open."""
        for key, question in self._questions.items():
            if key[0] == member and not question.message_id:
                question.times = 0
                question.again_at = min(question.again_at, question.asked_at + SHORTEST_PAUSE_SECONDS)

    def drop(self, member: str) -> None:
        """Begin anew with a member, and look no more for an answer to what is open."""
        for key in [key for key in self._questions if key[0] == member]:
            del self._questions[key]

    def collect(self) -> list[Reply]:
        """Return what has come since the last time."""
        waiting = [(key, question) for key, question in self._questions.items() if question.message_id]
        return [reply for key, question in waiting if (reply := self._look(*key, question)) is not None]

    def _look(self, member: str, subject: Subject, question: _Question) -> Reply | None:
        try:
            reply = self._pull(question, member, subject)
        except Exception:  # one member's bytes must not end everyone's coordinator; looked for until its time is up
            question.is_unreadable, reply = True, None
        if reply is None and time.monotonic() >= question.expires_at:
            reply = Reply(member, subject, None, Cause.UNREADABLE if question.is_unreadable else Cause.LATE)
        if reply is not None:
            question.message_id = ""
        return reply

    def _pull(self, question: _Question, member: str, subject: Subject) -> Reply | None:
        for reply in self._grid.pull_messages([question.message_id]):
            if reply.metadata.reply_to_message_id == question.message_id:
                if reply.has_error():
                    return Reply(member, subject, None, refuse_error(reply.error).cause)
                return Reply(member, subject, reply.content)
        return None
