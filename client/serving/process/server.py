"""The process that serves a shop: one loop, its children, and a clean end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import uvicorn
import uvloop
from fastapi import FastAPI

from client.serving.api.application import make_application
from client.serving.folder import ServedFolder
from client.serving.inference.serving import Beside, serving_inference
from client.serving.process.bench import Bench
from client.serving.process.guard import Door, Guard
from client.serving.process.importing import Imports
from client.serving.process.keeper import Keeper
from client.serving.process.metric import Counted, Metrics
from client.serving.process.participation import Participation
from client.serving.process.place import Place
from client.serving.process.served import Served
from common.http.connection import Connection
from common.http.token import Keys

IDLE_SECONDS = 30
GRACE_SECONDS = 3
MOST_CONNECTIONS = 512


class _Server(uvicorn.Server):
    """Uvicorn's server, which says once it answers."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_start()


def serve(
    home: ServedFolder, place: Place, keys: Keys, sockets: list[socket.socket], *, on_start: Callable[[int], None]
) -> None:
    """Serve until SIGTERM or Ctrl-C, and end the children too.

    Parameters
    ----------
    sockets
        That listen already.
    on_start
        Called once requests are answered, with the port of gRPC.
    """
    served = Served()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        bench, imports = Bench(home), Imports(home)
        keeper = Keeper(home, served, on_swap=bench.prepare)
        app.state.keeper, app.state.bench, app.state.imports = keeper, bench, imports
        participation = app.state.participation = Participation(home)
        await keeper.load_last()
        task = asyncio.create_task(keeper.run())
        participation.resume()
        try:
            async with serving_inference(beside, home, served, place, keys) as app.state.grpc_port:
                yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await imports.stop()
            await bench.stop()
            await participation.stop()

    app, metrics = make_application(served, lifespan), Metrics(served)
    beside = Beside(app)
    door = Door(keys, place.is_own, place.scheme, f"hansa_{place.port}")
    app.state.home, app.state.door, app.state.metrics = home, door, metrics
    config = uvicorn.Config(
        Counted(Guard(beside, door), metrics),
        http=Connection,
        loop="uvloop",
        ws="none",
        lifespan="on",
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        limit_concurrency=MOST_CONNECTIONS,
        proxy_headers=False,
        access_log=False,
        log_level="error",
        server_header=False,
        ssl_certfile=None if place.tls is None else place.tls / "server.pem",
        ssl_keyfile=None if place.tls is None else str(place.tls / "server.key"),
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Server(config, lambda: on_start(app.state.grpc_port)).serve(sockets))
