"""Say what a price or a promotion would bring in plain words, in a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.table import Table

from client.decision.response.answer import Answer
from client.decision.response.scenario import Amount, Curve
from client.language.count import count_products, count_weeks
from client.language.speech import join, mark, t, tn

SHOWN = 12  # products in the terminal
UNSURE = mark("In nine cases of ten what these prices and sales have in common lies between the two numbers.")


def describe_answer(found: Answer) -> dict[str, Any]:
    """Say everything for programs."""
    market = found.estimate.market
    return {
        "who": found.who,
        "from": str(found.first),
        "until": str(found.last),
        "is_cause": found.is_cause,
        "doubts": [
            {"name": each.name, "found": each.found, "chance": each.chance, "sentence": each.sentence}
            for each in found.doubts
        ],
        "is_doubtful": found.is_doubtful,
        "response": {name: vars(amount) for name, amount in found.response.items()},
        "before": found.before,
        "after": {name: vars(amount) for name, amount in found.after.items()},
        "best": _describe_best(None if found.is_doubtful else found.curve, has_cost=found.has_cost),
        "curve": [] if found.curve is None else _describe_curve(found.curve),
        "experiment": None if found.followed is None else vars(found.followed),
        "learned_from": {
            "first": str(market.first),
            "last": str(market.last),
            "products": len(market.products),
            "price_moved": found.estimate.moved,
            "promoted": found.estimate.promoted,
            "too_rarely_sold": market.few,
            "prices_by_week": market.prices.weekly,
        },
        "left_out": list(found.left_out),
        "sentences": list(say_answer(found)),
    }


def _describe_best(curve: Curve | None, *, has_cost: bool) -> dict[str, Any] | None:
    if curve is None:
        return None
    return {
        "of": "profit" if has_cost else "revenue",
        "price": float(curve.price[curve.best]),
        "low": float(curve.best_range[0]),
        "high": float(curve.best_range[1]),
        "at_edge": curve.at_edge,
        "gain": vars(curve.gain),
    }


def _describe_curve(curve: Curve) -> list[dict[str, Any]]:
    rows = zip(curve.price, curve.units, curve.money, strict=True)
    return [{"price": float(price), "units": vars(units), "money": vars(money)} for price, units, money in rows]


def make_table(found: Answer) -> Table:
    """Lay before and after out, one row for each number."""
    table = Table(title=f"{found.who}, {found.first} to {found.last}", box=SIMPLE)
    table.add_column("")
    for head in ("as it is", "after", "between", "and", "change") if found.after else ("as it is",):
        table.add_column(head, justify="right")
    for name, before in found.before.items():
        after = found.after.get(name)
        if after is None:
            table.add_row(name, f"{before:,.0f}")
            continue
        change = f"{after.middle - before:+,.0f}" + (f" ({after.middle / before - 1:+.0%})" if before > 0 else "")
        table.add_row(name, f"{before:,.0f}", *(f"{n:,.0f}" for n in (after.middle, after.low, after.high)), change)
    return table


def make_product_table(found: Answer) -> Table:
    """Lay the products with the most revenue out."""
    table = Table(title="by product", box=SIMPLE)
    heads = ("new price", "after") if found.after else ()
    for head in ("product", "price", "units", *heads, *(("1 % dearer",) if "price" in found.response else ())):
        table.add_column(head, justify="left" if head == "product" else "right")
    rows = sorted(found.table.to_pylist(), key=lambda row: -(row["revenue_before"] or 0.0))
    for row in rows[:SHOWN]:
        table.add_row(*_cells(row, found))
    return table


def _cells(row: dict[str, Any], found: Answer) -> Iterator[str]:
    yield row["product"] if row["name"] in ("", row["product"]) else f"{row['product']} {row['name'][:28]}"
    yield _price(row["price_now"])
    yield f"{row['units_before']:,.0f}"
    if found.after:
        yield _price(row["price_new"])
        yield f"{row['units_after']:,.0f} ({row['units_low']:,.0f} to {row['units_high']:,.0f})"
    if "price" in found.response:
        yield _elastic(row)


def _elastic(row: dict[str, Any]) -> str:
    if row["elasticity"] is None:
        return ""
    return f"{row['elasticity']:+.1f} %" + (" (group)" if row["borrowed"] else "")


def _price(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:,.2f}"


def say_answer(found: Answer) -> Iterator[str]:
    """Say what was found, what it rests on, and what speaks against it."""
    yield from _say_responses(found)
    yield from _say_cause(found)
    yield from _say_best(found)
    yield from _say_basis(found)


def _say_responses(found: Answer) -> Iterator[str]:
    price, promotion = found.response.get("price"), found.response.get("promotion")
    if price is not None:
        yield (t("A price that is 1 % higher goes with {price}. {unsure}", price=_percent(price), unsure=t(UNSURE)))
    if promotion is not None:
        beside = t(" beside what the lower price does") if price is not None else t(" at the discounts that you gave")
        yield (
            t(
                "On days of a promotion {promotion} as much was sold as on others{beside}, between {low:.2f} "
                "and {high:.2f} times.",
                promotion=_times(promotion),
                beside=beside,
                low=promotion.low,
                high=promotion.high,
            )
        )
    borrowed = int(found.goods.borrowed.sum())
    if price is not None and borrowed:
        whose = (
            t("Its own price")
            if len(found.goods.products) == 1
            else t("The price of {borrowed} of these products", borrowed=borrowed)
        )
        yield t("{whose} hardly ever moved, so what is said of it is what is known of its group.", whose=whose)


def _percent(price: Amount) -> str:
    return t(
        "{middle} units sold (between {low} and {high})",
        middle=_signed(price.middle),
        low=_signed(price.low),
        high=_signed(price.high),
    )


def _signed(value: float) -> str:
    if value < 0:
        return t("{share:.1f} % fewer", share=abs(value))
    return t("{share:.1f} % more", share=abs(value))


def _times(amount: Amount) -> str:
    return t("{factor:.2f} times", factor=amount.middle)


def _say_best(found: Answer) -> Iterator[str]:
    curve = found.curve
    if curve is None:
        return
    what = t("profit") if found.has_cost else t("revenue")
    if not found.has_cost:
        yield t(
            "What a piece costs you is not known, so this is revenue, not profit; tell with --unit-cost 4.10 or 45%."
        )
    if found.is_doubtful:
        yield t("No best price is named, for the same reason.")
        return
    single = len(found.goods.products) == 1
    low, high = curve.price[0], curve.price[-1]
    span = t(
        "Within the prices that were seen ({low} to {high})",
        low=_spell(low, single=single),
        high=_spell(high, single=single),
    )
    spelt, gain = _spell(curve.price[curve.best], single=single), curve.gain
    best = t("a price of {price}", price=spelt) if single else t("a change of all prices by {change}", change=spelt)
    between = t(
        "{middle:+,.0f} (between {low:+,.0f} and {high:+,.0f})", middle=gain.middle, low=gain.low, high=gain.high
    )
    if gain.low <= 0:
        yield t(
            "{span} none clearly brings more {what} than now; {best} might bring {between}.",
            span=span,
            what=what,
            best=best,
            between=between,
        )
    else:
        yield t(
            "{span} {best} is expected to bring the most {what}: {between}.",
            span=span,
            best=best,
            what=what,
            between=between,
        )
    if curve.at_edge:
        yield t(
            "That is the {edge} price that was seen; whether one beyond it would be better is not known.",
            edge=t(curve.at_edge),
        )


def _spell(price: float, *, single: bool) -> str:
    return f"{price:,.2f}" if single else f"{price - 1:+.0%}"


def _say_cause(found: Answer) -> Iterator[str]:
    if found.followed is not None:
        followed = found.followed
        yield (
            t(
                "Prices were set by chance over {weeks}, and kept in {kept:.0%} of them, so this is "
                "what the price does, not only what goes with it. Had it no effect, chance would show as "
                "much in {chance:.1%} of such plans.",
                weeks=count_weeks(followed.weeks),
                kept=followed.kept,
                chance=followed.chance,
            )
        )
        return
    doubtful = [each for each in found.doubts if each.found]
    for each in doubtful:
        yield t("Doubtful: {sentence}", sentence=each.sentence)
    if doubtful:
        yield (
            t(
                "So the numbers above mix what the price does with what made you set it; do not act on them "
                "alone. Find out with prices set by chance: hansa-client whatif --experiment plan.json."
            )
        )
        return
    if any(each.name != "bulk" for each in found.doubts):
        yield join((each.sentence for each in found.doubts if each.name != "bulk"), " ")
    yield (
        t(
            "This is what went together, not proof of what a price does: nobody set these prices by "
            "chance, and a reason that is not in the data may have moved both. To be sure: hansa-client "
            "whatif --experiment plan.json."
        )
    )


def _say_basis(found: Answer) -> Iterator[str]:
    estimate, market = found.estimate, found.estimate.market
    parts = []
    if "price" in estimate.columns:
        parts.append(
            t(
                "{moved} of {products} whose price moved",
                moved=estimate.moved,
                products=count_products(len(market.products)),
            )
        )
    if estimate.promoted:
        parts.append(t("{promoted} with promotions", promoted=count_products(estimate.promoted)))
    yield (
        t(
            "Learned from {parts}, {first} to {last}; season, weekdays, known days and days out of stock "
            "are taken into account.",
            parts=join(parts, t(" and ")),
            first=market.first,
            last=market.last,
        )
    )
    told = market.prices.told
    if not told.any():
        yield t("Prices are those that customers paid, since none were told; a day without a sale has the nearest one.")
    if market.prices.weekly:
        yield (
            t(
                "Customers paid different prices for one product on one day ({beside:.0%} of order lines), "
                "so each week has the price in its middle.",
                beside=market.prices.beside,
            )
        )
    if found.left_out:
        named = ", ".join(found.left_out[:3]) + (", …" if len(found.left_out) > 3 else "")
        yield (
            tn(
                "1 product counts as it is, since the new price lies beyond those seen of it: {named}.",
                "{number} products count as they are, since the new price lies beyond those seen of them: {named}.",
                len(found.left_out),
                named=named,
            )
        )
    yield (
        t(
            "Units as it is are the mean of your own forecast, which may miss as well; neither what is "
            "bought earlier or later because of the price, nor what other products gain or lose, is in "
            "it."
        )
    )
