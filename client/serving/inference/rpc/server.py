"""The server of gRPC: its limits, and who may call it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from client.serving.inference.repository import Repository
from client.serving.inference.rpc.proto.open_inference_pb2_grpc import add_GRPCInferenceServiceServicer_to_server
from client.serving.inference.rpc.service import InferenceService
from common.errors import ConfigError
from common.http.token import Keys

MOST_BYTES = 16 << 20  # of a request
MOST_CALLS = 256  # at once; one more is told that the server is exhausted
OPTIONS = (
    ("grpc.max_receive_message_length", MOST_BYTES),
    ("grpc.max_send_message_length", 64 << 20),
    ("grpc.max_concurrent_streams", 128),  # of a connection
    ("grpc.max_metadata_size", 16 << 10),
    ("grpc.absolute_max_metadata_size", 32 << 10),
    ("grpc.max_connection_idle_ms", 600_000),
    ("grpc.http2.max_pings_without_data", 4),
    ("grpc.so_reuseport", 0),  # a port that is taken is said to be
)
HEADER, SCHEME = "authorization", "bearer"


class _Guard(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Let nobody in who does not bring the token."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._refuse = grpc.stream_stream_rpc_method_handler(_refuse)  # it waits for no message before it refuses

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Any:
        given = [value for key, value in details.invocation_metadata if key == HEADER]
        if len(given) == 1 and self._has_token(given[0]):
            return await continuation(details)
        return self._refuse

    def _has_token(self, said: str) -> bool:
        scheme, _, token = said.partition(" ")
        return scheme.lower() == SCHEME and self._keys.is_token(token.strip())


async def _refuse(request: Any, context: grpc.aio.ServicerContext) -> None:
    await context.abort(
        grpc.StatusCode.UNAUTHENTICATED, "The metadata `authorization` must be `Bearer` and the token of this server."
    )


async def start_grpc(
    repository: Repository,
    address: str,
    *,
    keys: Keys | None = None,
    credentials: grpc.ServerCredentials | None = None,
) -> tuple[grpc.aio.Server, int]:
    """Start to serve; give the server and its port.

    Parameters
    ----------
    address
        As 127.0.0.1:8001; port 0 for any that is free.
    keys
        Know the token that every call must bring; None where anybody may call.
    credentials
        Of TLS; without them nothing is encrypted, which is for loopback alone.

    Raises
    ------
    ConfigError
        The port is taken.
    """
    guards = [] if keys is None else [_Guard(keys)]
    server = grpc.aio.server(interceptors=guards, options=OPTIONS, maximum_concurrent_rpcs=MOST_CALLS)
    add_GRPCInferenceServiceServicer_to_server(InferenceService(repository), server)  # type: ignore[no-untyped-call]
    try:
        port = (
            server.add_insecure_port(address) if credentials is None else server.add_secure_port(address, credentials)
        )
    except RuntimeError as error:
        raise ConfigError(f"gRPC cannot listen at {address}; choose another --grpc-port.") from error
    await server.start()
    return server, port
