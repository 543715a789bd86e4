"""Say a shop's forecasts in plain words, in a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.table import Table

from client.language.number import say_day
from client.language.speech import join, mark, t, tn
from client.shop.forecast.life import SAY
from client.shop.forecast.outlook import Joined, Outlook
from client.shop.forecast.period import By, Period
from client.shop.forecast.question import Of
from client.shop.forecast.released import FEDERATED

MOST_COLUMNS: dict[By, int] = {"day": 7, "week": 4, "month": 3}
NAME_WIDTH = 28
CALENDAR = {
    "week": mark("Weeks are the calendar's, in the shop's own days ({time_zone})."),
    "month": mark("Months are the calendar's, in the shop's own days ({time_zone})."),
}
LEAST_SHARE = 0.005  # less is not said


def describe_outlook(outlook: Outlook) -> dict[str, Any]:
    """Say everything for programs."""
    weighed = outlook.weighed
    return {
        "by": outlook.by,
        "of": outlook.of,
        "from": str(outlook.origin),
        "until": str(outlook.last),
        "methods": weighed.weights,
        "losses": weighed.losses,
        "alone_because": weighed.reason,
        "weighed_on": [[str(first), str(last)] for first, last in outlook.weighed_on],
        "joined": None if outlook.joined is None else _describe_joined(outlook.joined),
        "intervals_measured": outlook.measured,
        "left_out": outlook.left_out,
        "states": outlook.states,
        "warnings": list(outlook.warnings),
        "periods": [
            {"name": each.name, "first": str(each.first), "last": str(each.last), "partial": each.is_partial}
            for each in outlook.periods
        ],
    }


def _describe_joined(joined: Joined) -> dict[str, Any]:
    return {
        "federation": joined.federation,
        "plan": joined.plan,
        "model_hash": joined.model_hash,
        "weighed_on": [[str(first), str(last)] for first, last in joined.weighed_on],
    }


def list_rows(outlook: Outlook) -> list[dict[str, Any]]:
    """Give every row of the table, days as text."""
    return [{**row, "first": str(row["first"]), "last": str(row["last"])} for row in outlook.table.to_pylist()]


def make_table(outlook: Outlook, shown: int) -> Table:
    """Lay the products with the most demand ahead out, a column for each of the next periods."""
    periods = outlook.periods[: MOST_COLUMNS[outlook.by]]
    table = Table(title=f"what will be sold from {outlook.origin} on, in pieces", box=SIMPLE)
    table.add_column(outlook.of)
    for period in periods:
        table.add_column(_head(period, outlook.by), justify="right")
    rows = outlook.table.to_pylist()
    each = len(outlook.periods)
    for first in range(0, min(shown * each, len(rows)), each):
        own = rows[first : first + each]
        table.add_row(_name(own[0], outlook.of), *(say_amount(row, outlook.by) for row in own[: len(periods)]))
    return table


def _name(row: dict[str, Any], of: Of) -> str:
    if of != "product":
        return str(row[of])
    name = row["name"] if len(row["name"]) <= NAME_WIDTH else row["name"][: NAME_WIDTH - 1] + "…"
    return f"{row['product']} {name}".strip() if name != row["product"] else row["product"]


def _head(period: Period, by: By) -> str:
    if by == "day":
        return f"{period.first:%a} {say_day(period.first)}"
    part = f", {period.days} of {period.whole_days} days" if period.is_partial else ""
    return f"{period.name}{part}"


def say_amount(row: dict[str, Any], by: By) -> str:
    """Say a forecast as a person would: about 42, between 30 and 58."""
    if row["open_days"] == 0:
        return "closed"
    mean, low, high = (_number(row[name]) for name in ("mean", "q10", "q90"))
    if by == "day":
        return f"{mean} ({low} to {high})"
    if low == high == mean:
        return f"about {mean}"
    return f"about {mean}, between {low} and {high}"


def _number(value: float) -> str:
    if 0 < value < 0.95:
        return "under 1" if value < 0.1 else f"{value:.1f}"
    return f"{value:,.0f}"


def say_outlook(outlook: Outlook, *, time_zone: str) -> Iterator[str]:
    """Say what the forecasts are made of, and what makes them doubtful."""
    yield (
        t("In four cases of five it comes to lie between the two numbers; the first is the mean.")
        if outlook.measured
        else t("The history is too short to measure how far forecasts miss, so the intervals are a guess.")
    )
    yield t("Made by {shares}.", shares=_say_shares(outlook))
    changed = abs(np.array(outlook.table["mean"]) - np.array(outlook.table["without"])) > 0.5
    if changed.any():
        without, mean = (sum(outlook.table[name].to_pylist()) for name in ("without", "mean"))
        yield (
            t(
                "Overrides are in it: {mean:,.0f} in all, where {without:,.0f} would be forecast without "
                "them; see: hansa-client override list.",
                mean=mean,
                without=without,
            )
        )
    for name, why in outlook.left_out.items():
        yield t("{name} has no part: it {why}.", name=_call(name, outlook, begins=True), why=why)
    cut = [period for period in outlook.periods if period.is_partial]
    for period in cut:
        yield (
            t(
                "{name} is not whole: only its days from {first} to {last} ({days} of {whole_days}) are forecast.",
                name=period.name,
                first=period.first,
                last=period.last,
                days=period.days,
                whole_days=period.whole_days,
            )
        )
    for state, number in sorted(outlook.states.items()):
        if SAY[state]:
            yield tn("{number} product is {state}.", "{number} products are {state}.", number, state=t(SAY[state]))
    if outlook.by != "day":
        yield t(CALENDAR[outlook.by], time_zone=time_zone)


def _call(name: str, outlook: Outlook, *, begins: bool = False) -> str:
    """Name a method as a shop owner reads it."""
    if name != FEDERATED:
        return name
    return say_joined(outlook.joined.federation if outlook.joined else "", begins=begins)


def say_joined(federation: str, *, begins: bool = False) -> str:
    """Name a federation's model, where asked at the beginning of a sentence."""
    if not federation:
        return t("The federation's model") if begins else t("the federation's model")
    if begins:
        return t("The model of the federation {federation}", federation=federation)
    return t("the model of the federation {federation}", federation=federation)


def _say_shares(outlook: Outlook) -> str:
    shares = sorted(outlook.weighed.weights.items(), key=lambda share: -share[1])
    told = [(name, share) for name, share in shares if share >= LEAST_SHARE]
    if len(told) == 1:
        because = t(", since {reason}", reason=outlook.weighed.reason) if outlook.weighed.reason else ""
        return t("{told} alone{because}", told=_call(told[0][0], outlook), because=because)
    words = join((t("{share:.0%} {name}", share=share, name=_call(name, outlook)) for name, share in told), ", ")
    if not outlook.weighed_on:
        return t("{words}: usual shares, for there is too little history to weigh methods on", words=words)
    number, first = len(outlook.weighed_on), outlook.weighed_on[0][0]
    return tn(
        "{words}, weighed by what each would have said {number} time before, since {first}",
        "{words}, weighed by what each would have said {number} times before, since {first}",
        number,
        words=words,
        first=first,
    )
