"""One connection: whoever sends nothing more, or what nobody reads, is let go of."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from common.http import connection
from common.http.listening import listen


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without a look at the body, as a guard does that refuses."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A connection to a server whose clocks run fast."""
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.3)
    sockets = listen("127.0.0.1", 0)
    config = uvicorn.Config(_answer, lifespan="off", http=connection.Connection, ws="none", log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets)))
    thread.start()
    with socket.create_connection(sockets[0].getsockname(), timeout=5) as line:
        yield line
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def _is_let_go(line: socket.socket) -> bool:
    try:
        return line.recv(1) == b""
    except ConnectionResetError:
        return True


def test_who_sends_a_body_that_nobody_reads_is_let_go_of(line: socket.socket) -> None:
    """Its first byte ends uvicorn's clock of idle connections, so one address could hold them all."""
    line.sendall(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n")
    assert line.recv(1 << 16).startswith(b"HTTP/1.1 200")
    line.sendall(b"x")
    assert _is_let_go(line)


def test_a_body_that_comes_to_its_end_after_the_answer_costs_nobody_the_connection(line: socket.socket) -> None:
    line.sendall(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\nx")
    assert line.recv(1 << 16).startswith(b"HTTP/1.1 200")
    line.sendall(b"x")
    line.settimeout(0.6)  # twice as long as a clock takes
    with pytest.raises(TimeoutError):
        line.recv(1)
    line.settimeout(5)
    line.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert line.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_a_head_that_does_not_end_is_let_go_of(line: socket.socket) -> None:
    line.sendall(b"GET / HTTP/1.1\r\nhost:")
    assert _is_let_go(line)
