"""Questions of one kind to several members over Flower's Grid, and their answers as they come.

A round of a secure sum is several of these, of which the last two overlap; `server.round.collection` is the one trip of
a round without. Nobody waits in here: whoever made it looks as often as it likes.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Generic, TypeVar

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from common.errors import MessageError
from common.message.wire import to_wire
from server.round.collection import MOST_FAILURES, Cause, Refusal, refuse_error
from server.round.news import count_news, wait_for_news

Answer = TypeVar("Answer")
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.02, 0.2


class Trip(Generic[Answer]):
    """Ask, and judge every answer once.

    Parameters
    ----------
    message_type
        Flower's type of the question.
    read
        Reads the answer of a node and takes it in; a MessageError says why it does not count.
    timeout_seconds
        After which nothing counts that has not come, from the making of this on.

    Attributes
    ----------
    answers
        What counts, by node id.
    refusals
        Why there is nothing of a node that was asked; `Cause.LATE` for as long as it is waited for.
    sent_bytes, received_bytes
        Of contents alone, without what carries them.
    """

    def __init__(
        self,
        grid: Grid,
        message_type: str,
        *,
        read: Callable[[int, RecordDict], Answer],
        timeout_seconds: float,
        group_id: str,
    ) -> None:
        self.grid, self._type, self._read, self._group_id = grid, message_type, read, group_id
        self._timeout_seconds = timeout_seconds
        self._deadline = time.monotonic() + timeout_seconds
        self._pending: dict[str, int] = {}
        self._failures: Counter[str] = Counter()
        self.answers: dict[int, Answer] = {}
        self.refusals: dict[int, Refusal] = {}
        self.sent_bytes = self.received_bytes = 0

    @property
    def pending(self) -> set[int]:
        """The nodes whose answer is still waited for; one whose bytes cannot be read holds nobody up."""
        return {node for message, node in self._pending.items() if self._failures[message] < MOST_FAILURES}

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come in time."""
        return not self._pending or time.monotonic() >= self._deadline

    def ask(self, contents: Mapping[int, RecordDict]) -> None:
        """Send questions to nodes that were not asked before."""
        remaining_seconds = self._deadline - time.monotonic()
        if remaining_seconds <= 0 or not contents:
            return
        messages = [
            Message(content, node_id, self._type, ttl=remaining_seconds, group_id=self._group_id)
            for node_id, content in contents.items()
        ]
        self.refusals |= dict.fromkeys(contents, Refusal(Cause.UNSENT))
        # The ids come in the order of the messages, empty where one was refused; none at all where all were.
        for message_id, (node_id, content) in zip(self.grid.push_messages(messages), contents.items(), strict=False):
            if message_id:
                self._pending[message_id] = node_id
                self.refusals[node_id] = Refusal(Cause.LATE)
                self.sent_bytes += len(to_wire(content))

    def sweep(self) -> bool:
        """Ask once for every open answer; whether one came."""
        came = False
        for message_id, node_id in list(self._pending.items()):
            try:
                reply = self._pull(message_id)
            except Exception as error:  # one member's bytes must not end everyone's round: asked for again
                self.refusals[node_id] = Refusal(Cause.UNREADABLE, type(error).__name__)
                self._failures[message_id] += 1
                continue
            if reply is not None:
                del self._pending[message_id]
                self._judge(node_id, reply)
                came = True
        return came

    def leave_out(self, node_ids: Collection[int]) -> None:
        """Wait no longer for nodes that take no part any more, and let nothing count that they answered."""
        for node_id in set(node_ids) & (self.answers.keys() | self.refusals.keys()):
            self.answers.pop(node_id, None)
            self.refusals[node_id] = Refusal(Cause.REVOKED)
        self._pending = {message: node for message, node in self._pending.items() if node not in node_ids}

    def _pull(self, message_id: str) -> Message | None:
        """Ask for one reply alone: were one of a batch unreadable, Flower would lose the others with it."""
        for reply in self.grid.pull_messages([message_id]):
            if reply.metadata.reply_to_message_id == message_id:
                return reply
        return None

    def _judge(self, node_id: int, reply: Message) -> None:
        if reply.has_error():
            self.refusals[node_id] = refuse_error(reply.error)
            return
        try:
            self.answers[node_id] = self._read(node_id, reply.content)
            self.received_bytes += len(to_wire(reply.content))
            del self.refusals[node_id]
        except MessageError as error:
            self.refusals[node_id] = Refusal(Cause.UNREADABLE, str(error))
        except Exception as error:  # Flower unpacks a stranger's bytes only when they are looked at
            self.refusals[node_id] = Refusal(Cause.UNREADABLE, type(error).__name__)


class Pauses:
    """Pauses between two looks: until something comes, or, where nobody tells, ever longer while nothing does.

    Rounds of several cohorts are held side by side, and a pause is where they take turns.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid, self._seconds = grid, FIRST_PAUSE_SECONDS

    async def wait(self, *, came: bool) -> None:
        """Wait before the next look; not where something came for somebody in the turns of the others."""
        before = count_news(self._grid)
        await asyncio.sleep(0)
        if count_news(self._grid) != before:
            return
        self._seconds = FIRST_PAUSE_SECONDS if came else min(1.5 * self._seconds, LONGEST_PAUSE_SECONDS)
        wait_for_news(self._grid, shortest=self._seconds, longest=LONGEST_PAUSE_SECONDS)


async def wait_for(
    trip: Trip[Answer],
    *,
    is_enough: Callable[[], bool],
    patience_seconds: float = math.inf,
    not_awaited: Collection[int] = (),
    withdrawn: Callable[[], Collection[int]] = tuple,
) -> None:
    """Look until everyone has answered, time is up, or there is enough and only those are missing who hold nobody up.

    Parameters
    ----------
    is_enough
        Whether it could go on with what there is.
    patience_seconds
        After which nobody is waited for any more, where there is enough.
    """
    pauses, until = Pauses(trip.grid), time.monotonic() + patience_seconds
    while True:
        came = trip.sweep()
        trip.leave_out(withdrawn())
        is_patient = time.monotonic() < until
        if trip.is_over or (is_enough() and not (is_patient and trip.pending - set(not_awaited))):
            return
        await pauses.wait(came=came)
