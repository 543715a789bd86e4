"""Keep the coordinator's processes alive, and leave none behind.

    superlink   Flower's, on loopback, behind a word that only the other two know
    gateway     what merchants reach
    coordinator holds the rounds; it lives and dies with the SuperLink, whose run it holds

A process that ends is started again, with a growing pause where it ends at once. A child dies with its parent, also
where that one is killed: the kernel sees to it. What each says goes into a log of bounded length.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, Any

from certs.authority import read_certificate
from common.disk.lock import hold
from common.disk.reading import read_file
from common.errors import ConfigError, HansaError
from server.folder import CoordinatorFolder, Settings
from server.process.trust import Watch

LOGGER = logging.getLogger(__name__)
LOOK_SECONDS = 0.2
READY_SECONDS = 60.0
STEADY_SECONDS = 20.0  # a process that ran this long starts again without a pause
LONGEST_PAUSE_SECONDS = 10.0
STOP_SECONDS = 5.0
LOG_SECONDS = 1.0
LAST_BYTES = 2000
MOST_LOG_BYTES, KEPT_LOGS, LONGEST_LINE = 8 << 20, 3, 1 << 16
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)  # opened here: between fork and exec of a process with threads, nothing should be loaded


@dataclass
class Child:
    """One process that is to run."""

    name: str
    command: Sequence[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    copier: threading.Thread | None = None
    started_at: float = 0.0
    pause_seconds: float = 0.0
    restarts: int = -1
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def last_words(self) -> str:
        """The last line of its log, once it has ended."""
        self._finish_log()
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - LAST_BYTES))
                lines = log.read().decode(errors="replace").strip().splitlines()
        except OSError:  # it has said nothing yet
            lines = []
        return lines[-1] if lines else "nothing"

    def start(self) -> None:
        """Start it; what it says goes to its log."""
        ran_seconds = time.monotonic() - self.started_at
        self.pause_seconds = 0.0 if ran_seconds > STEADY_SECONDS else min(LONGEST_PAUSE_SECONDS, self.pause_seconds + 1)
        self.restarts += 1
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603  our own command
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | self.environment,
            preexec_fn=_die_with_parent,
            start_new_session=True,  # Ctrl-C is for the supervisor, which stops the others in order
        )
        assert self.process.stdout is not None  # noqa: S101  for mypy: it is a pipe
        self.copier = threading.Thread(target=keep_log, args=(self.process.stdout, self.log), daemon=True)
        self.copier.start()

    def stop(self) -> None:
        """End it, kindly first."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._finish_log()

    def set_down(self) -> None:
        """End it because its supervisor wants so: it starts again without a pause, and nobody asks why it ended."""
        self.stop()
        self.process, self.pause_seconds = None, 0.0

    def _finish_log(self) -> None:
        """Wait a moment until what it said last is in its log."""
        if self.copier is not None:
            self.copier.join(LOG_SECONDS)

    def may_start(self) -> bool:
        """Whether the pause after its last end is over."""
        return time.monotonic() - self.started_at >= self.pause_seconds


class Supervisor:
    """Start, watch and stop the processes of one federation.

    Raises
    ------
    ConfigError
        A port is taken, another supervisor runs in this folder, the server's certificate is out of date.
    """

    def __init__(self, home: CoordinatorFolder, settings: Settings) -> None:
        _require_valid(home.authority / "server.pem")
        self._lock = hold(home.folder / "up.lock", taken=f"{home.folder} is up already; stop that one first.")
        for port, host in ((settings.superlink_port, "127.0.0.1"), (settings.gateway_port, settings.bind)):
            require_free(host, port)
        home.logs.mkdir(exist_ok=True)
        self._settings, self._watch = settings, Watch(home)
        self._stopping = threading.Event()
        environment = {"FLWR_HOME": str(home.flower.resolve())}
        own = [sys.executable, "-m", "server.process"]
        self.superlink = Child("superlink", [*own, "superlink", str(home.folder)], home.logs / "superlink.log")
        self.gateway = Child("gateway", [*own, "gateway", str(home.folder)], home.logs / "gateway.log")
        self.coordinator = Child("coordinator", [*own, "coordinator", str(home.folder)], home.logs / "coordinator.log")
        for child in self.children:
            child.environment = environment

    @property
    def children(self) -> tuple[Child, ...]:
        """Everything that is to run, in the order of starting."""
        return self.superlink, self.gateway, self.coordinator

    def run(self) -> None:
        """Keep everything running until `stop`.

        Raises
        ------
        HansaError
            The SuperLink does not come up the first time.
        """
        try:
            self.superlink.start()
            self._await_superlink()
            while not self._stopping.wait(LOOK_SECONDS):
                self._look()
        finally:
            for child in reversed(self.children):
                child.stop()

    def stop(self, *_: Any) -> None:
        """End `run`; fit to be a signal's handler."""
        self._stopping.set()

    def _look(self) -> None:
        self._take_up(self._watch.look())
        if not self.superlink.is_alive and self.superlink.may_start():
            LOGGER.warning("The SuperLink ended; it is started again, and the coordinator with it.")
            if self.coordinator.is_alive:
                self.coordinator.set_down()
            self.superlink.start()
            self._await_superlink()
        for child in (self.gateway, self.coordinator):
            if not child.is_alive and child.may_start():
                if child.process is not None:
                    said = (child.name, child.process.returncode, child.last_words)
                    LOGGER.warning("The %s ended with %s and is started again; it said last: %s", *said)
                child.start()

    def _take_up(self, stale: frozenset[str]) -> None:
        """Start anew what has read keys or certificates that are others now; whoever asks meanwhile asks again."""
        if not stale:
            return
        LOGGER.info("Keys or certificates are others; started anew: %s", ", ".join(sorted(stale)))
        for child in reversed(self.children):
            if child.name in stale and child.process is not None:
                child.set_down()
        if "superlink" in stale:
            self.superlink.start()
            self._await_superlink()

    def _await_superlink(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and not self._stopping.is_set():
            if not self.superlink.is_alive:
                break
            with socket.socket() as probe:
                probe.settimeout(1.0)
                if probe.connect_ex(("127.0.0.1", self._settings.superlink_port)) == 0:
                    return
            time.sleep(0.05)
        if not self._stopping.is_set() and self.superlink.restarts == 0:
            raise HansaError(f"The SuperLink does not start; its last words are in {self.superlink.log}.")


def keep_log(stream: IO[bytes], path: Path, *, most_bytes: int = MOST_LOG_BYTES) -> None:
    """Write what a process says to its log until it ends; a full log becomes path.1, and the ones before it move up.

    A disk that is full costs lines of the log, and never the process that says them.
    """
    handler = RotatingFileHandler(path, maxBytes=most_bytes, backupCount=KEPT_LOGS, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.handleError = lambda record: None  # type: ignore[method-assign]
    with stream, contextlib.closing(handler):
        for line in iter(lambda: stream.readline(LONGEST_LINE), b""):
            message = line.decode(errors="replace").rstrip("\n")
            handler.handle(logging.makeLogRecord({"msg": message}))


def require_free(host: str, port: int) -> None:
    """Refuse a port that somebody listens on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"Port {port} on {host} cannot be used: {error.strerror}; stop who has it, or change federation.toml."
            ) from error


def _require_valid(path: Path) -> None:
    """Refuse to serve a certificate that no merchant would accept."""
    try:
        certificate = read_certificate(read_file(path), origin=str(path))
    except OSError as error:
        raise ConfigError(f"There is no server certificate {path}; make one with: hansa-server renew") from error
    now = datetime.now(UTC)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise ConfigError(
            f"The server's certificate is valid from {certificate.not_valid_before_utc:%Y-%m-%d} to "
            f"{certificate.not_valid_after_utc:%Y-%m-%d}, and it is {now:%Y-%m-%d %H:%M}; set the clock right, or "
            "renew it with: hansa-server renew"
        )


def _die_with_parent() -> None:
    """Have the kernel end this process when its parent ends (Linux); elsewhere `stop` is all there is."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
