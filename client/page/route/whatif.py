"""GET /what-if: what another price or a promotion would bring."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from client.language.speech import speaking
from client.page.route.page import make_router, show_waiting
from client.page.view.whatif import show_answer
from client.page.visit import Visit, visit
from client.serving.bench.job import Price
from client.serving.process.refusal import Refusal
from common.errors import ConfigError, DataError

router = make_router()
PATIENCE_SECONDS, MOST_CHANGE = 60.0, 90


@router.get("/what-if")
async def get_whatif(request: Request, product: str = "", change: str = "0", promotion: str = "") -> Response:
    """Show what a price would bring."""
    here = visit(request)
    if here.edition is None:
        return show_waiting(here)
    percent = _read_change(change)
    found, trouble = await _ask(here, product[:500], percent, as_promotion=promotion == "1")
    forecasts = here.taken.by_week
    with speaking(here.spoken):
        values = {
            "products": sorted(zip(forecasts.products, forecasts.names, strict=True)),
            "product": product,
            "change": percent,
            "promotion": promotion == "1",
            "waits": False,
            "found": show_answer(found) if found else None,
            "trouble": trouble,
        }
    return here.show("whatif", values, here="whatif")


def _read_change(text: str) -> int:
    try:
        return min(max(int(text), -MOST_CHANGE), MOST_CHANGE)
    except ValueError:
        return 0


async def _ask(here: Visit, product: str, percent: int, *, as_promotion: bool) -> tuple[dict[str, Any] | None, str]:
    share = percent / 100 or None
    job = Price(
        products=(product,) if product else (),
        discount=-share if share is not None and as_promotion and share < 0 else None,
        change=None if share is None or (as_promotion and share < 0) else share,
    )
    try:
        return await here.ask(job, seconds=PATIENCE_SECONDS), ""
    except (Refusal, ConfigError, DataError) as error:
        return None, str(error)
