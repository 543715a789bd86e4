"""Daily demand as a dense array, a batch of products at a time, for whoever computes with series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32

NUM_PRODUCTS = 10_000  # of a batch: two years of them take 29 MB


@dataclass(frozen=True)
class DenseDemand:
    """Units of some products on each day of a span, 0 where nothing was sold.

    Attributes
    ----------
    products
        Sorted by name.
    """

    products: tuple[str, ...]
    first_day: date
    units: Float32[np.ndarray, "product day"]


def cut_dense(daily: Iterator[pa.RecordBatch], *, first: date, last: date, num_products: int) -> Iterator[DenseDemand]:
    """Spread rows that are sorted by product over all days.

    Parameters
    ----------
    daily
        Columns product, day, units; no product and day twice.
    first, last
        Days outside are left out.
    num_products
        Of one batch, but for the last.
    """
    names: list[str] = []
    units = np.zeros((num_products, (last - first).days + 1), np.float32)
    for batch in daily:
        encoded = pc.dictionary_encode(batch["product"])
        rows = encoded.indices.to_numpy()  # products come in order, so their codes count up
        days = batch["day"].cast(pa.int32()).to_numpy() - (first - date(1970, 1, 1)).days
        amounts = batch["units"].to_numpy()
        for code, name in enumerate(encoded.dictionary.to_pylist()):
            if not names or names[-1] != name:
                if len(names) == num_products:
                    yield DenseDemand(tuple(names), first, units)
                    names, units = [], np.zeros_like(units)
                names.append(name)
            start, stop = np.searchsorted(rows, (code, code + 1))
            own = days[start:stop]
            inside = (own >= 0) & (own < units.shape[1])
            units[len(names) - 1, own[inside]] = amounts[start:stop][inside]
    if names:
        yield DenseDemand(tuple(names), first, units[: len(names)])
