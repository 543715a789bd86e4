"""A route of the page: what is refused is a page too, and without an edition there is one that waits."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from client.page.visit import Visit, visit
from client.serving.edition.edition import NotThere
from client.serving.process.refusal import Refusal
from common.errors import ConfigError, HansaError

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
CONFLICT, WRONG = 409, 400


class PageRoute(APIRoute):
    """A route whose errors are said on a page."""

    def get_route_handler(self) -> Handler:
        """Give the handler."""
        handle = super().get_route_handler()

        async def handle_or_say(request: Request) -> Response:
            try:
                return await handle(request)
            except Refusal as refusal:
                return show_trouble(visit(request), str(refusal), status=refusal.status)
            except HansaError as error:
                return show_trouble(visit(request), str(error), status=WRONG if _is_wrong(error) else CONFLICT)

        return handle_or_say


def _is_wrong(error: HansaError) -> bool:
    return isinstance(error, ConfigError) and not isinstance(error, NotThere)


def make_router() -> APIRouter:
    """Make a router of the page; machines read nothing of it, so it is not in the API's description."""
    return APIRouter(route_class=PageRoute, include_in_schema=False)


def show_trouble(here: Visit, sentence: str, *, status: int) -> Response:
    """Say what did not work, and lead back."""
    back = quote(here.request.scope["path"]) if here.request.method == "GET" else "/"
    return here.show("trouble", {"sentence": sentence, "back": back}, here="", status=status)


def show_waiting(here: Visit) -> Response:
    """Say that the first edition is being made."""
    making = here.served.making
    share = None if making is None else making.share
    return here.show("waiting", {"share": share, "trouble": here.served.trouble}, here="today")
