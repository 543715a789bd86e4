"""Say what is known of a shop's customers in plain words, in a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from client.decision.customer.calibration import judge
from client.decision.customer.letter import Effect, Letters
from client.decision.customer.outlook import RISK_DAYS, Outlook
from client.decision.customer_word import shorten

HOPELESS = 0.5  # no letter moves so many
MEAN = {
    "regular": "in their own rhythm",
    "big and rare": "seldom, but big",
    "new": "bought once, lately",
    "came once": "bought once, long ago",
    "quiet": "half as likely as usual or less",
    "slipping away": "silent for too long",
    "lost": "hardly any chance left",
    "all": "",
}
NAMES = {
    "base": "the share that usually buys",
    "simple": "how lately and how often they bought",
    "bg_nbd": "a model of buying and leaving (BG/NBD)",
    "logistic": "a regression on their habits",
    "trees": "trees on their habits",
}


def describe_outlook(outlook: Outlook) -> dict[str, Any]:
    """Say everything but the rows for programs."""
    weighed = outlook.ahead.weighed
    return {
        "from": str(outlook.origin),
        "days": outlook.horizon_days,
        "customers": outlook.table.num_rows,
        "segments": [asdict(each) for each in outlook.sums],
        "methods": weighed.weights,
        "losses": weighed.losses,
        "alone_because": weighed.reason,
        "judged_on": [str(outlook.ahead.past.purchases.date_of(each.day)) for each in outlook.ahead.judged],
        "said_and_seen": [asdict(point) for point in judge(outlook.ahead.judged)],
        "warnings": list(outlook.warnings),
    }


def describe_letters(letters: Letters) -> dict[str, Any]:
    """Say whom to write to for programs."""
    return {
        "customers": letters.table.num_rows,
        "held_out": letters.held_out,
        "value_at_risk": letters.at_risk,
        "uplift_guessed": letters.uplift,
        "gain_if_guess_is_right": letters.gain,
        "smallest_difference_seen": letters.smallest_seen,
        "rows": list_rows(letters.table),
    }


def list_rows(table: Any) -> list[dict[str, Any]]:
    """Give every row of a table, days as text."""
    dates = [name for name in ("first", "last", "written_on") if name in table.column_names]
    return [{**row, **{name: str(row[name]) for name in dates}} for row in table.to_pylist()]


def make_segment_table(outlook: Outlook, currency: str) -> Table:
    """Lay the segments out."""
    title = f"customers from {outlook.origin} on, {outlook.horizon_days} days ahead"
    table = Table(title=title, box=SIMPLE)
    heads = ("", "customers", "purchases", f"{currency} expected", "in four of five cases", "at risk in 90 days")
    table.add_column("segment")
    for head in heads:
        table.add_column(head, justify="left" if head == "" else "right")
    for each in outlook.sums:
        if each.customers:
            cells = (f"{each.customers:,}", _amount(each.orders), f"{each.money:,.0f}")
            between = f"{each.low:,.0f} to {each.high:,.0f}"
            table.add_row(each.segment, MEAN[each.segment], *cells, between, _risk(each.segment, each.at_risk))
    return table


def _risk(segment: str, at_risk: float) -> str:
    return "not known" if segment in ("new", "came once") else f"{at_risk:,.0f}"


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 9.5 or value == 0 else f"{value:.1f}"


def _count(number: int) -> str:
    return "1 customer is" if number == 1 else f"{number:,} customers are"


def make_letter_table(letters: Letters, currency: str, shown: int) -> Table:
    """Lay the customers with the most at stake out."""
    table = Table(title="write to these first", box=SIMPLE)
    table.add_column("customer")
    for head in ("segment", f"{currency} at risk", "chance now", "usually", "write?"):
        table.add_column(head, justify="left" if head in ("segment", "write?") else "right")
    for row in letters.table.slice(0, shown).to_pylist():
        chances = (f"{row['chance_90']:.0%}", f"{row['usual_chance_90']:.0%}")
        write = "no, held back" if row["hold_out"] else "yes"
        table.add_row(shorten(row["customer"]), row["segment"], f"{row['value_at_risk']:,.0f}", *chances, write)
    return table


def say_outlook(outlook: Outlook, currency: str) -> Iterator[str]:
    """Say how the numbers are meant, what they rest on, and what makes them doubtful."""
    yield (
        f'A purchase is a day on which a customer bought. "At risk" is what she would bring in {RISK_DAYS} days in her '
        "own rhythm, less what she is now expected to bring; who bought once has no rhythm yet."
    )
    yield f"The chance to buy comes from {_say_shares(outlook)}."
    points = judge(outlook.ahead.judged)
    if points:
        worst = max(points, key=lambda point: abs(point.said - point.seen))
        number = len(outlook.ahead.judged)
        yield (
            f"Held against {'one past month' if number == 1 else f'{number} past horizons'}: of ten groups of "
            f"customers the one that was furthest off was said to buy at {worst.said:.0%}, and {worst.seen:.0%} bought."
        )


def _say_shares(outlook: Outlook) -> str:
    weighed = outlook.ahead.weighed
    shares = sorted(weighed.weights.items(), key=lambda share: -share[1])
    told = [(NAMES[name], share) for name, share in shares if share >= 0.005]
    if len(told) == 1:
        because = f", since {weighed.reason}" if weighed.reason else ""
        return f"{told[0][0]} alone{because}"
    return ", ".join(f"{share:.0%} {name}" for name, share in told)


def say_letters(letters: Letters, currency: str) -> Iterator[str]:
    """Say what a letter is known to be worth, which is little, and how to find out."""
    number, held = letters.table.num_rows, letters.held_out
    if not number:
        yield "Nobody whose chance has fallen has anything at stake: there is no one to write to this week."
        return
    yield (
        f"{_count(number)} on the list, with {letters.at_risk:,.0f} {currency} at stake in {RISK_DAYS} days: "
        f"{number - held} to write to, {held} held back. "
        "How much of it a letter saves is not known: some would have come anyway, and some never will."
    )
    if letters.gain is not None and letters.uplift is not None:
        yield (
            f"If {letters.uplift:.0%} of those written to come because of it, as you guess, that is about "
            f"{letters.gain:,.0f} {currency}; nothing measured says so."
        )
    if held and letters.smallest_seen is not None:
        told = (
            f"With so few, a difference of {letters.smallest_seen * 100:.0f} points in who buys would be told from "
            "chance, a smaller one hardly."
            if letters.smallest_seen < HOPELESS
            else "With so few, whatever they came to can hardly be told from chance."
        )
        yield (
            f"Do not write to those held back, and hansa-client customers --measure FILE tells later what the letters "
            f"came to. {told}"
        )
    else:
        yield "Nobody is held back, so what the letters come to can't be measured; see --hold-out."


def describe_effect(effect: Effect) -> dict[str, Any]:
    """Say what letters came to, for programs."""
    return {**asdict(effect), "written_on": str(effect.written_on)}


def say_effect(effect: Effect, currency: str) -> Iterator[str]:
    """Say what letters came to."""
    written, held = effect.written, effect.held
    yield (
        f"Since {effect.written_on} ({effect.days} days) {written.bought:.0%} of the {written.customers} who were "
        f"written to bought, and {held.bought:.0%} of the {held.customers} who were held back."
    )
    share, low, high = effect.bought
    yield (
        f"The letters moved that by {share * 100:+.0f} points, between {low * 100:+.0f} and {high * 100:+.0f} in 19 of "
        "20 cases."
    )
    money, least, most = effect.money
    yield (
        f"In money {money:+,.2f} {currency} for each customer written to, between {least:+,.2f} and {most:+,.2f}."
        + (" That can be chance." if least <= 0 <= most else "")
    )
