"""Which columns of a product's own are worth having."""

import numpy as np

from client.shop.forecast.known import _tells_of_any


def test_offers_tell_though_some_product_is_on_offer_every_day() -> None:
    day = np.arange(70)
    on_offer = np.stack([(day // 7) % 5 == product for product in range(5)]).astype(float)
    assert on_offer.any(axis=0).all()
    assert _tells_of_any(on_offer)


def test_prices_tell_where_they_move_and_not_where_they_stand() -> None:
    day = np.arange(60)
    moves = np.stack([np.where(day < 30, -0.2, 0.2), np.where(day < 30, 0.2, -0.2)])
    assert _tells_of_any(moves), "no day is without a price that is not the usual one"
    assert not _tells_of_any(np.full((2, 60), 0.1))
    assert not _tells_of_any(np.zeros((2, 60)))
    assert not _tells_of_any(np.pad(np.ones((1, 2)), ((0, 0), (0, 58))))
