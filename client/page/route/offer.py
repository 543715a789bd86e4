"""GET /offers: what to offer everyone, and those who spent most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response

from client.language.speech import speaking
from client.page.route.page import make_router, show_waiting
from client.page.view.customer import show_offer
from client.page.visit import visit

router = make_router()
SHOWN = 20  # customers


@router.get("/offers")
async def get_offers(request: Request) -> Response:
    """Show what to offer."""
    here = visit(request)
    if here.edition is None:
        return show_waiting(here)
    with speaking(here.spoken):
        values = show_offers(here.says("recommendations"))
    return here.show("offer", values, here="offer")


def show_offers(document: Mapping[str, Any]) -> dict[str, Any]:
    """Lay out what an edition says, the first answer being for everyone."""
    everyone, *others = document["answers"]
    return {
        "notes": document["notes"],
        "top": [show_offer(each) for each in everyone["offers"]],
        "best": [_show_best(each) for each in others[:SHOWN]],
    }


def _show_best(answer: Mapping[str, Any]) -> dict[str, Any]:
    first = {kind: next((each for each in answer["offers"] if each["kind"] == kind), None) for kind in ("again", "new")}
    return {"customer": answer["customer"], **first}
