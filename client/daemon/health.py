"""How the daemon is: one small file, rewritten whole, and on request a page on loopback. Nothing of it is data.

See docs/protocol.md §7.5.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

from common.command.page import HEADERS, REFUSED, is_own_host
from common.disk.file import write_whole
from common.disk.reading import read_file_json
from common.errors import ConfigError
from common.schema import SCHEMA

LOGGER = logging.getLogger(__name__)
LONGEST_SILENCE_SECONDS = 120.0  # it is written at every heartbeat
State = Literal["connecting", "connected", "unreachable", "refused", "stopped"]


@dataclass(frozen=True)
class LatestRound:
    """The round that was answered last; who was asked in it is None where nobody signed that."""

    plan: str
    run_hash: str
    round_number: int
    num_rounds: int
    asked: int | None = None
    quorum: int | None = None


@dataclass(frozen=True)
class Condition:
    """What is shown.

    Attributes
    ----------
    since
        When `state` began.
    latest_error
        The last sentence that explained why something did not work; it stays when all is well again.
    """

    state: State
    since: str
    node_id: int | None = None
    latest_message_at: str | None = None
    latest_round: LatestRound | None = None
    latest_error: str | None = None
    latest_error_at: str | None = None


class Health:
    """Keep the condition, and write it down when it changes."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock, self._writing = path, threading.Lock(), threading.Lock()
        self._condition = Condition("connecting", now_text())

    def change_state(self, state: State, *, node_id: int | None = None, error: str | None = None) -> None:
        """Note that the line to the gateway is up, down or refused."""
        with self._lock:
            changed = replace(_in_state(self._condition, state), node_id=node_id or self._condition.node_id)
            self._condition = changed if error is None else _with_error(changed, error)
        self.write()

    def note_message(self, latest_round: LatestRound | None, *, error: str | None = None) -> None:
        """Note that a message was answered, or why it was not; either way the gateway took the answer."""
        with self._lock:
            changed = _in_state(self._condition, "connected")
            changed = replace(changed, latest_message_at=now_text(), latest_round=latest_round)
            self._condition = changed if error is None else _with_error(changed, error)
        self.write()

    def as_json(self) -> dict[str, Any]:
        """Say everything."""
        with self._lock:
            return {"schema": SCHEMA, **asdict(self._condition), "process": os.getpid(), "written_at": now_text()}

    def write(self) -> None:
        """Write the file; a full disk does not stop the daemon for that."""
        content = (json.dumps(self.as_json(), indent=2) + "\n").encode()
        with self._writing:  # the heartbeat's thread writes too
            try:
                write_whole(self._path, content)
            except ConfigError as error:
                LOGGER.warning("Health is not written: %s", error)


def read_node_id(path: Path) -> int | None:
    """Read the node id that an earlier daemon was told, where it wrote one down."""
    try:
        node_id = read_file_json(path)["node_id"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return node_id if isinstance(node_id, int) else None


def was_cut_short(path: Path) -> bool:
    """Whether the daemon that wrote this file ended without a word: killed, out of memory, or with the machine."""
    try:
        said = read_file_json(path)
        process, is_ended = int(said["process"]), said["state"] == "stopped"
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if is_ended or process == os.getpid():  # this very process, which went on as a fresh one
        return False
    return not _runs(process)


def is_alive(path: Path) -> bool:
    """Whether a daemon that writes this file works now, as far as the file and the system tell; nothing is locked."""
    try:
        said = read_file_json(path)
        written, process = datetime.fromisoformat(said["written_at"]), int(said["process"])
        is_ended = said["state"] == "stopped"
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if is_ended or datetime.now(UTC) - written > timedelta(seconds=LONGEST_SILENCE_SECONDS):
        return False
    return _runs(process)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


def now_text() -> str:
    """Write the present second in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _in_state(condition: Condition, state: State) -> Condition:
    return condition if state == condition.state else replace(condition, state=state, since=now_text())


def _with_error(condition: Condition, error: str) -> Condition:
    return replace(condition, latest_error=error, latest_error_at=now_text())


@contextmanager
def serving(health: Health, port: int | None) -> Iterator[None]:
    """Show the condition at http://127.0.0.1:PORT while inside: status 200 where connected, 503 where not.

    Raises
    ------
    ConfigError
        The port is taken.
    """
    if port is None:
        yield
        return
    try:
        server = _Server(("127.0.0.1", port), _Page)
    except OSError as error:
        raise ConfigError(f"Cannot listen on port {port}: {error.strerror}; choose another --health-port.") from error
    server.health = health
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    health: Health


class _Page(BaseHTTPRequestHandler):
    """Answer who asks by a name of loopback; every answer has the headers of every page, errors too."""

    server: _Server

    def do_GET(self) -> None:
        said = self.server.health.as_json()
        self._answer(
            200 if said["state"] == "connected" else 503, json.dumps(said, indent=2) + "\n", "application/json"
        )

    def parse_request(self) -> bool:
        """Read the head of a request; False, and answered, where it is none, or comes by a foreign name."""
        if not super().parse_request():
            return False
        if not is_own_host(self.headers.get_all("Host") or []):
            self._answer(REFUSED, "refused\n", "text/plain")
            return False
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Say no more than that it was refused; the library would write a page that quotes what was asked."""
        self._answer(code, "refused\n", "text/plain")

    def version_string(self) -> str:
        """Name no version of anything."""
        return "hansa"

    def _answer(self, status: int, text: str, kind: str) -> None:
        content = text.encode()
        self.close_connection = True
        self.send_response(status)
        for name, value in {**HEADERS, "content-type": kind, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  the library's name
        """Stay quiet."""
