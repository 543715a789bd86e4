"""Why so many: one sentence a line, in a shop owner's words."""

from __future__ import annotations

import math
from typing import Any

from client.language.count import count_days
from client.language.number import say_count, say_day
from client.language.speech import join, t
from client.shop.settings import Shop

HARDLY_ANY = 0.5  # pieces, on average


def give_reason(
    row: dict[str, Any], *, pack: float, block: float, spoils: bool, life: float, level: float, ended: bool, shop: Shop
) -> str:
    """Say why a line orders what it orders.

    Parameters
    ----------
    row
        Of `client.decision.order.table.SCHEMA`.
    level
        Service level that is asked.
    ended
        Whether it seems to be sold no longer.
    """
    if ended:
        return _say_ended(row["on_hand"])
    asked = _say_asked(row)
    if row["quantity"] is None:
        return t(
            "How many there are is not known; {asked}: with what is on its way there should be {point}.",
            asked=asked,
            point=say_count(row["reorder_point"]),
        )
    there = _say_there(row)
    if not row["quantity"]:
        return _say_none(row, there, asked, spoils=spoils, life=life)
    more = _say_more(row["quantity"], pack, block)
    said = {"there": there, "asked": asked, "more": more, "ends": _say_ends(row, spoils=spoils, life=life)}
    if shop.order.aim == "cost":
        return t("{there}; {asked}; what costs least is {more}{ends}.", **said)
    return t("{there}; {asked}; to serve {level:.0%} {more}{ends}.", level=level, **said)


def _say_ended(on_hand: float | None) -> str:
    if on_hand is None:
        return t("it seems to be sold no longer, so none is ordered.")
    return t("{pieces} there; it seems to be sold no longer, so none is ordered.", pieces=say_count(on_hand))


def _say_asked(row: dict[str, Any]) -> str:
    said = {
        "until": say_day(row["next_arrives"]),
        "mean": say_count(row["demand"]),
        "high": say_count(row["demand_high"]),
    }
    if row["demand"] < HARDLY_ANY:  # nobody asks for a tenth of a piece
        if row["demand_high"] >= 1:
            return t("until {until} most likely none will be asked for, in one case of ten {high} or more", **said)
        return t("until {until} hardly any will be asked for", **said)
    if row["demand_high"] > row["demand"]:  # a rare large order can lift the mean above it
        return t("until {until} about {mean} will be asked for, in one case of ten {high} or more", **said)
    return t("until {until} about {mean} will be asked for", **said)


def _say_there(row: dict[str, Any]) -> str:
    there = say_count(row["on_hand"])
    if row["on_order"]:
        return t("{there} there and {coming} on the way", there=there, coming=say_count(row["on_order"]))
    return t("{there} there", there=there)


def _say_none(row: dict[str, Any], there: str, asked: str, *, spoils: bool, life: float) -> str:
    if row["cut"] > 0:
        return t(
            "{there}; {asked}: {cut} would be right, but the budget buys more elsewhere.",
            there=there,
            asked=asked,
            cut=say_count(row["cut"]),
        )
    if spoils:
        return t(
            "{there}; {asked}, but even the smallest order would not be sold in the {life} that it keeps.",
            there=there,
            asked=asked,
            life=count_days(round(life)),
        )
    if row["demand"] <= 0:
        return t(
            "{there}, and nothing will be asked for until {until}.", there=there, until=say_day(row["next_arrives"])
        )
    return t("{there}, which is enough: {asked}.", there=there, asked=asked)


def _say_more(quantity: float, pack: float, block: float) -> str:
    pieces, packs, least = say_count(quantity), say_count(pack), say_count(block)
    smallest = math.isclose(quantity, block) and block > pack
    if pack != 1 and smallest:
        return t(
            "{pieces} more in packs of {pack}, the smallest order of {least}", pieces=pieces, pack=packs, least=least
        )
    if pack != 1:
        return t("{pieces} more in packs of {pack}", pieces=pieces, pack=packs)
    if smallest:
        return t("{pieces} more, the smallest order", pieces=pieces)
    return t("{pieces} more", pieces=pieces)


def _say_ends(row: dict[str, Any], *, spoils: bool, life: float) -> str:
    ends = [t(", no more than sells in the {life} that it keeps", life=count_days(round(life)))] if spoils else []
    if row["cut"] > 0:
        ends.append(t("; the budget cut {cut}", cut=say_count(row["cut"])))
    return join(ends)
