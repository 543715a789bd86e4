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

from server.place import Place
from server.registry import Registry
from server.status import gather_status


def make_dashboard(place: Place) -> Starlette:
    """Make the application: a page, and the JSON that it asks for every two seconds."""
    page = files("server").joinpath("dashboard.html").read_text()

    def show(request: Request) -> HTMLResponse:
        return HTMLResponse(page, headers={"content-security-policy": "default-src 'self' 'unsafe-inline'"})

    def status(request: Request) -> JSONResponse:
        with contextlib.closing(Registry(place.registry)) as registry:
            return JSONResponse(gather_status(place, registry))

    return Starlette(routes=[Route("/", show), Route("/status.json", status)])


def serve_dashboard(place: Place, port: int) -> threading.Thread:
    """Serve from a thread of its own, which ends with the process."""
    server = make_server(place, port)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), name="dashboard", daemon=True)
    thread.start()
    return thread


def make_server(place: Place, port: int) -> uvicorn.Server:
    """Make what serves the page, on loopback alone."""
    config = uvicorn.Config(
        make_dashboard(place), host="127.0.0.1", port=port, ws="none", access_log=False, log_level="warning"
    )
    return uvicorn.Server(config)
