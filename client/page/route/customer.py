"""GET /customers: who will buy and whom to write to; one of them; and the list of letters as a file."""

from __future__ import annotations

import asyncio
import csv
from datetime import date
from io import StringIO
from typing import Any

from fastapi import Request, Response

from client.language.speech import speaking
from client.page.route.order import send_file
from client.page.route.page import make_router, show_waiting
from client.page.view.customer import show_customers, show_person
from client.page.visit import visit
from client.serving.bench.job import Recommend
from client.serving.process.refusal import Refusal

router = make_router()
OFFERS = 6


@router.get("/customers")
async def get_customers(request: Request, segment: str = "", page: str = "1") -> Response:
    """Show all customers."""
    here = visit(request)
    if here.edition is None:
        return show_waiting(here)
    number = int(page) if page.isdecimal() and len(page) < 7 else 1
    with speaking(here.spoken):
        values = show_customers(here.says("customers"), here.rows("customers"), segment=segment, page=number)
    return here.show("customer", values, here="customer")


@router.get("/customers/{customer}")
async def get_customer(request: Request, customer: str) -> Response:
    """Show one customer."""
    here = visit(request)
    if here.edition is None:
        return show_waiting(here)
    row = next((row for row in here.rows("customers") if row["customer"] == customer), None)
    if row is None:
        raise Refusal(404, "not_found", f"There is no customer {customer[:80]!r}.", "see /customers")
    found = await here.ask_softly(Recommend(customer=customer, number=OFFERS))
    answer = found.document["answers"][0] if found.document else None
    with speaking(here.spoken):
        values = {**show_person(row, answer, here.says("customers")["days"]), "waits": found.is_awaited}
    return here.show("person", values, here="customer")


@router.get("/letters.csv")
async def get_letters(request: Request) -> Response:
    """Give the list of letters, as `hansa-client customers --measure` reads it later."""
    here = visit(request)
    if here.edition is None:
        return show_waiting(here)
    rows = here.taken.part("customers").document["letters"]["rows"]
    content = await asyncio.to_thread(_write, rows)
    return send_file(content, f"letters-{here.taken.imprint.day if here.edition else date.today()}.csv")


def _write(rows: list[dict[str, Any]]) -> bytes:
    stream = StringIO()
    writer = csv.DictWriter(stream, list(rows[0]) if rows else ["customer", "written_on", "hold_out"])
    writer.writeheader()
    writer.writerows({**row, "hold_out": str(row["hold_out"]).lower()} for row in rows)
    return stream.getvalue().encode()
