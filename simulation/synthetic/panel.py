"""The synthetic federation as a panel: units, views and carts per product and open day, and the true rate."""

from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.random import Generator

from simulation.synthetic.federation import SyntheticSettings, merchant_generator
from simulation.synthetic.shop import draw_shop

VIEW_DISPERSION: Final = 10.0


def draw_panel(settings: SyntheticSettings) -> pd.DataFrame:
    """Draw the daily demand for every product of every merchant.

    Parameters
    ----------
    settings
        Size, span and seed.

    Returns
    -------
    DataFrame
        One row per merchant, product and open day since the product's first day, in that order: `merchant`,
        `product` (unique over merchants), `date`, `units`, `views`, `carts`, `price` (paid that day, discount
        included), `promotion` (0 or 1, known in advance), `kind` (a name from `kind.KINDS`), and `true_rate`,
        the mean from which `units` was drawn: the truth, never a feature.

    Notes
    -----
    Given its rate, a count is negative binomial: variance = mean + mean² / dispersion of the kind.
    """
    panels = [_draw_merchant_panel(settings, merchant) for merchant in range(settings.merchants)]
    return pd.concat(panels, ignore_index=True)


def _draw_merchant_panel(settings: SyntheticSettings, merchant: int) -> pd.DataFrame:
    shop, generator = draw_shop(settings, merchant), merchant_generator(settings, merchant, stream=1)
    units = _draw_counts(shop.rate[shop.on_sale], generator, dispersion=shop.kind.dispersion)
    views = _draw_counts(shop.view_rate[shop.on_sale], generator, dispersion=VIEW_DISPERSION)
    product, day = np.nonzero(shop.on_sale)
    return pd.DataFrame(
        {
            "merchant": shop.name,
            "product": np.array(shop.products)[product],
            "date": shop.dates[day],
            "units": units,
            "views": views,
            "carts": generator.binomial(views, shop.kind.cart_share),
            "price": shop.price[shop.on_sale],
            "promotion": shop.promotion[shop.on_sale].astype(np.int64),
            "kind": shop.kind.name,
            "true_rate": shop.rate[shop.on_sale],
        }
    )


def _draw_counts(
    rate: Float[np.ndarray, " row"], generator: Generator, *, dispersion: float
) -> Int[np.ndarray, " row"]:
    return generator.negative_binomial(dispersion, dispersion / (dispersion + rate))
