"""One visit of the page: the edition that it took, the language, and how a view is sent."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote
from zoneinfo import ZoneInfo

from fastapi import Request, Response

from client.language.speech import ENGLISH, LANGUAGES, speaking
from client.page.answer import Answer, ask_softly
from client.page.frame import POLICY, Around, render
from client.page.notice import say_notice
from client.page.shown import Shown
from client.serving.bench.job import Job
from client.serving.edition.edition import Edition
from client.serving.edition.part import Name
from client.serving.folder import ServedFolder
from client.serving.process.bench import Bench
from client.serving.process.guard import MOST_FIELDS, Door
from client.serving.process.refusal import Refusal
from client.serving.process.served import Served
from client.shop.settings import Shop, read_shop
from common.language.choice import choose_language

COOKIE = "hansa_language"
HTML = "text/html; charset=utf-8"
SEE_OTHER = 303
Fields = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Visit:
    """What one request of the page has to do with."""

    request: Request
    served: Served
    edition: Edition | None

    @cached_property
    def spoken(self) -> str:
        """The language of whoever looks."""
        return spoken_to(self.request)

    @cached_property
    def home(self) -> ServedFolder:
        """The folder of what is served."""
        home: ServedFolder = self.request.app.state.home
        return home

    @property
    def folder(self) -> Path:
        """The shop's own folder."""
        return self.home.shop

    @cached_property
    def shop(self) -> Shop:
        """The shop's settings as they are now."""
        return read_shop(self.folder)

    @property
    def zone(self) -> ZoneInfo:
        """The shop's clock: days on the page are its days, wherever the machine stands."""
        return ZoneInfo(self.shop.time_zone)

    @cached_property
    def terms(self) -> Shop:
        """The shop's settings, in the currency that this visit's numbers are in, whatever was chosen since."""
        if self.edition is None:
            return self.shop
        return self.shop.model_copy(update={"currency": self.edition.imprint.currency})

    @property
    def taken(self) -> Edition:
        """The edition of this visit, where there is one."""
        assert self.edition is not None  # noqa: S101  for mypy: a view without one is another view
        return self.edition

    @cached_property
    def shown(self) -> dict[str, Any]:
        """What was made of this edition before."""
        shown: Shown = self.request.app.state.shown
        return shown.of(self.taken)

    def says(self, name: Name) -> dict[str, Any]:
        """Give the document of a part in the language of the visit.

        Raises
        ------
        NotThere
            It could not be made.
        """
        part = self.taken.part(name)
        return part.document if self.spoken == ENGLISH else part.spoken.get(self.spoken, part.document)

    def has(self, name: Name) -> bool:
        """Whether a part could be made."""
        return name in self.taken.parts

    def rows(self, name: Name) -> list[dict[str, Any]]:
        """Give the rows of a part, their reasons in the language of the visit; read once of each edition."""
        key = f"{self.spoken} {name}"
        if key not in self.shown:
            rows = self.taken.rows(name).to_pylist()
            whys = self.says(name).get("whys")
            if whys is not None:
                rows = [{**row, "why": why} for row, why in zip(rows, whys, strict=True)]
            self.shown[key] = rows
        found: list[dict[str, Any]] = self.shown[key]
        return found

    def show(
        self, view: str, values: Mapping[str, Any], *, here: str, status: int = 200, trouble: str = ""
    ) -> Response:
        """Send a view."""
        with speaking(self.spoken):
            around = self._around(here, trouble)
        text = render(view, around, values, spoken=self.spoken)
        headers = {
            "content-security-policy": POLICY,
            "cache-control": "no-store",
            "referrer-policy": "same-origin",  # with no-referrer a browser sends its forms as of Origin: null
            "content-language": self.spoken,
            "vary": "accept-encoding, accept-language, cookie",
        }
        content = text.encode()
        if "gzip" in self.request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            content = gzip.compress(content, 5, mtime=0)
        return Response(content, status, headers, media_type=HTML)

    def go(self, path: str, *, done: str = "") -> Response:
        """Lead to a view, which says what was done by the name of a notice."""
        mark = "&" if "?" in path else "?"
        return Response(status_code=SEE_OTHER, headers={"location": f"{path}{mark}done={done}" if done else path})

    async def ask(self, job: Job, *, seconds: float) -> dict[str, Any]:
        """Have something worked out, and give it in the language of the visit.

        Raises
        ------
        Refusal
            Too many wait, it took too long, or the edition has changed.
        ConfigError, DataError
            It cannot be done; the text says why.
        """
        bench: Bench = self.request.app.state.bench
        return await bench.ask(self.taken, job, seconds=seconds, spoken=self.spoken)

    async def ask_softly(self, job: Job) -> Answer:
        """Have something worked out, without waiting for it to be done."""
        bench: Bench = self.request.app.state.bench
        return await ask_softly(bench, self.taken, job, self.shown.setdefault("answers", {}), spoken=self.spoken)

    async def read_form(self) -> Fields:
        """Read the fields of a form that was sent.

        Raises
        ------
        Refusal
            It has more of them than any of the page's own.
        """
        body = (await self.request.body()).decode("utf-8", "replace")
        try:
            return parse_qs(body, keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except ValueError as error:
            raise Refusal(413, "too_large", f"A form may have {MOST_FIELDS:,} fields.") from error

    def _around(self, here: str, trouble: str) -> Around:
        door: Door = self.request.app.state.door
        session = self.request.state.session
        edition, making = self.edition, self.served.making
        return Around(
            shop=self.shop.name,
            currency=self.terms.currency,
            here=here,
            path=_write_path(self.request) if self.request.method == "GET" else "/",
            token=door.keys.csrf_of(session) if session else "",
            today=edition.imprint.day if edition else date.min,
            until=_last_day(edition),
            notice=say_notice(self.request.query_params.get("done", "")),
            trouble=trouble,
            share=making.share if making else None,
            edition=edition.name if edition else "",
        )


def _write_path(request: Request) -> str:
    """Write the path that was asked for as an address has it: only what is written so leads back to it."""
    path, query = quote(request.scope["path"]), request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def _last_day(edition: Edition | None) -> date | None:
    if edition is None or "week" not in edition.parts:
        return None
    return date.fromisoformat(str(edition.part("week").document["from"])[:10]) - timedelta(days=1)


def spoken_to(request: Request) -> str:
    """Give the language of whoever asks."""
    asked = request.headers.get("accept-language", "")
    return choose_language(request.cookies.get(COOKIE, ""), asked, LANGUAGES)


def visit(request: Request) -> Visit:
    """Take the edition that is current, once for a request."""
    served: Served = request.app.state.served
    return Visit(request, served, served.current)


def field(fields: Fields, name: str, usual: str = "") -> str:
    """Give one field of a form."""
    return fields.get(name, [usual])[0].strip()
