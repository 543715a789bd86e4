"""Groups that a reader can tell apart: no size and no history is in the label of two."""

from itertools import pairwise

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from simulation.evaluation.group import group_by_history, group_by_size


def test_twenty_three_merchants_make_ten_groups_in_order_of_size():
    groups = group_by_size({f"m{size:02}": float(size) for size in range(23)})
    assert [len(group.merchants) for group in groups] == [3, 3, 3, 2, 2, 2, 2, 2, 2, 2]
    assert (groups[0].smallest, groups[0].largest, groups[0].merchants) == (0, 2, ("m00", "m01", "m02"))


@given(st.lists(st.floats(1, 30), min_size=1, max_size=60))
def test_no_size_is_in_the_label_of_two_groups_and_every_merchant_is_in_the_one_that_names_it(sizes):
    known = {f"m{place}": size for place, size in enumerate(sizes)}
    groups = group_by_size(known)
    assert all(before.largest < after.smallest for before, after in pairwise(groups))
    assert sorted(name for group in groups for name in group.merchants) == sorted(known)
    for group in groups:
        assert all(group.smallest <= round(known[name]) <= group.largest for name in group.merchants)


def test_histories_are_grouped_by_whole_months_and_each_row_is_in_one_group():
    months = pd.Series([0.0, 2.9, 3.0, 11.9, 24.0, 90.0])
    groups = group_by_history(months)
    assert [(group.since, group.until) for group in groups] == [(0, 3), (3, 6), (6, 12), (24, None)]
    assert np.sum([group.chosen for group in groups], axis=0).tolist() == [1] * 6
    assert groups[0].chosen.tolist() == [True, True, False, False, False, False]


def test_one_group_or_an_unknown_history_is_no_groups():
    assert group_by_history(pd.Series([30.0, 40.0])) == []
    assert group_by_history(pd.Series([1.0, 40.0, np.nan])) == []
