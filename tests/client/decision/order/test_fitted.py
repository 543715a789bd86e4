"""What is served where a shop orders by the forecast that it has fitted itself, counted under its true law.

The long one: `pytest -m slow -s tests/client/decision/order/test_fitted.py`; two minutes and a half of CPU.
"""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from client.decision.order.gathering import gather
from client.decision.order.lead import draw_leads
from client.decision.order.need import Chance, find_need, unserved
from client.decision.order.pipeline import OnOrder
from client.decision.order.proposal import Terms, propose
from client.shop.demo.founding import found_demo
from client.shop.demo.good import GOODS
from client.shop.demo.law import Law
from client.shop.forecast.path import draw_paths
from client.shop.history.history import History
from client.shop.settings import read_shop

LEVELS = (0.90, 0.95, 0.98)
LASTS = tuple(date(2026, month, 14) for month in (1, 3, 5, 7, 9, 11))  # one shop for each, in every season
TRUE_DRAWS = 2000
NOTHING = OnOrder(np.zeros(0, int), np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, int))


def piece_by_piece(terms: Terms, level: float) -> Terms:
    """Ask for a level; without packs and minimums, which are tried under the true law in `test_truth`."""
    number = len(terms.lead)
    parts = {**vars(terms), "aim": "pieces", "waits": False, "service_level": np.full(number, level)}
    return Terms(
        **{**parts, "minimum": np.ones(number), "pack": np.ones(number), "shelf_life": np.full(number, np.inf)}
    )


def count_missing(law: Law, hand: np.ndarray, quantity: np.ndarray, terms: Terms, seed: int) -> tuple[float, float]:
    """Give the pieces that are asked for in the cycles of these orders and those that are missing, by the true law."""
    generator = np.random.default_rng(seed)
    mean = law.mean[:, law.days : law.days + terms.days()]
    draws = generator.poisson(mean, (TRUE_DRAWS, *mean.shape)).astype(np.float32)
    own = terms.wait + draw_leads(terms.lead, terms.lead_spread, TRUE_DRAWS, generator)
    after = terms.wait + terms.review + draw_leads(terms.lead, terms.lead_spread, TRUE_DRAWS, generator)
    need = find_need(draws, hand, None, Chance(own, np.maximum(own, after)), waits=False)
    return float(need.asked.mean(axis=0).sum()), float(unserved(need, quantity).mean(axis=0).sum())


def order_once(folder: Path, last: date, seed: int) -> np.ndarray:
    """Let a shop order once at each level: asked for and missing by its own forecast, by the law; ordered by each."""
    law = found_demo(folder, last, seed=seed).law
    first, codes = last + timedelta(days=1), [good.code for good in GOODS]
    with History.open(folder) as history:
        shop = read_shop(folder)
        terms = gather(history, shop, codes, first=first, today=first).terms
        parts = list(draw_paths(history, shop, days=terms.days(), num_draws=200, origin=first, today=first))
    names = [name for part in parts for name in part.products]
    places = [codes.index(name) for name in names]
    assert sorted(names) == sorted(codes)
    law = Law(law.start, law.days, law.mean[places], law.price[places], law.offers, law.fairs, law.is_open)
    fitted, generator = np.concatenate([part.draws for part in parts], axis=1), np.random.default_rng(seed)
    terms = terms.of(np.array(places))
    days = np.arange(law.mean.shape[1] - law.days)
    before = days < (terms.wait + terms.lead)[:, None]  # so much will be sold before the goods come
    hand = np.round((law.mean[:, law.days :] * before).sum(axis=1))
    known = generator.poisson(law.mean[:, law.days : law.days + terms.days()], (200, len(names), terms.days()))
    rows = []
    for level in LEVELS:
        asked = piece_by_piece(terms, level)
        ours = propose(fitted[:, :, : terms.days()], hand, NOTHING, asked, generator).quantity
        right = propose(known.astype(np.float32), hand, NOTHING, asked, generator).quantity
        rows.append(
            (
                *count_missing(law, hand, ours, asked, seed),
                *count_missing(law, hand, right, asked, seed),
                count_missing(law, hand, np.maximum(right - 1, 0), asked, seed)[1],
                ours.sum(),
                right.sum(),
            )
        )
    return np.array(rows)


@pytest.mark.slow
def test_a_shop_that_orders_by_its_own_forecast_serves_nearly_what_it_asks_for(tmp_path: Path) -> None:
    """42 products of six invented shops, each at another time of the year, on their own lead times of 4 to 35 days."""
    found = np.stack([order_once(tmp_path / str(last), last, seed) for seed, last in enumerate(LASTS)])
    asked, missing, _, by_law, by_fewer, ours, right = found.transpose(2, 0, 1)
    chosen = np.random.default_rng(0).integers(len(LASTS), size=(4000, len(LASTS)))
    for place, level in enumerate(LEVELS):
        share = 1 - missing[:, place].sum() / asked[:, place].sum()
        drawn = 1 - missing[chosen, place].sum(axis=1) / asked[chosen, place].sum(axis=1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        best = 1 - by_law[:, place].sum() / asked[:, place].sum()
        more = ours[:, place].sum() / right[:, place].sum() - 1
        told = f"asked {level:.0%}: served {share:.1%} ({low:.1%} to {high:.1%}), {more:+.0%} pieces ordered"
        print(f"{told}; by the law {best:.1%}")  # noqa: T201
        fewer = 1 - by_fewer[:, place].sum() / asked[:, place].sum()
        assert best > level - 0.01, "the true law serves what is asked, or the count is wrong"
        assert fewer < level + 0.01, "what it serves beyond that is the last piece of each product"
        assert abs(share - level) < 0.05
