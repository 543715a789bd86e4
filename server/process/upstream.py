"""The gateway's lines to the SuperLink: a few, kept open, for all merchants together.

By aiohttp, which hands a free line to the question that waits longest. httpx, which asks everywhere else, offers the
same line to all of them, and the others look again: of 300 merchants at once most came to nothing on a busy machine.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterable
from types import TracebackType

import aiohttp

from server.process.headers import LARGEST_BODY, NEWS
from server.process.loopback import IDLE_SECONDS, WORD_HEADER

LOGGER = logging.getLogger(__name__)
LINES = 64
KEPT_SECONDS = IDLE_SECONDS / 2  # so that it is never the SuperLink that ends a line which is just used again
SECONDS = 30.0  # for a line, and for each piece of an answer
PART_BYTES = 64 << 10
UNSAID = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")  # what aiohttp would say of its own


class Upstream:
    """Ask the SuperLink.

    Parameters
    ----------
    address
        Host and port of the SuperLink, whose certificate `authority` (PEM) has signed.
    word
        What the SuperLink wants to be shown.
    """

    def __init__(self, address: str, *, authority: bytes, word: str) -> None:
        self._base, self._authority, self._word = f"https://{address}", authority, word
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Upstream:
        """Be ready to open lines."""
        trusted = ssl.create_default_context(cadata=self._authority.decode())
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=LINES, ssl=trusted, keepalive_timeout=KEPT_SECONDS),
            timeout=aiohttp.ClientTimeout(total=None, connect=SECONDS, sock_read=SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=UNSAID,
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close them."""
        if self._session is not None:
            await self._session.close()

    async def ask(
        self, path: str, headers: Iterable[tuple[str, str]], body: bytes | bytearray
    ) -> aiohttp.ClientResponse | None:
        """Ask with these headers and no others but host, length and word; None where it does not answer."""
        assert self._session is not None  # noqa: S101  for mypy: nobody is served before the start
        said = [*headers, ("content-length", str(len(body))), (WORD_HEADER, self._word)]
        try:
            return await self._session.post(
                self._base + path, data=_parts(body) if body else None, headers=said, allow_redirects=False
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            LOGGER.warning("The SuperLink did not answer: %s", type(error).__name__)
            return None

    async def ask_news(self, read: bytes) -> bytes:
        """Ask for whom there are messages since an issue (`news.py`).

        Raises
        ------
        aiohttp.ClientError, TimeoutError
            It does not answer.
        """
        assert self._session is not None  # noqa: S101  for mypy: nobody is served before the start
        async with self._session.post(self._base + NEWS, data=read, headers={WORD_HEADER: self._word}) as answer:
            answer.raise_for_status()
            return await answer.read()


async def read_answer(answer: aiohttp.ClientResponse) -> bytearray | None:
    """Read an answer; None where it breaks off or is too long."""
    content = bytearray()
    try:
        async for part in answer.content.iter_chunked(PART_BYTES):
            content += part
            if len(content) > LARGEST_BODY:
                return None
    except (aiohttp.ClientError, TimeoutError) as error:
        LOGGER.warning("The SuperLink broke off: %s", type(error).__name__)
        return None
    return content


async def _parts(body: bytes | bytearray) -> AsyncIterator[bytes]:
    for at in range(0, len(body), PART_BYTES):
        yield bytes(body[at : at + PART_BYTES])
        await asyncio.sleep(0)  # a large one holds nobody else up
