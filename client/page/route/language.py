"""POST /language: speak another language from now on, as long as the browser is open."""

from __future__ import annotations

import re

from fastapi import Request, Response

from client.language.speech import LANGUAGES
from client.page.route.page import make_router
from client.page.visit import COOKIE, field, visit
from client.serving.process.guard import Door

router = make_router()
OWN_PATH = re.compile(r"/(?![/\\])[!-~]*")  # as an address is written: browsers drop tabs and breaks within one


@router.post("/language")
async def post_language(request: Request) -> Response:
    """Keep the language beside the session, and lead back; only to a page of our own."""
    here = visit(request)
    fields = await here.read_form()
    chosen, back = field(fields, "language"), field(fields, "back", "/")
    answer = here.go(back if OWN_PATH.fullmatch(back) else "/")
    door: Door = request.app.state.door
    if chosen in LANGUAGES:
        answer.set_cookie(COOKIE, chosen, path="/", secure=door.scheme == "https", httponly=True, samesite="strict")
    return answer
