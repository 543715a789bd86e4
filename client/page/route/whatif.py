"""GET /what-if: what another price or a promotion would bring."""

from __future__ import annotations

from fastapi import Request, Response

from client.language.speech import speaking
from client.page.route.page import make_router, show_waiting
from client.page.view.whatif import show_answer
from client.page.visit import visit
from client.serving.bench.job import Price

router = make_router()
MOST_CHANGE = 90  # per cent


@router.get("/what-if")
async def get_whatif(request: Request, product: str = "", change: str = "0", promotion: str = "") -> Response:
    """Show what a price would bring."""
    here = visit(request)
    if here.edition is None:
        return show_waiting(here)
    percent = _read_change(change)
    found = await here.ask_softly(_price(product[:500], percent, as_promotion=promotion == "1"))
    forecasts = here.taken.by_week
    with speaking(here.spoken):
        values = {
            "products": sorted(zip(forecasts.products, forecasts.names, strict=True)),
            "product": product,
            "change": percent,
            "promotion": promotion == "1",
            "waits": found.is_awaited,
            "found": show_answer(found.document) if found.document else None,
            "trouble": found.trouble,
        }
    return here.show("whatif", values, here="whatif")


def _read_change(text: str) -> int:
    try:
        return min(max(int(text), -MOST_CHANGE), MOST_CHANGE)
    except ValueError:
        return 0


def _price(product: str, percent: int, *, as_promotion: bool) -> Price:
    share = percent / 100 or None
    is_promotion = share is not None and share < 0 and as_promotion
    return Price(
        products=(product,) if product else (),
        discount=-percent / 100 if is_promotion else None,
        change=None if is_promotion else share,
    )
