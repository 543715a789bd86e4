"""POST /federation/begin and /federation/end: answer rounds from here, or no longer."""

from __future__ import annotations

from fastapi import Request, Response

from client.language.speech import speaking
from client.page.route.page import make_router
from client.page.visit import visit
from client.serving.process.participation import Participation

router = make_router()


@router.post("/federation/begin")
async def post_begin(request: Request) -> Response:
    """Take part from now on, whenever the shop is served."""
    here = visit(request)
    participation: Participation = request.app.state.participation
    with speaking(here.spoken):
        await participation.begin()
    return here.go("/federation", done="begun")


@router.post("/federation/end")
async def post_end(request: Request) -> Response:
    """Take part no longer; what was spent and what came stays."""
    here = visit(request)
    participation: Participation = request.app.state.participation
    await participation.end()
    return here.go("/federation", done="ended")
