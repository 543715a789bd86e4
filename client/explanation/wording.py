"""Say why a forecast is what it is: in a sentence, line by line, and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from client.explanation.explaining import Explanation
from client.explanation.group import GROUPS, START, Group
from client.explanation.similar import Similar
from client.language.speech import join, mark, t
from client.shop.forecast.released import FEDERATED
from client.shop.forecast.wording import say_joined

SAID: dict[Group, str] = {
    "usual": mark("usual for these days"),
    "stock_out": mark("for days on which it was sold out, and more was wanted than was sold"),
    "weekday": mark("for the weekdays"),
    "closed": mark("for closed days"),
    "recent": mark("since the last weeks were busier than usual"),
    "season": mark("for the time of year"),
    "holiday": mark("for holidays and shopping days"),
    "event": mark("for events"),
    "promotion": mark("for promotions"),
    "price": mark("for its price"),
    "interest": mark("since it was looked at more"),
    "known": mark("for what else is known ahead"),
    "alike": mark("as products like it go on"),
    "new": mark("since it is new, and new ones are seen at their busiest"),
    "override": mark("since a person expects so"),
    "rest": mark("for everything else"),
}
ABSENT: dict[Group, str] = {  # where a forecast falls for want of something
    "promotion": mark("without the promotions that its usual days have in them"),
    "event": mark("without the events that its usual days have in them"),
    "holiday": mark("without the holidays that its usual days have in them"),
}
LESS: dict[Group, str] = {
    "recent": mark("since the last weeks were slower than usual"),
    "interest": mark("since it was looked at less"),
}
LEAST_SHARE = 0.02  # of the forecast and its start; less is not said in the sentence
MOST_SAID = 3
WEEKDAY = (
    mark("Monday"), mark("Tuesday"), mark("Wednesday"), mark("Thursday"), mark("Friday"), mark("Saturday"),
    mark("Sunday"),
)  # fmt: skip


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
        return t("since it was not sold for long against its own rhythm: taken as discontinued")
    if group == "new" and why.state == "rare":
        return t("since it sold on one or two days only, and such products seldom go on so")
    pieces = why.parts[group]
    if pieces < 0 and group in ABSENT:
        return t(ABSENT[group])
    return t(LESS.get(group, SAID[group]) if pieces < 0 else SAID[group])


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
        return t(
            "Nothing of {called} is forecast {when}: it was not sold before {origin}.",
            called=called,
            when=when,
            origin=why.origin,
        )
    if why.open_days == 0:
        return t("Nothing of {called} is forecast {when}: the shop is closed.", called=called, when=when)
    if why.state == "gone" and why.mean == 0:
        return t(
            "Nothing of {called} is forecast {when}: it is not sold for long against its own rhythm, and taken as "
            "discontinued.",
            called=called,
            when=when,
        )
    begin = t(
        "About {pieces} of {called} {when}: {start} would be usual",
        pieces=say_pieces(why.mean),
        called=called,
        when=when,
        start=say_pieces(why.start),
    )
    moves = list_moves(why)
    if not moves:
        return t("{begin}, and nothing moves it much.", begin=begin)
    told = (
        t("{change} {group}", change=say_change(pieces), group=say_group(g, why)) for g, pieces in moves[:MOST_SAID]
    )
    return t("{begin}; {moves}.", begin=begin, moves=join(told, ", "))


def say_days(why: Explanation) -> str:
    """Say which days."""
    first, last = why.period.first, why.period.last
    if first == last:
        return t("on {weekday}, {first}", weekday=t(WEEKDAY[first.weekday()]), first=first)
    return t("from {first} to {last}", first=first, last=last)


def say_pieces(pieces: float) -> str:
    """Say a number of pieces as a person would."""
    return f"{pieces:,.0f}" if abs(pieces) >= 9.95 else f"{pieces:,.1f}"


def say_change(pieces: float) -> str:
    """Say how many more or less."""
    return f"{'+' if pieces >= 0 else '−'}{say_pieces(abs(pieces))}"


def say_lines(why: Explanation) -> Iterator[str]:
    """Say it line by line, so that the numbers can be added up."""
    yield join((f"{say_pieces(why.start):>8}   ", t(SAID["usual"]), _say_stock_out(why)))
    left = why.mean - why.start
    for group, pieces in list_moves(why):
        left -= pieces
        yield join((f"{say_change(pieces):>8}   ", say_group(group, why)))
    if abs(left) >= 0.05:
        yield join((f"{say_change(left):>8}   ", t(SAID["rest"])))
    yield t(
        "{pieces:>8}   forecast, in four cases of five between {low:,.0f} and {high:,.0f}",
        pieces=say_pieces(why.mean),
        low=why.low,
        high=why.high,
    )


def _say_stock_out(why: Explanation) -> str:
    pieces = why.parts["stock_out"]
    return (
        t(" (of these {pieces} {stock_out})", pieces=say_pieces(pieces), stock_out=t(SAID["stock_out"]))
        if pieces >= 0.05
        else ""
    )


def say_similar(why: Explanation) -> Iterator[str]:
    """Say which times of the past were like this one."""
    if not why.before:
        return
    weeks = ", ".join(map(say_pieces, why.before))
    if not any(why.before):
        yield t("Nothing was sold in the four weeks before.")
        return
    if not why.similar:
        yield t("The four weeks before had {weeks}; the past is too short for another such time.", weeks=weeks)
        return
    yield t("The four weeks before had {weeks}. Times of the past like that:", weeks=weeks)
    yield from (join(("   ", _say_time(each))) for each in why.similar)


def _say_time(each: Similar) -> str:
    weeks = ", ".join(map(say_pieces, each.sold))
    days = (
        t("on {first}", first=each.came_first)
        if each.came_first == each.came_last
        else t("from {first} to {last}", first=each.came_first, last=each.came_last)
    )
    return t(
        "{first} to {last} had {weeks}; {pieces} came {days}",
        first=each.first,
        last=each.last,
        weeks=weeks,
        pieces=say_pieces(each.came),
        days=days,
    )


def say_made(why: Explanation) -> str:
    """Say which methods the forecast is made of."""
    shares = sorted(why.methods.items(), key=lambda item: -item[1].share)
    called = [(say_joined(why.federation) if name == FEDERATED else name, each) for name, each in shares]
    told = [
        t("{share:.0%} {name} ({pieces})", share=each.share, name=name, pieces=say_pieces(each.mean))
        for name, each in called
        if each.share >= 0.005
    ]
    return (
        t("Made by {shares}.", shares=join(told, ", "))
        if len(told) > 1
        else t("Made by {name} alone.", name=called[0][0])
    )
