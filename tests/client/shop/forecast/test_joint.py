"""What products share, how lumpily sums fall on days, and how totals keep quantiles and means: on known laws."""

from dataclasses import replace

import numpy as np
import pytest

from client.shop.forecast.joint import Open, Past, measure_joint
from client.shop.forecast.split import nest, own_lumps, pool_lumps, see_lumps, split_totals
from client.shop.forecast.spread import guess_spread
from client.shop.forecast.total import draw_levels, find_loading, round_keeping_sum, spaced_totals


def _history(generator: np.random.Generator, shared: float, group: float) -> tuple[Past, Open]:
    """Draw a year of 200 products in four categories, with factors of four weeks of known variance."""
    rate = generator.gamma(3.0, 2.0, 200)
    groups = np.arange(200) % 4
    months = generator.lognormal(-shared / 2, np.sqrt(shared), 14) if shared else np.ones(14)
    own = generator.lognormal(-group / 2, np.sqrt(group), (4, 14)) if group else np.ones((4, 14))
    factor = (months * own)[groups].repeat(28, axis=1)
    target = generator.poisson(rate[:, None] * factor).astype(np.float64)
    sold = target[:, -112:].reshape(200, 4, 28).transpose(1, 0, 2)
    said = np.broadcast_to(rate[None, :, None], sold.shape).copy()
    return Past(said, sold, groups), Open(target, np.ones(target.shape[1], bool))


def test_products_by_themselves_share_next_to_nothing() -> None:
    joint = measure_joint(*_history(np.random.default_rng(0), 0.0, 0.0))
    assert joint.over(28) < 0.002
    assert joint.category < 0.002


def test_a_factor_of_the_whole_shop_is_found() -> None:
    """Seeded. The median over seeds is right; one history holds few months, so each is off by up to twice."""
    found = [measure_joint(*_history(np.random.default_rng(seed), 0.04, 0.0)).over(28) for seed in range(15)]
    assert 0.02 < np.median(found) < 0.1


def test_a_factor_of_categories_is_told_from_that_of_the_shop() -> None:
    found = [measure_joint(*_history(np.random.default_rng(seed), 0.0, 0.05)).category for seed in range(9)]
    assert 0.02 < np.median(found) < 0.12


def test_a_shop_without_a_past_gets_what_is_usual() -> None:
    nothing = Past(np.zeros((0, 5, 28)), np.zeros((0, 5, 28)), np.full(5, -1))
    joint = measure_joint(nothing, Open(np.zeros((5, 20)), np.ones(20, bool)))
    assert 0.1 < np.sqrt(joint.over(28)) < 0.2


@pytest.mark.parametrize("counts", [True, False])
def test_splitting_keeps_every_total_and_follows_the_weights(counts: bool) -> None:
    generator = np.random.default_rng(1)
    totals = generator.poisson(40.0, (4000, 3)).astype(float)
    weights = np.tile([1.0, 2.0, 0.0, 1.0, 3.0, 1.0, 0.0], 4)[None, None].repeat(3, axis=1)
    lumps = [np.full(3, 0.05)] * len(nest(28))
    draws = split_totals(totals, weights, lumps, counts=counts, generator=generator)
    np.testing.assert_allclose(draws.sum(axis=2), totals, rtol=1e-5)
    assert (draws >= 0).all()
    assert not draws[:, :, 2::7].any(), "closed days have nothing"
    expected = 40.0 * weights[0] / weights[0].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(draws.mean(axis=0), expected, atol=0.15)
    if counts:
        assert (draws == np.rint(draws)).all()


@pytest.mark.parametrize("lump", [0.0001, 0.1, 0.5])
def test_the_lump_that_was_drawn_is_the_lump_that_is_seen(lump: float) -> None:
    generator = np.random.default_rng(2)
    totals = generator.poisson(12.0, (300, 50)).astype(float)
    weights = np.ones((1, 50, 14))
    draws = split_totals(totals, weights, [np.full(50, lump)] * 2, counts=True, generator=generator)
    seen = see_lumps(np.ones(draws.shape), draws.astype(float), 7, counts=True)
    found = pool_lumps(seen, np.full(50, 12.0)).of(np.full(50, 12.0))
    assert found == pytest.approx(lump, abs=0.02)
    assert own_lumps(pool_lumps(seen, np.full(50, 12.0)), np.full(50, 12.0), seen).mean() == pytest.approx(
        lump, abs=0.03
    )


def test_spaced_totals_have_the_reported_quantiles_and_the_mean_of_the_forecast() -> None:
    spread, mean, factor = guess_spread(counts=True), np.array([0.0, 0.3, 4.0, 60.0]), np.ones(4)
    totals = spaced_totals(spread, mean, factor, 1000)
    np.testing.assert_allclose(totals.mean(axis=0), mean, atol=1e-9)
    said = spread.quantiles(mean, factor, (0.1, 0.5, 0.9))
    np.testing.assert_allclose(np.quantile(totals, (0.1, 0.5, 0.9), axis=0).T, said, rtol=0.03, atol=0.5)


def test_rounding_keeps_sums_and_order() -> None:
    totals = np.sort(np.random.default_rng(3).gamma(0.5, 3.0, (200, 30)), axis=0)
    whole = round_keeping_sum(totals, np.random.default_rng(4))
    assert (whole == np.rint(whole)).all()
    assert (np.abs(whole.sum(axis=0) - totals.sum(axis=0)) < 1.0).all()
    assert (whole >= 0).all()


def test_sums_of_linked_products_vary_as_much_as_what_they_share() -> None:
    """200 products, shared by 20 %: the sum varies by 20 %; by themselves they would by 5 %."""
    generator = np.random.default_rng(5)
    totals = spaced_totals(guess_spread(counts=True), np.full(200, 10.0), np.ones(200), 500)
    loading = find_loading(totals, np.full(200, 10.0), np.full(200, 0.2))
    common = generator.standard_normal((500, 1))
    drawn = np.take_along_axis(totals, draw_levels(common, loading, generator), axis=0)
    together = drawn.sum(axis=1)
    assert together.std() / together.mean() == pytest.approx(0.2, abs=0.02)
    np.testing.assert_allclose(np.sort(drawn, axis=0), totals, err_msg="each product keeps its own distribution")


@pytest.mark.parametrize("shift", [0.8, 1.25])
def test_totals_vary_as_was_seen_where_past_sums_lay_beside_their_means(shift: float) -> None:
    """Sums of four past horizons lay low, or high, together: their levels say so, the mean does not."""
    plain, mean, factor = guess_spread(counts=True), np.array([20.0, 60.0, 200.0]), np.ones(3)
    seen = replace(plain, levels=plain.levels**shift)
    totals = spaced_totals(seen, mean, factor, 200)
    np.testing.assert_allclose(totals.mean(axis=0), mean, rtol=1e-9)
    np.testing.assert_allclose(totals.var(axis=0), plain.variance(mean), rtol=0.1)
    assert (np.diff(totals, axis=0) >= 0).all()


def test_one_order_of_a_million_pieces_is_shared_by_nobody() -> None:
    past, history = _history(np.random.default_rng(0), 0.0, 0.0)
    sold, target = past.sold.copy(), history.target.copy()
    sold[1, 0, 3], target[0, -81] = 1e6, 1e6
    joint = measure_joint(Past(past.said, sold, past.group), Open(target, history.is_open))
    assert joint.over(28) < 0.004
    assert joint.category < 0.004
