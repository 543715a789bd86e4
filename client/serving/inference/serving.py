"""Both protocols of inference beside the shop's own API: their start and their end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from fastapi import FastAPI

from client.serving.folder import ServedFolder
from client.serving.inference.current import follow
from client.serving.inference.repository import Repository
from client.serving.inference.rest.route import make_routes
from client.serving.inference.rpc.server import start_grpc
from client.serving.process.place import CERTIFICATE, KEY, Place
from client.serving.process.served import Served
from client.serving.process.token import Keys
from common.disk.reading import read_file

GRACE_SECONDS = 1.0


@asynccontextmanager
async def serving_inference(
    app: FastAPI, home: ServedFolder, served: Served, place: Place, keys: Keys
) -> AsyncIterator[int]:
    """Serve the Open Inference Protocol; give the port of gRPC.

    Raises
    ------
    ConfigError
        The port is taken.
    """
    async with follow(home, served) as models:
        repository = Repository(models)
        app.router.routes.extend(make_routes(repository))
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
