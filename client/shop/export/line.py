"""What tells the lines of one order apart where the export does not say.

The line's product does; where an order has one product twice, its lines are numbered by what they say (the larger
quantity first), not by where they stand. So an export that holds the order again, its rows in another order, gives the
same lines.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int

from client.shop.export.seen import Seen
from client.shop.export.text import hash_names

_MIX = np.uint64(0x9E3779B97F4A7C15)


class LineNames:
    """Names of the lines of orders; it remembers which products an order had in rows that stood apart."""

    def __init__(self) -> None:
        self._seen = Seen()

    def name(
        self,
        orders: pa.Array,
        lines: pa.Array,
        products: pa.Array,
        runs: Int[np.ndarray, " row"],
        contents: tuple[Float[np.ndarray, " row"], ...],
    ) -> pa.Array:
        """Name each line: as the export does, else by its product; "" where there is no order.

        Parameters
        ----------
        runs
            Which stretch of lines that stand together each line is of.
        contents
            What orders the lines of one product, the first of it the most.
        """
        unnamed = pc.and_(pc.equal(lines, ""), pc.not_equal(orders, "")).to_numpy(zero_copy_only=False)
        if not unnamed.any():
            return lines
        rows = np.flatnonzero(unnamed)
        places = pa.array(rows)
        of_rows = tuple(each[rows] for each in contents)
        number = self._number(orders.take(places), products.take(places), runs[rows], of_rows)
        numbers = np.zeros(len(lines), np.int64)
        numbers[rows] = number
        named = pc.if_else(pa.array(unnamed), products, lines)
        if (number == 0).all():
            return named
        with_number = pc.binary_join_element_wise(named, pc.cast(pa.array(numbers + 1), pa.string()), "#")
        return pc.if_else(pa.array(numbers > 0), with_number, named)

    def _number(
        self, orders: pa.Array, products: pa.Array, runs: np.ndarray, contents: tuple[np.ndarray, ...]
    ) -> Int[np.ndarray, " row"]:
        order = hash_names(orders)
        with np.errstate(over="ignore"):
            keys = (order * _MIX) ^ (hash_names(products) >> np.uint64(1))
        distinct, code, count = np.unique(keys, return_inverse=True, return_counts=True)
        before = self._seen.find(distinct, 0)
        self._seen.add(distinct, before + count)
        number = before[code]
        again = count[code] > 1
        if again.any():
            number[again] += _rank(code[again], runs[again], tuple(each[again] for each in contents))
        return number


def _rank(code: np.ndarray, runs: np.ndarray, contents: tuple[np.ndarray, ...]) -> Int[np.ndarray, " row"]:
    """Count rows of one code: by stretch, then by content, the largest first."""
    keys = [-np.nan_to_num(each, nan=-np.inf) for each in reversed(contents)]
    order = np.lexsort((*keys, runs, code))
    sorted_code = code[order]
    starts = np.append(0, np.flatnonzero(sorted_code[1:] != sorted_code[:-1]) + 1)
    lengths = np.diff(np.append(starts, len(code)))
    rank = np.empty(len(code), np.int64)
    rank[order] = np.arange(len(code)) - np.repeat(starts, lengths)
    return rank


def find_parents(orders: pa.Array, lines: pa.Array, products: pa.Array, parents: pa.Array) -> Bool[np.ndarray, " row"]:
    """Tell which lines are a bundle whose parts are lines of the same order."""
    order = hash_names(orders)
    is_part = pc.not_equal(parents, "").to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore"):
        wanted = (order * _MIX ^ hash_names(parents))[is_part]
        found = np.zeros(len(orders), bool)
        for names in (lines, products):
            found |= np.isin(order * _MIX ^ hash_names(names), wanted)
    return found & ~is_part
