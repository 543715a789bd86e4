"""What stock costs a shop: to hold a piece, to lose a sale, to place an order.

Where prices are not known nothing is invented: a piece is then worth one, money is in pieces, and `currency` is "".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

DAYS_IN_YEAR = 365.0
HOLDING_SHARE = 0.25  # of what a piece cost, for a year on the shelf: capital, room, insurance, what spoils
MARGIN_SHARE = 0.4  # of the price, that a lost sale loses
SERVICE_LEVEL = 0.95

Amounts = Float[np.ndarray, "*product"]  # one for each product, or one for all


@dataclass(frozen=True)
class StockCosts:
    """What stock costs.

    Attributes
    ----------
    holding_per_unit_day
        To have one piece on the shelf over one night.
    lost_margin_per_unit
        What is not earned where one piece was wanted and was not there.
    per_order
        To order one product once, whatever the quantity.
    service_level
        Share that the shop wants to have in stock, between 0 and 1.
    currency
        What money is in, as "EUR"; "" where prices are unknown and a piece counts as one.
    """

    holding_per_unit_day: Amounts
    lost_margin_per_unit: Amounts
    per_order: float = 0.0
    service_level: float = SERVICE_LEVEL
    currency: str = ""


def cost_of_price(
    price: Amounts,
    *,
    holding_share: float = HOLDING_SHARE,
    margin_share: float = MARGIN_SHARE,
    per_order: float = 0.0,
    service_level: float = SERVICE_LEVEL,
    currency: str = "",
) -> StockCosts:
    """Read costs off prices.

    Parameters
    ----------
    price
        That a piece is sold at; 1 where prices are unknown.
    holding_share
        Of what a piece cost the shop, for a year.
    margin_share
        Of the price, that is not what the piece cost.
    """
    sold = np.asarray(price, float)
    return StockCosts(
        holding_per_unit_day=np.asarray(sold * (1 - margin_share) * holding_share / DAYS_IN_YEAR),
        lost_margin_per_unit=np.asarray(sold * margin_share),
        per_order=per_order,
        service_level=service_level,
        currency=currency,
    )
