"""From a shop's history and shop.toml to the terms, the shelf and the orders on their way of every product.

A product's own terms count first, then its supplier's, then `[order]`; where nothing says anything a careful default
is used, and said once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from jaxtyping import Float

from client.decision.order.pipeline import OnOrder
from client.decision.order.proposal import Terms
from client.language.speech import t
from client.shop.history.history import History
from client.shop.settings import Shop, SupplierSettings
from common.plan.schema import WEEKDAYS

LEAD_DAYS, REVIEW_DAYS, SPREAD = 7.0, 7, 0.25  # where nothing says anything; the spread is a share of the lead time
DAYS_OF_YEAR = 365.0
LEARNED_FROM = 5  # orders that came, of which a supplier's lead time is learned
_STOCK = """
    SELECT product, last(day ORDER BY day) AS day, last(on_hand ORDER BY day) AS on_hand
    FROM stock WHERE product <> '' AND on_hand IS NOT NULL AND day IS NOT NULL GROUP BY product
"""
_PRICES = """
    SELECT product, sum(amount) / sum(quantity) AS price FROM sales
    WHERE state = 'sold' AND quantity > 0 AND amount > 0 AND (currency = '{currency}' OR currency = '')
        AND day > (SELECT max(day) FROM sales) - 182 GROUP BY product
"""


@dataclass(frozen=True)
class Gathered:
    """What is known of each product before any forecast.

    Attributes
    ----------
    on_hand
        As the first day of the draws begins; NaN where nothing tells of it.
    unit_cost, price
        In the shop's money; NaN where not known.
    order_day
        On which its order goes out.
    assumed
        Sentences: what was not known and what was taken for it.
    """

    products: tuple[str, ...]
    supplier: tuple[str, ...]
    terms: Terms
    on_hand: Float[np.ndarray, " product"]
    orders: OnOrder
    unit_cost: Float[np.ndarray, " product"]
    price: Float[np.ndarray, " product"]
    order_day: tuple[date, ...]
    assumed: tuple[str, ...]


def gather(history: History, shop: Shop, products: Sequence[str], *, first: date, today: date) -> Gathered:
    """Gather what orders are made from.

    Parameters
    ----------
    products
        As the draws name them.
    first
        First day of the draws; sales between the count of a stock and this day are taken off it.
    today
        Orders go out on it or on a later day.
    """
    told = {row["product"]: row for row in history.records("terms").to_pylist()}
    sections = {supplier.name: supplier for supplier in shop.suppliers}
    rows = [told.get(name, {}) for name in products]
    suppliers = tuple(str(row.get("supplier") or "") for row in rows)
    owned = [sections.get(name, SupplierSettings(name=name)) for name in suppliers]
    learned = _learn_leads(history)
    find = _Finder(shop, rows, owned)
    lead, lead_known = find.numbers("lead_days")
    by_name = np.array([learned.get(name, (np.nan, np.nan, 0.0)) for name in suppliers]).reshape(-1, 3)
    from_past = ~find.own("lead_days") & np.isfinite(by_name[:, 0])
    lead = np.where(from_past, by_name[:, 0], np.where(lead_known, lead, LEAD_DAYS))
    spread, spread_known = find.numbers("lead_spread_days")
    spread_past = ~find.own("lead_spread_days") & from_past
    spread = np.where(spread_past, by_name[:, 1], np.where(spread_known, spread, SPREAD * lead))
    review, review_known = find.numbers("review_days")
    order_day, next_day = _days(owned, shop, np.where(review_known, review, np.nan), today)
    review_known |= np.array([bool(each.order_weekdays or shop.order.order_weekdays) for each in owned])
    price, unit_cost, assumed_cost = _money(history, shop, products, find)
    worth = np.where(np.isfinite(unit_cost), unit_cost, shop.order.cost_share)  # in prices where no money is known
    margin = np.where(
        np.isfinite(price) & np.isfinite(unit_cost), price - unit_cost, worth / shop.order.cost_share - worth
    )
    out, out_known = find.numbers("out_cost")
    terms = Terms(
        aim="cost" if shop.order.aim == "cost" else shop.order.service,
        waits=shop.order.missing == "waits",
        service_level=np.clip(find.numbers("service_level")[0], 0.5, 0.999),
        lead=np.round(lead, 2),
        lead_spread=np.round(spread, 2),
        wait=np.array([(day - first).days for day in order_day], int),
        review=np.array([(after - day).days for day, after in zip(order_day, next_day, strict=True)], int),
        minimum=find.numbers("minimum_quantity")[0],
        pack=find.numbers("pack_size")[0],
        line_cost=np.array([shop.order.line_cost if each.line_cost is None else each.line_cost for each in owned]),
        held=worth * shop.order.holding_rate / DAYS_OF_YEAR,
        out=np.where(out_known, out, np.maximum(margin, 0.01 * worth)),
        shelf_life=np.where(find.numbers("shelf_life_days")[1], find.numbers("shelf_life_days")[0], np.inf),
    )
    on_hand, stale = _shelf(history, products, first)
    orders, late = _on_order(history, products, terms, first)
    assumed = [
        *_say_past(learned, suppliers, from_past),
        *_assume(~lead_known & ~from_past, t("lead time"), t("{days:.0f} days are taken", days=LEAD_DAYS), "lead_days"),
        *_assume(
            ~spread_known & ~spread_past,
            t("spread of the lead time"),
            t("a quarter of the lead time is taken"),
            "lead_spread_days",
        ),
        *_assume(
            ~review_known, t("time between two orders"), t("{days:.0f} days are taken", days=REVIEW_DAYS), "review_days"
        ),
        *assumed_cost,
        *stale,
        *late,
    ]
    return Gathered(
        tuple(products), suppliers, terms, on_hand, orders, unit_cost, price, tuple(order_day), tuple(assumed)
    )


class _Finder:
    """Find a term: of the product, else of its supplier, else of the shop."""

    def __init__(self, shop: Shop, rows: Sequence[dict[str, object]], owned: Sequence[SupplierSettings]) -> None:
        self._shop, self._rows, self._owned = shop, rows, owned

    def own(self, name: str) -> np.ndarray:
        """Whether the product or its supplier says it."""
        return np.array(
            [
                row.get(name) is not None or getattr(supplier, name, None) is not None
                for row, supplier in zip(self._rows, self._owned, strict=True)
            ],
            bool,
        )

    def numbers(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Give the term of each product, NaN where nobody says it, and where somebody does."""
        default = getattr(self._shop.order, name, None)
        found = np.array([self._find(place, name, default) for place in range(len(self._rows))], float)
        return found, np.isfinite(found)

    def _find(self, place: int, name: str, default: object) -> object:
        for said in (self._rows[place].get(name), getattr(self._owned[place], name, None), default):
            if said is not None:
                return said
        return np.nan


def _assume(unknown: np.ndarray, what: str, taken: str, key: str) -> Iterator[str]:
    if unknown.any():
        whose = "" if unknown.all() else t(" of {number:,} products", number=int(unknown.sum()))
        yield t(
            "The {what}{whose} is not known: {taken}. Put {key} into shop.toml, or into a table of terms.",
            what=what,
            whose=whose,
            taken=taken,
            key=key,
        )


def _learn_leads(history: History) -> dict[str, tuple[float, float, float]]:
    """Learn the lead time of a supplier from its orders that have come: mean, standard deviation, how many."""
    found: dict[str, dict[tuple[str, date], int]] = {}
    for row in history.records("on_order").to_pylist():
        if row["ordered_day"] and row["arrived_day"] and row["arrived_day"] >= row["ordered_day"]:
            key = (row["order"] or row["product"], row["ordered_day"])
            found.setdefault(row["supplier"], {})[key] = (row["arrived_day"] - row["ordered_day"]).days
    return {
        name: (float(np.mean(list(days.values()))), float(np.std(list(days.values()), ddof=1)), float(len(days)))
        for name, days in found.items()
        if len(days) >= LEARNED_FROM
    }


def _say_past(
    learned: dict[str, tuple[float, float, float]], suppliers: Sequence[str], used: np.ndarray
) -> Iterator[str]:
    for name in sorted({supplier for supplier, is_used in zip(suppliers, used, strict=True) if is_used}):
        mean, spread, count = learned[name]
        yield (
            t(
                "{name} took {mean:.1f} days on average, give or take {spread:.1f}, for {count:.0f} orders "
                "that came; that is reckoned with.",
                name=name or t("The supplier"),
                mean=mean,
                spread=spread,
                count=count,
            )
        )


def _days(
    owned: Sequence[SupplierSettings], shop: Shop, review: np.ndarray, today: date
) -> tuple[list[date], list[date]]:
    """Give the day of each product's order and of the next chance after it."""
    firsts, nexts = [], []
    for supplier, every in zip(owned, review.tolist(), strict=True):
        weekdays = supplier.order_weekdays or shop.order.order_weekdays
        first = _next_of(weekdays, today)
        step = 1 if weekdays and not np.isfinite(every) else REVIEW_DAYS if not np.isfinite(every) else int(every)
        firsts.append(first)
        nexts.append(_next_of(weekdays, first + timedelta(days=max(step, 1))))
    return firsts, nexts


def _next_of(weekdays: Sequence[str], day: date) -> date:
    while weekdays and WEEKDAYS[day.weekday()] not in weekdays:
        day += timedelta(days=1)
    return day


def _money(
    history: History, shop: Shop, products: Sequence[str], find: _Finder
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    asked = history.ask(_PRICES.format(currency=shop.currency))
    by_name = dict(zip(asked["product"].to_pylist(), asked["price"].to_pylist(), strict=True))
    price = np.array([by_name.get(name, np.nan) for name in products], float)
    cost, known = find.numbers("unit_cost")
    guessed = ~known & np.isfinite(price)
    said = list(
        _assume(
            guessed,
            t("unit cost"),
            t("{cost_share:.0%} of the selling price is taken", cost_share=shop.order.cost_share),
            "unit_cost or cost_share",
        )
    )
    neither = int((~known & ~np.isfinite(price)).sum())
    if neither:
        said.append(
            t("Neither cost nor price of {neither:,} products is known; their money is left open.", neither=neither)
        )
    return price, np.where(known, cost, price * shop.order.cost_share), said


def _shelf(history: History, products: Sequence[str], first: date) -> tuple[np.ndarray, list[str]]:
    """Give what is on hand as the first day begins: the newest count, less what was sold since."""
    counted = history.ask(_STOCK).to_pylist()
    day = {row["product"]: row["day"] for row in counted}
    hand = {row["product"]: float(row["on_hand"]) for row in counted}
    sold = history.ask(
        f"SELECT product, sum(quantity) AS sold FROM sales JOIN ({_STOCK}) counted USING (product) "  # noqa: S608
        f"WHERE state = 'sold' AND sales.day > counted.day AND sales.day < DATE '{first}' GROUP BY product"
    ).to_pylist()
    since = {row["product"]: float(row["sold"] or 0.0) for row in sold}
    on_hand = np.array([max(hand[name] - since.get(name, 0.0), 0.0) if name in hand else np.nan for name in products])
    said = []
    if not np.isfinite(on_hand).any():
        said.append(t("Nothing tells how many there are of anything; the list says up to how many to fill up."))
    elif np.isnan(on_hand).any():
        said.append(
            t(
                "Nothing tells how many there are of {sum:,} products; the list says up to how many to fill them up.",
                sum=np.isnan(on_hand).sum(),
            )
        )
    ages = [(first - day[name]).days for name in products if name in day]
    if ages and max(ages) > 8:
        said.append(
            t(
                "The oldest count of what is there is {ages} days old; what was sold since is taken off, "
                "what came since is not known.",
                ages=max(ages),
            )
        )
    return on_hand, said


def _on_order(history: History, products: Sequence[str], terms: Terms, first: date) -> tuple[OnOrder, list[str]]:
    places = {name: place for place, name in enumerate(products)}
    rows = [
        (places[row["product"]], row)
        for row in history.records("on_order").to_pylist()
        if row["arrived_day"] is None and row["product"] in places and row["quantity"]
    ]
    latest: dict[tuple[str, str], object] = {}
    for _, row in rows:
        if row["updated"] is not None:
            key = (row["order"], row["product"])
            latest[key] = max(latest.get(key, row["updated"]), row["updated"])
    rows = [each for each in rows if each[1]["updated"] == latest.get((each[1]["order"], each[1]["product"]))]
    elapsed = [_elapsed(row, terms.lead[place], first) for place, row in rows]
    order = sorted(range(len(rows)), key=lambda number: (rows[number][0], -elapsed[number]))
    place = np.array([rows[number][0] for number in order], int)
    late = sum(1 for _, row in rows if row["expected_day"] is not None and row["expected_day"] < first)
    said = [
        t(
            "{late} lines on order should have come by now; they are reckoned to come soon. Take out what has come.",
            late=late,
        )
    ]
    return (
        OnOrder(
            product=place,
            quantity=np.array([rows[number][1]["quantity"] for number in order], float),
            mean=terms.lead[place],
            spread=terms.lead_spread[place],
            elapsed=np.array([elapsed[number] for number in order], int),
        ),
        said if late else [],
    )


def _elapsed(row: dict[str, date | None], lead: float, first: date) -> int:
    """Tell how many days ago it was ordered, or would have been to come on the day that the supplier named."""
    if row["expected_day"] is not None:
        return round(lead) - (row["expected_day"] - first).days
    return (first - row["ordered_day"]).days if row["ordered_day"] is not None else 0
