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
from client.language.count import count_days
from client.language.speech import join, mark, t, tn

HOPELESS = 0.5  # no letter moves so many
MEAN = {
    "regular": mark("in their own rhythm"),
    "big and rare": mark("seldom, but big"),
    "new": mark("bought once, lately"),
    "came once": mark("bought once, long ago"),
    "quiet": mark("half as likely as usual or less"),
    "slipping away": mark("silent for too long"),
    "lost": mark("hardly any chance left"),
    "all": "",
}
NAMES = {
    "base": mark("the share that usually buys"),
    "simple": mark("how lately and how often they bought"),
    "bg_nbd": mark("a model of buying and leaving (BG/NBD)"),
    "logistic": mark("a regression on their habits"),
    "trees": mark("trees on their habits"),
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
    return tn("1 customer is", "{number:,} customers are", number)


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
        t(
            'A purchase is a day on which a customer bought. "At risk" is what she would bring in '
            "{days} days in her own rhythm, less what she is now expected to bring; who bought once "
            "has no rhythm yet.",
            days=RISK_DAYS,
        )
    )
    yield t("The chance to buy comes from {shares}.", shares=_say_shares(outlook))
    points = judge(outlook.ahead.judged)
    if points:
        worst = max(points, key=lambda point: abs(point.said - point.seen))
        number = len(outlook.ahead.judged)
        yield (
            t(
                "Held against {past}: of ten groups of customers the one that was furthest off was said to "
                "buy at {said:.0%}, and {seen:.0%} bought.",
                past=tn("one past month", "{number} past horizons", number),
                said=worst.said,
                seen=worst.seen,
            )
        )


def _say_shares(outlook: Outlook) -> str:
    weighed = outlook.ahead.weighed
    shares = sorted(weighed.weights.items(), key=lambda share: -share[1])
    told = [(t(NAMES[name]), share) for name, share in shares if share >= 0.005]
    if len(told) == 1:
        because = t(", since {reason}", reason=weighed.reason) if weighed.reason else ""
        return t("{told} alone{because}", told=told[0][0], because=because)
    return join((t("{share:.0%} {name}", share=share, name=name) for name, share in told), ", ")


def say_letters(letters: Letters, currency: str) -> Iterator[str]:
    """Say what a letter is known to be worth, which is little, and how to find out."""
    number, held = letters.table.num_rows, letters.held_out
    if not number:
        yield t("Nobody whose chance has fallen has anything at stake: there is no one to write to this week.")
        return
    yield (
        t(
            "{customers} on the list, with {at_risk:,.0f} {currency} at stake in {days} days: "
            "{written} to write to, {held} held back. How much of it a letter saves is not known: some "
            "would have come anyway, and some never will.",
            customers=_count(number),
            at_risk=letters.at_risk,
            currency=currency,
            days=RISK_DAYS,
            written=number - held,
            held=held,
        )
    )
    if letters.gain is not None and letters.uplift is not None:
        yield (
            t(
                "If {uplift:.0%} of those written to come because of it, as you guess, that is about "
                "{gain:,.0f} {currency}; nothing measured says so.",
                uplift=letters.uplift,
                gain=letters.gain,
                currency=currency,
            )
        )
    if held and letters.smallest_seen is not None:
        told = (
            t(
                "With so few, a difference of {smallest_seen:.0f} points in who buys would be told from "
                "chance, a smaller one hardly.",
                smallest_seen=letters.smallest_seen * 100,
            )
            if letters.smallest_seen < HOPELESS
            else t("With so few, whatever they came to can hardly be told from chance.")
        )
        yield (
            t(
                "Do not write to those held back, and hansa-client customers --measure FILE tells later what "
                "the letters came to. {told}",
                told=told,
            )
        )
    else:
        yield t("Nobody is held back, so what the letters come to can't be measured; see --hold-out.")


def describe_effect(effect: Effect) -> dict[str, Any]:
    """Say what letters came to, for programs."""
    return {**asdict(effect), "written_on": str(effect.written_on)}


def say_effect(effect: Effect, currency: str) -> Iterator[str]:
    """Say what letters came to."""
    written, held = effect.written, effect.held
    yield (
        t(
            "Since {written_on} ({days}) {bought:.0%} of the {customers} who were written to "
            "bought, and {held_bought:.0%} of the {held} who were held back.",
            written_on=effect.written_on,
            days=count_days(effect.days),
            bought=written.bought,
            customers=written.customers,
            held_bought=held.bought,
            held=held.customers,
        )
    )
    share, low, high = effect.bought
    yield (
        t(
            "The letters moved that by {share:+.0f} points, between {low:+.0f} and {high:+.0f} in 19 of 20 cases.",
            share=share * 100,
            low=low * 100,
            high=high * 100,
        )
    )
    money, least, most = effect.money
    worth = t(
        "In money {money:+,.2f} {currency} for each customer written to, between {least:+,.2f} and {most:+,.2f}.",
        money=money,
        currency=currency,
        least=least,
        most=most,
    )
    yield join((worth, t(" That can be chance."))) if least <= 0 <= most else worth
