"""Today: what to order, whom to write to, what changed, what needs a look, and the money in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from client.language.speech import t, tn
from client.page.view.cell import read_days

Document = Mapping[str, Any]
SHOWN_LINES, SHOWN_LETTERS, SHOWN_POINTS = 8, 5, 6
LIKELY_OUT = 0.5  # from which on a product is said to run out


def show_today(
    *,
    day: date,
    order: Document | None,
    customer: Document | None,
    changed: Sequence[tuple[str, str]],
    problems: Sequence[Document],
    warnings: Sequence[str],
) -> dict[str, Any]:
    """Gather what the view shows.

    Parameters
    ----------
    order, customer
        As `hansa-client order --json` and `customers --json` say them; None where there is none.
    changed
        Kind ("up", "down" or "") and sentence of each change.
    problems
        Of the data, as `hansa-client check --json` has them.
    warnings
        Why parts of what is served are missing or doubtful.
    """
    rows = [read_days(row) for row in order["rows"]] if order else []
    lines = [row for row in rows if row["quantity"]]
    fills = [row for row in rows if row["quantity"] is None and (row["reorder_point"] or 0.0) > 0]
    fills.sort(key=lambda row: -row["demand"])
    letters = [row for row in customer["letters"]["rows"] if not row["hold_out"]] if customer else []
    return {
        "day": day,
        "lines": lines[:SHOWN_LINES],
        "number_of_lines": len(lines),
        "fills": fills[:SHOWN_LINES],
        "number_of_fills": len(fills),
        "none_is_counted": all(row["quantity"] is None for row in rows),
        "cash": sum((row["cash"] or 0.0 for row in lines), 0.0),
        "letters": letters[:SHOWN_LETTERS],
        "to_write": len(letters),
        "at_risk": customer["letters"]["value_at_risk"] if customer else 0.0,
        "changed": list(changed)[:SHOWN_POINTS],
        "look": [*_look_at_orders(rows), *_look_at_data(problems), *(("warning", each) for each in warnings)],
        "money": list_money(order, customer, lines),
    }


def _look_at_orders(rows: Sequence[Document]) -> list[tuple[str, str]]:
    out = [row for row in rows if (row["risk_out"] or 0.0) >= LIKELY_OUT]
    unknown = sum(row["quantity"] is None for row in rows)
    said = []
    if out:
        names = ", ".join(row["name"] or row["product"] for row in out[:3])
        words = tn(
            "{number:,} product will probably run out before its next delivery: {names}.",
            "{number:,} products will probably run out before their next delivery, first {names}.",
            len(out),
            names=names,
        )
        said.append(("warning", words))
    if unknown:
        words = tn(
            "Of {number:,} product it is not known how many there are; import stock levels.",
            "Of {number:,} products it is not known how many there are; import stock levels.",
            unknown,
        )
        said.append(("warning", words))
    return said


def _look_at_data(problems: Sequence[Document]) -> list[tuple[str, str]]:
    return [(each["severity"], each["what"]) for each in problems if each["severity"] != "note"]


def list_money(order: Document | None, customer: Document | None, lines: Sequence[Document]) -> list[tuple[str, float]]:
    """List the sums of money that are known, in words and amounts."""
    found: list[tuple[str, float | None]] = []
    if order:
        found += [
            (t("to order today"), sum((row["cash"] or 0.0 for row in lines), 0.0)),
            (t("lies on the shelf"), order["cash_on_hand"]),
            (t("of it not sold within {days} days", days=order["dead_days"]), order["dead_cash"]),
        ]
    if customer:
        every = next((each for each in customer["segments"] if each["segment"] == "all"), None)
        if every:
            found.append((t("expected of customers in {days} days", days=customer["days"]), every["money"]))
    return [(words, value) for words, value in found if value is not None]
