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
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

from common.disk.file import write_whole
from common.errors import ConfigError
from common.schema import SCHEMA

LOGGER = logging.getLogger(__name__)
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
        node_id = json.loads(path.read_bytes())["node_id"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return node_id if isinstance(node_id, int) else None


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
    server: _Server

    def do_GET(self) -> None:
        said = self.server.health.as_json()
        content = (json.dumps(said, indent=2) + "\n").encode()
        self.send_response(200 if said["state"] == "connected" else 503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  the library's name
        """Stay quiet."""
