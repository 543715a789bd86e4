"""GET /privacy: the budget as a picture."""

from __future__ import annotations

import asyncio

from fastapi import Request, Response

from client.language.speech import speaking
from client.page.route.page import make_router
from client.page.view.privacy import show_privacy
from client.page.visit import visit

router = make_router()


@router.get("/privacy")
async def get_privacy(request: Request) -> Response:
    """Show what is spent and what is left."""
    here = visit(request)
    with speaking(here.spoken):
        values = await asyncio.to_thread(show_privacy, here.folder, here.zone)
    return here.show("privacy", values, here="privacy")
