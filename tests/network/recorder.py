"""A second door to a federation that writes down every byte which passes it, after TLS and before it."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import uvicorn

from server.folder import CoordinatorFolder
from server.process.gateway import make_server

Around = TypeVar("Around")


class Recorder:
    """Pass everything on to the gateway's own application, and keep a copy of both directions."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.seen = bytearray()
        self.requests = 0

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.requests += 1
            self.seen += repr((scope["path"], scope["headers"])).encode()

        heard, said = bytearray(), bytearray()

        async def hear() -> Any:
            message = await receive()
            heard.extend(message.get("body", b""))
            return message

        async def say(message: Any) -> None:
            said.extend(message.get("body", b"") + repr(message.get("headers", "")).encode())
            await send(message)

        try:
            await self._app(scope, hear, say)
        finally:  # each in one piece, though several pass at a time
            self.seen += heard + said


def recording_gateway(home: CoordinatorFolder, port: int) -> AbstractContextManager[Recorder]:
    """Serve the gateway, as it is, on another port of this process, and record what passes."""
    return second_door(home, port, Recorder)


@contextmanager
def second_door(home: CoordinatorFolder, port: int, around: Callable[[Any], Around]) -> Iterator[Around]:
    """Serve the gateway, as it is, on another port of this process, with something around its application."""
    started: queue.Queue[tuple[Around, uvicorn.Server]] = queue.Queue()

    def serve() -> None:  # made in the thread that serves: SQLite wants it so
        server = make_server(home, home.read_settings().model_copy(update={"gateway_port": port}))
        recorder = around(server.config.loaded_app)
        server.config.loaded_app = recorder
        started.put((recorder, server))
        asyncio.run(server.serve())

    thread = threading.Thread(target=serve)
    thread.start()
    recorder, server = started.get(timeout=60)
    try:
        yield recorder
    finally:
        server.should_exit = True
        thread.join(60)
