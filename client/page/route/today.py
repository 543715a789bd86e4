"""GET /: today."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from client.language.speech import speaking, t
from client.language.trouble import say_trouble
from client.page.route.page import make_router, show_waiting
from client.page.view.market import list_changes
from client.page.view.today import show_today
from client.page.visit import Visit, visit
from client.serving.edition.part import Name

router = make_router()
WITH_WARNINGS: tuple[Name, ...] = ("week", "customers")


@router.get("/")
async def get_today(request: Request) -> Response:
    """Show what to do today."""
    here = visit(request)
    if here.edition is None:
        return show_waiting(here)
    with speaking(here.spoken):
        values = show_today(
            day=here.taken.imprint.day,
            order={**here.says("orders"), "rows": here.rows("orders")} if here.has("orders") else None,
            customer=here.says("customers") if here.has("customers") else None,
            changed=list_changes(
                *(here.says(name) if here.has(name) else {} for name in ("market", "score", "reviews"))
            ),
            problems=here.says("health")["problems"] if here.has("health") else [],
            warnings=list_troubles(here),
        )
    return here.show("today", values, here="today")


def list_troubles(here: Visit) -> list[str]:
    """List what could not be made, and what is doubtful."""
    troubles: dict[Any, str] = here.taken.imprint.troubles
    said = [say_trouble(each) for each in troubles.values()]
    for name in WITH_WARNINGS:
        said += map(say_trouble, here.says(name)["warnings"] if here.has(name) else [])
    if here.served.trouble:
        said.append(t("Nothing newer could be made: {trouble}", trouble=say_trouble(here.served.trouble)))
    return said
