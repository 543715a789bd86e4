"""The paths of the protocol, as an application of its own: beside a framework's it takes a quarter of the time.

Whoever it is mounted behind guards it (`client.serving.process.guard`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from client.serving.encoding import encode
from client.serving.inference.exchange import Answer, Asked
from client.serving.inference.fault import InferenceFault, Kind
from client.serving.inference.repository import Repository
from client.serving.inference.rest.compression import compress, expand, too_large
from client.serving.inference.rest.reading import read_request
from client.serving.inference.rest.writing import describe_model, describe_server, write_answer
from client.serving.process.refusal import Refusal

LOGGER = logging.getLogger(__name__)
PREFIX = "/v2"
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
JSON, BYTES = (b"content-type", b"application/json"), (b"content-type", b"application/octet-stream")


@dataclass(frozen=True)
class Reply:
    """What is sent back."""

    status: int
    body: bytes
    headers: Sequence[tuple[bytes, bytes]] = (JSON,)


@dataclass(frozen=True)
class Pattern:
    """By which a request is counted; it stands where a framework leaves its route."""

    path: str


class Gone(Exception):
    """Report that who asked has gone."""


class Inference:
    """Answer the protocol over ASGI."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is wrong with it is {"error": …}."""
        try:
            reply = await self._answer(scope, receive)
        except Gone:
            return
        except InferenceFault as fault:
            reply = _say_fault(fault)
        except Refusal as refusal:  # of the guard, that lets no more of a body in
            reply = Reply(refusal.status, encode({"error": refusal.message}), (JSON, (b"connection", b"close")))
        except Exception:
            LOGGER.exception("inference over REST")
            reply = _say_fault(BROKEN)
        length = (b"content-length", str(len(reply.body)).encode())
        await send({"type": "http.response.start", "status": reply.status, "headers": [length, *reply.headers]})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        method, parts = scope["method"], scope["path"].split("/")[2:]
        if parts[:1] == ["models"] and len(parts) > 1:
            version, rest = (parts[3], parts[4:]) if parts[2:3] == ["versions"] and len(parts) > 3 else ("", parts[2:])
            scope["route"] = Pattern(f"{PREFIX}/models/{{model}}/{rest[0] if rest in (['infer'], ['ready']) else ''}")
            if rest == ["infer"] and method == "POST":
                return await self._infer(scope, receive, parts[1], version)
            if rest == ["ready"] and method in ("GET", "HEAD"):
                self._repository.find(parts[1], version)
                return _say({"name": parts[1], "ready": True})
            if not rest and method in ("GET", "HEAD"):
                return _say(describe_model(self._repository.describe(parts[1], version)))
        elif method in ("GET", "HEAD"):
            scope["route"] = Pattern(PREFIX)
            if parts in ([], [""]):
                return _say(describe_server())
            if parts == ["health", "live"]:
                return _say({"live": True})  # KServe's client reads it, Triton's the status alone
            if parts == ["health", "ready"]:
                ready = self._repository.is_ready
                return _say({"ready": ready}, status=200 if ready else FALSE)
        raise InferenceFault(Kind.UNKNOWN, f"There is no {method} {scope['path'][:100]} here.")

    async def _infer(self, scope: Scope, receive: Receive, model: str, version: str) -> Reply:
        self._repository.find(model, version)
        headers, body = Headers(scope=scope), await _read_body(receive)
        given = (body, headers, model, version)
        asked = await asyncio.to_thread(_read, *given) if len(body) > LONG_BYTES else _read(*given)
        answer = await self._repository.answer(asked)
        if sum(output.values.size for output in answer.outputs) > LONG_ELEMENTS:
            return await asyncio.to_thread(_write, answer, asked, headers)
        return _write(answer, asked, headers)


async def _read_body(receive: Receive) -> bytes:
    found, length = list[bytes](), 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        piece = message.get("body", b"")
        length += len(piece)
        if length > MOST_BYTES:
            raise too_large(MOST_BYTES)
        found.append(piece)
        if not message.get("more_body", False):
            return b"".join(found)


def _read(body: bytes, headers: Headers, model: str, version: str) -> Asked:
    whole = expand(body, headers.get("content-encoding", "").strip().lower(), most_bytes=MOST_BYTES)
    return read_request(whole, headers.get(HEAD_LENGTH), model=model, version=version)


def _write(answer: Answer, asked: Asked, headers: Headers) -> Reply:
    body, head_length = write_answer(answer, asked)
    body, encoding = compress(body, headers.get("accept-encoding", ""))
    said = [JSON] if head_length is None else [BYTES, (HEAD_LENGTH.encode(), str(head_length).encode())]
    if encoding:
        said += [(b"content-encoding", encoding.encode()), (b"vary", b"accept-encoding")]
    return Reply(200, body, said)


def _say(document: object, *, status: int = 200) -> Reply:
    return Reply(status, encode(document))


def _say_fault(fault: InferenceFault) -> Reply:
    more = ((b"retry-after", b"1"),) if fault.kind is Kind.BUSY else ()
    return Reply(STATUS[fault.kind], encode({"error": str(fault)}), (JSON, *more))
