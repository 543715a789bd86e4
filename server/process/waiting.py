"""Where merchants wait for a message: at the gateway, which asks the SuperLink only where there may be one.

A merchant that waits costs the SuperLink nothing, and a thousand of them cost one line on which it tells who has news.
Nothing but time depends on that line: a question that has waited long enough is passed on in any case.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import aiohttp

from server.process.news import Issue, News, wait_for

SHORTEST_SECONDS, LONGEST_SECONDS = 3.0, 20.0  # that a question waits; a merchant's own client gives up after 30
ASKED_PER_SECOND = 50.0  # by all who wait, at most: the more they are, the longer each waits
MOST_OF_ONE = 2  # a merchant asks once at a time; one that was killed may not be known to have gone yet
RETRY_SECONDS = 0.5
NONE_LEFT = "hansa-none-left"  # the header of an answer after which the SuperLink has no message for who asked
AGAIN = b"again"  # in a question whose last answer did not arrive (docs/protocol.md §5.15)

Result = TypeVar("Result")
Ask = Callable[[], Awaitable[aiohttp.ClientResponse | None]]


async def _is_read(answer: aiohttp.ClientResponse) -> bool:
    """Read an answer to its end, so that its line is free again; whether it had one."""
    try:
        await answer.read()
    except aiohttp.ClientError:
        answer.close()
        return False
    return True


class Gone(Exception):
    """Report that whoever asked has closed the connection."""


class WaitingRoom:
    """Hold questions for messages back until there may be one."""

    def __init__(self) -> None:
        self._news, self._read = News(), Issue()
        self._waiting: Counter[int] = Counter()
        self._without: set[int] = set()  # nodes for whom there is nothing, until there is news of them

    @property
    def seconds(self) -> float:
        """How long a question waits now."""
        return min(max(SHORTEST_SECONDS, self._waiting.total() / ASKED_PER_SECOND), LONGEST_SECONDS)

    async def take(self, node_id: int, ask: Ask, *, is_lost: bool) -> aiohttp.ClientResponse | None:
        """Ask for a message until one is there or time is up; the last answer, which the caller closes.

        Parameters
        ----------
        ask
            Asks the SuperLink.
        is_lost
            Whether the last answer did not arrive, so that what it held has to be given again.
        """
        clock = asyncio.get_running_loop()
        self._waiting[node_id] += 1
        try:
            until = clock.time() + (self.seconds if self._waiting[node_id] <= MOST_OF_ONE else 0.0)
            while True:
                event = self._news.of(node_id)
                is_late = clock.time() >= until
                if is_lost or is_late or node_id not in self._without:
                    answer = await ask()
                    is_without = answer is not None and answer.headers.get(NONE_LEFT) == "nothing"
                    self._note(node_id, answer, event)
                    if is_late or answer is None or not is_without:
                        return answer
                    if not await _is_read(answer):
                        return None
                    is_lost = False
                await wait_for(event, until - clock.time())
        finally:
            self._waiting[node_id] -= 1
            if not self._waiting[node_id]:
                del self._waiting[node_id]

    def _note(self, node_id: int, answer: aiohttp.ClientResponse | None, event: asyncio.Event) -> None:
        """Remember that there is nothing for a node, unless news came while it was asked."""
        if answer is not None and NONE_LEFT in answer.headers and not event.is_set():
            self._without.add(node_id)
        else:
            self._without.discard(node_id)

    async def listen(self, ask: Callable[[bytes], Awaitable[bytes]]) -> None:
        """Read along who has news, for ever.

        Parameters
        ----------
        ask
            Asks the SuperLink what is new since an issue; it waits a while where nothing is.
        """
        while True:
            try:
                self._hear(Issue.from_bytes(await ask(self._read.to_bytes())))
            except (aiohttp.ClientError, TimeoutError, ValueError, TypeError):  # it is being started again, say
                self._hear(Issue())
                await asyncio.sleep(RETRY_SECONDS)

    def _hear(self, issue: Issue) -> None:
        self._read = issue
        if issue.node_ids is None:
            self._without.clear()
            if issue.bulletin:
                self._news.tell_all()
        else:
            self._without.difference_update(issue.node_ids)
            self._news.tell(issue.node_ids)


async def while_there(receive: Any, work: Coroutine[Any, Any, Result]) -> Result:
    """Do something for whoever asks, and let go of it as soon as they have closed the connection.

    On a busy machine a merchant gives up and asks again: without this, what nobody waits for any more would keep the
    others waiting, until nobody gets an answer in time.

    Parameters
    ----------
    receive
        ASGI's, by which one learns that whoever asks has gone.

    Raises
    ------
    Gone
        They have.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_is_gone(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Gone
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()


async def _is_gone(receive: Any) -> None:
    """Return when whoever asks has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
