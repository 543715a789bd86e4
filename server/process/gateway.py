"""The only door: mutual TLS in front of Flower's fleet API, and nothing else of Flower.

Flower's node signatures cover a timestamp, not the body, and its control and runtime APIs trust whoever reaches them.
So the SuperLink listens on loopback, and this passes on

- only to the paths in `PASSED`: a daemon neither registers itself nor fetches code;
- only from a certificate that this federation's authority signed, or the one that is to follow it, and that was handed
  to a member that is enrolled and not revoked;
- only with the node key that was enrolled together with that certificate;
- only so much: sizes and rates are bounded, for each merchant by itself;
- only in a protocol that both ends speak, which the coordinator is told of (docs/protocol.md §5.1).

A refusal is one status and one word; why is in the log.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from certs.authority import fingerprint
from common.errors import DataError
from common.message.protocol import HEADER, choose_protocol, read_spoken, write_spoken
from server.folder import CoordinatorFolder, Settings
from server.process.trust import find_members, read_authorities, trust_followers
from server.registry.registry import Member, Registry

LOGGER = logging.getLogger(__name__)
Meanwhile = Callable[[], Coroutine[Any, Any, None]]
PASSED = frozenset(
    f"/v1/fleet/{name}"
    for name in (
        "activate-node",
        "deactivate-node",
        "send-node-heartbeat",
        "pull-messages",
        "push-messages",
        "pull-object",
        "push-object",
        "confirm-message-received",
    )
)
KEY_HEADER = "flwr-public-key"
HEADERS = ("content-type", "accept")  # passed on, beside what begins with "flwr-"
LARGEST_BODY = 40 << 20  # bytes: the largest model that privacy holds for, as a sum of 64-bit integers, and its frame
BODY_SECONDS = 60.0
UPSTREAM_SECONDS = 30.0
BURST_SECONDS = 5.0  # of the allowed rate, at once
MOST_CONNECTIONS = 4096
LOOK_SECONDS = 0.5  # how often the registry is looked at for revocations
NOTE_SECONDS = 5.0  # how often a member may be noted to speak another protocol than before


class CertificateProtocol(H11Protocol):
    """Tell the application whose certificate a connection was opened with."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Read the certificate that the TLS handshake has verified."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        certificate = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True))
        self.app_state = {
            **self.app_state,
            "certificate": fingerprint(certificate),
            "pem": certificate.public_bytes(Encoding.PEM).decode(),
            "valid_until": certificate.not_valid_after_utc,
        }


@dataclass
class _Bucket:
    """Let a merchant through at a steady rate, with a short burst."""

    rate: float
    filled: float = field(init=False)
    at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.filled = self.rate * BURST_SECONDS

    def take(self) -> bool:
        """Whether one more request may pass now."""
        now = time.monotonic()
        self.filled = min(self.rate * BURST_SECONDS, self.filled + (now - self.at) * self.rate)
        self.at = now
        if self.filled < 1:
            return False
        self.filled -= 1
        return True


class Doorkeeper:
    """Know who is enrolled, at most half a second late."""

    def __init__(self, registry: Path, *, requests_per_second: int) -> None:
        self._registry = Registry(registry)
        self._rate = requests_per_second
        self._members: Mapping[str, Member] = {}
        self._buckets: dict[str, _Bucket] = {}
        self._noted_at: dict[str, float] = {}
        self._noted: set[str] = set()
        self._version: int | None = None
        self._looked_at = 0.0

    def close(self) -> None:
        """Close the registry."""
        self._registry.close()

    def judge(self, certificate: str, valid_until: datetime, headers: Mapping[str, str]) -> tuple[int, str]:
        """Return 200, or the status and the reason of a refusal."""
        member = self._find(certificate)
        if member is None:
            return 403, "a certificate that is not enrolled"
        if not member.is_welcome:
            return 403, f"the revoked member {member.name}"
        if valid_until < datetime.now(UTC):
            return 403, f"the expired certificate of {member.name}"
        if headers.get(KEY_HEADER) != b64encode(member.node_key.encode()).decode():
            return 403, f"{member.name} with another node key than its own"
        if not self._buckets.setdefault(member.name, _Bucket(float(self._rate))).take():
            return 429, f"{member.name}, who asks too often"
        protocol = choose_protocol(read_spoken(headers.get(HEADER)))
        if protocol is None:
            return 426, f"{member.name}, whose version of hansa speaks no protocol of this one"
        self._note(member, protocol)
        return 200, ""

    def _note(self, member: Member, protocol: int) -> None:
        """Tell the coordinator what a member speaks, where that is news; seldom, for writing takes the disk."""
        now = time.monotonic()
        if protocol != member.protocol and now - self._noted_at.get(member.name, -NOTE_SECONDS) >= NOTE_SECONDS:
            self._noted_at[member.name] = now
            try:
                self._registry.note_protocol(member.name, protocol)
            except DataError as error:  # tried again at a later request; a full disk closes no door
                LOGGER.warning("It is not noted that %s speaks protocol %d: %s", member.name, protocol, error)
            self._version = None  # a connection's own writes do not change its data_version

    def note_certificate(self, certificate: str, pem: str) -> None:
        """Remember the certificate of a member that was let in, where an older version enrolled it without."""
        member = self._members.get(certificate)
        if member is None or certificate in self._noted:
            return
        self._noted.add(certificate)
        try:
            if all(found.fingerprint != certificate for found in self._registry.certificates()[member.name]):
                self._registry.note_certificate(certificate, member=member.name, pem=pem)
        except DataError as error:
            LOGGER.warning("The certificate of %s is not noted: %s", member.name, error)

    def _find(self, certificate: str) -> Member | None:
        now = time.monotonic()
        is_new = certificate not in self._members  # a certificate that was handed out just now
        if self._version is None or is_new or now - self._looked_at > LOOK_SECONDS:
            self._looked_at = now
            version = self._registry.version
            if version != self._version:
                self._version = version
                self._members = find_members(self._registry)
        return self._members.get(certificate)


def make_app(
    superlink: str, doorkeeper: Doorkeeper, *, authority: bytes, meanwhile: Meanwhile | None = None
) -> Starlette:
    """Make the application that judges every request and passes on what may pass.

    Parameters
    ----------
    superlink
        Host and port of the SuperLink, whose certificate `authority` (PEM) has signed.
    meanwhile
        What goes on beside the requests, until the end.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> Any:
        trusted = ssl.create_default_context(cadata=authority.decode())
        limits = httpx.Limits(max_connections=256, max_keepalive_connections=64)
        async with httpx.AsyncClient(
            base_url=f"https://{superlink}", verify=trusted, timeout=UPSTREAM_SECONDS, limits=limits
        ) as upstream:
            app.state.upstream = upstream
            task = asyncio.create_task(meanwhile()) if meanwhile is not None else None
            with closing(doorkeeper):
                yield
            if task is not None:
                task.cancel()

    async def admit(request: Request) -> Response:
        status, reason = doorkeeper.judge(request.state.certificate, request.state.valid_until, request.headers)
        if status != 200:
            return _refuse(request, status, reason)
        if request.url.path not in PASSED:
            return _refuse(request, 404, "a path that is not published")
        doorkeeper.note_certificate(request.state.certificate, request.state.pem)
        body = await _read(request)
        if body is None:
            return _refuse(request, 413, "a body that is too large or too slow")
        return await _pass_on(request.app.state.upstream, request, body)

    return Starlette(routes=[Route("/{path:path}", admit, methods=["GET", "POST", "PUT", "DELETE"])], lifespan=lifespan)


async def _read(request: Request) -> bytes | None:
    """Read a body of bounded size in bounded time."""
    if int(request.headers.get("content-length", 0)) > LARGEST_BODY:  # h11 has seen to it that it is a number
        return None
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > LARGEST_BODY:
                    return None
    except (TimeoutError, ClientDisconnect):
        return None
    return bytes(body)


async def _pass_on(upstream: httpx.AsyncClient, request: Request, body: bytes) -> Response:
    headers = {name: value for name, value in request.headers.items() if name in HEADERS or name.startswith("flwr-")}
    try:
        answer = await upstream.post(request.url.path, content=body, headers=headers)
    except httpx.HTTPError as error:
        LOGGER.warning("The SuperLink did not answer: %s", type(error).__name__)
        return Response("unavailable", status_code=503)
    kept = {name: value for name, value in answer.headers.items() if name in HEADERS or name.startswith("flwr-")}
    return Response(answer.content, status_code=answer.status_code, headers=kept | {HEADER: write_spoken()})


def _refuse(request: Request, status: int, reason: str) -> Response:
    host = request.client.host if request.client else "?"
    LOGGER.warning("Refused %d from %s: %s", status, host, reason)
    return Response("refused", status_code=status, headers={HEADER: write_spoken()})


def make_config(home: CoordinatorFolder, settings: Settings) -> uvicorn.Config:
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
        await trust_followers(home, config.ssl)

    superlink = f"127.0.0.1:{settings.superlink_port}"
    config = uvicorn.Config(
        make_app(superlink, doorkeeper, authority=read_authorities(home), meanwhile=meanwhile),
        host=settings.bind,
        port=settings.gateway_port,
        http=CertificateProtocol,
        ws="none",
        ssl_certfile=home.authority / "server.pem",
        ssl_keyfile=str(home.authority / "server.key"),
        ssl_ca_certs=str(authority),
        ssl_cert_reqs=ssl.CERT_REQUIRED,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=2,
        access_log=False,
        log_level="warning",
        server_header=False,
    )
    config.load()
    assert config.ssl is not None  # noqa: S101  for mypy: certificates were given
    config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3
    config.ssl.load_verify_locations(cadata=read_authorities(home).decode())  # two while one follows the other
    return config


def serve(home: CoordinatorFolder) -> None:
    """Serve until SIGTERM."""
    uvicorn.Server(make_config(home, home.read_settings())).run()
