"""Answers: what to offer a customer, beside a basket, on a product's page, and to everyone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse

from client.decision.customer_word import find_customer, shorten
from client.decision.recommendation.feature import describe
from client.decision.recommendation.learned import Learned
from client.decision.recommendation.offer import Answer, Kind, Offer
from client.decision.recommendation.past import RECENT_DAYS, Past
from client.decision.recommendation.purchase import Purchases, day_of
from client.decision.recommendation.ranking import TOGETHER, score
from client.decision.recommendation.reason import say_again, say_alike, say_together, say_wanted
from client.decision.recommendation.shelf import Shelf
from client.language.speech import t
from common.errors import ConfigError

NEVER = -np.inf
Why = Callable[[int], tuple[str, int, int]]  # of a product: the reason, and what it counts


def _row(matrix: sparse.csr_matrix | sparse.csc_matrix, place: int) -> tuple[np.ndarray, np.ndarray]:
    """Give a row of a CSR matrix, or a column of a CSC one, without the cost of an index."""
    own = slice(matrix.indptr[place], matrix.indptr[place + 1])
    return matrix.indices[own], matrix.data[own]


@dataclass(frozen=True)
class Recommender:
    """A shop that was learned, ready to answer.

    Attributes
    ----------
    names
        Of products, where they have any.
    """

    purchases: Purchases
    past: Past
    learned: Learned
    shelf: Shelf
    names: Mapping[str, str]

    def for_everyone(self, number: int) -> Answer:
        """Give what is wanted most now: what a customer is offered of whom nothing is known."""
        value = self._on_shelf(np.log(self.past.now + 1e-6))
        return Answer(
            "everyone", self._offers(value, "top", number, lambda place: (say_wanted(*self._wanted(place)), 0, 0))
        )

    def for_customer(self, customer: str, number: int) -> Answer:
        """Give what one customer, by her hash or its first digits, is likely to buy again, and what is new to her.

        Raises
        ------
        ConfigError
            There is no such customer, or more than one.
        """
        place = find_customer(customer, self.purchases.customers)
        return next(self.for_customers(np.array([place]), number))

    def for_customers(self, customers: Int[np.ndarray, " customer"], number: int) -> Iterator[Answer]:
        """Answer for many customers, some at a time."""
        for first in range(0, len(customers), TOGETHER):
            some = customers[first : first + TOGETHER]
            features = describe(self.past, self.learned.taste, some)
            values = score(self.past, features, self.learned.ranking)
            for customer, value, had in zip(some, values, features.had, strict=True):
                yield self._answer_customer(int(customer), self._on_shelf(value), had, number)

    def for_basket(self, basket: Sequence[str], number: int) -> Answer:
        """Give what goes with a basket.

        Raises
        ------
        ConfigError
            A product of it was never sold.
        """
        places = np.unique([self._place_of(product) for product in basket])
        near = np.asarray(self.learned.together[places].sum(axis=0)).ravel().astype(np.float64)
        wanted = self.past.now / max(float(self.past.now.max(initial=0)), 1e-9)
        value = np.log(near + 1e-6 * wanted + 1e-12)  # what goes with nothing comes last, by demand
        value[places] = NEVER
        offers = self._offers(
            self._on_shelf(value), "together", number, lambda place: self._why_together(places, place)
        )
        return Answer(f"a basket of {', '.join(self._call(int(place)) for place in places)}", offers)

    def beside(self, product: str, number: int, least: int) -> Answer:
        """Give what is often bought together with a product, in at least so many baskets, by how much it goes with it.

        Raises
        ------
        ConfigError
            It was never sold.
        """
        place = self._place_of(product)
        with_it = self._baskets[self._of_product(place)]
        both = np.asarray(with_it.sum(axis=0)).ravel()
        both[place] = 0
        size, all_baskets = with_it.shape[0], self._baskets.shape[0]
        lift = both * all_baskets / np.maximum(size * self._popular, 1)
        near = np.asarray(self.learned.together[place].todense()).ravel()
        value = np.where((both >= least) & (lift > 1), np.log(near + 1e-9), NEVER)
        offers = self._offers(
            self._on_shelf(value),
            "together",
            number,
            lambda other: (
                say_together(self._call(place), int(both[other]), size, float(lift[other])),
                int(both[other]),
                size,
            ),
            lift,
        )
        notes = [] if offers else [self._say_none(place, size, least)]
        return Answer(self._call(place), offers, notes=tuple(notes))

    def _say_none(self, place: int, size: int, least: int) -> str:
        return t(
            "Nothing was bought together with {place} in {least} baskets or more and oftener than by "
            "chance; it is in {size} baskets. --least takes fewer.",
            place=self._call(place),
            least=least,
            size=size,
        )

    def _answer_customer(
        self, customer: int, value: Float[np.ndarray, " product"], had: Bool[np.ndarray, " product"], number: int
    ) -> Answer:
        name = self.purchases.customers[customer]
        if not had.any():
            return Answer(f"customer {shorten(name)}", self.for_everyone(number).offers, name)
        again = self._offers(
            np.where(had, value, NEVER), "again", number, lambda place: self._why_again(customer, place)
        )
        new = self._offers(np.where(had, NEVER, value), "new", number, lambda place: self._why_new(customer, place))
        return Answer(f"customer {shorten(name)}", (*again, *new), name)

    def _offers(
        self, value: np.ndarray, kind: Kind, number: int, why: Why, lift: np.ndarray | None = None
    ) -> tuple[Offer, ...]:
        """Take the best; of equal ones the first by name, so that an answer is always the same."""
        best = np.argsort(-value, kind="stable")[:number]
        offers: list[Offer] = []
        for place in (int(place) for place in best if value[place] > NEVER):
            reason, both, of = why(place)
            stock = self.shelf.state[place]
            of_lift = None if lift is None else float(lift[place])
            product = self.purchases.products[place]
            said = Offer(
                len(offers) + 1,
                product,
                self.names.get(product, ""),
                kind,
                float(value[place]),
                reason,
                both,
                of,
                of_lift,
                stock,
            )
            offers.append(said)
        return tuple(offers)

    def _why_again(self, customer: int, place: int) -> tuple[str, int, int]:
        own = self._rows_of(customer)
        days = np.unique(self.purchases.day[own][self.purchases.product[own] == place])
        return say_again(len(days), day_of(int(days[-1]))), 0, 0

    def _why_new(self, customer: int, place: int) -> tuple[str, int, int]:
        """Name the product of her own that speaks most for it."""
        own, weight = _row(self.past.long, customer)
        near, alike = _row(self._alike_by_product, place)
        voice = np.zeros(len(self.purchases.products))
        voice[near] = alike
        voice = voice[own] * weight
        if not len(voice) or voice.max() <= 0:
            return say_wanted(*self._wanted(place)), 0, 0
        source = int(own[voice.argmax()])
        both, of = self._count_buyers(source, place)
        return say_alike(self._call(source), both, of), both, of

    def _count_buyers(self, source: int, other: int) -> tuple[int, int]:
        """Count who bought both, and who bought the first; many customers ask for the same pair."""
        if (source, other) not in self._counted:
            mine, theirs = (_row(self._bought_by_product, each)[0] for each in (source, other))
            self._counted[source, other] = len(np.intersect1d(mine, theirs, assume_unique=True)), len(mine)
        return self._counted[source, other]

    def _why_together(self, places: np.ndarray, other: int) -> tuple[str, int, int]:
        near = self.learned.together[places][:, [other]].toarray().ravel()
        if near.max() <= 0:
            return say_wanted(*self._wanted(other)), 0, 0
        source = int(places[near.argmax()])
        mine = self._of_product(source)
        both, all_baskets = len(np.intersect1d(mine, self._of_product(other))), self._baskets.shape[0]
        lift = both * all_baskets / (len(mine) * max(self._popular[other], 1))
        return say_together(self._call(source), both, len(mine), float(lift)), both, len(mine)

    def _wanted(self, place: int) -> tuple[int, int]:
        return round(float(self.past.recent[place])), RECENT_DAYS // 7

    def _on_shelf(self, value: np.ndarray) -> np.ndarray:
        """Multiply the odds by what the shelf says; what was never sold before is not offered."""
        factor = self._factor
        found: np.ndarray = np.where(factor > 0, value + np.log(np.maximum(factor, 1e-9)), NEVER)
        return found

    def _place_of(self, product: str) -> int:
        place = self._places.get(product)
        if place is None:
            raise ConfigError(f"No product {product!r} was ever sold in this shop; see: hansa-client history.")
        return place

    def _call(self, place: int) -> str:
        product = self.purchases.products[place]
        return self.names.get(product) or product

    def _of_product(self, place: int) -> np.ndarray:
        return _row(self._by_product, place)[0]

    def _rows_of(self, customer: int) -> np.ndarray:
        return self._order[self._starts[customer] : self._starts[customer + 1]]

    @cached_property
    def _factor(self) -> np.ndarray:
        return np.where(self.past.ever > 0, self.shelf.factor, 0.0)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {product: number for number, product in enumerate(self.purchases.products)}

    @cached_property
    def _baskets(self) -> sparse.csr_matrix:
        return self.purchases.baskets()

    @cached_property
    def _by_product(self) -> sparse.csc_matrix:
        return self._baskets.tocsc()

    @cached_property
    def _popular(self) -> np.ndarray:
        return np.asarray(self._baskets.sum(axis=0)).ravel()

    @cached_property
    def _bought_by_product(self) -> sparse.csc_matrix:
        return self.past.bought.tocsc()

    @cached_property
    def _alike_by_product(self) -> sparse.csc_matrix:
        return self.learned.taste.alike.tocsc()

    @cached_property
    def _counted(self) -> dict[tuple[int, int], tuple[int, int]]:
        return {}

    @cached_property
    def _order(self) -> np.ndarray:
        return np.argsort(self.purchases.customer, kind="stable")

    @cached_property
    def _starts(self) -> np.ndarray:
        number = np.arange(len(self.purchases.customers) + 1)
        return np.searchsorted(self.purchases.customer[self._order], number)
