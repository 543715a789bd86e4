from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from common import gru
from common.gru import ScanGRU

Pair = tuple[ScanGRU, nn.GRU]
SHAPES = [(4, 6, 3, 5), (1, 6, 3, 5), (4, 1, 3, 5), (1, 1, 1, 1), (3, 40, 2, 7)]
shapes = pytest.mark.parametrize(("entities", "steps", "features", "size"), SHAPES)


def make_pair(features: int, size: int, *, seed: int = 0) -> Pair:
    """Ours and PyTorch's with the same weights, in double precision."""
    torch.manual_seed(seed)
    ours, theirs = ScanGRU(features, size).double(), nn.GRU(features, size, batch_first=True).double()
    theirs.load_state_dict(
        {
            "weight_ih_l0": ours.input_gates.weight.detach(),
            "bias_ih_l0": ours.input_gates.bias.detach(),
            "weight_hh_l0": ours.hidden_gates.weight.detach(),
            "bias_hh_l0": ours.hidden_gates.bias.detach(),
        }
    )
    return ours, theirs


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def gradients(hidden: Tensor, inputs: Tensor, module: nn.Module) -> list[Tensor]:
    weights = draw(*hidden.shape)  # every step and unit pulls another way
    return list(torch.autograd.grad((hidden * weights).sum(), [inputs, *module.parameters()]))


def assert_equals_torch(pair: Pair, inputs: Tensor) -> None:
    ours, theirs = pair
    inputs = inputs.requires_grad_()
    hidden, expected = ours(inputs), theirs(inputs)[0]
    torch.testing.assert_close(hidden, expected, rtol=0, atol=1e-12)
    of_ours = dict(zip(["inputs", *dict(ours.named_parameters())], gradients(hidden, inputs, ours), strict=True))
    of_theirs = dict(
        zip(["inputs", *dict(theirs.named_parameters())], gradients(expected, inputs, theirs), strict=True)
    )
    for mine, yours in (
        ("inputs", "inputs"),
        ("input_gates.weight", "weight_ih_l0"),
        ("input_gates.bias", "bias_ih_l0"),
        ("hidden_gates.weight", "weight_hh_l0"),
        ("hidden_gates.bias", "bias_hh_l0"),
    ):
        torch.testing.assert_close(of_ours[mine], of_theirs[yours], rtol=1e-12, atol=1e-12, msg=mine)


@shapes
def test_states_and_all_gradients_equal_torch_s(entities: int, steps: int, features: int, size: int) -> None:
    assert_equals_torch(make_pair(features, size), draw(entities, steps, features))


@pytest.mark.parametrize("block_steps", [1, 2, 39, 40, 41])
def test_gradients_do_not_depend_on_how_many_steps_stay_in_the_cache(
    monkeypatch: pytest.MonkeyPatch, block_steps: int
) -> None:
    monkeypatch.setattr(gru, "CACHED_ELEMENTS", block_steps * 3 * 7)
    assert_equals_torch(make_pair(2, 7), draw(3, 40, 2))


@pytest.mark.parametrize(
    "view",
    [
        lambda inputs: inputs.transpose(0, 1).contiguous().transpose(0, 1),
        lambda inputs: inputs.flip(2),
        lambda inputs: inputs[:1].expand(4, 6, 3),
    ],
    ids=["by step", "flipped", "expanded"],
)
def test_inputs_may_lie_in_memory_in_any_way(view: Callable[[Tensor], Tensor]) -> None:
    assert_equals_torch(make_pair(3, 5), view(draw(4, 6, 3)).detach())


def test_saturated_gates_have_finite_states_and_gradients() -> None:
    ours, _ = make_pair(3, 5)
    inputs = (1e4 * draw(2, 6, 3)).requires_grad_()
    hidden = ours(inputs)
    assert torch.isfinite(hidden).all()
    assert all(torch.isfinite(gradient).all() for gradient in gradients(hidden, inputs, ours))


def test_one_entity_that_is_not_finite_does_not_touch_another() -> None:
    ours, _ = make_pair(3, 5)
    inputs = draw(2, 6, 3)
    clean = ours(inputs)[1]
    inputs[0, 2] = float("nan")
    torch.testing.assert_close(ours(inputs)[1], clean, rtol=0, atol=0)


def test_nobody_has_no_state_and_a_gradient_of_zero() -> None:
    ours, _ = make_pair(3, 5)
    hidden = ours(draw(0, 6, 3))
    assert hidden.shape == (0, 6, 5)
    hidden.sum().backward()
    assert all(not parameter.grad.any() for parameter in ours.parameters() if parameter.grad is not None)


def test_a_new_gru_is_drawn_as_torch_draws_its_own() -> None:
    torch.manual_seed(0)
    for parameter in ScanGRU(3, 16).parameters():
        assert parameter.abs().max() <= 0.25
        assert parameter.abs().max() > 0.2
