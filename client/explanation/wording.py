"""Say why a forecast is what it is: in a sentence, line by line, and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from client.explanation.explaining import Explanation
from client.explanation.group import GROUPS, START, Group
from client.explanation.similar import Similar
from client.shop.forecast.life import SAY
from client.shop.forecast.released import FEDERATED
from client.shop.forecast.wording import say_joined

SAID: dict[Group, str] = {
    "usual": "usual for these days",
    "stock_out": "for days on which it was sold out, and more was wanted than was sold",
    "weekday": "for the weekdays",
    "closed": "for closed days",
    "recent": "since the last weeks were {busier} than usual",
    "season": "for the time of year",
    "holiday": "for holidays and shopping days",
    "event": "for events",
    "promotion": "for promotions",
    "price": "for its price",
    "interest": "since it was looked at {more}",
    "known": "for what else is known ahead",
    "alike": "as products like it go on",
    "new": "since it is new, and new ones are seen at their busiest",
    "override": "since a person expects so",
    "rest": "for everything else",
}
ABSENT: dict[Group, str] = {  # where a forecast falls for want of something
    "promotion": "without the promotions that its usual days have in them",
    "event": "without the events that its usual days have in them",
    "holiday": "without the holidays that its usual days have in them",
}
LEAST_SHARE = 0.02  # of the forecast and its start; less is not said in the sentence
MOST_SAID = 3


def describe(why: Explanation) -> dict[str, Any]:
    """Say everything for programs."""
    return {
        "product": why.product,
        "name": why.name,
        "state": why.state,
        "period": why.period.name,
        "first": str(why.period.first),
        "last": str(why.period.last),
        "open_days": why.open_days,
        "forecast": why.mean,
        "low": why.low,
        "high": why.high,
        "sentence": say_sentence(why),
        "start": why.start,
        "parts": [{"group": g, "pieces": why.parts[g], "words": say_group(g, why)} for g in GROUPS],
        "methods": [
            {"method": name, "share": each.share, "forecast": each.mean, "parts": each.parts}
            for name, each in why.methods.items()
        ],
        "federation": why.federation,
        "network_error": why.error,
        "before": list(why.before),
        "similar": [
            {
                "first": str(each.first),
                "last": str(each.last),
                "sold": list(each.sold),
                "apart": each.apart,
                "came_first": str(each.came_first),
                "came_last": str(each.came_last),
                "came": each.came,
            }
            for each in why.similar
        ],
    }


def say_group(group: Group, why: Explanation) -> str:
    """Say what a group is, for this product."""
    if group == "new" and why.state == "gone":
        return "since it was not sold for long against its own rhythm: taken as discontinued"
    if group == "new" and why.state == "rare":
        return "since it sold on one or two days only, and such products seldom go on so"
    pieces = why.parts[group]
    if pieces < 0 and group in ABSENT:
        return ABSENT[group]
    up = pieces >= 0
    return SAID[group].format(busier="busier" if up else "slower", more="more" if up else "less")


def list_moves(why: Explanation) -> list[tuple[Group, float]]:
    """Give what moved it by enough to be told, the most first; what is left is in the rest."""
    least = max(LEAST_SHARE * max(why.mean, why.start), 0.05)
    groups = [group for group in GROUPS if group not in START and group != "rest"]
    told = [(group, why.parts[group]) for group in groups if abs(why.parts[group]) >= least]
    return sorted(told, key=lambda move: -abs(move[1]))


def say_sentence(why: Explanation) -> str:
    """Say it in one sentence."""
    called = f"{why.product} ({why.name})" if why.name not in ("", why.product) else why.product
    when = say_days(why)
    if why.state == "never sold":
        return f"Nothing of {called} is forecast {when}: it was not sold before {why.origin}."
    if why.open_days == 0:
        return f"Nothing of {called} is forecast {when}: the shop is closed."
    if why.state == "gone" and why.mean == 0:
        return f"Nothing of {called} is forecast {when}: it is {SAY['gone'].split(':')[0]}, and taken as discontinued."
    begin = f"About {say_pieces(why.mean)} of {called} {when}: {say_pieces(why.start)} would be usual"
    moves = list_moves(why)
    if not moves:
        return f"{begin}, and nothing moves it much."
    return (
        f"{begin}; " + ", ".join(f"{say_change(pieces)} {say_group(g, why)}" for g, pieces in moves[:MOST_SAID]) + "."
    )


def say_days(why: Explanation) -> str:
    """Say which days."""
    first, last = why.period.first, why.period.last
    return f"on {first:%A}, {first}" if first == last else f"from {first} to {last}"


def say_pieces(pieces: float) -> str:
    """Say a number of pieces as a person would."""
    return f"{pieces:,.0f}" if abs(pieces) >= 9.95 else f"{pieces:,.1f}"


def say_change(pieces: float) -> str:
    """Say how many more or less."""
    return f"{'+' if pieces >= 0 else '−'}{say_pieces(abs(pieces))}"


def say_lines(why: Explanation) -> Iterator[str]:
    """Say it line by line, so that the numbers can be added up."""
    yield f"{say_pieces(why.start):>8}   {SAID['usual']}{_say_stock_out(why)}"
    left = why.mean - why.start
    for group, pieces in list_moves(why):
        left -= pieces
        yield f"{say_change(pieces):>8}   {say_group(group, why)}"
    if abs(left) >= 0.05:
        yield f"{say_change(left):>8}   {SAID['rest']}"
    yield f"{say_pieces(why.mean):>8}   forecast, in four cases of five between {why.low:,.0f} and {why.high:,.0f}"


def _say_stock_out(why: Explanation) -> str:
    pieces = why.parts["stock_out"]
    return f" (of these {say_pieces(pieces)} {SAID['stock_out']})" if pieces >= 0.05 else ""


def say_similar(why: Explanation) -> Iterator[str]:
    """Say which times of the past were like this one."""
    if not why.before:
        return
    weeks = ", ".join(map(say_pieces, why.before))
    if not any(why.before):
        yield "Nothing was sold in the four weeks before."
        return
    if not why.similar:
        yield f"The four weeks before had {weeks}; the past is too short for another such time."
        return
    yield f"The four weeks before had {weeks}. Times of the past like that:"
    yield from (f"   {_say_time(each)}" for each in why.similar)


def _say_time(each: Similar) -> str:
    weeks = ", ".join(map(say_pieces, each.sold))
    days = (
        f"on {each.came_first}" if each.came_first == each.came_last else f"from {each.came_first} to {each.came_last}"
    )
    return f"{each.first} to {each.last} had {weeks}; {say_pieces(each.came)} came {days}"


def say_made(why: Explanation) -> str:
    """Say which methods the forecast is made of."""
    shares = sorted(why.methods.items(), key=lambda item: -item[1].share)
    called = [(say_joined(why.federation) if name == FEDERATED else name, each) for name, each in shares]
    told = [f"{each.share:.0%} {name} ({say_pieces(each.mean)})" for name, each in called if each.share >= 0.005]
    return f"Made by {', '.join(told)}." if len(told) > 1 else f"Made by {called[0][0]} alone."
