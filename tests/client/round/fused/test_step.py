"""The kernel's sum is a plain loop's, and what an entity adds to it is the same to the last bit in any company."""

import copy
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from client.audit.replay import make_probes
from client.round.fused.library import Kernel
from client.round.fused.step import FusedStep, find_step, sum_rows
from common.data.panel import Panel
from common.errors import PrivacyError
from common.model.demand_gru import DemandGRU, entity_losses, freeze
from common.model.features import Examples, Series, cut_training
from common.privacy.bound import LATTICE_BITS
from common.privacy.clipping_rule import Automatic
from common.privacy.mechanism import Mechanism

LIKELIHOODS = ("negative_binomial", "hurdle_negative_binomial", "log_normal")
CPU, MECHANISM = torch.device("cpu"), Mechanism(clipping_norm=0.05, noise_multiplier=1.0)
Pick = Callable[[Examples, list[int]], Examples]
Make = Callable[..., tuple[DemandGRU, Examples]]


@pytest.fixture
def make(
    make_series: Callable[..., Series], make_panel: Callable[..., Panel], make_awake_model: Callable[..., DemandGRU]
) -> Make:
    """Make a model, and the examples of five entities, some of their days out of stock if so asked."""

    def make(*, trained: str = "all", sold_out: bool = False, **plan: object) -> tuple[DemandGRU, Examples]:
        censored = np.random.default_rng(1).random((5, 91)) < 0.2 * sold_out
        series = make_series(make_panel(censored=censored), horizon_days=6, bucket_days=2, **plan)
        return freeze(make_awake_model(series).float(), trained), cut_training(series, 1)

    return make


def integer_norm(integers: Tensor) -> float:
    return math.sqrt(sum(value * value for value in integers.tolist()))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("sold_out", [False, True], ids=["seen whole", "sold out"])
def test_the_sum_is_that_of_a_plain_loop_in_double_precision(
    kernel: Kernel,
    make: Make,
    to_double: Callable[[Examples], Examples],
    gradient_of_each: Callable[..., Tensor],
    likelihood: str,
    *,
    sold_out: bool,
) -> None:
    direct = sold_out != (likelihood == "log_normal")
    model, examples = make(sold_out=sold_out, likelihood=likelihood, direct=direct)
    assert (examples.censored is not None) == sold_out
    twin = copy.deepcopy(model).double()
    whole = gradient_of_each(twin, to_double(examples))
    losses = entity_losses(twin, twin.likelihood, to_double(examples)).detach()
    for trained in ("all", "decoder", "output"):  # each freezes more, and keeps the end of the vector
        step = FusedStep(freeze(model, trained), kernel)
        check_sums(step, examples, whole[:, -step.size :], losses)


def check_sums(step: FusedStep, examples: Examples, exact: Tensor, losses: Tensor) -> None:
    """Hold all that a step gives against each entity's exact gradient and loss."""
    norms = exact.norm(dim=1)
    mechanism = Mechanism(float(norms.median()), 1.0)  # so that some are clipped, and some are not
    clipped = exact * (float(norms.median()) / norms).clamp(max=1.0)[:, None]
    weight = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.0], dtype=torch.float64)
    weighted, own_losses = step.weighted_sum(examples, mechanism, weight)
    for mine, plain in (
        (step.gradients(examples), exact),
        (step.contribution(examples, mechanism) * mechanism.lattice_step, clipped.sum(0)),
        (weighted, weight @ clipped),
    ):
        assert float((mine - plain).norm()) <= 1e-5 * float(plain.norm())
    torch.testing.assert_close(own_losses, losses, rtol=1e-5, atol=1e-5)


company = st.lists(st.integers(1, 4), max_size=40)


@pytest.mark.parametrize("sold_out", [False, True], ids=["seen whole", "sold out"])
def test_what_an_entity_adds_is_the_same_to_the_last_bit_whoever_stands_beside_it_and_in_any_lane(
    kernel: Kernel, make: Make, pick: Pick, *, sold_out: bool
) -> None:
    model, examples = make(sold_out=sold_out)
    inputs, labels = examples.inputs.clone(), examples.label.clone()
    inputs[2, 3], inputs[3], labels[3, 0], labels[4] = math.nan, 1e30, math.inf, 1e9
    examples = replace(examples, inputs=inputs, label=labels)
    step = FusedStep(model, kernel)
    alone, gradient = step.contribution(pick(examples, [0]), MECHANISM), step.gradients(pick(examples, [0]))[0]
    assert integer_norm(alone) > 0

    @settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(company, company)
    def check(before: list[int], after: list[int]) -> None:
        both = step.contribution(pick(examples, [*before, 0, *after]), MECHANISM)
        assert torch.equal(both - step.contribution(pick(examples, [*before, *after]), MECHANISM), alone)
        rows = step.gradients(pick(examples, [*before, 0, *after]))
        assert torch.equal(rows[len(before)], gradient)

    check()


@pytest.mark.parametrize("rule", [None, Automatic()], ids=["clipped", "automatic"])
@pytest.mark.parametrize("clipping_norm", [1e-9, 0.1, 3e-5, 1e9])
def test_no_constructed_gradient_is_longer_than_the_clipping_norm(
    kernel: Kernel, rule: Automatic | None, clipping_norm: float
) -> None:
    mechanism, probes = Mechanism(clipping_norm, 1.0, rule=rule), make_probes(300, 64)
    own = [sum_rows(kernel, probe[None], mechanism) for probe in probes]
    assert max(map(integer_norm, own)) <= 2**LATTICE_BITS
    together = sum_rows(kernel, probes, mechanism)
    assert torch.equal(together, torch.stack(own).sum(0))
    torchs = mechanism.contribution(probes)
    assert float((together - torchs).abs().max()) <= len(probes) + 1e-9 * float(torchs.abs().max())


@pytest.mark.parametrize("trained", ["all", "output"])
def test_an_entity_with_a_number_that_is_none_counts_as_nobody(
    kernel: Kernel, make: Make, pick: Pick, trained: str
) -> None:
    model, examples = make(trained=trained)
    step = FusedStep(model, kernel)
    others = step.contribution(pick(examples, [0, 1, 3, 4]), MECHANISM)
    for part in ("inputs", "future", "anchor", "label"):
        for bad in (math.nan, math.inf, -math.inf, 1e38):
            broken = getattr(examples, part).clone()
            broken[2, 1] = bad
            moved = integer_norm(step.contribution(replace(examples, **{part: broken}), MECHANISM) - others)
            assert moved == 0 if math.isnan(bad) else moved <= 2**LATTICE_BITS, (part, bad)


def test_what_the_kernel_does_not_know_is_left_to_torch(kernel: Kernel, make: Make) -> None:
    model, _ = make()
    assert find_step(model, MECHANISM, CPU) is not None
    assert find_step(model, MECHANISM, torch.device("meta")) is None
    assert find_step(model, Mechanism(None, 0.0), CPU) is None
    with pytest.raises(PrivacyError, match="clipping norm"):
        sum_rows(kernel, torch.ones(1, 3), Mechanism(None, 0.0))

    class Rule:
        def factors(self, norms: Tensor, clipping_norm: float) -> Tensor:
            return norms

    assert find_step(model, Mechanism(1.0, 1.0, rule=Rule()), CPU) is None

    class Other(DemandGRU):
        pass

    model.__class__ = Other
    assert find_step(model, MECHANISM, CPU) is None
    model.__class__ = DemandGRU
    encoder = model.encoder
    model.encoder = nn.GRU(encoder.input_size, encoder.hidden_size)  # type: ignore[assignment]
    assert find_step(model, MECHANISM, CPU) is None
    model.encoder = encoder
    assert find_step(model.double(), MECHANISM, CPU) is None


def test_what_does_not_fit_together_is_refused_before_anything_is_read(kernel: Kernel, make: Make) -> None:
    model, examples = make()
    step = FusedStep(model, kernel)
    with pytest.raises(ValueError, match="columns"):
        step.gradients(replace(examples, inputs=examples.inputs[:, :, 1:]))
    with pytest.raises(ValueError, match="position"):
        step.gradients(replace(examples, position=examples.position + 90))
    with pytest.raises(ValueError, match="weight"):
        step.weighted_sum(examples, MECHANISM, torch.ones(4))
