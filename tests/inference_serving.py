"""A small server of both inference protocols, for tests."""

from dataclasses import dataclass

import numpy as np

from client.serving.inference.demand.network import DemandNetwork
from client.serving.inference.shop_model import ShopModel

PRODUCTS = (*tuple(f"P{number}".encode() for number in range(40)), "茶 & <b>".encode())


@dataclass(frozen=True)
class Serving:
    """A server that runs."""

    rest: str
    rpc: str
    shop: ShopModel
    network: DemandNetwork


def make_shop_model(version: str = "0123456789ab", seed: int = 0) -> ShopModel:
    """Draw forecasts; one of them is none."""
    generator = np.random.default_rng(seed)
    mean = generator.gamma(1.0, 3.0, (len(PRODUCTS), 28))
    mean[2, 3] = np.nan
    quantiles = np.sort(generator.poisson(3.0, (len(PRODUCTS), 28, 9)).astype(np.float64), axis=2)
    return ShopModel(version, {name: row for row, name in enumerate(PRODUCTS)}, mean, quantiles)
