"""The model `shop`: what is forecast of products, by name, from what was worked out of the shop's history before."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float

from client.serving.encoding import encode
from client.serving.inference.exchange import Asked
from client.serving.inference.fault import invalid
from client.serving.inference.model import About, Place, take_inputs
from client.serving.inference.tensor import BYTES, Tensor

NAME = "shop"
MOST_PRODUCTS = 5_000  # of one request


@dataclass(frozen=True, eq=False)
class ShopModel:
    """Forecasts of a shop's products, day by day.

    Attributes
    ----------
    version
        By which an answer says where it comes from.
    place
        Product → its row.
    """

    version: str
    place: dict[bytes, int]
    mean: Float[np.ndarray, "product day"]
    quantiles: Float[np.ndarray, "product day level"]
    _written: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)  # what never changes is written once

    @cached_property
    def about(self) -> About:
        """What is told of it."""
        days, levels = self.quantiles.shape[1:]
        outputs = (Place("mean", ("FP64",), (-1, days)), Place("quantiles", ("FP64",), (-1, days, levels)))
        return About(NAME, (self.version,), (Place("product", (BYTES,), (-1,)),), outputs)

    async def answer(self, asked: Asked, version: str) -> tuple[Tensor, ...]:
        """Look the products up, in the order in which they are named; one may come twice.

        Raises
        ------
        InferenceFault
            One was never sold.
        """
        named = take_inputs(self.about, asked.inputs)["product"].values.ravel()
        if len(named) > MOST_PRODUCTS:
            raise invalid(f"One request may name {MOST_PRODUCTS} products, not {len(named)}.")
        try:
            rows = [self.place[name] for name in named]
        except KeyError as error:
            product = error.args[0].decode(errors="replace")[:60]
            raise invalid(f"No product {product!r} was ever sold in this shop.") from None
        written = self._write(rows[0]) if len(rows) == 1 else (None, None)
        return (
            Tensor("mean", "FP64", self.mean[rows], written[0]),
            Tensor("quantiles", "FP64", self.quantiles[rows], written[1]),
        )

    def _write(self, row: int) -> tuple[bytes, bytes]:
        found = self._written.get(row)
        if found is None:
            values = (self.mean[row], self.quantiles[row].ravel())
            found = self._written[row] = (encode(values[0].tolist()), encode(values[1].tolist()))
        return found
