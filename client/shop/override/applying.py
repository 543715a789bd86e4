"""Put overrides into what is forecast of each product and day, in the order in which they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from jaxtyping import Bool, Float

from client.shop.calendar.kept import Kept
from client.shop.override.override import Override, Overrides

Means = Float[np.ndarray, "product day"]


@dataclass(frozen=True)
class Change:
    """What overrides hold for some days, and for which products.

    Attributes
    ----------
    first
        The first day of the means that it is applied to.
    categories
        Of products; "" where unknown.
    """

    overrides: tuple[Override, ...]
    first: date
    categories: Mapping[str, str]

    @property
    def needs_all(self) -> bool:
        """Whether one of them shares a total out among products, so that all of these must be seen first."""
        return any(each.total is not None and each.of != "product" for each in self.overrides)

    def touches(self, products: Sequence[str]) -> Bool[np.ndarray, " product"]:
        """Tell which products any of them is about."""
        found = np.zeros(len(products), bool)
        for each in self.overrides:
            found |= chosen_products(each, products, self.categories)
        return found

    def apply(self, mean: Means, products: Sequence[str], is_open: Bool[np.ndarray, " day"]) -> Means:
        """Give the means with all overrides in them; the days on which the shop is closed stay zero.

        A total is shared out as the forecasts are; where these are zero, alike among products and open days.
        """
        changed = np.array(mean, dtype=np.float64)
        for each in self.overrides:
            days = chosen_days(each, self.first, mean.shape[1])
            place = np.ix_(chosen_products(each, products, self.categories), days & is_open)
            changed[place] = _change(changed[place], each, _share_inside(each, days, is_open))
        return changed


def chosen_products(
    each: Override, products: Sequence[str], categories: Mapping[str, str]
) -> Bool[np.ndarray, " product"]:
    """Tell which products an override is about."""
    if each.of == "shop":
        return np.ones(len(products), bool)
    if each.of == "product":
        return np.array([name == each.name for name in products], bool)
    return np.array([categories.get(name, "") == each.name for name in products], bool)


def chosen_days(each: Override, first: date, number: int) -> Bool[np.ndarray, " day"]:
    """Tell which of so many days from the first on it is about."""
    day = np.arange(number)
    return (day >= (each.first - first).days) & (day <= (each.last - first).days)


def _share_inside(each: Override, days: Bool[np.ndarray, " day"], is_open: Bool[np.ndarray, " day"]) -> float:
    """Give how much of its days the forecast has: of the total of a month that is cut in half it takes half."""
    inside = int((days & is_open).sum())
    outside = (each.last - each.first).days + 1 - int(days.sum())
    return inside / (inside + outside) if inside else 0.0


def _change(own: Means, each: Override, share: float) -> Means:
    if each.factor is not None:
        return own * each.factor
    assert each.total is not None  # noqa: S101  for mypy
    wanted, held = each.total * share, float(own.sum())
    return own * (wanted / held) if held > 0 else np.full(own.shape, wanted / max(own.size, 1))


def read_change(history: Kept, first: date, *, as_of: date | None) -> Change:
    """Read the overrides that hold for forecasts from a day on.

    Parameters
    ----------
    as_of
        A past day as of which is forecast; what was said later is left out. None for now.
    """
    folder = getattr(history, "folder", None)
    held = Overrides(folder).read() if folder is not None else ()
    active = tuple(each for each in held if each.was_active(as_of) and each.last >= first)
    if not active:
        return Change((), first, {})
    table = history.products()
    categories = dict(zip(table["product"].to_pylist(), table["category"].to_pylist(), strict=True))
    return Change(active, first, {name: category or "" for name, category in categories.items()})
