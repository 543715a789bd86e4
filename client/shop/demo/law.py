"""The demo shop's true demand: pieces that are wanted of each product on each day, as means of a Poisson law.

A mean is a product of parts, each known by itself, so whatever claims to have found one can be held against it:

    base · weekday · season · days before holidays · shopping days and fairs · promotion · (price / usual)^elasticity
         · the product's own story (new, dead, shifted, fading)

Prices of coffee move at random; that of tea was raised once, in the second spring.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from jaxtyping import Bool, Float

from client.shop.demo.good import DEAD, DEAD_DAYS, FADING, GOODS, NEW, NEW_DAYS, SHIFT_DAYS, SHIFTED, Season
from common.calendar.public_holiday import holidays_between
from common.calendar.shopping_day import is_shopping_day

COUNTRY, SUBDIVISION = "DE", "HH"
AHEAD_DAYS = 120  # for which the truth is known beyond the history
WEEKDAY = np.array([0.9, 0.8, 0.9, 1.0, 1.25, 1.55, 0.0])  # Monday first; closed on Sundays
SEASON: dict[Season, tuple[float, float]] = {  # height of the peak, and its day of the year
    "even": (0.05, 350.0),
    "winter": (0.45, 15.0),
    "summer": (0.7, 195.0),
    "christmas": (1.5, 345.0),
}
ELASTICITY = {"Coffee": -1.8, "Black tea": -1.2, "Green tea": -1.2}
OTHER_ELASTICITY = -0.8
UPLIFT = 1.9  # of a promotion, beside what its lower price does
BEFORE_HOLIDAY, BLACK_FRIDAY, FAIR = 1.35, 1.6, 1.5
SHIFT, FADE_A_YEAR = 2.2, 0.55
FAIR_NAME, FAIR_DAYS = "tea fair", 3


@dataclass(frozen=True)
class Offer:
    """A promotion: of a product from a day to a day, known since another."""

    code: str
    first: int
    last: int
    discount: float
    known_from: int


@dataclass(frozen=True)
class Law:
    """What is wanted, and why; days are counted from `start`, and go on `AHEAD_DAYS` beyond the history.

    Attributes
    ----------
    days
        Of the history.
    mean
        Pieces that are wanted.
    price
        What one costs before a promotion's discount.
    """

    start: date
    days: int
    mean: Float[np.ndarray, "product day"]
    price: Float[np.ndarray, "product day"]
    offers: tuple[Offer, ...]
    fairs: tuple[int, ...]
    is_open: Bool[np.ndarray, " day"]

    def day(self, number: int) -> date:
        """Give the day of a number."""
        return self.start + timedelta(days=int(number))


def make_law(start: date, last: date, generator: np.random.Generator) -> Law:
    """Draw promotions and prices, and work out what is wanted."""
    days = (last - start).days + 1
    span = days + AHEAD_DAYS
    dates = [start + timedelta(days=number) for number in range(span)]
    holidays = holidays_between(COUNTRY, SUBDIVISION, dates[0], dates[-1])
    weekday = np.array([day.weekday() for day in dates])
    is_open = (weekday < 6) & ~holidays.is_holiday
    fairs = _find_fairs(dates)
    shared = WEEKDAY[weekday] * is_open
    shared = shared * np.where(holidays.is_before, BEFORE_HOLIDAY, 1.0)
    shared = shared * np.where(is_shopping_day("black_friday", dates[0], dates[-1]), BLACK_FRIDAY, 1.0)
    for fair in fairs:
        shared[fair : fair + FAIR_DAYS] *= FAIR
    price = _draw_prices(days, span, generator)
    offers = _draw_offers(days, span, generator)
    mean = np.array([good.a_day for good in GOODS])[:, None] * shared * _seasons(dates) * _stories(days, span)
    usual = np.array([good.price for good in GOODS])[:, None]
    elasticity = np.array([ELASTICITY.get(good.category, OTHER_ELASTICITY) for good in GOODS])[:, None]
    mean = mean * (price / usual) ** elasticity * _effects(offers, span, elasticity[:, 0])
    return Law(start, days, mean, price, offers, fairs, is_open)


def _find_fairs(dates: list[date]) -> tuple[int, ...]:
    """Give the first Thursday of every March, June, September and December: the shop's own event."""
    return tuple(
        number
        for number, day in enumerate(dates)
        if day.weekday() == 3 and day.month % 3 == 0 and 8 <= day.day <= 14 and number + FAIR_DAYS <= len(dates)
    )


def _seasons(dates: list[date]) -> Float[np.ndarray, "product day"]:
    of_year = np.array([day.timetuple().tm_yday for day in dates])
    waves = {
        name: np.exp(height * np.cos(2 * np.pi * (of_year - peak) / 365.25)) / np.i0(height)
        for name, (height, peak) in SEASON.items()
    }
    return np.stack([waves[good.season] for good in GOODS])


def _stories(days: int, span: int) -> Float[np.ndarray, "product day"]:
    """Let one product be new, one die, one be wanted twice as much all at once, and one fade."""
    factor, day = np.ones((len(GOODS), span)), np.arange(span)
    place = {good.code: number for number, good in enumerate(GOODS)}
    factor[place[NEW], day < days - NEW_DAYS] = 0.0
    factor[place[DEAD], day >= days - DEAD_DAYS] = 0.0
    factor[place[SHIFTED], day >= days - SHIFT_DAYS] = SHIFT
    factor[place[FADING]] = FADE_A_YEAR ** (day / 365.25)
    return factor


def _draw_prices(days: int, span: int, generator: np.random.Generator) -> Float[np.ndarray, "product day"]:
    """Move prices of coffee every few weeks at random; raise those of tea once."""
    price = np.repeat(np.array([good.price for good in GOODS])[:, None], span, axis=1)
    for place, good in enumerate(GOODS):
        if good.category == "Coffee":
            day = int(generator.integers(14, 42))
            while day < days - 7:
                price[place, day:] = np.round(good.price * float(generator.choice([0.85, 0.92, 1.0, 1.08, 1.15])), 2)
                day += int(generator.integers(21, 63))
        elif good.category in ("Black tea", "Green tea"):
            price[place, days - 300 :] = np.round(good.price * 1.06, 2)
    return price


def _draw_offers(days: int, span: int, generator: np.random.Generator) -> tuple[Offer, ...]:
    """Give most products an offer of a week every few months, and some that are planned already."""
    offers = []
    for good in GOODS[::2]:
        day = int(generator.integers(30, 120))
        while day < days + 28:
            length = int(generator.integers(5, 9))
            discount = float(generator.choice([0.1, 0.15, 0.2]))
            if not (good.code == DEAD and day >= days - DEAD_DAYS):
                offers.append(Offer(good.code, day, min(day + length, span) - 1, discount, day - 14))
            day += int(generator.integers(70, 150))
    planned = ((GOODS[0].code, 8), (GOODS[20].code, 15), (GOODS[32].code, 34))  # whatever chance says, some come soon
    offers += [Offer(code, days + later, days + later + 6, 0.2, days - 7) for code, later in planned]
    return tuple(offer for offer in offers if offer.known_from < days)


def _effects(
    offers: tuple[Offer, ...], span: int, elasticity: Float[np.ndarray, " product"]
) -> Float[np.ndarray, "product day"]:
    effect = np.ones((len(GOODS), span))
    place = {good.code: number for number, good in enumerate(GOODS)}
    for offer in offers:
        row = place[offer.code]
        effect[row, offer.first : offer.last + 1] = UPLIFT * (1 - offer.discount) ** elasticity[row]
    return effect
