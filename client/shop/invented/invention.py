"""Draw the whole history of an invented shop from a seed: weekdays, seasons, promotions, stock, and oddities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

import numpy as np

from client.shop.invented.person import invent_people
from client.shop.invented.shop import (
    CURRENCY,
    OTHER_CURRENCY,
    TIME_ZONE,
    InventedShop,
    Line,
    Order,
    Person,
    Product,
    Promotion,
    Review,
)
from client.shop.record import State

SUNDAY = 6
STATES: tuple[State, ...] = ("sold", "cancelled", "test", "unpaid")
STATE_SHARES = (0.93, 0.03, 0.01, 0.03)
_GOODS = (
    ("Tee", ("Ostfriesentee", "Grüner Tee", "Kräutertee", "Früchtetee"), 6.9),
    ("Kaffee", ("Röstkaffee", "Espresso", "Entkoffeiniert"), 11.5),
    ("Geschirr", ("Teekanne", "Becher", "Stövchen", "Untertasse"), 24.0),
    ("Gebäck", ("Kekse", "Stollen", "Zwieback"), 4.2),
)
_NOTES = ("", "", "", 'Bitte "vorsichtig"; nicht knicken', "Klingel defekt,\nbitte klopfen", "=SUMME(A1)")
_SEASON = {"Gebäck": 1.2, "Tee": 0.4, "Kaffee": 0.1, "Geschirr": 0.3}  # how much more is sold at the end of a year
_WEEKDAY = (1.1, 0.9, 0.9, 1.0, 1.3, 1.5, 0.0)
_WORDS = ("Sehr gut, gerne wieder.", "In Ordnung.", "Leider zerbrochen angekommen.", "Schmeckt wie bei Oma!")


@dataclass(frozen=True)
class Size:
    """How large a shop is invented.

    Attributes
    ----------
    orders_a_day
        Of an ordinary day.
    hour_change_night
        Whether four orders come in the two nights in which the clock is put forward and back; they are Sundays, on
        which the shop sells nothing otherwise.
    bundles
        Whether one product is a bundle of two others.
    """

    first_day: date = date(2024, 1, 1)
    last_day: date = date(2024, 12, 31)
    num_products: int = 14
    num_people: int = 60
    orders_a_day: float = 4.0
    hour_change_night: bool = True
    bundles: bool = False


def invent_shop(seed: int, size: Size = Size()) -> InventedShop:  # frozen
    """Invent a shop: the same seed and size give the same shop."""
    generator = np.random.default_rng(seed)
    products = _invent_products(size, generator)
    people = invent_people(size.num_people, generator)
    days = tuple(size.first_day + timedelta(days=n) for n in range((size.last_day - size.first_day).days + 1))
    promotions = _invent_promotions(products, days, generator)
    prices = _invent_prices(products, days)
    empty = _invent_empty_shelves(products, days, generator)
    world = _World(products, people, promotions, prices, empty, generator)
    orders = [order for day in days for order in world.orders_of(day, size.orders_a_day)]
    if size.hour_change_night:
        orders += [world.order(at) for at in _hour_changes(days)]
    orders = _number(sorted(orders, key=lambda order: order.at.timestamp()))
    shop = InventedShop(days[0], days[-1], products, people, tuple(orders), promotions, prices, {}, {}, ())
    return replace(
        shop,
        on_hand=_count_stock(shop, empty, generator),
        views=_count_views(shop, generator),
        reviews=_invent_reviews(shop, generator),
    )


def _invent_products(size: Size, generator: np.random.Generator) -> tuple[Product, ...]:
    """Name them; one is called NA, which reads as nothing in many a program."""
    names = [(name, group, price) for group, kinds, price in _GOODS for name in kinds]
    drawn = [Product("NA", "NA", "Geschirr", 9.5)]
    for number in range(size.num_products - 1):
        name, group, price = names[number % len(names)]
        more = f" {number // len(names) + 1}" if number >= len(names) else ""
        factor = float(generator.uniform(0.7, 1.6))
        drawn.append(Product(f"{group[:2].upper()}-{number + 1:04d}", f"{name}{more}", group, round(price * factor, 2)))
    if size.bundles:
        parts = (drawn[1].code, drawn[2].code)
        drawn.append(Product("SET-0001", "Probierset", drawn[1].category, 15.0, parts))
    return tuple(drawn)


def _invent_promotions(
    products: tuple[Product, ...], days: tuple[date, ...], generator: np.random.Generator
) -> tuple[Promotion, ...]:
    drawn = []
    for product in products[1::3]:
        first = days[int(generator.integers(len(days) - 1))]
        last = first + timedelta(days=6)
        discount = float(generator.choice([0.1, 0.2, 0.25]))
        drawn.append(Promotion(product.code, first, last, discount, first - timedelta(days=14)))
    return tuple(drawn)


def _invent_prices(products: tuple[Product, ...], days: tuple[date, ...]) -> tuple[tuple[str, date, float], ...]:
    """Each product has a price from the first day on, and every second one a higher one from the middle on."""
    first = [(product.code, days[0], product.price) for product in products]
    later = [(product.code, days[len(days) // 2], round(product.price * 1.08, 2)) for product in products[::2]]
    return tuple(first + later)


def _invent_empty_shelves(
    products: tuple[Product, ...], days: tuple[date, ...], generator: np.random.Generator
) -> set[tuple[str, date]]:
    """Every fourth product is out of stock for eight days."""
    empty = set()
    for product in products[2::4]:
        start = int(generator.integers(max(len(days) - 8, 1)))
        empty |= {(product.code, day) for day in days[start : start + 8]}
    return empty


@dataclass(frozen=True)
class _World:
    products: tuple[Product, ...]
    people: tuple[Person, ...]
    promotions: tuple[Promotion, ...]
    prices: tuple[tuple[str, date, float], ...]
    empty: set[tuple[str, date]]
    generator: np.random.Generator

    def orders_of(self, day: date, orders_a_day: float) -> list[Order]:
        year_end = max(0.0, np.cos(2 * np.pi * (day.timetuple().tm_yday - 350) / 365))
        rate = orders_a_day * _WEEKDAY[day.weekday()] * (1 + 0.5 * year_end)
        return [self.order(self._moment(day)) for _ in range(int(self.generator.poisson(rate)))]

    def order(self, at: datetime) -> Order:
        person = self.people[int(self.generator.integers(len(self.people)))]
        state = STATES[int(self.generator.choice(len(STATES), p=STATE_SHARES))]
        lines = self._lines(at.date(), state=state)
        currency = OTHER_CURRENCY if self.generator.random() < 0.08 else CURRENCY
        note = _NOTES[int(self.generator.integers(len(_NOTES)))]
        return Order(0, at, person, lines, state, currency, note)

    def price_of(self, product: Product, day: date) -> float:
        price = max((since, price) for code, since, price in self.prices if code == product.code and since <= day)[1]
        for offer in self.promotions:
            if offer.code == product.code and offer.first_day <= day <= offer.last_day:
                price = round(price * (1 - offer.discount), 2)
        return price

    def _moment(self, day: date) -> datetime:
        """Draw a time; one order in ten comes in the last half hour before midnight, one in twenty just after it."""
        kind = self.generator.random()
        low, high = (84_600, 86_400) if kind < 0.1 else (0, 1800) if kind < 0.15 else (28_800, 79_200)
        second = int(self.generator.integers(low, high))
        return datetime.combine(day, time(second // 3600, second // 60 % 60, second % 60), TIME_ZONE)

    def _lines(self, day: date, *, state: State) -> tuple[Line, ...]:
        weights = np.array([self._weight(product, day) for product in self.products])
        count = 1 + int(self.generator.poisson(0.9))
        chosen = list(self.generator.choice(len(self.products), size=count, p=weights / weights.sum()))
        if self.generator.random() < 0.05:  # the same product twice in one order, as it was put into the cart twice
            chosen.append(chosen[0])
        return tuple(self._line(self.products[place], day, state=state) for place in chosen)

    def _line(self, product: Product, day: date, *, state: State) -> Line:
        quantity = 1 + int(self.generator.poisson(0.6))
        if self.generator.random() < 0.004:  # a café orders for a season
            quantity = int(self.generator.choice([500, 1200, 2000]))
        back = state == "sold" and self.generator.random() < 0.04
        returned = int(self.generator.integers(1, quantity + 1)) if back else 0
        return Line(product, quantity, self.price_of(product, day), returned)

    def _weight(self, product: Product, day: date) -> float:
        if (product.code, day) in self.empty:
            return 0.0
        place = self.products.index(product)
        year_end = max(0.0, np.cos(2 * np.pi * (day.timetuple().tm_yday - 350) / 365))
        offered = any(o.code == product.code and o.first_day <= day <= o.last_day for o in self.promotions)
        return (1 + _SEASON[product.category] * year_end) * (3.0 if offered else 1.0) / (1 + 0.25 * place)


def _hour_changes(days: tuple[date, ...]) -> list[datetime]:
    """Give moments just before and after each change of the hour, the hour that comes twice in both its readings."""
    found = []
    for day in days:
        noon, before = (datetime.combine(each, time(12), TIME_ZONE) for each in (day, day - timedelta(days=1)))
        if noon.utcoffset() == before.utcoffset():
            continue
        forward = (noon.utcoffset() or timedelta()) > (before.utcoffset() or timedelta())
        clocks = [(1, 59, 0), (3, 0, 0)] if forward else [(2, 30, 0), (2, 30, 1)]
        found += [datetime.combine(day, time(hour, minute, 30, fold=fold), TIME_ZONE) for hour, minute, fold in clocks]
    return found


def _number(orders: list[Order]) -> list[Order]:
    return [replace(order, number=1001 + place) for place, order in enumerate(orders)]


def _count_stock(
    shop: InventedShop, empty: set[tuple[str, date]], generator: np.random.Generator
) -> dict[tuple[str, date], int]:
    counted = {}
    for product in shop.products:
        for day in shop.days:
            key = (product.code, day)
            counted[key] = 0 if key in empty else int(generator.integers(5, 60))
    return counted


def _count_views(shop: InventedShop, generator: np.random.Generator) -> dict[tuple[str, date], int]:
    demand = shop.daily_demand()
    counted = {}
    for product in shop.products:
        for day in shop.days:
            bought = min(demand.get((product.code, day), 0.0), 20.0)
            counted[product.code, day] = int(generator.poisson(2.0 + 5.0 * bought))
    return {key: count for key, count in counted.items() if count}


def _invent_reviews(shop: InventedShop, generator: np.random.Generator) -> tuple[Review, ...]:
    """Write one for every thirtieth order; one in three customers gives away how to be reached."""
    reviews = []
    for place, order in enumerate(order for order in shop.orders if order.state == "sold"):
        if place % 30:
            continue
        day = min(order.at.date() + timedelta(days=5), shop.last_day)
        words = _WORDS[int(generator.integers(len(_WORDS)))]
        if place % 90 == 0:
            words += f" Fragen an {order.person.email} oder {order.person.telephone}."
        reviews.append(Review(day, order.lines[0].product.code, order.person, int(generator.integers(1, 6)), words))
    return tuple(reviews)
