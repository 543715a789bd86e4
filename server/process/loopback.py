"""What keeps other users of the machine from the SuperLink: a word that every request to it shows.

Flower's Control and Runtime APIs trust whoever reaches loopback, and on a machine that others use everybody does: they
could list and register nodes, start runs and stop ours, and read who answers. So the SuperLink is asked by the gateway
and the coordinator alone, who read the secret that only the owner of the folder can read. It travels inside TLS.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import httpx

IDLE_SECONDS = 60  # that the SuperLink keeps a connection without a request
WORD_HEADER = "hansa-superlink-word"
PURPOSE = b"hansa superlink word\0"


def make_word(secret: bytes) -> str:
    """Derive the word from the federation's secret, which itself is never sent."""
    return hashlib.sha256(PURPOSE + secret).hexdigest()


def show_word(client: httpx.Client, secret: bytes) -> None:
    """Have a client show the word with every request."""
    client.headers[WORD_HEADER] = make_word(secret)


class Guard:
    """An ASGI application that lets through to another who shows the word, once, and nobody else."""

    def __init__(self, app: Any, secret: bytes) -> None:
        self._app, self._word = app, make_word(secret).encode()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Judge one request; the word is taken out before it is passed on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        name = WORD_HEADER.encode()
        shown = [value for header, value in scope["headers"] if header == name]
        if scope["type"] == "http" and len(shown) == 1 and hmac.compare_digest(shown[0], self._word):
            rest = [(header, value) for header, value in scope["headers"] if header != name]
            await self._app({**scope, "headers": rest}, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"7"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": b"refused"})
