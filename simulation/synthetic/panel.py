"""The synthetic federation as a panel: units, views and carts per product and open day, and the true rate."""

from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.random import Generator

from simulation.synthetic.federation import SyntheticSettings, merchant_generator
from simulation.synthetic.shop import Shop, draw_shop
from simulation.synthetic.stock import sell_counts, sell_money

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
        the mean from which `units` was drawn: the truth, never a feature. Where stock runs out, `units` is what was
        sold, `out_of_stock` (0 or 1) says whether there was no more, and `demand` is the truth.

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
            **_draw_stock(settings, merchant, shop, units),
        }
    )


def _draw_stock(
    settings: SyntheticSettings, merchant: int, shop: Shop, units: Int[np.ndarray, " row"]
) -> dict[str, np.ndarray]:
    """Draw what was sold of what was wanted; nothing where stock never runs out."""
    if settings.stock_out_share == 0:
        return {}
    generator, rate = merchant_generator(settings, merchant, stream=4), shop.rate[shop.on_sale]
    share = settings.stock_out_share
    if settings.money:
        sales = sell_money(rate, generator, share=share)
    else:
        sales = sell_counts(units.astype(float), rate, generator, dispersion=shop.kind.dispersion, share=share)
    return {"units": sales.sold, "demand": sales.demand, "out_of_stock": sales.out.astype(np.int64)}


def _draw_counts(
    rate: Float[np.ndarray, " row"], generator: Generator, *, dispersion: float
) -> Int[np.ndarray, " row"]:
    return generator.negative_binomial(dispersion, dispersion / (dispersion + rate))
