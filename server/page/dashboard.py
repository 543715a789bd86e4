"""The coordinator's page, on loopback alone: the same that `hansa-server status` says, in a browser."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from importlib.resources import files

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

from server.folder import CoordinatorFolder
from server.page.status import gather_status
from server.registry.registry import Registry


def make_dashboard(home: CoordinatorFolder) -> Starlette:
    """Make the application: a page, and the JSON that it asks for every two seconds."""
    page = files("server.page").joinpath("dashboard.html").read_text()

    def show(request: Request) -> HTMLResponse:
        return HTMLResponse(page, headers={"content-security-policy": "default-src 'self' 'unsafe-inline'"})

    def status(request: Request) -> JSONResponse:
        with contextlib.closing(Registry(home.registry)) as registry:
            return JSONResponse(gather_status(home, registry))

    return Starlette(routes=[Route("/", show), Route("/status.json", status)])


def serve_dashboard(home: CoordinatorFolder, port: int) -> threading.Thread:
    """Serve from a thread of its own, which ends with the process."""
    server = make_server(home, port)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), name="dashboard", daemon=True)
    thread.start()
    return thread


def make_server(home: CoordinatorFolder, port: int) -> uvicorn.Server:
    """Make what serves the page, on loopback alone."""
    config = uvicorn.Config(
        make_dashboard(home), host="127.0.0.1", port=port, ws="none", access_log=False, log_level="warning"
    )
    return uvicorn.Server(config)
