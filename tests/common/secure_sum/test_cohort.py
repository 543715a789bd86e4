import pytest

from common.secure_sum.cohort import cohort_sizes


@pytest.mark.parametrize(
    ("members", "sizes"),
    [(4, (4,)), (300, (300,)), (301, (101, 100, 100)), (350, (88, 88, 87, 87)), (1000, (100,) * 10)],
)
def test_above_three_hundred_members_sum_in_cohorts_of_about_a_hundred(members: int, sizes: tuple[int, ...]) -> None:
    assert cohort_sizes(members) == sizes


def test_nobody_is_left_out_of_the_cohorts_and_none_is_large() -> None:
    for members in range(1, 3000):
        sizes = cohort_sizes(members)
        assert sum(sizes) == members
        assert members <= 300 or 75 <= min(sizes) <= max(sizes) <= 125
