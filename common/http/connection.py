"""One connection: httptools parses it, with the bounds on its head that httptools and uvicorn have no setting for."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD = 16 << 10  # bytes
HEAD_SECONDS = 10.0
WRITE_BUFFER = 256 << 10  # bytes of an answer that a slow reader leaves with us
DRAIN_SECONDS = 30.0
TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Connection(HttpToolsProtocol):
    """A connection whose heads are short and come to their end, and whose answers are read."""

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        self._head_bytes = 0
        self._in_head = True
        self._is_whole = True
        self._timer: asyncio.TimerHandle | None = None  # of a head, or of what is left of a body after its answer
        self._drain: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock of the first head."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=WRITE_BUFFER)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._stop_clock()
        self._stop_draining()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes in, but for those of a head that is too long."""
        if self._in_head:
            self._head_bytes += len(data)
            if self._timer is None:
                self._start_clock()
        super().data_received(data)
        if self._in_head and self._head_bytes > LONGEST_HEAD and not self.transport.is_closing():
            self.transport.write(TOO_LONG)
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._in_head, self._head_bytes, self._is_whole = True, 0, False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """End a head."""
        self._in_head = False
        self._stop_clock()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Await the next head, whose clock starts with its first byte; uvicorn ends what is idle."""
        self._in_head, self._head_bytes, self._is_whole = True, 0, True
        self._stop_clock()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Let go of who goes on sending, after its answer, a body that nobody reads.

        uvicorn would wait for ever: the first byte of it ends uvicorn's own clock of idle connections.
        """
        super().on_response_complete()
        is_answered = self.cycle is not None and self.cycle.response_complete
        if is_answered and not self._is_whole and not self._in_head and not self.transport.is_closing():
            self._start_clock()

    def pause_writing(self) -> None:
        """Let go of who does not read its answer."""
        super().pause_writing()
        self._stop_draining()
        self._drain = self.loop.call_later(DRAIN_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on, where the answer is read."""
        self._stop_draining()
        super().resume_writing()

    def _start_clock(self) -> None:
        self._stop_clock()
        self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _stop_clock(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_draining(self) -> None:
        if self._drain is not None:
            self._drain.cancel()
            self._drain = None
