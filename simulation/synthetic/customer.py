"""The synthetic federation as customers: who they are, and their events from view to cart to order.

While a customer lives, orders form a renewal process with Erlang gaps, on a clock that runs with the
merchant's true demand; visits without an order come by pure chance, as often on average. Tenure, frequency,
recency and recent views therefore all tell something about the next 30 days, and after the end of life
nothing happens.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.random import Generator

from simulation.synthetic.federation import (
    SyntheticSettings,
    customer_count,
    merchant_generator,
    merchant_kind,
    merchant_name,
    open_dates,
)
from simulation.synthetic.shop import Shop, draw_shop

FOUNDING_SHARE: Final = 0.5  # of the customers are there on the merchant's first day, the others come later
RATE_SHAPE: Final = 1.5  # of the gamma over customers' purchase rates
BROWSING_CART_SHARE: Final = 0.2  # of the lines in a visit without an order
OPENING_HOUR: Final = 8
HOURS_OPEN: Final = 12


def draw_events(settings: SyntheticSettings) -> pd.DataFrame:
    """Draw what every customer of every merchant did.

    Parameters
    ----------
    settings
        Size, span and seed.

    Returns
    -------
    DataFrame
        One row per event, ordered by merchant and time: `merchant`, `customer` (unique over merchants),
        `time` (within opening hours), `event` ("view", "cart" or "order"), `product`, `quantity` (pieces; 0
        for a view) and `value` (money that changed hands: 0 unless the event is an order). Every order
        follows a cart and every cart a view, by the same customer of the same product.
    """
    events = [_draw_merchant_events(settings, merchant) for merchant in range(settings.merchants)]
    return pd.concat(events, ignore_index=True)


def draw_customers(settings: SyntheticSettings) -> pd.DataFrame:
    """Draw the truth about the customers of `draw_events`: never a feature.

    Parameters
    ----------
    settings
        Size, span and seed.

    Returns
    -------
    DataFrame
        One row per customer, also for those without an event: `merchant`, `customer`, `rate` (orders per open
        day of average demand while the customer lives), `start` and `end` of life; `end` is missing (NaT) for
        customers who outlive the data.
    """
    customers = [_draw_merchant_customers(settings, merchant) for merchant in range(settings.merchants)]
    return pd.concat(customers, ignore_index=True)


@dataclass(frozen=True)
class _Lives:
    """How often and when customers buy; times in open days since the merchant's first."""

    rate: Float[np.ndarray, " customer"]
    start: Float[np.ndarray, " customer"]
    end: Float[np.ndarray, " customer"]


def _draw_merchant_customers(settings: SyntheticSettings, merchant: int) -> pd.DataFrame:
    lives, dates = _draw_lives(settings, merchant), open_dates(settings, merchant)
    outlives = lives.end >= len(dates)
    return pd.DataFrame(
        {
            "merchant": merchant_name(merchant),
            "customer": _customer_names(merchant, len(lives.rate)),
            "rate": lives.rate,
            "start": _timestamps(dates, lives.start),
            "end": pd.Series(_timestamps(dates, lives.end)).mask(outlives),
        }
    )


def _draw_lives(settings: SyntheticSettings, merchant: int) -> _Lives:
    generator, kind = merchant_generator(settings, merchant, stream=2), merchant_kind(merchant)
    customers, days = customer_count(settings, merchant), len(open_dates(settings, merchant))
    start = generator.uniform(0, days, customers) * (generator.random(customers) >= FOUNDING_SHARE)
    return _Lives(
        rate=generator.gamma(RATE_SHAPE, kind.orders_per_day / RATE_SHAPE, customers),
        start=start,
        end=start + generator.exponential(kind.lifetime_days, customers),
    )


def _draw_merchant_events(settings: SyntheticSettings, merchant: int) -> pd.DataFrame:
    shop, lives = draw_shop(settings, merchant), _draw_lives(settings, merchant)
    generator = merchant_generator(settings, merchant, stream=3)
    lines = pd.concat(
        [
            _draw_order_lines(shop, lives, generator=generator),
            _draw_browsing_lines(shop, lives, generator=generator),
        ]
    )
    # Views come first in the melted table and the sort is stable: equal times keep the order of the funnel.
    events = lines.melt(["customer", "product", "quantity"], var_name="event", value_name="time")
    events = events.dropna(subset="time").sort_values("time", kind="stable")
    return _name_events(events, shop, customers=_customer_names(merchant, len(lives.rate)))


def _draw_order_lines(shop: Shop, lives: _Lives, *, generator: Generator) -> pd.DataFrame:
    customer, order = _draw_visits(shop, lives, generator=generator, regularity=shop.kind.regularity)
    customer, order = _repeat_per_line(customer, order, generator=generator, lines=shop.kind.lines)
    known_for = generator.random(len(order)) * (order - lives.start[customer])
    view = order - np.minimum(generator.exponential(shop.kind.lead_days, len(order)), known_for)
    cart = view + generator.random(len(order)) * (order - view)
    return _describe_lines(shop, customer, view=view, cart=cart, order=order, generator=generator)


def _draw_browsing_lines(shop: Shop, lives: _Lives, *, generator: Generator) -> pd.DataFrame:
    customer, view = _draw_visits(shop, lives, generator=generator, regularity=1)
    customer, view = _repeat_per_line(customer, view, generator=generator, lines=2 * shop.kind.lines)
    patience = np.minimum(generator.exponential(shop.kind.lead_days, len(view)), lives.end[customer] - view)
    cart = view + generator.random(len(view)) * np.minimum(patience, len(shop.dates) - view)
    cart[generator.random(len(view)) >= BROWSING_CART_SHARE] = np.nan
    order = np.full(len(view), np.nan)
    return _describe_lines(shop, customer, view=view, cart=cart, order=order, generator=generator)


def _draw_visits(
    shop: Shop, lives: _Lives, *, generator: Generator, regularity: int
) -> tuple[Int[np.ndarray, " visit"], Float[np.ndarray, " visit"]]:
    # On the demand clock the visits are every k-th event of a Poisson process k times as fast: Erlang gaps.
    days = np.arange(len(shop.dates) + 1)
    clock = _demand_clock(shop)
    start, end = np.interp(lives.start, days, clock), np.interp(lives.end, days, clock)
    ticks = generator.poisson(regularity * lives.rate * (end - start))
    customer = np.repeat(np.arange(len(ticks)), ticks)
    tick = start[customer] + generator.random(len(customer)) * (end - start)[customer]
    tick = tick[np.lexsort((tick, customer))]
    rank = np.arange(len(customer)) - (np.cumsum(ticks) - ticks)[customer]
    kept = (rank + generator.integers(regularity, size=len(ticks))[customer]) % regularity == 0
    customer, visit = customer[kept], np.interp(tick[kept], clock, days)
    # Rounding may carry a visit over the edge of a life.
    return customer, np.clip(visit, lives.start[customer], lives.end[customer])


def _demand_clock(shop: Shop) -> Float[np.ndarray, " edge"]:
    # Open days of average demand that have passed when an open day begins, and when the last one ends.
    passed: Float[np.ndarray, " edge"] = np.concatenate([[0.0], np.cumsum(shop.rate.sum(axis=0))])
    clock: Float[np.ndarray, " edge"] = passed * (len(shop.dates) / passed[-1])
    return clock


def _repeat_per_line(
    customer: Int[np.ndarray, " visit"],
    time: Float[np.ndarray, " visit"],
    *,
    generator: Generator,
    lines: float,
) -> tuple[Int[np.ndarray, " line"], Float[np.ndarray, " line"]]:
    count = 1 + generator.poisson(lines, len(customer))
    return np.repeat(customer, count), np.repeat(time, count)


def _describe_lines(
    shop: Shop,
    customer: Int[np.ndarray, " line"],
    *,
    view: Float[np.ndarray, " line"],
    cart: Float[np.ndarray, " line"],
    order: Float[np.ndarray, " line"],
    generator: Generator,
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer": customer,
            "product": _draw_products(shop, view, generator=generator),
            "quantity": 1 + generator.poisson(0.3, len(customer)),
            "view": view,
            "cart": cart,
            "order": order,
        }
    )


def _draw_products(shop: Shop, time: Float[np.ndarray, " line"], *, generator: Generator) -> Int[np.ndarray, " line"]:
    # In proportion to the day's true rates, by one sorted table for all days: day + cumulative share.
    day = _open_day(time, len(shop.dates))
    share = np.cumsum(shop.rate, axis=0) / shop.rate.sum(axis=0)
    table = (np.arange(len(shop.dates))[:, None] + share.T).ravel()
    place = np.searchsorted(table, day + generator.random(len(day)), side="right")
    products: Int[np.ndarray, " line"] = np.minimum(place - day * len(shop.products), len(shop.products) - 1)
    return products


def _name_events(events: pd.DataFrame, shop: Shop, *, customers: np.ndarray) -> pd.DataFrame:
    product, time = events["product"].to_numpy(), events["time"].to_numpy()
    quantity = events["quantity"].to_numpy() * (events["event"] != "view").to_numpy()
    paid = shop.price[product, _open_day(time, len(shop.dates))] * (events["event"] == "order").to_numpy()
    return pd.DataFrame(
        {
            "merchant": shop.name,
            "customer": customers[events["customer"].to_numpy()],
            "time": _timestamps(shop.dates, time),
            "event": events["event"].to_numpy(),
            "product": np.array(shop.products)[product],
            "quantity": quantity,
            "value": np.round(quantity * paid, 2),
        }
    )


def _customer_names(merchant: int, customers: int) -> np.ndarray:
    return np.array([f"{merchant_name(merchant)}-customer-{customer:04d}" for customer in range(customers)])


def _open_day(time: Float[np.ndarray, " row"], days: int) -> Int[np.ndarray, " row"]:
    return np.minimum(time.astype(np.int64), days - 1)


def _timestamps(dates: pd.DatetimeIndex, time: Float[np.ndarray, " row"]) -> pd.DatetimeIndex:
    # What lies past the last day ends with it.
    day = _open_day(time, len(dates))
    hours = OPENING_HOUR + HOURS_OPEN * np.minimum(time - day, 1)
    times = dates.to_numpy()[day] + (hours * 3_600_000_000).astype("timedelta64[us]")
    return pd.DatetimeIndex(times)
