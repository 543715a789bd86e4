import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from common.errors import ConfigError, PrivacyError
from common.privacy.bound import LARGEST_MODEL, LATTICE_BITS
from common.privacy.clipping import clip, require_model_size
from common.privacy.clipping_rule import Automatic, apply_rule, clipping_rule
from common.privacy.mechanism import Mechanism
from gradients import clipping_norms, gradients

BOUND = 2**LATTICE_BITS


@dataclass(frozen=True)
class Wild:
    """A rule that is wrong: it multiplies by whatever it likes."""

    factor: float

    def factors(self, norms: torch.Tensor, clipping_norm: float) -> torch.Tensor:
        return torch.full_like(norms, self.factor)


def squared_norm(integers: torch.Tensor) -> int:
    return sum(value**2 for value in integers.tolist())


@given(gradients=gradients, clipping_norm=clipping_norms, stability=st.floats(1e-9, 1e3))
def test_automatic_clipping_moves_the_sum_by_at_most_the_clipping_norm(
    gradients, clipping_norm: float, stability: float
) -> None:
    mechanism = Mechanism(clipping_norm, 1.0, rule=Automatic(stability))
    gradients = torch.from_numpy(gradients)
    for row in range(len(gradients)):
        others = torch.arange(len(gradients)) != row
        shift = mechanism.contribution(gradients) - mechanism.contribution(gradients[others])
        assert squared_norm(shift) <= BOUND**2
        assert torch.equal(shift, mechanism.contribution(gradients[row : row + 1]))


@given(gradients=gradients, clipping_norm=clipping_norms, factor=st.floats())
@example(gradients=np.array([[1.0]]), clipping_norm=1e-9, factor=1e308)
def test_a_rule_that_is_wrong_moves_the_sum_by_at_most_the_clipping_norm_too(
    gradients, clipping_norm: float, factor: float
) -> None:
    mechanism = Mechanism(clipping_norm, 1.0, rule=Wild(factor))
    for row in torch.from_numpy(gradients):
        assert squared_norm(mechanism.contribution(row[None, :])) <= BOUND**2


# Origin: worked by hand. A 3-4-5 triangle at stability 5 is brought to half of C, one of length 0.01 at .01 too.
def test_automatic_clipping_makes_short_gradients_longer() -> None:
    long = apply_rule(torch.tensor([[3.0, 4.0]]), 2.0, Automatic(5.0))
    torch.testing.assert_close(long, torch.tensor([[0.6, 0.8]], dtype=torch.float64))
    short = apply_rule(torch.tensor([[0.006, 0.008], [0.0, 0.0]]), 2.0, Automatic())
    torch.testing.assert_close(short, torch.tensor([[0.6, 0.8], [0.0, 0.0]], dtype=torch.float64))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_under_a_rule_too_an_entity_that_is_not_finite_counts_as_nobody(bad: float) -> None:
    contribution = Mechanism(1.0, 1.0, rule=Automatic()).contribution
    broken = torch.tensor([[bad, 1.0], [0.5, 0.5]])
    assert torch.equal(contribution(broken), contribution(broken[1:]))


def test_the_account_is_the_same_for_every_rule() -> None:
    assert Mechanism(0.5, 3.0, rule=Automatic()).mu_squared == Mechanism(0.5, 3.0).mu_squared
    assert Mechanism(0.5, 3.0, rule=Automatic()).noise_std == Mechanism(0.5, 3.0).noise_std


def test_a_mechanism_with_another_rule_is_another_mechanism() -> None:
    assert Mechanism(1.0, 1.0, rule=Automatic()) == Mechanism(1.0, 1.0, rule=clipping_rule("automatic"))
    assert Mechanism(1.0, 1.0, rule=Automatic()) != Mechanism(1.0, 1.0, rule=clipping_rule("clip"))


def test_without_clipping_no_rule_scales_anything() -> None:
    gradient = torch.tensor([[0.25, 0.5]])
    free = Mechanism(None, 0.0, rule=Automatic())
    assert torch.equal(free.contribution(gradient), Mechanism(None, 0.0).contribution(gradient))


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan])
def test_a_stability_that_is_not_above_zero_is_refused(bad: float) -> None:
    with pytest.raises(ConfigError, match="must be above 0"):
        Automatic(bad)


def test_the_largest_model_of_the_proof_is_clipped_and_a_larger_one_refused() -> None:
    assert float(clip(torch.ones(1, LARGEST_MODEL), 1.0).norm()) <= 1
    with pytest.raises(PrivacyError, match=r"4,194,297 parameters.*up to 4,194,296; make model.hidden_size"):
        clip(torch.ones(1, LARGEST_MODEL + 1), 1.0)


def test_not_even_for_nobody_is_a_larger_model_answered() -> None:
    require_model_size(LARGEST_MODEL)
    with pytest.raises(PrivacyError, match="proven for up to"):
        require_model_size(LARGEST_MODEL + 1)
    with pytest.raises(PrivacyError, match="proven for up to"):
        Mechanism(1.0, 1.0).contribution(torch.ones(0, LARGEST_MODEL + 1))
