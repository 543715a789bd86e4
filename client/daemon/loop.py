"""The loop of `hansa-client run`: connect, ask for messages, answer them, for as long as nobody says stop.

Notable here: the gateway may be away, restarted or refusing for as long as it likes, and nothing ends because of it.
A message that was taken is answered before the loop ends or goes on, unless the gateway does not take the answer; then
it is asked for again, and the ledger has the same bytes ready.
"""

from __future__ import annotations

import logging
import math
import secrets
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from flwr.app import Context, Message, RecordDict

from client.daemon.envelope import Envelope
from client.daemon.gateway_client import HEARTBEAT_SECONDS, GatewayClient
from client.daemon.gateway_error import GatewayError, MessageOver, Refused, Unreachable
from client.daemon.health import Health
from client.daemon.membership import JoinedFederation, make_context
from client.daemon.merchant import JoinedMerchant
from client.transparency.sent_log import SentLog
from common.errors import ConfigError, HansaError, MessageError
from common.message.decline import decline

if TYPE_CHECKING:
    from flwr.clientapp import ClientApp

    from client.daemon.handlers import Handlers

LOGGER = logging.getLogger(__name__)
QUICKEST_POLL_SECONDS, SLOWEST_POLL_SECONDS, POLL_FACTOR = 0.1, 3.0, 1.5
LOOK_SECONDS = 1.0  # how often a new welcome is looked for
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.5, 30.0
LINE_SECONDS = 20.0  # a gateway that has just been told of an authority trusts it within a second
NO_LINE_SECONDS = 45.0  # after which a line that does not work is refused, whatever it is that does not answer there


class Daemon:
    """Answer what the gateway passes on.

    Parameters
    ----------
    merchant
        Its handlers are made when the first message comes, or at once where a plan is under way.
    idle_seconds
        Stop after so long without a message; None never does.
    rest_seconds
        Rest after so long without a message, where no plan is under way.
    """

    def __init__(
        self,
        gateway: GatewayClient,
        merchant: JoinedMerchant,
        health: Health,
        *,
        idle_seconds: float | None,
        rest_seconds: float,
    ) -> None:
        self._gateway, self._merchant, self._health = gateway, merchant, health
        self._handlers: tuple[Handlers, ClientApp] | None = None
        self._sent = SentLog(merchant.home.sent)
        self._idle_seconds, self._rest_seconds = idle_seconds, rest_seconds
        self._is_awaited, self._asked_at = (
            True,
            -rest_seconds,
        )  # whether rounds are to come, and when that was looked up
        self._stop, self._forgotten = threading.Event(), threading.Event()
        self._node_id = 0
        self._thread, self._is_asking = 0, False
        self._latest_activity = time.monotonic()
        self._looked_at, self._renewed = time.monotonic(), False

    def stop(self) -> None:
        """End the loop after the answer in hand; one that waits for data to be read is not waited for.

        From a signal, which interrupts the loop's own thread, also while a question waits at the gateway; from another
        thread that question is waited for.
        """
        self._stop.set()
        if self._handlers is not None:
            self._handlers[0].deadline = -math.inf
        if self._is_asking and threading.get_ident() == self._thread:
            raise _Stopped

    def _open(self) -> tuple[Handlers, ClientApp]:
        opened = self._merchant.open_handlers()
        opened[0].try_line = self._try_line
        return opened

    def _try_line(self, federation: JoinedFederation) -> None:
        """Go over to the line of a new welcome, once it has shown that it works; else stay on the old one.

        Whether a port is closed, filtered or another service's would show in the time of the refusal, so that is always
        the same: no coordinator searches the merchant's network by addresses.

        Raises
        ------
        MessageError, DataError
            It does not work.
        """
        with tempfile.NamedTemporaryFile(suffix=".pem") as certificate:  # Python's ssl reads files alone
            certificate.write(federation.welcome.certificate.encode())
            certificate.flush()
            context = make_context(self._merchant.home, federation, certificate=Path(certificate.name))
        until = time.monotonic() + NO_LINE_SECONDS
        try:
            self._gateway.switch(federation.welcome.address, context, patience_seconds=LINE_SECONDS)
        except GatewayError as error:
            self._stop.wait(max(0.0, until - time.monotonic()))
            raise MessageError(f"A new welcome is not taken, since its line does not work. {error}") from error
        self._merchant = replace(self._merchant, federation=federation)

    def run(self) -> bool:
        """Serve until stopped; return whether to go on in a fresh process.

        That has not the memory of old plans, and reads a certificate and an address that were renewed meanwhile.
        """
        self._thread = threading.get_ident()
        if self._merchant.is_awaited():
            self._handlers = self._open()
        retry = _Backoff()
        with self._beating():
            while not self._is_done() and not self._should_leave():
                try:
                    self._connect()
                    retry = _Backoff()
                    self._serve()
                except (GatewayError, MessageError) as error:
                    self._pause(retry, str(error), refused=isinstance(error, Refused))
                except _Stopped:
                    pass  # it is asked next whether to go on
                except Exception as error:  # of a fault of our own: a daemon that ended would answer nobody
                    self._pause(retry, f"A fault of hansa's own ({type(error).__name__}); please report it.")
        if self._should_leave() and not self._is_done():
            LOGGER.info("Resting, or renewed: going on in a fresh process")
            return True
        self._say_goodbye()
        return False

    def _pause(self, retry: _Backoff, error: str, *, refused: bool = False) -> None:
        self._health.change_state("refused" if refused else "unreachable", error=error)
        pause = retry.longest() if refused else retry.next()
        LOGGER.warning("%s pause=%.1f", error, pause)
        until = time.monotonic() + pause
        while time.monotonic() < until and not self._stop.wait(min(pause, LOOK_SECONDS)) and not self._is_renewed():
            pass

    def _connect(self) -> None:
        self._node_id = self._gateway.connect()
        self._forgotten.clear()
        self._health.change_state("connected", node_id=self._node_id)
        LOGGER.info("Connected node=%d", self._node_id)

    def _serve(self) -> None:
        """Poll often after a message, and ever more seldom without one; what the gateway waits counts as a pause."""
        pause = QUICKEST_POLL_SECONDS
        while not self._is_done() and not self._should_leave():
            if self._forgotten.is_set():
                raise Unreachable("The gateway has forgotten this merchant; connecting again.")
            asked_at = time.monotonic()
            envelope = self._pull()
            if envelope is None:
                self._stop.wait(max(0.0, pause - (time.monotonic() - asked_at)))
                pause = min(pause * POLL_FACTOR, SLOWEST_POLL_SECONDS)
                continue
            self._handle(envelope)
            self._latest_activity, self._asked_at = time.monotonic(), -self._rest_seconds
            pause = QUICKEST_POLL_SECONDS

    def _pull(self) -> Envelope | None:
        """Ask for a message; told to stop, a question that waits at the gateway is left at once."""
        try:
            self._is_asking = True
            return None if self._stop.is_set() else self._gateway.pull()
        except _Stopped:
            return None
        finally:
            self._is_asking = False

    def _handle(self, envelope: Envelope) -> None:
        """Answer one message, and hand the answer in for as long as somebody waits for it."""
        about = envelope.message.metadata
        until = about.created_at + about.ttl
        try:
            message = self._retried(envelope, until)
            reply = self._answer(message)
            error = None if reply.has_content() else self._why_declined()
        except MessageError as refusal:
            LOGGER.warning("Refused: %s", refusal)
            reply, error = decline(envelope.message), str(refusal)
        except MessageOver as over:
            LOGGER.warning("%s", over)
            return
        try:
            self._sent.note(reply)  # before it leaves: no message leaves that the merchant cannot see
        except ConfigError as full:
            LOGGER.warning("%s", full)
            return
        self._hand_in(reply, until)
        self._health.note_message(self._handlers[0].latest_round if self._handlers else None, error=error)

    def _answer(self, message: Message) -> Message:
        """Ask the handlers; what is raised there leaves as one word, and was logged where it was raised."""
        context = Context(message.metadata.run_id, self._node_id, {}, RecordDict(), {})
        try:
            handlers, app = self._handlers = self._handlers or self._open()
        except HansaError as error:  # as of a GPU that is there no more
            LOGGER.error("%s", error)
            return decline(message)
        handlers.refusal = None
        handlers.deadline = -math.inf if self._stop.is_set() else message.metadata.created_at + message.metadata.ttl
        try:
            return app(message, context)
        except HansaError:
            return decline(message)
        except Exception as error:  # of Flower, for a type of message that nobody answers
            LOGGER.warning("Refused: a message of a type that is not answered (%s).", type(error).__name__)
            return decline(message)

    def _why_declined(self) -> str:
        refusal = self._handlers[0].refusal if self._handlers else None
        return refusal or "A message was declined; the log says why."

    def _retried(self, envelope: Envelope, until: float) -> Message:
        retry = _Backoff()
        while True:
            try:
                return self._gateway.fetch(envelope)
            except Unreachable as error:
                self._wait_or_raise(error, retry, until)

    def _hand_in(self, reply: Message, until: float) -> None:
        retry = _Backoff()
        while True:
            try:
                return self._gateway.push(reply)
            except MessageOver as over:
                LOGGER.warning("%s", over)
                return None
            except Unreachable as error:
                self._wait_or_raise(error, retry, until)

    def _wait_or_raise(self, error: Unreachable, retry: _Backoff, until: float) -> None:
        if self._stop.is_set() or time.time() > until:
            raise error
        self._health.change_state("unreachable", error=str(error))
        self._stop.wait(retry.next())

    @contextmanager
    def _beating(self) -> Iterator[None]:
        """Say from a thread of its own that this merchant is there, also while a long round is computed."""
        ended = threading.Event()
        beat = threading.Thread(target=self._beat, args=(ended,), name="heartbeat", daemon=True)
        beat.start()
        try:
            yield
        finally:
            ended.set()

    def _beat(self, ended: threading.Event) -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            try:
                if self._node_id and not self._gateway.heartbeat():
                    self._forgotten.set()
            except HansaError as error:
                LOGGER.debug("No heartbeat: %s", error)
            self._health.write()

    def _is_done(self) -> bool:
        idle = time.monotonic() - self._latest_activity
        return self._stop.is_set() or (self._idle_seconds is not None and idle > self._idle_seconds)

    def _should_leave(self) -> bool:
        return self._is_renewed() or self._should_rest()

    def _is_renewed(self) -> bool:
        """Whether a later welcome was kept; looked at once a second."""
        if time.monotonic() - self._looked_at > LOOK_SECONDS and not self._renewed:
            self._looked_at, self._renewed = time.monotonic(), self._merchant.is_changed()
        return self._renewed

    def _should_rest(self) -> bool:
        if self._handlers is None or time.monotonic() - self._latest_activity < self._rest_seconds:
            return False
        if (
            time.monotonic() - self._asked_at >= self._rest_seconds
        ):  # a plan that is heard of no more is given up in time
            self._is_awaited, self._asked_at = self._merchant.is_awaited(), time.monotonic()
        return not self._is_awaited and self._merchant.can_start_anew()

    def _say_goodbye(self) -> None:
        try:
            if self._node_id:
                self._gateway.deactivate()
        except GatewayError as error:
            LOGGER.info("No goodbye: %s", error)
        self._health.change_state("stopped")
        LOGGER.info("Stopped")


class _Stopped(BaseException):
    """Told to stop while a question waited at the gateway."""


class _Backoff:
    """Pauses that double up to half a minute, each a little off, so that a thousand merchants do not knock at once."""

    def __init__(self) -> None:
        self._seconds = FIRST_RETRY_SECONDS

    def next(self) -> float:
        pause, self._seconds = self._seconds, min(2 * self._seconds, LAST_RETRY_SECONDS)
        return _jitter(pause)

    def longest(self) -> float:
        return _jitter(LAST_RETRY_SECONDS)


def _jitter(seconds: float) -> float:
    return seconds * (0.5 + secrets.randbelow(500) / 1000)
