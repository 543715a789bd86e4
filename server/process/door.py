"""How connections come in: uvicorn behind a door of our own, with the deadlines that uvicorn has no setting for.

- A connection that has not shaken hands holds one of few places, and a newer one takes the place of the oldest: first
  of the same address, and there of those that have said nothing or of those that have, whichever are more. So who is
  silent, or begins a handshake and stops, crowds out its own kind; silence costs no handshake; and a hundred shops
  behind one address all come in.
- After the handshake a connection belongs to a certificate. One more than a certificate may have takes the place of the
  oldest that is idle: a merchant whose network changed comes in beside the dead connections that it left.
- A head that has begun has to end; uvicorn ends what is idle between requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import h11
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from uvicorn.protocols.http.h11_impl import H11Protocol

from certs.authority import fingerprint
from common.http.listening import listen

LOGGER = logging.getLogger(__name__)
HANDSHAKE_SECONDS = 10.0
HEAD_SECONDS = 10.0
SHUTDOWN_SECONDS = 5.0
ACCEPT_PAUSE_SECONDS = 0.5
MOST_UNSHAKEN = 2048  # of all addresses
WRITE_BUFFER = 64 << 10  # bytes of an answer that a slow reader leaves with us, beside the counted ones


class MemberProtocol(H11Protocol):
    """One connection of a merchant; it tells the application whose certificate it was opened with."""

    def __init__(self, *words: Any, census: Census, **options: Any) -> None:
        super().__init__(*words, **options)
        self._census = census
        self._head_timer: asyncio.TimerHandle | None = None
        self.certificate = ""

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Read the certificate that the TLS handshake has verified."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=WRITE_BUFFER)
        tls = transport.get_extra_info("ssl_object")
        certificate = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True))
        self.certificate = fingerprint(certificate)
        self.app_state = {
            **self.app_state,
            "certificate": self.certificate,
            "pem": certificate.public_bytes(Encoding.PEM).decode(),
            "valid_until": certificate.not_valid_after_utc,
            "abort": transport.abort,
        }
        self._watch_head()
        self._census.enter(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes in, and watch that a head which has begun comes to its end."""
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._census.leave(self)
        if self._head_timer is not None:
            self._head_timer.cancel()
        super().connection_lost(exc)

    def abort(self) -> None:
        """End the connection at once, whatever is under way."""
        self.transport.abort()

    def _watch_head(self) -> None:
        """Start the clock where a head is awaited and none runs; stop it where a request is under way."""
        if self.conn.their_state is not h11.IDLE:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._miss_head)

    def _miss_head(self) -> None:
        self._head_timer = None
        if self.conn.their_state is h11.IDLE:
            self.abort()


class Census:
    """Who is inside: at most so many connections of a certificate, and in all."""

    def __init__(self, *, most: int, most_of_one: int) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._inside: defaultdict[str, dict[MemberProtocol, None]] = defaultdict(dict)  # in the order of coming
        self._number = 0

    def enter(self, connection: MemberProtocol) -> None:
        """Let a connection in, in the place of an idle one where its certificate has too many; or turn it away."""
        own = self._inside[connection.certificate]
        if len(own) >= self._most_of_one:
            idle = next((other for other in own if other.is_idle), connection)
            idle.abort()
            if idle is connection:
                return
            self.leave(idle)  # it is lost a moment later
        if self._number >= self._most:
            connection.abort()
            return
        self._inside[connection.certificate][connection] = None
        self._number += 1

    def leave(self, connection: MemberProtocol) -> None:
        """Forget a connection; done twice, it is done once."""
        own = self._inside.get(connection.certificate, {})
        if connection in own:
            del own[connection]
            self._number -= 1
        if not own:
            self._inside.pop(connection.certificate, None)


class Waiting:
    """Who has not shaken hands, in the order of coming, by address.

    Parameters
    ----------
    most_of_one
        Of one address.
    """

    def __init__(self, *, most_of_one: int) -> None:
        self._most_of_one = most_of_one
        self._silent: defaultdict[str, dict[asyncio.Task[None], None]] = defaultdict(dict)
        self._shaking: defaultdict[str, dict[asyncio.Task[None], None]] = defaultdict(dict)
        self._of_address: Counter[str] = Counter()
        self._address: dict[asyncio.Task[None], str] = {}

    def __iter__(self) -> Iterator[asyncio.Task[None]]:
        return iter(list(self._address))

    def enter(self, task: asyncio.Task[None], address: str) -> None:
        """Take one in."""
        self._silent[address][task] = None
        self._of_address[address] += 1
        self._address[task] = address

    def note_word(self, task: asyncio.Task[None]) -> None:
        """Note that one has said something."""
        address = self._address.get(task)
        if address is not None and task in self._silent[address]:
            del self._silent[address][task]
            self._shaking[address][task] = None

    def leave(self, task: asyncio.Task[None]) -> None:
        """Forget one; done twice, it is done once."""
        address = self._address.pop(task, None)
        if address is None:
            return
        for rooms in (self._silent, self._shaking):
            rooms[address].pop(task, None)
            if not rooms[address]:
                del rooms[address]
        self._of_address[address] -= 1
        if not self._of_address[address]:
            del self._of_address[address]

    def make_way(self, address: str) -> asyncio.Task[None] | None:
        """Return who has to go before one more comes in from an address, if anybody: of the kind that crowds it."""
        if self._of_address[address] < self._most_of_one:
            if len(self._address) < MOST_UNSHAKEN:
                return None
            address = self._of_address.most_common(1)[0][0]
        silent, shaking = self._silent.get(address, {}), self._shaking.get(address, {})
        return next(iter(silent if len(silent) >= len(shaking) else shaking))


class Door:
    """Take connections from a listening socket, and shake hands with few at a time; closes like an asyncio server."""

    def __init__(
        self,
        listeners: list[socket.socket],
        tls: ssl.SSLContext,
        make_protocol: Callable[[], asyncio.Protocol],
        *,
        most_of_one: int,
    ) -> None:
        self.sockets = listeners
        self._tls, self._make_protocol = tls, make_protocol
        self._waiting = Waiting(most_of_one=most_of_one)
        self._accepting = [asyncio.create_task(self._accept(listener)) for listener in listeners]

    def close(self) -> None:
        """Take no more, and let go of who has not shaken hands."""
        for task in (*self._accepting, *self._waiting):
            task.cancel()
        for listener in self.sockets:
            listener.close()

    async def wait_closed(self) -> None:
        """Wait until nobody is in the door."""
        await asyncio.gather(*self._accepting, *self._waiting, return_exceptions=True)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(listener)
            except OSError as error:  # no file is left to open, say
                LOGGER.warning("No connection can be taken now: %s", error.strerror)
                await asyncio.sleep(ACCEPT_PAUSE_SECONDS)
                continue
            if (oldest := self._waiting.make_way(address[0])) is not None:
                self._waiting.leave(oldest)
                oldest.cancel()
            task = asyncio.create_task(self._welcome(connection))
            self._waiting.enter(task, address[0])
            task.add_done_callback(self._waiting.leave)
            await asyncio.sleep(0)  # others' turn, and the task has begun before anybody can cancel it

    async def _welcome(self, connection: socket.socket) -> None:
        """Wait for a word, then shake hands; who is too slow, has no certificate or speaks no TLS is let go of."""
        loop = asyncio.get_running_loop()
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # an answer is written in two pieces
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await _hear(loop, connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, OSError):  # also a TimeoutError
                return
            raise
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  for mypy: this is one
        self._waiting.note_word(task)
        with contextlib.suppress(OSError):
            await loop.connect_accepted_socket(
                self._make_protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=SHUTDOWN_SECONDS,
            )


async def _hear(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> None:
    """Wait until there is something to read, and leave it there."""
    heard = asyncio.Event()
    loop.add_reader(connection, heard.set)
    try:
        await heard.wait()
    finally:
        loop.remove_reader(connection)


class DoorServer(uvicorn.Server):
    """Uvicorn's server, whose connections come through a `Door`.

    Parameters
    ----------
    most
        Connections of all certificates.
    most_of_one
        Connections of one certificate.
    most_unshaken
        Connections of one address that have not shaken hands.
    """

    def __init__(self, config: uvicorn.Config, *, most: int, most_of_one: int, most_unshaken: int) -> None:
        super().__init__(config)
        self._census = Census(most=most, most_of_one=most_of_one)
        self._most_unshaken = most_unshaken

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen.

        Raises
        ------
        ConfigError
            Somebody listens there already.
        """
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            self.should_exit = True
            return
        assert self.config.ssl is not None  # noqa: S101  for mypy: there is no door without TLS
        door = Door(
            sockets or listen(self.config.host, self.config.port),
            self.config.ssl,
            self._make_protocol,
            most_of_one=self._most_unshaken,
        )
        self.servers = [door]  # type: ignore[list-item]  # closed as asyncio's are
        self.started = True

    def _make_protocol(self) -> MemberProtocol:
        return MemberProtocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state, census=self._census
        )
