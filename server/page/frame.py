"""Write a view of the coordinator's page: its template within the frame, in one language, every value escaped."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from common.language.choice import choose_language
from common.page.asset import SHARED, Asset, read_asset
from server.language.speech import LANGUAGES, Speech
from server.page.action.office import Office
from server.page.wording import MEANINGS, WORDS

COOKIE = "hansa_language"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@cache
def read_assets() -> Mapping[str, Asset]:
    """Read the style sheet and the script, by name."""
    return MappingProxyType({name: read_asset(name, "common.page") for name in SHARED})


def speech_of(request: Request) -> Speech:
    """Give the language of whoever looks."""
    chosen, accepted = request.cookies.get(COOKIE, ""), request.headers.get("accept-language", "")
    return Speech(choose_language(chosen, accepted, LANGUAGES))


def show(request: Request, view: str, values: Mapping[str, Any], *, status: int = 200) -> HTMLResponse:
    """Send a view."""
    office: Office | None = request.app.state.office
    speech = speech_of(request)
    session = office.session_of(request.headers) if office else ""
    around = {
        "t": speech.t,
        "language": speech.language,
        "federation": request.app.state.home.read_settings().name,
        "here": view,
        "acts": bool(session),
        "may_act": office is not None,
        "csrf": office.csrf_of(session) if office and session else "",
    }
    text = _environment().get_template(f"{view}.html").render(**around, **values)
    headers = {
        "content-security-policy": POLICY,
        "content-language": speech.language,
        "vary": "accept-language, cookie",
    }
    if session:  # with no-referrer a browser sends forms as of Origin: null, which are refused
        headers["referrer-policy"] = "same-origin"
    return HTMLResponse(text, status, headers)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("server.page", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(languages=LANGUAGES, asset=read_assets(), words=WORDS, meanings=MEANINGS)
    made.filters.update(moment=say_moment, size=say_size)
    return made


def say_moment(text: str) -> str:
    """Write a moment of the registry to the minute, the same in every language."""
    return f"{text[:10]} {text[11:16]} UTC"


def say_size(num_bytes: int) -> str:
    """Write a number of bytes."""
    if num_bytes < 1000:
        return f"{num_bytes} B"
    return f"{num_bytes / 1000:,.1f} kB" if num_bytes < 1_000_000 else f"{num_bytes / 1_000_000:,.1f} MB"
