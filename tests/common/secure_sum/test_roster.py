import pytest

from common.secure_sum.roster import usual_terms


# From the protocol's page: of 20 six may collude and six drop out, of 100 a third each.
@pytest.mark.parametrize(("members", "terms"), [(4, (3, 1)), (5, (4, 1)), (20, (14, 6)), (100, (67, 33))])
def test_the_usual_terms_are_those_of_the_protocol(members: int, terms: tuple[int, int]) -> None:
    assert usual_terms(members) == terms


def test_the_usual_terms_are_legal_for_every_roster() -> None:
    for members in range(4, 301):
        threshold, colluders = usual_terms(members)
        assert 1 <= colluders < threshold <= members
        assert threshold >= (members + colluders) // 2 + 1
