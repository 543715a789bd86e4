"""The coordinator's page, on loopback alone: the same that `hansa-server status` says, in a browser."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.command.page import HEADERS, REFUSED, is_own_host
from common.errors import HansaError
from common.http.connection import Connection
from common.page.asset import FOR_EVER
from server.folder import CoordinatorFolder
from server.language.speech import LANGUAGES
from server.page.action.office import Office, Refused
from server.page.action.route import ROUTES, SEE_OTHER
from server.page.frame import COOKIE, read_assets, show, speech_of
from server.page.status import gather_status
from server.registry.registry import Registry

CONFLICT = 409
IDLE_SECONDS, MOST_CONNECTIONS = 30, 128


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


def look(request: Request) -> Response:
    """Show the federation."""
    status = _gather(request.app.state.home)
    welcome = [member for member in status["members"] if not member["revoked_at"]]
    knows_line = any(member["line"] for member in welcome)
    return show(request, "look", {"status": status, "welcome": welcome, "knows_line": knows_line})


def say_status(request: Request) -> Response:
    """Say the same as `hansa-server status --json`."""
    return JSONResponse(_gather(request.app.state.home))


def choose_tongue(request: Request) -> Response:
    """Keep the language as long as the browser is open, and lead back."""
    answer, chosen = RedirectResponse("/", SEE_OTHER), request.path_params["language"]
    if chosen in LANGUAGES:
        answer.set_cookie(COOKIE, chosen, path="/", httponly=True, samesite="strict")
    return answer


def give_asset(request: Request) -> Response:
    """Send the style sheet or the script."""
    for asset in read_assets().values():
        if asset.path == request.url.path:
            return Response(asset.content, headers={"cache-control": FOR_EVER}, media_type=asset.kind)
    return PlainTextResponse("not found\n", 404)


def say_trouble(request: Request, error: Exception) -> Response:
    """Say what did not work on a page."""
    status = error.status if isinstance(error, Refused) else CONFLICT
    title = speech_of(request).t("That did not work")
    values = {"title": title, "sentences": [str(error)], "download": "", "fault": True}
    try:
        return show(request, "done", values, status=status)
    except HansaError:  # not even the federation's name can be read
        return PlainTextResponse(f"{error}\n", CONFLICT)


def make_dashboard(home: CoordinatorFolder, office: Office | None = None) -> ASGIApp:
    """Make the application: a page that asks for itself every two seconds, and the same as JSON.

    Parameters
    ----------
    office
        What opens the actions; without one there are none.
    """
    routes = [
        Route("/", look),
        Route("/status.json", say_status),
        Route("/language/{language}", choose_tongue),
        Route("/asset/{name}", give_asset),
    ]
    app = Starlette(routes=[*routes, *(ROUTES if office else [])], exception_handlers={HansaError: say_trouble})
    app.state.home, app.state.office = home, office
    return _Guard(app)


def _gather(home: CoordinatorFolder) -> dict[str, Any]:
    with contextlib.closing(Registry(home.registry)) as registry:
        return gather_status(home, registry)


def serve_dashboard(home: CoordinatorFolder, port: int, office: Office | None = None) -> threading.Thread:
    """Serve from a thread of its own, which ends with the process."""
    server = make_server(home, port, office)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), name="dashboard", daemon=True)
    thread.start()
    return thread


def make_server(home: CoordinatorFolder, port: int, office: Office | None = None) -> uvicorn.Server:
    """Make what serves the page, on loopback alone."""
    config = uvicorn.Config(
        make_dashboard(home, office),
        host="127.0.0.1",
        port=port,
        http=Connection,  # whose heads come to their end: nobody holds the page by sending one slowly
        timeout_keep_alive=IDLE_SECONDS,
        limit_concurrency=MOST_CONNECTIONS,
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
    )
    return uvicorn.Server(config)
