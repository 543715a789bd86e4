"""What an invented shop is made of. Everything is known of it, and nobody in it has ever lived."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from client.shop.record import State

TIME_ZONE = ZoneInfo("Europe/Berlin")
CURRENCY, OTHER_CURRENCY = "EUR", "CHF"


@dataclass(frozen=True)
class Product:
    """Something that is sold. `parts` of a bundle are the codes of what is in it."""

    code: str
    name: str
    category: str
    price: float
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Person:
    """A customer; every text here must be found nowhere in a shop's folder."""

    first_name: str
    last_name: str
    email: str
    telephone: str
    street: str
    postcode: str
    city: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"

    @property
    def private(self) -> tuple[str, ...]:
        """What nobody may ever find."""
        return (self.last_name, self.email, self.telephone, self.street)


@dataclass(frozen=True)
class Line:
    """So many of one product in an order, each at a price; `returned` of them went back later."""

    product: Product
    quantity: int
    price: float
    returned: int = 0

    @property
    def amount(self) -> float:
        """Money of the whole line."""
        return round(self.quantity * self.price, 2)


@dataclass(frozen=True)
class Order:
    """What one customer ordered at one moment (in the shop's time zone)."""

    number: int
    at: datetime
    person: Person
    lines: tuple[Line, ...]
    state: State
    currency: str
    note: str = ""

    @property
    def total(self) -> float:
        """Money of the whole order."""
        return round(sum(line.amount for line in self.lines), 2)

    @property
    def refunded(self) -> float:
        """Money that went back."""
        return round(sum(line.returned * line.price for line in self.lines), 2)


@dataclass(frozen=True)
class Promotion:
    """An offer of one product, known since a day."""

    code: str
    first_day: date
    last_day: date
    discount: float
    known_from: date


@dataclass(frozen=True)
class Review:
    """What a customer said of a product; the text has a telephone number and an e-mail in it now and then."""

    day: date
    code: str
    person: Person
    rating: int
    text: str


@dataclass(frozen=True)
class InventedShop:
    """A shop and its true history.

    Attributes
    ----------
    first_day, last_day
        Of the history.
    on_hand
        Pieces in stock at the end of a day, by product and day; 0 on days on which it was out of stock.
    views
        How often a product was looked at, by product and day.
    prices
        What a product costs from a day on.
    """

    first_day: date
    last_day: date
    products: tuple[Product, ...]
    people: tuple[Person, ...]
    orders: tuple[Order, ...]
    promotions: tuple[Promotion, ...]
    prices: tuple[tuple[str, date, float], ...]
    on_hand: dict[tuple[str, date], int]
    views: dict[tuple[str, date], int]
    reviews: tuple[Review, ...]

    @property
    def days(self) -> tuple[date, ...]:
        """Every day of the history."""
        count = (self.last_day - self.first_day).days + 1
        return tuple(self.first_day + timedelta(days=number) for number in range(count))

    @property
    def private(self) -> frozenset[str]:
        """Every text that must be found nowhere in a shop's folder."""
        return frozenset(text for person in self.people for text in person.private)

    def daily_demand(self) -> dict[tuple[str, date], float]:
        """Give the truth: pieces ordered by product and day, in orders that are sold; what came back was demand too."""
        demand: Counter[tuple[str, date]] = Counter()
        for order in self.orders:
            if order.state == "sold":
                for line in order.lines:
                    demand[line.product.code, order.at.date()] += line.quantity
        return {key: float(quantity) for key, quantity in demand.items()}
