"""Costs at the same share of demand served, and how sure a saving is."""

import numpy as np
import pytest

from client.decision.stock.cost import StockCosts, cost_of_price
from client.decision.stock.frontier import classify, keep_ledger, measure_saving, read_point
from client.decision.stock.shelf import Flow

LEVELS = (0.5, 0.9, 0.99)
COSTS = StockCosts(np.array(0.1), np.array(2.0), per_order=1.0)


def _flow(served, held, wanted=10.0, *, products=20, cycles=24):
    shape = (len(served), products, cycles)
    of_level = [np.broadcast_to(np.array(part, float)[:, None, None], shape) for part in (held, served)]
    return Flow(
        held=of_level[0],
        wanted=np.full(shape[1:], wanted),
        served=of_level[1],
        orders=np.ones(shape),
        short=of_level[1] < wanted,
    )


def _ledger(*flow, **options):
    return keep_ledger(_flow(*flow, **options), COSTS, cycle_days=7)


def test_a_point_lies_on_the_line_between_two_levels():
    point = read_point(_ledger([7, 8, 10], [10, 30, 130]), LEVELS, fill_rate=0.95)
    assert point is not None
    months = 24 * 7 / 30  # of 20 products, 24 weeks; three quarters of the way from 30 to 130 held a week
    assert point.parts["holding"] == pytest.approx(105 * 0.1 * 20 * 24 / months)
    assert point.parts["lost"] == pytest.approx(0.5 * 2.0 * 20 * 24 / months)
    assert point.parts["ordering"] == pytest.approx(20 * 24 / months)
    assert point.cost == pytest.approx(sum(point.parts.values()))
    assert point.service_level == pytest.approx(0.9 + 0.75 * 0.09)
    assert point.stock_days == pytest.approx(105 / 10)


def test_a_share_that_a_method_never_serves_is_not_made_up():
    assert read_point(_ledger([7, 8, 9], [10, 30, 130]), LEVELS, fill_rate=0.95) is None
    assert read_point(_ledger([9.6, 9.8, 9.9], [10, 30, 130]), LEVELS, fill_rate=0.95) is None  # nor one it always does


def test_a_saving_is_between_methods_that_serve_the_same_share():
    ours, other = _ledger([8, 9, 10], [10, 20, 40]), _ledger([8, 9, 10], [10, 30, 70])
    found = measure_saving(ours, other, fill_rate=0.95, resamples=50, generator=np.random.default_rng(0))
    assert found is not None
    assert found.stock_share == pytest.approx(1 - 30 / 50)
    assert found.amount == pytest.approx((50 - 30) * 0.1 * 20 * 24 / (24 * 7 / 30))
    assert found.share == pytest.approx(1 - (3.0 + 1.0 + 1.0) / (5.0 + 1.0 + 1.0))
    assert found.low == pytest.approx(found.amount)  # all products and weeks are alike, so nothing varies
    assert found.verdict == "cheaper"


def test_the_other_way_round_it_is_dearer():
    ours, other = _ledger([8, 9, 10], [10, 30, 70]), _ledger([8, 9, 10], [10, 20, 40])
    found = measure_saving(ours, other, fill_rate=0.95, resamples=50, generator=np.random.default_rng(0))
    assert found is not None
    assert found.verdict == "dearer"
    assert found.amount < 0


def test_few_products_have_no_interval():
    ours, other = (_ledger([8, 9, 10], [10, held, 70], products=9) for held in (20, 30))
    found = measure_saving(ours, other, fill_rate=0.95, resamples=50, generator=np.random.default_rng(0))
    assert found is not None
    assert found.low is None
    assert found.verdict == "unclear"


# 60 worlds in which both methods are alike but for noise of product and of block. Six blocks are few, so that a 95 %
# percentile interval leaves zero out in up to one of eight; more than 18 of 60 would then come once in 2,000 tries.
def test_intervals_of_methods_that_are_alike_hold_zero():
    generator, false = np.random.default_rng(3), 0
    for _ in range(60):
        noise = generator.normal(0, 3, (40, 1)) + generator.normal(0, 3, (1, 6)).repeat(4, axis=1)
        plain = _flow([8, 9, 10], [40, 60, 90], products=40)
        noisy = Flow(plain.held + noise, plain.wanted, plain.served, plain.orders, plain.short)
        ours, other = (keep_ledger(flow, COSTS, cycle_days=7) for flow in (noisy, plain))
        found = measure_saving(ours, other, fill_rate=0.95, resamples=100, generator=generator)
        assert found is not None
        false += found.verdict != "unclear"
    assert false <= 18


def test_classes_are_by_share_of_all_demand():
    cuts = {"A": 0.8, "B": 0.95, "C": 1.0}
    assert "".join(classify(np.array([1.0, 70, 15, 9, 5, 0]), cuts)) == "CAABBC"


def test_costs_follow_from_prices():
    costs = cost_of_price(np.array([10.0, 20.0]), holding_share=0.365, margin_share=0.5)
    np.testing.assert_allclose(costs.holding_per_unit_day, [0.005, 0.01])
    np.testing.assert_allclose(costs.lost_margin_per_unit, [5.0, 10.0])
