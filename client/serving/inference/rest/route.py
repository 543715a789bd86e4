"""The paths of the protocol, as routes of an application that guards them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from client.serving.encoding import encode
from client.serving.inference.exchange import Answer, Asked
from client.serving.inference.fault import InferenceFault, Kind
from client.serving.inference.repository import Repository
from client.serving.inference.rest.compression import compress, expand, too_large
from client.serving.inference.rest.reading import read_request
from client.serving.inference.rest.writing import describe_model, describe_server, write_answer
from client.serving.process.refusal import Refusal

LOGGER = logging.getLogger(__name__)
MOST_BYTES = 16 << 20
LONG_BYTES, LONG_ELEMENTS = 1 << 17, 1 << 16  # beyond which they are read, and written, beside the loop
STATUS = {
    Kind.INVALID: 400,
    Kind.UNKNOWN: 404,
    Kind.TOO_LARGE: 413,
    Kind.BUSY: 503,
    Kind.LATE: 504,
    Kind.NOT_READY: 503,
    Kind.BROKEN: 500,
}
FALSE = 400  # how the protocol says that something is not ready
HEAD_LENGTH = "inference-header-content-length"
BROKEN = InferenceFault(Kind.BROKEN, "This could not be answered, by a fault of hansa's; tell its makers.")


def make_routes(repository: Repository) -> Sequence[BaseRoute]:
    """Make the routes of the protocol; everything else under /v2 is answered as not there."""
    protocol = _Protocol(repository)
    model = "/v2/models/{model:str}"
    each: list[BaseRoute] = []
    for path in (model, model + "/versions/{version:str}"):
        each += [
            Route(f"{path}/infer", _answer_faults(protocol.infer), methods=["POST"]),
            Route(f"{path}/ready", _answer_faults(protocol.model_ready)),
            Route(path, _answer_faults(protocol.model)),
        ]
    each += [
        Route("/v2/health/live", _answer_faults(protocol.live)),
        Route("/v2/health/ready", _answer_faults(protocol.ready)),
        Route("/v2", _answer_faults(protocol.server)),
        Route("/v2/", _answer_faults(protocol.server)),
        Route("/v2/{rest:path}", _answer_faults(protocol.nothing), methods=["GET", "POST", "PUT", "DELETE", "PATCH"]),
    ]
    return each


@dataclass(frozen=True)
class _Protocol:
    repository: Repository

    async def live(self, request: Request) -> Response:
        return _json({"live": True})  # KServe's client reads it, Triton's the status alone

    async def ready(self, request: Request) -> Response:
        return _say_ready(self.repository.is_ready)

    async def server(self, request: Request) -> Response:
        return _json(describe_server())

    async def model(self, request: Request) -> Response:
        return _json(describe_model(self.repository.describe(*_which(request))))

    async def model_ready(self, request: Request) -> Response:
        model, version = _which(request)
        self.repository.find(model, version)
        return _json({"name": model, "ready": True})

    async def infer(self, request: Request) -> Response:
        model, version = _which(request)
        self.repository.find(model, version)
        body, headers = await _read_body(request), request.headers
        given = (body, headers, model, version)
        asked = await asyncio.to_thread(_read, *given) if len(body) > LONG_BYTES else _read(*given)
        answer = await self.repository.answer(asked)
        if sum(output.values.size for output in answer.outputs) > LONG_ELEMENTS:
            return await asyncio.to_thread(_write, answer, asked, headers)
        return _write(answer, asked, headers)

    async def nothing(self, request: Request) -> Response:
        raise InferenceFault(Kind.UNKNOWN, f"There is no {request.method} {request.url.path[:100]} here.")


def _which(request: Request) -> tuple[str, str]:
    return request.path_params["model"], request.path_params.get("version", "")


async def _read_body(request: Request) -> bytes:
    found, length = list[bytes](), 0
    async for chunk in request.stream():
        length += len(chunk)
        if length > MOST_BYTES:
            raise too_large(MOST_BYTES)
        found.append(chunk)
    return b"".join(found)


def _read(body: bytes, headers: Headers, model: str, version: str) -> Asked:
    whole = expand(body, headers.get("content-encoding", "").strip().lower(), most_bytes=MOST_BYTES)
    return read_request(whole, headers.get(HEAD_LENGTH), model=model, version=version)


def _write(answer: Answer, asked: Asked, headers: Headers) -> Response:
    body, head_length = write_answer(answer, asked)
    body, encoding = compress(body, headers.get("accept-encoding", ""))
    media_type = "application/json" if head_length is None else "application/octet-stream"
    response = Response(body, media_type=media_type)
    if head_length is not None:
        response.headers[HEAD_LENGTH] = str(head_length)
    if encoding:
        response.headers["content-encoding"] = encoding
        response.headers["vary"] = "accept-encoding"
    return response


def _say_ready(ready: bool) -> Response:
    return _json({"ready": ready}, status=200 if ready else FALSE)


def _json(document: object, *, status: int = 200) -> Response:
    return Response(encode(document), status_code=status, media_type="application/json")


def _answer_faults(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Answer what is wrong as the protocol does: a status, and {"error": …}."""

    async def guarded(request: Request) -> Response:
        try:
            return await answer(request)
        except InferenceFault as fault:
            return _say_fault(fault)
        except Refusal as refusal:  # of the guard, that lets no more of a body in
            return _json({"error": refusal.message}, status=refusal.status)
        except ClientDisconnect:
            raise
        except Exception:
            LOGGER.exception("inference over REST")
            return _say_fault(BROKEN)

    return guarded


def _say_fault(fault: InferenceFault) -> Response:
    response = _json({"error": str(fault)}, status=STATUS[fault.kind])
    if fault.kind is Kind.BUSY:
        response.headers["retry-after"] = "1"
    return response
