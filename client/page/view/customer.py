"""Customers: whom to write to, how they are, and every one of them; and one with what to offer her."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from client.decision.customer.segment import SEGMENTS
from client.decision.customer.wording import MEAN
from client.language.speech import t
from client.page.view.cell import read_days

Document = Mapping[str, Any]
PAGE, SHOWN_LETTERS = 50, 30
WITHOUT_RHYTHM = ("new", "came once")


def show_customers(document: Document, rows: Sequence[Document], *, segment: str = "", page: int = 1) -> dict[str, Any]:
    """Show sums, letters and one page of customers.

    Parameters
    ----------
    document, rows
        As `hansa-client customers --json` says them.
    """
    sums = {each["segment"]: each for each in document["segments"]}
    found = [row for row in rows if not segment or row["segment"] == segment]
    found = sorted(found, key=lambda row: (-row["value"], row["customer"]))
    last_page = max(-(-len(found) // PAGE), 1)
    page = min(max(page, 1), last_page)
    return {
        "number": document["customers"],
        "days": document["days"],
        "every": sums["all"],
        "said": document["letters"].get("sentences", []),
        "letters": document["letters"]["rows"][:SHOWN_LETTERS],
        "segments": [_show_segment(sums[name]) for name in SEGMENTS if sums[name]["customers"]],
        "segment": segment,
        "rows": [read_days(row) for row in found[(page - 1) * PAGE : page * PAGE]],
        "found": len(found),
        "page": page,
        "last_page": last_page,
        "link": lambda number: f"/customers?{urlencode({'segment': segment, 'page': number})}#list",
    }


def _show_segment(each: Document) -> dict[str, Any]:
    name = each["segment"]
    return {**each, "meaning": t(MEAN[name]), "has_rhythm": name not in WITHOUT_RHYTHM}


def show_person(row: Document, answer: Document | None, days: int) -> dict[str, Any]:
    """Show one customer, and what to offer her.

    Parameters
    ----------
    answer
        Of the recommendations; None where there is none.
    """
    offers = answer["offers"] if answer else []
    kinds = (("again", t("To offer again")), ("new", t("New to her")))
    lists = [(words, [each for each in offers if each["kind"] == kind]) for kind, words in kinds]
    return {
        "row": read_days(row),
        "days": days,
        "lists": [(words, [show_offer(each) for each in own]) for words, own in lists if own],
    }


def show_offer(offer: Document) -> dict[str, Any]:
    """Show one offer, with what is to be known of its stock."""
    from client.decision.recommendation.shelf import SAY

    return {**offer, "stock": t(SAY[offer["stock"]]) if offer["stock"] else ""}
