"""How a browser comes in: by an address that opens one session, once."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from client.serving.api.reply import FAULTS
from client.serving.encoding import encode
from client.serving.process.guard import Door
from client.serving.process.opening import LED_ON
from client.serving.process.refusal import Refusal
from common.http.token import SESSION_SECONDS

opening = APIRouter(tags=["sessions"])
router = APIRouter(tags=["sessions"])
USED = "This address opens the page once, and it has been opened."


class SessionAnswer(BaseModel):
    """How to open the page."""

    page: str = Field(description="path that opens a session of a browser, once; put the server's address before it")


@opening.get("/open/{word}", status_code=303, response_class=Response, responses={401: FAULTS[401]})
async def open_session(request: Request, word: Annotated[str, Path(max_length=100)]) -> Response:
    """Open a session of a browser, and go to the page; needs no token, for the word is one."""
    door: Door = request.app.state.door
    answer = Response(status_code=303, headers={"location": "/"})
    if door.session_of(request.headers) is not None:
        return answer
    if not door.keys.use_word(word):
        raise Refusal(401, "used", USED, "start hansa-client serve again, or ask POST /api/v1/sessions for another")
    if request.headers.get("sec-fetch-site") == "cross-site":
        answer = Response(LED_ON, media_type="text/html")
    answer.set_cookie(
        door.cookie,
        door.keys.make_session(),
        max_age=SESSION_SECONDS,
        path="/",
        secure=door.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


@router.post("/sessions", status_code=201, response_model=SessionAnswer, responses=FAULTS)
async def post_session(request: Request) -> Response:
    """Make an address that opens the page in a browser, once."""
    door: Door = request.app.state.door
    body = encode({"page": f"/open/{door.keys.make_word()}"})
    return Response(body, status_code=201, media_type="application/json")
