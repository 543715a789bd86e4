"""GET /market: what rises and falls."""

from __future__ import annotations

from fastapi import Request, Response

from client.language.speech import speaking
from client.page.route.page import make_router, show_waiting
from client.page.view.market import show_market
from client.page.visit import visit

router = make_router()


@router.get("/market")
async def get_market(request: Request) -> Response:
    """Show the market."""
    here = visit(request)
    if here.edition is None:
        return show_waiting(here)
    with speaking(here.spoken):
        parts = [here.says(name) if here.has(name) else {} for name in ("market", "score", "reviews")]
        values = show_market(*parts)
    return here.show("market", values, here="market")
