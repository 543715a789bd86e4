"""Say what reviews tell in plain words, in a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.table import Table

from client.decision.review.change import Change
from client.decision.review.report import RECENT_DAYS, Report
from client.language.speech import join, t

SHOWN = 12


def describe_report(found: Report) -> dict[str, Any]:
    """Say everything for programs."""
    reader = found.reviews.reader
    return {
        "reviews": found.reviews.table.num_rows,
        "by_rating": found.by_rating,
        "by_text": found.by_text,
        "scale": list(found.reviews.scale),
        "text": None
        if reader is None
        else {
            "usable": reader.usable,
            "agreement": reader.agreement,
            "at_least": reader.at_least,
            "rated": reader.rated,
            "reason": reader.reason,
        },
        "changes": [{**vars(each), "since": str(each.since), "about": list(each.about)} for each in found.changes],
        "early_sign": {**vars(found.sign), "usable": found.sign.is_usable},
        "sentences": list(say_report(found)),
        "rows": found.table.to_pylist(),
    }


def make_table(found: Report) -> Table:
    """Lay the products with the most reviews out, moods as ratings."""
    worst, best = found.reviews.scale
    table = Table(title=f"reviews up to {found.last}, {worst:g} is the worst and {best:g} the best", box=SIMPLE)
    for head in ("product", "reviews", "all", f"last {RECENT_DAYS} days", "change", "between"):
        table.add_column(head, justify="left" if head == "product" else "right")
    for row in found.table.slice(0, SHOWN).to_pylist():
        name = row["product"] if row["name"] in ("", row["product"]) else f"{row['product']} {row['name'][:28]}"
        recent = "" if row["recent"] is None else f"{_rate(row['recent'], found):.1f} ({row['recent_reviews']})"
        half = (best - worst) / 2
        change, between = "", ""
        if row["change"] is not None:
            change = f"{row['change'] * half:+.1f}"
            between = f"{row['change_low'] * half:+.1f} and {row['change_high'] * half:+.1f}"
        cells = (name or "the shop", f"{row['reviews']:,}", f"{_rate(row['mood'], found):.1f}")
        table.add_row(*cells, recent, change, between)
    return table


def _rate(mood: float, found: Report) -> float:
    worst, best = found.reviews.scale
    return (worst + best) / 2 + mood * (best - worst) / 2


def say_report(found: Report) -> Iterator[str]:
    """Say what changed, whether sales follow, and what the moods rest on."""
    for change in found.changes:
        yield _say_change(change, found)
    if not found.changes:
        yield t("The mood about no product changed beyond chance.")
    yield _say_sign(found)
    unknown = found.reviews.table.num_rows - found.by_rating - found.by_text
    known = [t("{by_rating:,} reviews have a rating.", by_rating=found.by_rating)]
    if found.by_text:
        known.append(t(" {by_text:,} are read.", by_text=found.by_text))
    yield join(known)
    if found.reviews.reader is not None:
        yield found.reviews.reader.reason
    if unknown:
        yield t("Of {unknown:,} reviews the mood is not known; they count nowhere.", unknown=unknown)


def _say_change(change: Change, found: Report) -> str:
    before, after = (_rate(mood, found) for mood in (change.before, change.after))
    words = t("fell") if after < before else t("rose")
    said = [
        t(
            "{product}: the mood {words} from {before:.1f} to {after:.1f} since {since} ({num_after} "
            "reviews since then, {num_before} before)",
            product=change.product,
            words=words,
            before=before,
            after=after,
            since=change.since,
            num_after=change.num_after,
            num_before=change.num_before,
        )
    ]
    if change.about:
        said.append(t("; complaints name {about}", about=", ".join(change.about)))
    if np.isfinite(change.sales):
        said.append(
            t("; in the four weeks after it sold {sales:+.0%} beside the rest of the shop", sales=change.sales - 1)
        )
    return t("{said}.", said=join(said))


def _say_sign(found: Report) -> str:
    sign = found.sign
    if not np.isfinite(sign.chance):
        return t("There are too few reviews beside sales to tell whether sales follow the mood.")
    half = (found.reviews.scale[1] - found.reviews.scale[0]) / 2
    if not sign.is_usable:
        return t("Sales do not follow the mood as far as can be seen, so no forecast uses it.")
    return t(
        "Sales follow the mood: where it falls by one point, a product sells {slope:+.0%} in the "
        "next four weeks. So a change above is an early sign.",
        slope=np.exp(-sign.slope / half) - 1,
    )
