from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from common.model import gru
from common.model.gru import GRU

Pair = tuple[GRU, nn.GRU]
SHAPES = [(4, 6, 3, 5, 1), (1, 6, 3, 5, 1), (4, 1, 3, 5, 1), (1, 1, 1, 1, 1), (3, 40, 2, 7, 1), (4, 6, 3, 5, 2)]
shapes = pytest.mark.parametrize(("entities", "steps", "features", "size", "layers"), SHAPES)


def make_pair(features: int, size: int, layers: int = 1, *, seed: int = 0) -> Pair:
    """Ours and PyTorch's with the same weights, in double precision."""
    torch.manual_seed(seed)
    ours = GRU(features, size, layers).double()
    theirs = nn.GRU(features, size, layers, batch_first=True).double()
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def gradients(hidden: Tensor, inputs: Tensor, module: nn.Module) -> list[Tensor]:
    weights = draw(*hidden.shape)  # every step and unit pulls another way
    return list(torch.autograd.grad((hidden * weights).sum(), [inputs, *module.parameters()]))


def assert_equals_torch(pair: Pair, inputs: Tensor) -> None:
    ours, theirs = pair
    inputs = inputs.requires_grad_()
    (hidden, last), (expected, expected_last) = ours(inputs), theirs(inputs)
    torch.testing.assert_close(hidden, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(last, expected_last, rtol=0, atol=1e-12)
    names = ["inputs", *dict(theirs.named_parameters())]
    both = zip(names, gradients(hidden, inputs, ours), gradients(expected, inputs, theirs), strict=True)
    for name, mine, yours in both:
        torch.testing.assert_close(mine, yours, rtol=1e-12, atol=1e-12, msg=name)


@shapes
def test_states_and_all_gradients_equal_torch_s(
    entities: int, steps: int, features: int, size: int, layers: int
) -> None:
    assert_equals_torch(make_pair(features, size, layers), draw(entities, steps, features))


def test_single_precision_equals_torch_s_to_rounding() -> None:
    ours, theirs = (module.float() for module in make_pair(20, 32, 2))
    inputs = draw(16, 50, 20).float()
    torch.testing.assert_close(ours(inputs)[0], theirs(inputs)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_state_dict_is_torch_s_name_by_name(layers: int) -> None:
    ours, theirs = make_pair(3, 5, layers)
    shapes = [{name: value.shape for name, value in module.state_dict().items()} for module in (ours, theirs)]
    assert list(shapes[0].items()) == list(shapes[1].items())
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    ours.load_state_dict(theirs.state_dict())


def test_states_alone_may_carry_a_gradient_as_well_as_the_last_state() -> None:
    ours, theirs = make_pair(3, 5, 2)
    inputs = draw(4, 6, 3)
    for pick in (lambda out: out[0][:, 2].sum(), lambda out: out[1].sum(), lambda out: out[1][0].sum()):
        mine, yours = (
            torch.autograd.grad(
                pick(module(inputs)), list(module.parameters()), allow_unused=True, materialize_grads=True
            )
            for module in (ours, theirs)
        )
        for one, other in zip(mine, yours, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_a_second_backward_pass_over_the_same_states_is_refused() -> None:
    ours, _ = make_pair(3, 5)
    total = ours(draw(4, 6, 3))[0].sum()
    total.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        total.backward()


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
    hidden, _ = ours(inputs)
    assert torch.isfinite(hidden).all()
    assert all(torch.isfinite(gradient).all() for gradient in gradients(hidden, inputs, ours))


def test_one_entity_that_is_not_finite_does_not_touch_another() -> None:
    ours, _ = make_pair(3, 5)
    inputs = draw(2, 6, 3)
    clean = ours(inputs)[0][1]
    inputs[0, 2] = float("nan")
    torch.testing.assert_close(ours(inputs)[0][1], clean, rtol=0, atol=0)


def test_nobody_has_no_state_and_a_gradient_of_zero() -> None:
    ours, _ = make_pair(3, 5)
    hidden, _ = ours(draw(0, 6, 3))
    assert hidden.shape == (0, 6, 5)
    hidden.sum().backward()
    assert all(not parameter.grad.any() for parameter in ours.parameters() if parameter.grad is not None)


def test_a_new_gru_is_drawn_as_torch_draws_its_own() -> None:
    drawn = []
    for make in (lambda: GRU(3, 16, 2), lambda: nn.GRU(3, 16, 2)):
        torch.manual_seed(0)
        drawn.append(make().state_dict())
    assert all(torch.equal(value, drawn[1][name]) for name, value in drawn[0].items())


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("shared", [False, True], ids=["own inputs", "shared inputs"])
def test_many_models_side_by_side_are_each_what_it_is_alone(layers: int, shared: bool) -> None:
    models = [make_pair(3, 5, layers, seed=seed)[0] for seed in range(4)]
    stacked = {
        name: torch.stack([model.state_dict()[name] for model in models]).requires_grad_()
        for name in models[0].state_dict()
    }
    inputs = draw(6, 7, 3) if shared else draw(4, 6, 7, 3)

    def run(parameters: dict[str, Tensor], inputs: Tensor) -> Tensor:
        hidden: Tensor = functional_call(models[0], parameters, (inputs,))[0]
        return hidden

    hidden = vmap(run, in_dims=(0, None if shared else 0))(stacked, inputs)
    pull = draw(*hidden.shape)
    found = dict(zip(stacked, torch.autograd.grad((hidden * pull).sum(), list(stacked.values())), strict=True))
    for number, model in enumerate(models):
        alone, _ = model(inputs if shared else inputs[number])
        torch.testing.assert_close(hidden[number], alone, rtol=0, atol=1e-12)
        expected = torch.autograd.grad((alone * pull[number]).sum(), list(model.parameters()))
        for (name, _), value in zip(model.named_parameters(), expected, strict=True):
            torch.testing.assert_close(found[name][number], value, rtol=1e-12, atol=1e-12, msg=name)
