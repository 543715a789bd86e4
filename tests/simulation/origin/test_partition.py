import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import ConfigError
from common.plan.schema import Deal
from simulation.origin.partition import deal_merchants, merchant_sizes

LEVEL = Deal(by="level", column="spend", merchants=3, smallest=1, largest=4)
RANDOM = Deal(by="random", merchants=3, smallest=1, largest=4)
both_ways = pytest.mark.parametrize("deal", [LEVEL, RANDOM])


@pytest.fixture
def ladder(make_panel):
    """Seven entities; entity e spends e a day, on three days."""
    observed = np.repeat(np.arange(7, dtype=np.float32)[:, None, None], 3, axis=1)
    return make_panel(target=np.ones((7, 3), np.float32), observed=observed)


def sizes(merchants):
    names, counts = np.unique(merchants, return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def test_sizes_lie_on_a_geometric_curve_where_that_fits():
    # 1, 2, 4: the exponent is 1.
    assert merchant_sizes(LEVEL, 7).tolist() == [1, 2, 4]


def test_the_federation_of_the_plan_has_these_sizes():
    deal = Deal(by="level", column="spend", merchants=20, smallest=20, largest=1400)
    found = merchant_sizes(deal, 5256)
    assert found[[0, 1, 9, 18, 19]].tolist() == [20, 21, 76, 994, 1400]
    assert found.sum() == 5256


@given(
    merchants=st.integers(2, 60),
    smallest=st.integers(1, 50),
    spread=st.integers(0, 2000),
    part=st.floats(0, 1),
)
@settings(max_examples=200, deadline=None)
def test_sizes_ascend_from_smallest_to_largest_and_add_up(merchants, smallest, spread, part):
    largest = smallest + spread
    least, most = (merchants - 1) * smallest + largest, smallest + (merchants - 1) * largest
    num_entities = least + round(part * (most - least))
    found = merchant_sizes(Deal(by="random", merchants=merchants, smallest=smallest, largest=largest), num_entities)
    assert found.sum() == num_entities
    assert (found[0], found[-1]) == (smallest, largest)
    assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize("num_entities", [0, 5, 10])
def test_an_impossible_sum_is_refused_with_the_possible_ones(num_entities):
    with pytest.raises(ConfigError, match=rf"cannot deal {num_entities} entities .* hold 6 to 9 entities"):
        merchant_sizes(LEVEL, num_entities)


def test_one_merchant_takes_everyone_within_its_range(ladder):
    deal = Deal(by="level", column="spend", merchants=1, smallest=1, largest=10)
    assert sizes(deal_merchants(ladder, deal, 3, seed=0)) == {"merchant-01": 7}
    with pytest.raises(ConfigError, match="1 to 10"):
        merchant_sizes(deal, 11)


def test_by_level_gives_every_merchant_a_slice(ladder):
    merchants = deal_merchants(ladder, LEVEL, 3, seed=0).tolist()
    assert merchants == ["merchant-03"] * 4 + ["merchant-01"] + ["merchant-02"] * 2


def test_the_seed_orders_the_sizes_over_the_slices(ladder):
    found = {tuple(deal_merchants(ladder, LEVEL, 3, seed=seed)) for seed in range(30)}
    assert len(found) == 6


@both_ways
def test_merchants_are_named_by_size(deal, ladder):
    expected = {"merchant-01": 1, "merchant-02": 2, "merchant-03": 4}
    assert sizes(deal_merchants(ladder, deal, 3, seed=5)) == expected


def test_a_hundred_merchants_are_named_with_three_digits(make_panel):
    deal = Deal(by="random", merchants=100, smallest=1, largest=1)
    merchants = deal_merchants(make_panel(num_entities=100, num_days=2), deal, 1, seed=0)
    assert sorted(merchants)[::99] == ["merchant-001", "merchant-100"]


@both_ways
def test_who_does_not_exist_yet_takes_no_part(deal, make_panel):
    panel = make_panel(num_entities=9, first_day=np.array([0, 0, 0, 0, 50, 0, 0, 0, 51]))
    merchants = deal_merchants(panel, deal, 50, seed=0)
    assert np.flatnonzero(merchants == "").tolist() == [4, 8]


def test_ties_do_not_depend_on_the_order_of_the_rows(make_panel):
    panel = make_panel(target=np.ones((7, 3), np.float32), observed=np.ones((7, 3, 1), np.float32))
    merchants = deal_merchants(panel, LEVEL, 3, seed=0)
    turned = np.arange(7)[::-1]
    assert deal_merchants(panel.select(turned), LEVEL, 3, seed=0).tolist() == merchants[turned].tolist()


@both_ways
def test_another_seed_deals_otherwise(deal, ladder):
    assert (deal_merchants(ladder, deal, 3, seed=0) != deal_merchants(ladder, deal, 3, seed=1)).any()


@both_ways
@given(seed=st.integers(0, 2**32 - 1), origin=st.integers(1, 80))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
def test_no_day_from_the_origin_on_is_looked_at(deal, make_panel, seed, origin):
    panel, other = make_panel(num_entities=7, seed=seed), make_panel(num_entities=7, seed=seed)
    other.observed[:, origin:] = 9 - other.observed[:, origin:]
    other.target[:, origin:] += 1
    np.testing.assert_array_equal(
        deal_merchants(panel, deal, origin, seed=seed), deal_merchants(other, deal, origin, seed=seed)
    )


# By group

GROUPS = np.array([*"aaaa", *"bbb", *"cc", *"dd", "e"], dtype=object)


def by_group(merchants):
    return Deal(by="group", column="kind", merchants=merchants)


def grouped(make_panel, **fields):
    return make_panel(num_entities=len(GROUPS), num_days=9, merchants=GROUPS, **fields)


def test_the_largest_groups_are_a_merchant_each_and_the_rest_one_more(make_panel):
    assert sizes(deal_merchants(grouped(make_panel), by_group(4), 5, seed=0)) == {"a": 4, "b": 3, "c": 2, "others": 3}


def test_as_many_merchants_as_groups_leave_no_others(make_panel):
    assert deal_merchants(grouped(make_panel), by_group(5), 5, seed=0).tolist() == GROUPS.tolist()


def test_fewer_groups_than_merchants_are_refused(make_panel):
    with pytest.raises(ConfigError, match="makes 6 merchants of the groups in 'kind', which has 5"):
        deal_merchants(grouped(make_panel), by_group(6), 5, seed=0)


def test_who_is_not_born_counts_for_no_group(make_panel):
    first_day = np.where(GROUPS == "a", 7, 0)
    merchants = deal_merchants(grouped(make_panel, first_day=first_day), by_group(2), 5, seed=0)
    assert sizes(merchants) == {"": 4, "b": 3, "others": 5}
