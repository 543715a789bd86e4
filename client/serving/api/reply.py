"""How an answer of an edition is written: named in a header, tagged, and not sent again to who has it."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from pydantic import BeforeValidator

from client.serving.edition.edition import Edition
from client.serving.encoding import encode
from client.serving.process.refusal import FaultAnswer, Refusal
from client.serving.process.served import Served

EDITION_HEADER, STALE_HEADER = "x-hansa-edition", "x-hansa-stale"
MOST_ROWS = 5000
JSON = "application/json"
DAY = re.compile(r"\d{4}-\d\d-\d\d")
Offset = Annotated[int, Query(ge=0, le=10_000_000, description="how many to leave out from the beginning")]
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="how many to give at most")]


def _require_text(value: object) -> object:
    """Refuse a number, which pydantic would take for a day: seconds since 1970."""
    if isinstance(value, str) and not DAY.fullmatch(value):
        raise ValueError("write a day as 2026-12-01")
    if not isinstance(value, str | date | None):
        raise ValueError("write a day as 2026-12-01")
    return value


Day = Annotated[date, BeforeValidator(_require_text)]
FAULTS: dict[int | str, dict[str, Any]] = {
    400: {"model": FaultAnswer, "description": "asked in a way that cannot be answered"},
    401: {"model": FaultAnswer, "description": "without the shop's token"},
    403: {"model": FaultAnswer, "description": "from another page, or without the page's token"},
    404: {"model": FaultAnswer, "description": "there is no such thing in this shop"},
    409: {"model": FaultAnswer, "description": "this part of the edition could not be made; the sentence says why"},
    408: {"model": FaultAnswer, "description": "the body came too slowly"},
    413: {"model": FaultAnswer, "description": "the body is too large"},
    421: {"model": FaultAnswer, "description": "asked by a name that is not this server's"},
    422: {"model": FaultAnswer, "description": "a value is of another kind or size than can be used"},
    429: {"model": FaultAnswer, "description": "too many are waiting"},
    431: {"model": FaultAnswer, "description": "the address and the headers are too long"},
    500: {"model": FaultAnswer, "description": "a fault of hansa's"},
    503: {"model": FaultAnswer, "description": "not ready yet; ask again in a moment"},
    504: {"model": FaultAnswer, "description": "it took too long"},
}


class Taken:
    """The edition that a request took, and how its answer names it."""

    def __init__(self, edition: Edition, request: Request, *, is_stale: bool) -> None:
        self.edition, self._request, self._is_stale = edition, request, is_stale

    @property
    def headers(self) -> dict[str, str]:
        """Name the edition, and say whether the shop has changed since."""
        named = {EDITION_HEADER: self.edition.name, "etag": self.edition.tag, "cache-control": "private, no-cache"}
        return named | ({STALE_HEADER: "true"} if self._is_stale else {})

    @property
    def is_had(self) -> bool:
        """Whether the asker has this very answer: an edition never changes."""
        said = self._request.headers.get("if-none-match", "")
        return said == self.edition.tag or self.edition.tag in (each.strip() for each in said.split(","))

    def send(self, body: bytes, *, kind: str = JSON, headers: dict[str, str] | None = None) -> Response:
        """Send a body, or say that the asker has it."""
        named = self.headers | (headers or {})
        if self.is_had:
            return Response(status_code=304, headers=named)
        return Response(body, media_type=kind, headers=named)

    def say(self, document: dict[str, Any]) -> Response:
        """Send a document, with the edition's name in it."""
        return self.send(encode({"edition": self.edition.name, **document}))


def take_edition(request: Request) -> Taken:
    """Take the edition that is current, once for a request.

    Raises
    ------
    Refusal
        There is none yet.
    """
    served: Served = request.app.state.served
    if served.current is None:
        raise not_ready(served)
    return Taken(served.current, request, is_stale=served.is_stale)


def not_ready(served: Served) -> Refusal:
    """Say why there is no edition yet."""
    if served.trouble and served.making is None:
        return Refusal(
            503, "not_ready", f"There is nothing to serve yet. {served.trouble}", headers={"retry-after": "10"}
        )
    share = 0.0 if served.making is None else served.making.share
    sentence = f"The first forecasts are being made, {share:.0%} are done."
    return Refusal(
        503, "not_ready", sentence, "ask again in a moment; see /api/v1/status", headers={"retry-after": "2"}
    )


async def _take(request: Request) -> Taken:
    return take_edition(request)


Current = Annotated[Taken, Depends(_take)]


def page_of(total: int, offset: int, limit: int) -> dict[str, Any]:
    """Say which part of a list of so many is given."""
    return {"total": total, "offset": offset, "next": offset + limit if offset + limit < total else None}


def read_days(first: date | None, last: date | None) -> None:
    """Refuse days that are the wrong way round."""
    if first is not None and last is not None and last < first:
        raise Refusal(400, "bad_question", f"`to` {last} lies before `from` {first}.", "give the later day second")
