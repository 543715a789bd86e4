import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.privacy.weight import merchant_weights

merchants = st.lists(st.tuples(st.integers(1, 10**6), st.floats(0.1, 100.0)), min_size=1, max_size=30)


def test_weights_are_inverse_to_the_variance_of_an_update() -> None:
    weights = merchant_weights([100, 200, 200], [1.0, 1.0, 2.0], cap=1.0)
    assert weights.tolist() == pytest.approx([1 / 6, 4 / 6, 1 / 6])


def test_without_noise_a_weight_is_the_size_class() -> None:
    assert merchant_weights([100, 300], [0.0, 0.0], cap=1.0).tolist() == pytest.approx([0.25, 0.75])


def test_nobody_weighs_more_than_the_cap_and_what_is_cut_goes_to_the_others_in_proportion() -> None:
    weights = merchant_weights([8, 4, 2, 1, 1], [0.0] * 5, cap=0.3)
    assert weights.tolist() == pytest.approx([0.3, 0.3, 0.2, 0.1, 0.1])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_merchants_share_equally_where_the_cap_is_below_an_equal_share(count: int) -> None:
    weights = merchant_weights([4**number for number in range(count)], [1.0] * count, cap=0.25)
    assert weights.tolist() == pytest.approx([1 / count] * count)


# Worked by hand: what 40 and 1000 lose lifts others above the cap, which are then cut in turn.
@pytest.mark.parametrize(
    ("size_classes", "cap", "expected"),
    [
        ([40, 30, 20, 10], 0.3, [0.3, 0.3, 4 / 15, 2 / 15]),
        ([1000, 1, 1, 1], 0.25, [0.25] * 4),
        ([1, 1, 998], 0.25, [1 / 3] * 3),
        ([7], 0.25, [1.0]),
    ],
)
def test_what_is_poured_over_may_lift_the_next_to_the_cap(
    size_classes: list[int], cap: float, expected: list[float]
) -> None:
    weights = merchant_weights(size_classes, [0.0] * len(size_classes), cap=cap)
    assert weights.tolist() == pytest.approx(expected)


@given(merchants=merchants, cap=st.floats(0.01, 1.0), noise=st.booleans())
def test_weights_add_up_to_one_and_none_passes_the_cap(
    merchants: list[tuple[int, float]], cap: float, *, noise: bool
) -> None:
    sizes, sigmas = zip(*merchants, strict=True)
    weights = merchant_weights(sizes, sigmas if noise else [0.0] * len(sizes), cap=cap)
    assert float(weights.sum()) == pytest.approx(1.0, abs=1e-9)
    assert float(weights.max()) <= max(cap, 1 / len(weights)) * (1 + 1e-9)
    assert float(weights.min()) > 0


@given(merchants=merchants)
def test_the_cap_turns_no_order_of_merchants_around(merchants: list[tuple[int, float]]) -> None:
    sizes, sigmas = zip(*merchants, strict=True)
    order = merchant_weights(sizes, sigmas, cap=1.0).argsort()
    capped = merchant_weights(sizes, sigmas, cap=0.25)[order]
    assert bool((capped.diff() >= -1e-12).all())
