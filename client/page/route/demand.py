"""GET /demand: every product; GET /demand/PRODUCT: one of them, why, and what a person expects instead."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import quote

from fastapi import Request, Response

from client.language.speech import speaking
from client.page.route.page import make_router, show_waiting
from client.page.view.demand import lay_out_weeks, show_demand, show_moves
from client.page.view.override import say_override
from client.page.visit import Visit, field, visit
from client.serving.bench.job import Explain
from client.serving.edition.forecasts import Forecasts
from client.serving.process.refusal import Refusal
from client.shop.history.history import History
from client.shop.override.override import Override, Overrides

router = make_router()
PATIENCE_SECONDS = 120.0
USUAL_DAYS = 6
ASKED = ("of", "name", "first", "last", "factor", "total", "author", "reason")  # the empty ones too


@router.get("/demand")
async def get_demand(request: Request, q: str = "", category: str = "", page: str = "1") -> Response:
    """Show a page of products."""
    here = visit(request)
    if here.edition is None:
        return show_waiting(here)
    with speaking(here.spoken):
        number = int(page) if page.isdecimal() and len(page) < 6 else 1
        values = show_demand(
            here.taken.by_week,
            categories=read_categories(here),
            today=here.taken.imprint.day,
            asked=q[:200],
            category=category[:200],
            page=number,
        )
    made = here.says("week").get("sentences", []) if here.has("week") else []
    return here.show("demand", {**values, "made": made}, here="demand")


def read_categories(here: Visit) -> dict[str, str]:
    """Give the category of each product; read once of each edition."""
    if "categories" not in here.shown:
        table = here.taken.rows("products")
        pairs = zip(table["product"].to_pylist(), table["category"].to_pylist(), strict=True)
        here.shown["categories"] = {product: category or "" for product, category in pairs}
    found: dict[str, str] = here.shown["categories"]
    return found


@router.get("/demand/{product:path}")
async def get_product(request: Request, product: str) -> Response:
    """Show past and future of a product, what moves it, and what a person expects of it."""
    here = visit(request)
    if here.edition is None:
        return show_waiting(here)
    forecasts = here.taken.by_week
    row = require_product(forecasts, product)
    sold = await asyncio.to_thread(_read_sold, here.home.edition(here.taken.name) / "shop", here.folder, product)
    why = await here.ask_softly(Explain(product=product, period=""))
    origin = date.fromisoformat(str(forecasts.about["from"])[:10])
    with speaking(here.spoken):
        overrides = [each for each in Overrides(here.folder).read() if _is_about(each, product, read_categories(here))]
        values = {
            "row": {"product": product, "name": forecasts.names[row]},
            "why": why,
            "weeks": lay_out_weeks(sold, forecasts, row, origin),
            "moves": show_moves(why.document) if why.document else [],
            "overrides": [say_override(each, here.taken.imprint.day) for each in reversed(overrides)],
            "earliest": origin,
            "latest": origin + timedelta(days=USUAL_DAYS),
        }
    return here.show("product", values, here="demand")


def require_product(forecasts: Forecasts, product: str) -> int:
    """Give the row of a product.

    Raises
    ------
    Refusal
        Nothing is forecast of it.
    """
    row = forecasts.place.get(product)
    if row is None:
        raise Refusal(404, "not_found", f"Nothing is forecast of {product[:80]!r}.", "see /demand")
    return row


def _is_about(each: Override, product: str, categories: dict[str, str]) -> bool:
    if each.of == "product":
        return each.name == product
    return each.of == "shop" or each.name == categories.get(product, "")


def _read_sold(snapshot: Path, folder: Path, product: str) -> dict[date, float]:
    """Give what was sold on each day; of the state that the edition was made of, while that is there."""
    history = History.open(snapshot if (snapshot / "shop.toml").exists() else folder)
    daily = history.daily([product]).select(["day", "units"])
    return {row["day"]: row["units"] or 0.0 for row in daily.to_pylist()}


@router.post("/override")
async def post_override(request: Request) -> Response:
    """Keep what a person expects of a product."""
    here = visit(request)
    if here.edition is None:
        return show_waiting(here)
    fields = await here.read_form()
    product = field(fields, "product")
    require_product(here.taken.by_week, product)
    made = await read_override(here, product, {name: field(fields, name) for name in fields})
    await asyncio.to_thread(Overrides(here.folder).add, made)
    return here.go(f"/demand/{quote(product, safe='')}", done="override")


async def read_override(here: Visit, product: str, said: dict[str, str]) -> Override:
    """Read what a person expects, and work out what it changes.

    Raises
    ------
    ConfigError
        A field holds what it cannot, or its days have passed.
    """
    from client.page.view.override import read_form
    from client.serving.bench.job import Preview

    with speaking(here.spoken):
        made = read_form(product, said, here.taken.imprint.day)
    effect = await here.ask(Preview(**{name: getattr(made, name) for name in ASKED}), seconds=PATIENCE_SECONDS)
    return made.model_copy(update={"without": effect["without"], "with_it": effect["with_it"]})


@router.post("/override/{number}/remove")
async def post_remove(request: Request, number: int) -> Response:
    """Take an override back."""
    here = visit(request)
    fields = await here.read_form()
    taken = await asyncio.to_thread(
        Overrides(here.folder).remove, number, date.today() if here.edition is None else here.taken.imprint.day
    )
    name = field(fields, "product") or taken.name
    return here.go(f"/demand/{quote(name, safe='')}" if name else "/demand", done="removed")
