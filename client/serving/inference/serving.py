"""Both protocols of inference beside the shop's own API: their start and their end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from starlette.types import ASGIApp, Receive, Scope, Send

from client.serving.folder import ServedFolder
from client.serving.inference.current import follow
from client.serving.inference.repository import Repository
from client.serving.inference.rest.application import Inference
from client.serving.inference.rpc.server import start_grpc
from client.serving.process.guard import is_inference
from client.serving.process.place import CERTIFICATE, KEY, Place
from client.serving.process.served import Served
from client.serving.process.token import Keys
from common.disk.reading import read_file

GRACE_SECONDS = 1.0


class Beside:
    """Answer the paths of the protocol, and pass all others on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.inference: ASGIApp | None = None  # until the server has started

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if self.inference is not None and scope["type"] == "http" and is_inference(scope["path"]):
            await self.inference(scope, receive, send)
        else:
            await self._app(scope, receive, send)


@asynccontextmanager
async def serving_inference(
    beside: Beside, home: ServedFolder, served: Served, place: Place, keys: Keys
) -> AsyncIterator[int]:
    """Serve the Open Inference Protocol; give the port of gRPC.

    Raises
    ------
    ConfigError
        The port is taken.
    """
    async with follow(home, served) as models:
        repository = Repository(models)
        beside.inference = Inference(repository)
        server, port = await start_grpc(
            repository,
            f"{f'[{place.host}]' if ':' in place.host else place.host}:{place.grpc_port}",
            keys=keys,
            credentials=_read_credentials(place),
        )
        try:
            yield port
        finally:
            await server.stop(GRACE_SECONDS)


def _read_credentials(place: Place) -> grpc.ServerCredentials | None:
    if place.tls is None:
        return None
    pair = (read_file(place.tls / KEY), read_file(place.tls / CERTIFICATE))
    return grpc.ssl_server_credentials([pair])
