"""What is known of a shop's days, past and ahead, as columns for the methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from jaxtyping import Bool, Float

from client.shop.calendar.ahead import BY_PRODUCT, Ahead, ahead_of
from client.shop.calendar.day_kind import DayKinds
from client.shop.calendar.kept import Kept
from client.shop.settings import Shop

PROMOTION, DISCOUNT, PRICE = (BY_PRODUCT.index(name) for name in ("promotion", "discount", "price"))
FEWEST_DAYS = 3  # with it before the origin, and as many without; of what is rarer nothing can be learned
OFTEN = 0.4  # of all days; a shop that sells on fewer is silent on many that it is open
MOST_SHARED = 24  # covariates of all products, those with the most days first


@dataclass(frozen=True)
class Known:
    """What is known ahead, of a shop that is asked on one day.

    Attributes
    ----------
    shared_names, own_names
        Covariates that are worth a column: of all products alike, and of each by itself.
    """

    history: Kept
    shop: Shop
    kinds: DayKinds
    first: date
    last: date
    origin: date
    shared_names: tuple[str, ...]
    own_names: tuple[str, ...]

    def ask(self, products: Sequence[str]) -> Ahead:
        """Ask the shop's calendar about some products."""
        return ahead_of(self.history, self.shop, self.first, self.last, products, told_by=self.origin, kinds=self.kinds)

    def shared(self, ahead: Ahead) -> Float[np.ndarray, "day covariate"]:
        """Give the columns that are the same for all."""
        return ahead.shared[:, [ahead.names.index(name) for name in self.shared_names]]

    def own(self, ahead: Ahead) -> Float[np.ndarray, "product day covariate"]:
        """Give the columns that each product has of its own: promotion, discount, price against its usual one."""
        past = (self.origin - self.first).days
        columns = {
            "promotion": np.nan_to_num(ahead.by_product[:, :, PROMOTION]),
            "discount": np.nan_to_num(ahead.by_product[:, :, DISCOUNT]),
            "price": relative_prices(ahead.by_product[:, :, PRICE], past),
        }
        return np.stack([columns[name] for name in self.own_names], axis=2)


def look_ahead(
    history: Kept, shop: Shop, kinds: DayKinds, *, first: date, last: date, origin: date, products: Sequence[str]
) -> tuple[Known, Ahead]:
    """Choose what is worth a column by some products, and say what is known of these.

    Raises
    ------
    DataError
        Something is missing ahead, and the shop's settings refuse that.
    """
    known = Known(history, shop, kinds, first, last, origin, (), BY_PRODUCT)
    ahead, past = known.ask(products), (origin - first).days
    days = ahead.shared[:past].sum(axis=0)
    telling = [place for place in np.argsort(-days, kind="stable") if _tells(ahead.shared[:past, place] > 0)]
    names = tuple(ahead.names[place] for place in sorted(telling[:MOST_SHARED]))
    own = known.own(ahead)[:, :past]
    own_names = tuple(name for place, name in enumerate(BY_PRODUCT) if _tells_of_any(own[:, :, place]))
    return Known(history, shop, kinds, first, last, origin, names, own_names), ahead


def find_closed(ahead: Ahead, kinds: DayKinds, *, days_sold: int) -> Bool[np.ndarray, " day"]:
    """Tell the days on which the shop is closed; where it sells on few days, silence is no sign of it.

    Parameters
    ----------
    days_sold
        On which anything was sold.
    """
    closed = ~ahead.is_open
    if days_sold >= OFTEN * ((kinds.last - kinds.first).days + 1):
        return closed
    told = {day for closure in kinds.closures if closure.source == "told" for day in closure.days}
    guessed = {day for closure in kinds.closures if closure.source == "guess" for day in closure.days} - told
    return closed & np.array([ahead.first + timedelta(days=day) not in guessed for day in range(len(closed))])


def _tells_of_any(own: Float[np.ndarray, "product day"]) -> bool:
    """Whether some products have days above their least and days at it: on any day of a large shop one is on offer."""
    above = own > own.min(axis=1, keepdims=True)
    return bool(min(above.any(axis=0).sum(), (~above).any(axis=0).sum()) >= FEWEST_DAYS)


def _tells(there: Bool[np.ndarray, " day"]) -> bool:
    return bool(min(there.sum(), (~there).sum()) >= FEWEST_DAYS)


def relative_prices(prices: Float[np.ndarray, "product day"], past: int) -> Float[np.ndarray, "product day"]:
    """Give the logarithm of each price over the product's usual one before the origin; 0 where none is known."""
    known = np.isfinite(prices) & (prices > 0)
    logs = np.log(np.where(known, prices, 1.0))
    seen = np.where(known[:, :past], logs[:, :past], np.nan)
    usual = np.zeros(len(prices))
    some = known[:, :past].any(axis=1)
    usual[some] = np.nanmedian(seen[some], axis=1)
    return np.where(known & some[:, None], np.clip(logs - usual[:, None], -2.0, 2.0), 0.0)
