"""The only door: mutual TLS in front of Flower's fleet API, and nothing else of Flower.

Flower's node signatures cover a timestamp, not the body, and its control and runtime APIs trust whoever reaches them.
So the SuperLink listens on loopback, behind a word (`loopback.py`), and this passes on

- only to the paths in `PASSED`: a daemon neither registers itself nor fetches code;
- only from a certificate that this federation's authority signed, or the one that is to follow it, and that was handed
  to a member that is enrolled and not revoked;
- only with the node key that was enrolled together with that certificate;
- only what was judged: of the head every header by itself, once each (`headers.py`), of the body its length;
- only so much: sizes, rates, connections, memory and time are bounded, for each merchant by itself (`limits.py`,
  `door.py`);
- only in a protocol that both ends speak, which the coordinator is told of (docs/protocol.md §5.1).

A refusal is one status and one word; why is in the log, in words of our own.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, MutableMapping
from contextlib import asynccontextmanager, closing
from typing import Any

import aiohttp
import uvicorn
from starlette.routing import Router

from common.disk.reading import read_file
from common.errors import ConfigError
from common.http.pace import Pace
from common.message.protocol import HEADER, write_spoken
from server.folder import CoordinatorFolder, Settings
from server.process.door import MOST_UNSHAKEN, DoorServer
from server.process.doorkeeper import Doorkeeper
from server.process.headers import (
    LARGEST_BODY,
    LONGEST_HEAD,
    PULLS,
    Head,
    Improper,
    read_head,
    read_kind,
    read_path,
)
from server.process.limits import Bucket, Full, Room, Slots
from server.process.loopback import make_word
from server.process.seen import keep_seen
from server.process.trust import read_authorities, trust_followers
from server.process.upstream import LINES, Upstream, read_answer
from server.process.waiting import AGAIN, Gone, WaitingRoom, while_there

Meanwhile = Callable[[], Coroutine[Any, Any, None]]
LOGGER = logging.getLogger(__name__)
MOST_CONNECTIONS = 4096
FEWEST_CONNECTIONS = 64
OTHER_FILES = 128  # that the process opens beside connections
MEMBER_IDLE_SECONDS = 60
PART_BYTES = 64 << 10
COMPLAINTS_PER_SECOND = 2.0  # lines of the log that the refusals of one certificate may take


class Gateway:
    """The ASGI application that judges every request and passes on what may pass."""

    def __init__(self, doorkeeper: Doorkeeper, settings: Settings, upstream: Upstream) -> None:
        self._doorkeeper, self._upstream, self._waiting = doorkeeper, upstream, WaitingRoom()
        self._slots, self._room = Slots(settings.requests_at_once), Room(settings.body_megabytes << 20)
        self._complaints: dict[str, Bucket] = {}

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        say = _Answering(scope, send)
        certificate, valid_until = scope["state"]["certificate"], scope["state"]["valid_until"]
        try:
            head = read_head(scope["headers"])
        except Improper as error:
            await self._refuse(say, 400, str(error))
            return
        status, reason = self._doorkeeper.judge(certificate, valid_until, head.said)
        if status != 200:
            await self._refuse(say, status, reason)
            return
        self._doorkeeper.note_certificate(certificate, scope["state"]["pem"])
        path, member = read_path(scope), self._doorkeeper.name(certificate)
        if path is None:
            await self._refuse(say, 404, "a path that is not published", goes_on=head.num_bytes == 0)
            return
        try:
            with self._slots.take(member):
                await self._pass(say, receive, path, head, member)
        except Full:
            await self._refuse(say, 429, f"{member}, who has too much under way")
        except Gone:
            pass

    async def _pass(self, say: _Answering, receive: Any, path: str, head: Head, member: str) -> None:
        state = say.scope["state"]
        if "content-length" not in head.said:
            await self._refuse(say, 411, f"a body of no stated length from {member}")
        elif head.num_bytes > LARGEST_BODY:
            await self._refuse(say, 413, f"a body that is too large from {member}")
        else:
            async with self._room.hold(member, head.num_bytes):
                body = await read_body(receive, head.num_bytes)
                if body is None:
                    await self._refuse(say, 429, f"a body that is too slow from {member}")
                    return
                status, reason = self._doorkeeper.look_again(state["certificate"], state["valid_until"])
                if status != 200:
                    await self._refuse(say, status, reason)
                    return
                node_id = self._doorkeeper.node_id(state["certificate"])
                answer = await self._ask_or_wait(receive, path, head, body, node_id=node_id)
                del body
                status, reason = self._doorkeeper.look_again(state["certificate"], state["valid_until"])
                if status != 200:
                    if answer is not None:
                        answer.close()
                    await self._refuse(say, status, reason)
                    return
            if answer is None:
                await self._refuse(say, 503, f"{member}, since the SuperLink does not answer")
                return
            await self._hand_back(say, answer, member)

    async def _ask_or_wait(
        self, receive: Any, path: str, head: Head, body: bytearray, *, node_id: int | None
    ) -> aiohttp.ClientResponse | None:
        """Ask the SuperLink; for a message as soon as there is one, or after a while; not for who has gone."""

        async def ask() -> aiohttp.ClientResponse | None:
            return await self._upstream.ask(path, head.passed_on(), body)

        if path not in PULLS or node_id is None:
            return await while_there(receive, ask())
        return await while_there(receive, self._waiting.take(node_id, ask, is_lost=AGAIN in bytes(body)))

    async def listen(self) -> None:
        """Read along for whom the SuperLink has messages, for ever."""
        await self._waiting.listen(self._upstream.ask_news)

    async def _hand_back(self, say: _Answering, answer: aiohttp.ClientResponse, member: str) -> None:
        """Read an answer of bounded length and hand it back, at the pace that the merchant reads it."""
        try:
            stated = answer.headers.get("content-length", "")
            num_bytes = int(stated) if stated.isdecimal() else LARGEST_BODY
            async with self._room.hold(member, min(num_bytes, LARGEST_BODY)):
                content = await read_answer(answer) if num_bytes <= LARGEST_BODY else None
                if content is None:
                    await self._refuse(say, 503, f"{member}, since the SuperLink does not answer")
                    return
                kind = read_kind(answer.headers.getall("content-type", []))
                if not await say.whole(answer.status, kind, content):
                    LOGGER.warning("Let go of %s, who reads an answer too slowly", member)
        finally:
            answer.close()

    async def _refuse(self, say: _Answering, status: int, reason: str, *, goes_on: bool = False) -> None:
        """Say one word, and end the connection: what comes of the body is not waited for."""
        if self._complaints.setdefault(say.scope["state"]["certificate"], Bucket(COMPLAINTS_PER_SECOND)).take():
            LOGGER.warning("Refused %d from %s: %s", status, (say.scope["client"] or "?")[0], reason)
        ends = [] if goes_on else [(b"connection", b"close")]
        await say.whole(status, [(b"content-type", b"text/plain; charset=utf-8"), *ends], b"refused")


class _Answering:
    """The way back to a merchant."""

    def __init__(self, scope: MutableMapping[str, Any], send: Any) -> None:
        self.scope, self._send = scope, send

    async def whole(self, status: int, headers: list[tuple[bytes, bytes]], content: bytes | bytearray) -> bool:
        """Send an answer piece by piece; whoever does not take it is let go of, and then it returns False."""
        told = [(b"content-length", str(len(content)).encode()), (HEADER.encode(), write_spoken().encode())]
        pace = Pace()
        try:
            await self._send({"type": "http.response.start", "status": status, "headers": [*headers, *told]})
            for at in range(0, max(len(content), 1), PART_BYTES):
                part = bytes(content[at : at + PART_BYTES])
                async with pace.next_piece():
                    more = at + PART_BYTES < len(content)
                    await self._send({"type": "http.response.body", "body": part, "more_body": more})
                pace.note(len(part))
        except TimeoutError:
            self.scope["state"]["abort"]()
            await asyncio.sleep(0.1)  # until the connection knows of it
            return False
        return True


async def read_body(receive: Any, num_bytes: int) -> bytearray | None:
    """Read a body of the length that was stated; None where it stays behind the slowest pace, or breaks off."""
    body, pace = bytearray(), Pace()
    while True:
        try:
            async with pace.next_piece():
                message = await receive()
        except TimeoutError:
            return None
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        pace.note(len(message.get("body", b"")))
        if not message.get("more_body", False) or len(body) > num_bytes:
            return body if len(body) == num_bytes else None


def make_app(
    upstream: Upstream, doorkeeper: Doorkeeper, settings: Settings, *, meanwhile: Meanwhile | None = None
) -> Router:
    """Make the application, which opens its lines to the SuperLink when it starts.

    Parameters
    ----------
    meanwhile
        What goes on beside the requests, until the end.
    """
    gateway = Gateway(doorkeeper, settings, upstream)

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        async with upstream:
            tasks = [asyncio.create_task(gateway.listen())]
            tasks += [asyncio.create_task(meanwhile())] if meanwhile is not None else []
            with closing(doorkeeper):
                yield
            for task in tasks:
                task.cancel()

    return Router(default=gateway, lifespan=lifespan, redirect_slashes=False)


def make_server(home: CoordinatorFolder, settings: Settings) -> DoorServer:
    """Say how the gateway is served: no handshake without a certificate that the authority signed.

    Raises
    ------
    OSError
        A certificate or key is missing.
    """
    authority = home.authority / "authority.pem"
    doorkeeper = Doorkeeper(home.registry, requests_per_second=settings.requests_per_second)

    async def meanwhile() -> None:
        assert config.ssl is not None  # noqa: S101  for mypy: certificates were given
        await asyncio.gather(trust_followers(home, config.ssl), keep_seen(home.seen, doorkeeper.seen))

    upstream = Upstream(
        f"127.0.0.1:{settings.superlink_port}",
        authority=read_authorities(home),
        word=make_word(read_file(home.secret)),
    )
    config = uvicorn.Config(
        make_app(upstream, doorkeeper, settings, meanwhile=meanwhile),
        host=settings.bind,
        port=settings.gateway_port,
        loop="asyncio",
        ws="none",
        ssl_certfile=home.authority / "server.pem",
        ssl_keyfile=str(home.authority / "server.key"),
        ssl_ca_certs=str(authority),
        ssl_cert_reqs=ssl.CERT_REQUIRED,
        h11_max_incomplete_event_size=LONGEST_HEAD,
        timeout_keep_alive=MEMBER_IDLE_SECONDS,
        timeout_graceful_shutdown=2,
        proxy_headers=False,  # an address is the socket's own, and none that a header claims
        access_log=False,
        log_level="error",  # a line for every malformed request would drive the others out of the log
        server_header=False,
    )
    config.load()
    assert config.ssl is not None  # noqa: S101  for mypy: certificates were given
    config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3
    config.ssl.load_verify_locations(cadata=read_authorities(home).decode())  # two while one follows the other
    return DoorServer(
        config,
        most=count_connections(),
        most_of_one=settings.connections_per_member,
        most_unshaken=settings.unshaken_per_address,
    )


def count_connections() -> int:
    """Let the process open as many files as it may, and return how many connections those are good for.

    Raises
    ------
    ConfigError
        They are too few for a gateway.
    """
    needed = MOST_CONNECTIONS + MOST_UNSHAKEN + LINES + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = needed if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    connections = min(MOST_CONNECTIONS, files - (needed - MOST_CONNECTIONS))
    if connections < FEWEST_CONNECTIONS:
        raise ConfigError(
            f"A process may open {files} files here, too few for a gateway; set LimitNOFILE of the service, or "
            f"ulimit -Hn, to {needed}."
        )
    if connections < MOST_CONNECTIONS:
        LOGGER.warning(
            "A process may open %d files here, so the gateway takes %d connections and not %d; where more merchants "
            "come, set LimitNOFILE of the service, or ulimit -Hn, to %d.",
            *(files, connections, MOST_CONNECTIONS, needed),
        )
    return connections


def serve(home: CoordinatorFolder) -> None:
    """Serve until SIGTERM."""
    make_server(home, home.read_settings()).run()
