"""The coordinator's page, on loopback alone: the same that `hansa-server status` says, in a browser."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from importlib.resources import files

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.command.page import HEADERS, REFUSED, allow, is_own_host
from server.folder import CoordinatorFolder
from server.page.status import gather_status
from server.registry.registry import Registry


class _Guard:
    """Refuse whoever asks by a foreign name, and send the headers of every page with every answer, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        own = is_own_host(Headers(scope=scope).getlist("host"))
        app = self._app if own else PlainTextResponse("refused\n", status_code=REFUSED)
        await app(scope, receive, send_guarded)


def make_dashboard(home: CoordinatorFolder) -> ASGIApp:
    """Make the application: a page, and the JSON that it asks for every two seconds."""
    page = files("server.page").joinpath("dashboard.html").read_text()
    inside = {tag: re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL) for tag in ("script", "style")}
    policy = f"{allow(scripts=inside['script'], styles=inside['style'], itself=True)}; frame-ancestors 'none'"

    def show(request: Request) -> HTMLResponse:
        return HTMLResponse(page, headers={"content-security-policy": policy})

    def status(request: Request) -> JSONResponse:
        with contextlib.closing(Registry(home.registry)) as registry:
            return JSONResponse(gather_status(home, registry))

    return _Guard(Starlette(routes=[Route("/", show), Route("/status.json", status)]))


def serve_dashboard(home: CoordinatorFolder, port: int) -> threading.Thread:
    """Serve from a thread of its own, which ends with the process."""
    server = make_server(home, port)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), name="dashboard", daemon=True)
    thread.start()
    return thread


def make_server(home: CoordinatorFolder, port: int) -> uvicorn.Server:
    """Make what serves the page, on loopback alone."""
    config = uvicorn.Config(
        make_dashboard(home),
        host="127.0.0.1",
        port=port,
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
    )
    return uvicorn.Server(config)
