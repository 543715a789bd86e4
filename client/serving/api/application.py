"""The application: every route, one form of every error, and what the guard lets through."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from client.language.speech import speaking
from client.language.trouble import say_trouble
from client.page import router as page
from client.page.shown import Shown
from client.page.visit import spoken_to
from client.serving.api import (
    asking,
    customer,
    forecast,
    importing,
    insight,
    order,
    override,
    probe,
    product,
    session,
    state,
)
from client.serving.edition.edition import NotThere
from client.serving.process.refusal import Refusal, refuse_with
from client.serving.process.served import Served
from common import __version__
from common.errors import ConfigError, HansaError

LOGGER = logging.getLogger(__name__)
PREFIX = "/api/v1"
CODES = {404: "not_found", 405: "not_allowed"}
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def make_application(served: Served, lifespan: Lifespan) -> FastAPI:
    """Make the application; its routes read what is served from `app.state.served`."""
    app = FastAPI(
        title="hansa: what a shop will sell, and what to do",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.served, app.state.shown = served, Shown()
    app.include_router(probe.router)
    app.include_router(session.opening)
    for module in (forecast, order, product, customer, asking, insight, override, importing, state, session):
        app.include_router(module.router, prefix=PREFIX)
    app.include_router(page.router)
    app.add_exception_handler(Refusal, _answer_refusal)
    app.add_exception_handler(HansaError, _answer_fault)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(Exception, _answer_surprise)
    return app


def _send(refusal: Refusal, request: Request) -> Response:
    """Send a refusal: to a program in English, and to the page's script, which shows it, as the reader speaks."""
    if getattr(request.state, "session", ""):
        with speaking(spoken_to(request)):
            refusal.message = say_trouble(refusal.message)
    return Response(refusal.body, refusal.status, refusal.headers, media_type="application/json")


async def _answer_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # noqa: S101  for mypy: registered for it
    return _send(error, request)


async def _answer_fault(request: Request, error: Exception) -> Response:
    """Answer what the shop's own functions refuse: asked wrongly, or impossible with this shop."""
    if isinstance(error, NotThere):
        return _send(refuse_with(409, "not_available", str(error)), request)
    code = (400, "bad_question") if isinstance(error, ConfigError) else (409, "bad_data")
    return _send(refuse_with(*code, str(error)), request)


async def _answer_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  for mypy: registered for it
    first: dict[str, Any] = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("query", "path", "body"))
    sentence = f"{where or 'The body'}: {first['msg']}."
    return _send(Refusal(422, "invalid", sentence, "see /openapi.json"), request)


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  for mypy: registered for it
    sentence = {
        404: "There is nothing at this address.",
        405: "This address does not take that method.",
    }.get(error.status_code, str(error.detail))
    code = CODES.get(error.status_code, "refused")
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if error.status_code == 405:
        headers["allow"] = _list_methods(request)
    return _send(Refusal(error.status_code, code, sentence, "see /openapi.json", headers=headers), request)


def _list_methods(request: Request) -> str:
    """List the methods that an address takes: Starlette names those of the first route alone."""
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    if request.url.path in paths:
        found = set(paths[request.url.path])
    else:
        forms = {re.sub(r"\\\{\w+\\\}", ".+", re.escape(template)): methods for template, methods in paths.items()}
        found = {each for form, methods in forms.items() if re.fullmatch(form, request.url.path) for each in methods}
    return ", ".join(sorted(method.upper() for method in found))


async def _answer_surprise(request: Request, error: Exception) -> Response:
    LOGGER.error("%s %s: %s", request.method, request.url.path, type(error).__name__)
    said = f"This could not be answered, by a fault of hansa's ({type(error).__name__})."
    return _send(Refusal(500, "fault", said, "tell its makers"), request)
