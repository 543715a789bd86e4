"""One round over Flower's Grid: ask every merchant, wait until the deadline, keep what is sound.

Flower's own loop waits for ever for merchants to appear and has no quorum; this one always ends. It knows no
model: `server.round.federation` asks for it, and `server.round.aggregation` turns the replies into the next one.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from flwr.app import Error, Message, MessageType, RecordDict
from flwr.serverapp import Grid

from common.errors import MessageError
from common.message.decline import is_declined
from common.message.round import RoundReply, RoundRequest, decode_reply, encode_request
from server.round.news import wait_for_news

FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.5  # an idle question costs the SuperLink 8 ms of CPU
MOST_FAILURES = 5  # to read one answer; then it holds nobody up any more


class Cause(StrEnum):
    """Why a merchant's answer does not count."""

    UNSENT = "the request could not be delivered"
    LATE = "no answer before the deadline"
    OFFLINE = "the merchant is not connected"
    DECLINED = "the merchant declined"
    FAILED = "the merchant reported an error"
    UNREADABLE = "the answer could not be read"
    STRAY = "the answer belongs to another plan or round"
    REVOKED = "the merchant was revoked"
    IMPLAUSIBLE = "the answer is larger than the merchant's public terms allow"


CAUSES = {3: Cause.LATE, 4: Cause.LATE, 5: Cause.OFFLINE}  # of Flower's ErrorCode; any other is a failure


@dataclass(frozen=True)
class Refusal:
    """Tell the journal why a merchant's answer does not count, without a word that the merchant wrote."""

    cause: Cause
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.cause} ({self.detail})" if self.detail else str(self.cause)


RoundAnswer = RoundReply | Refusal
Word = Callable[[RoundRequest, Collection[int]], Mapping[int, RecordDict]]


@dataclass(frozen=True)
class RoundOutcome:
    """Hold what a round brought: every merchant that was asked is in one of the two, by node id."""

    replies: Mapping[int, RoundReply]
    refusals: Mapping[int, Refusal]


def say_the_same(request: RoundRequest, node_ids: Collection[int]) -> Mapping[int, RecordDict]:
    """Say a request to every node in the same words."""
    return dict.fromkeys(node_ids, encode_request(request))


def gather_answers(
    grid: Grid,
    *,
    request: RoundRequest,
    node_ids: Collection[int],
    timeout_seconds: float,
    quorum: int,
    not_awaited: Collection[int] = (),
    withdrawn: Callable[[], Collection[int]] = tuple,
    word: Word = say_the_same,
) -> RoundOutcome:
    """Send one request to every node and gather the replies that are sound and in time.

    Guarantee: ends at most one pass over the open messages after `timeout_seconds`, whatever the merchants
    do. A request expires with the deadline, so a merchant that wakes up later spends no privacy on an answer
    that nobody awaits.

    Parameters
    ----------
    grid
        Flower's connection to the merchants.
    request
        What to ask; its number of parameters is the size that a reply must have.
    node_ids
        Whom to ask, each once.
    timeout_seconds
        How long to wait for replies, from the sending of the request.
    quorum
        The sound replies without which `not_awaited` are waited for too; whether fewer make a round is for the
        caller to say.
    not_awaited
        Nodes of `node_ids` that are asked too, but hold nobody up.
    withdrawn
        Asked at every look at the answers: nodes that take no part any more. What they answered does not count, and
        nobody waits for them.
    word
        Says the request to each node; over a network it is signed with who is asked.

    Returns
    -------
    RoundOutcome
        The sound replies, and for every other node the reason.
    """
    answers = _gather(
        grid,
        request,
        node_ids=node_ids,
        timeout_seconds=timeout_seconds,
        quorum=quorum,
        not_awaited=frozenset(not_awaited),
        withdrawn=withdrawn,
        word=word,
    )
    replies = {node_id: answer for node_id, answer in answers.items() if isinstance(answer, RoundReply)}
    refusals = {node_id: answer for node_id, answer in answers.items() if isinstance(answer, Refusal)}
    return RoundOutcome(replies, refusals)


def refuse_error(error: Error) -> Refusal:
    """Say what an error in the place of an answer means; nothing that its sender wrote is repeated."""
    if is_declined(error):
        return Refusal(Cause.DECLINED)
    return Refusal(CAUSES.get(error.code, Cause.FAILED), f"Flower error {error.code}")


def _gather(
    grid: Grid,
    request: RoundRequest,
    *,
    node_ids: Collection[int],
    timeout_seconds: float,
    quorum: int,
    not_awaited: frozenset[int],
    withdrawn: Callable[[], Collection[int]],
    word: Word,
) -> dict[int, RoundAnswer]:
    """Return the answer of every node, a Refusal where there is none that counts."""
    deadline = time.monotonic() + timeout_seconds
    answers: dict[int, RoundAnswer] = dict.fromkeys(node_ids, Refusal(Cause.UNSENT))
    pending = _send(grid, request, node_ids=node_ids, timeout_seconds=timeout_seconds, word=word)
    answers |= dict.fromkeys(pending.values(), Refusal(Cause.LATE))
    failures: Counter[str] = Counter()
    pause_seconds = FIRST_PAUSE_SECONDS
    while True:
        _sweep(grid, request, pending=pending, answers=answers, failures=failures)
        _leave_out(withdrawn(), pending=pending, answers=answers)
        remaining_seconds = deadline - time.monotonic()
        enough = sum(isinstance(answer, RoundReply) for answer in answers.values()) >= quorum
        legible = {node_id for message_id, node_id in pending.items() if failures[message_id] < MOST_FAILURES}
        if not pending or remaining_seconds <= 0 or (enough and legible <= not_awaited):
            return answers
        longest = min(LONGEST_PAUSE_SECONDS, remaining_seconds)
        wait_for_news(grid, shortest=pause_seconds, longest=longest)
        pause_seconds = min(1.5 * pause_seconds, LONGEST_PAUSE_SECONDS)


def _sweep(
    grid: Grid,
    request: RoundRequest,
    *,
    pending: dict[str, int],
    answers: dict[int, RoundAnswer],
    failures: Counter[str],
) -> None:
    """Ask once for every open reply; move what came from `pending` to `answers`, and count what could not be read."""
    for message_id, node_id in list(pending.items()):
        try:
            reply = _pull(grid, message_id)
        except Exception as error:  # one merchant's bytes must not end everyone's round: ask again later
            answers[node_id] = Refusal(Cause.UNREADABLE, type(error).__name__)
            failures[message_id] += 1
            continue
        if reply is not None:
            answers[node_id] = _judge(reply, request)
            del pending[message_id]


def _leave_out(node_ids: Collection[int], *, pending: dict[str, int], answers: dict[int, RoundAnswer]) -> None:
    """Wait no longer for nodes that take no part any more, and let nothing count that they answered."""
    answers |= {node_id: Refusal(Cause.REVOKED) for node_id in node_ids if node_id in answers}
    for message_id in [message_id for message_id, node_id in pending.items() if node_id in node_ids]:
        del pending[message_id]


def _send(
    grid: Grid, request: RoundRequest, *, node_ids: Collection[int], timeout_seconds: float, word: Word
) -> dict[str, int]:
    """Return the node of every message that was accepted, by message id.

    An error reply made by the SuperLink names the SuperLink as its source, so only this map tells who it is.
    """
    contents = word(request, node_ids)
    messages = [
        Message(contents[node_id], node_id, MessageType.TRAIN, ttl=timeout_seconds, group_id=str(request.round_number))
        for node_id in node_ids
    ]
    # The ids come in the order of the messages, empty where one was refused; none at all where all were.
    sent = zip(grid.push_messages(messages), node_ids, strict=False)
    return {message_id: node_id for message_id, node_id in sent if message_id}


def _pull(grid: Grid, message_id: str) -> Message | None:
    """Ask for one reply alone: were one of a batch unreadable, Flower would lose the others with it."""
    for reply in grid.pull_messages([message_id]):
        if reply.metadata.reply_to_message_id == message_id:
            return reply
    return None


def _judge(reply: Message, request: RoundRequest) -> RoundAnswer:
    if reply.has_error():
        return refuse_error(reply.error)
    try:
        answer = decode_reply(reply.content, size=len(request.parameters))
    except MessageError as error:
        return Refusal(Cause.UNREADABLE, str(error))
    except Exception as error:  # Flower unpacks a stranger's bytes only when they are looked at
        return Refusal(Cause.UNREADABLE, type(error).__name__)
    if (answer.plan_hash, answer.round_number) != (request.plan_hash, request.round_number):
        return Refusal(Cause.STRAY)
    return answer
