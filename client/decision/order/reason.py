"""Why so many: one sentence a line, in a shop owner's words."""

from __future__ import annotations

import math
from typing import Any

from client.shop.calendar.day_word import say_day
from client.shop.settings import Shop


def give_reason(
    row: dict[str, Any], *, pack: float, block: float, spoils: bool, life: float, level: float, ended: bool, shop: Shop
) -> str:
    """Say why a line orders what it orders.

    Parameters
    ----------
    row
        Of `client.decision.order.ordering.SCHEMA`.
    level
        Service level that is asked.
    ended
        Whether it seems to be sold no longer.
    """
    if ended:
        there = "" if row["on_hand"] is None else f"{say_count(row['on_hand'])} there; "
        return f"{there}it seems to be sold no longer, so none is ordered."
    until = say_day(row["next_arrives"])
    mean, high = say_count(row["demand"]), say_count(row["demand_high"])
    asked = f"until {until} about {mean} will be asked for"
    if row["demand_high"] > row["demand"]:  # a rare large order can lift the mean above it
        asked += f", in one case of ten {high} or more"
    if row["quantity"] is None:
        point = say_count(row["reorder_point"])
        return f"How many there are is not known; {asked}: with what is on its way there should be {point}."
    there = f"{say_count(row['on_hand'])} there"
    if row["on_order"]:
        there += f" and {say_count(row['on_order'])} on the way"
    if row["cut"] > 0 and not row["quantity"]:
        return f"{there}; {asked}: {say_count(row['cut'])} would be right, but the budget buys more elsewhere."
    if not row["quantity"]:
        if spoils:
            return (
                f"{there}; {asked}, but even the smallest order would not be sold in the {life:.0f} days that it keeps."
            )
        if row["demand"] <= 0:
            return f"{there}, and nothing will be asked for until {until}."
        return f"{there}, which is enough: {asked}."
    aim = "what costs least is" if shop.order.aim == "cost" else f"to serve {level:.0%}"
    how = f" in packs of {say_count(pack)}" if pack != 1 else ""
    if math.isclose(row["quantity"], block) and block > pack:
        how += f", the smallest order of {say_count(block)}" if how else ", the smallest order"
    more = f"{say_count(row['quantity'])} more{how}"
    ends = ""
    if spoils:
        ends = f", no more than sells in the {life:.0f} days that it keeps"
    if row["cut"] > 0:
        ends += f"; the budget cut {say_count(row['cut'])}"
    return f"{there}; {asked}; {aim} {more}{ends}."


def say_count(value: float) -> str:
    """Write pieces as a person does."""
    if value >= 10 or math.isclose(value, round(value), abs_tol=0.05):
        return f"{value:,.0f}"
    return f"{value:.1f}"


def say_many(number: int, what: str) -> str:
    """Say how many there are of something."""
    return f"1 {what}" if number == 1 else f"{number:,} {what}s"
