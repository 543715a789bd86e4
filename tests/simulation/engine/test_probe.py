"""Another network under privacy: right, entity by entity, or refused in one sentence."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from common.errors import ConfigError
from common.model.features import Examples, Series, cut_training
from common.model.gru import GRU
from common.model.likelihood import make_likelihood
from common.model.network import Network
from simulation.engine.one_by_one import gradients_one_by_one
from simulation.engine.probe import passes_at_once


class Encoded(Network):
    """Any encoder of steps, and a linear layer for each bucket."""

    def __init__(self, series: Series, encoder: nn.Module, width: int) -> None:
        super().__init__()
        self.likelihood = make_likelihood(series.plan)
        self.encoder = encoder
        self.output = nn.Linear(width + series.num_future, self.likelihood.num_outputs)

    def forward(self, examples: Examples) -> Tensor:
        states = self.encoder(examples.inputs)
        states = states[0] if isinstance(states, tuple) else states
        seen = states[:, examples.position][:, :, None].expand(*examples.future.shape[:3], -1)
        return self.output(torch.cat([seen, examples.future], dim=3))


class Causal(nn.Module):
    """A convolution over the steps that looks back only."""

    def __init__(self, num_features: int, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(num_features, width, kernel_size=3)

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.tanh(self.convolution(functional.pad(inputs.transpose(1, 2), (2, 0)))).transpose(1, 2)


class Tied(nn.Module):
    """The same layer twice, and a parameter that is in no layer."""

    def __init__(self, num_features: int, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(num_features, width)
        self.again = nn.Linear(width, width)
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.again(torch.tanh(self.again(torch.tanh(self.first(inputs))))) * self.scale


class Borrowed(nn.Module):
    """Linear layers only, but the weight of one is used past the layer."""

    def __init__(self, num_features: int, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(num_features, width)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.first(inputs) + functional.linear(inputs, self.first.weight)


class Mixing(nn.Module):
    def __init__(self, num_features: int, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(num_features, width)

    def forward(self, inputs: Tensor) -> Tensor:
        states = self.layer(inputs)
        return states - states.mean(0)


class Counting(Mixing):
    def __init__(self, num_features: int, width: int) -> None:
        super().__init__(num_features, width)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen += len(inputs)
        return self.layer(inputs)


class Rolling(Mixing):
    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs) + torch.randn(())


class Wide(Mixing):
    def forward(self, inputs: Tensor) -> Tensor:
        return torch.cat([self.layer(inputs)] * 2, dim=2)


class Frozen(Mixing):
    def __init__(self, num_features: int, width: int) -> None:
        super().__init__(num_features, width)
        self.layer.bias.requires_grad_(False)


@pytest.fixture
def series(make_series: Callable[..., Series]) -> Series:
    return make_series()


@pytest.fixture
def examples(series: Series, to_double: Callable[[Examples], Examples]) -> Examples:
    return to_double(cut_training(series, 1))


def make(series: Series, build: Callable[[int], nn.Module], width: int = 5) -> Network:
    torch.manual_seed(0)
    return Encoded(series, build(series.num_features), width)


def refusal(network: Network, examples: Examples) -> str:
    with pytest.raises(ConfigError) as caught:
        passes_at_once(network, examples)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


# ------------------------------------------------------------------ what works


WORKS = {
    "linear": (lambda n: nn.Sequential(nn.Linear(n, 5), nn.Tanh()), True),
    "our GRU": (lambda n: GRU(n, 5), True),
    "two layers of our GRU": (lambda n: GRU(n, 5, 2), True),
    "nn.GRU": (lambda n: nn.GRU(n, 5, batch_first=True), False),
    "nn.LSTM": (lambda n: nn.LSTM(n, 5, batch_first=True), False),
    "two layers of nn.LSTM": (lambda n: nn.LSTM(n, 5, num_layers=2, batch_first=True), False),
    "convolution": (lambda n: Causal(n, 5), False),
    "layer norm": (lambda n: nn.Sequential(nn.Linear(n, 5), nn.LayerNorm(5)), False),
    "no bias": (lambda n: nn.Linear(n, 5, bias=False), False),
    "a layer used twice": (lambda n: Tied(n, 5), False),
    "a weight used past its layer": (lambda n: Borrowed(n, 5), False),
}


@pytest.mark.parametrize("name", WORKS)
def test_what_works_has_each_entity_s_own_gradient(
    name: str, series: Series, examples: Examples, gradient_of_each: Callable[..., Tensor]
) -> None:
    build, at_once = WORKS[name]
    network = make(series, build)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    assert passes_at_once(network, examples) == at_once
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key])
    network = network.double()
    found, losses = gradients_one_by_one(network, examples)
    torch.testing.assert_close(found, gradient_of_each(network, examples), rtol=1e-12, atol=1e-14)
    assert losses.shape == (len(found),)
    assert (found.norm(dim=1) > 0).all()


def test_the_sum_of_all_is_an_ordinary_backward_pass(series: Series, examples: Examples) -> None:
    network = make(series, lambda n: nn.LSTM(n, 5, batch_first=True)).double()
    found, losses = gradients_one_by_one(network, examples)
    loss = network.likelihood.loss(network(examples), examples.anchor, examples.spread, examples.label)
    whole = (loss * examples.weight).sum() / examples.weight[0].numel()
    plain = torch.autograd.grad(whole, list(network.parameters()))
    torch.testing.assert_close(found.sum(0), torch.cat([part.reshape(-1) for part in plain]), rtol=1e-9, atol=1e-12)
    assert float(losses.sum()) == pytest.approx(float(whole.detach()))


def test_the_model_of_a_plan_passes_at_once(
    series: Series, examples: Examples, make_awake_model: Callable[..., Network]
) -> None:
    assert passes_at_once(make_awake_model(series), examples)


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda n: nn.Sequential(nn.Linear(n, 5), nn.BatchNorm1d(12)), "encoder.1 (BatchNorm1d) takes its mean over"),
        (lambda n: nn.Sequential(nn.Linear(n, 5), nn.Dropout(0.1)), "encoder.1 (Dropout) drops units at random"),
        (
            lambda n: nn.LSTM(n, 5, num_layers=2, dropout=0.1, batch_first=True),
            "encoder (LSTM) drops units at random",
        ),
        (lambda n: nn.LSTM(n, 5), "forecasts an entity differently when others are there"),  # steps taken for entities
        (lambda n: Mixing(n, 5), "forecasts an entity differently when others are there"),
        (lambda n: Counting(n, 5), "The buffer encoder.seen of Encoded changes as entities pass"),
        (lambda n: Rolling(n, 5), "draws at random as entities pass"),
        (lambda n: Frozen(n, 5), "The parameter encoder.layer.bias does not train"),
        (lambda n: nn.LazyLinear(5), "The parameter encoder.weight has no size yet"),
        (lambda n: Wide(n, 5), "Encoded cannot be run and differentiated (RuntimeError: "),
    ],
)
def test_what_has_no_gradient_per_entity_is_refused_in_one_sentence(
    series: Series, examples: Examples, build: Callable[[int], nn.Module], words: str
) -> None:
    assert words in refusal(make(series, build), examples)


def test_a_network_that_reads_the_future_is_refused(series: Series, examples: Examples) -> None:
    both_ways = make(series, lambda n: nn.LSTM(n, 5, bidirectional=True, batch_first=True), width=10)
    assert "would learn from the future; use layers that look back only" in refusal(both_ways, examples)


def test_another_shape_than_the_likelihood_s_is_refused(series: Series, examples: Examples) -> None:
    network = make(series, lambda n: nn.Linear(n, 5))
    network.output = nn.Linear(5 + series.num_future, 7)
    assert "returns the shape (4, 3, 4, 7); its likelihood needs (4, 3, 4, 2)" in refusal(network, examples)


def test_a_network_without_forward_or_parameters_is_refused(series: Series, examples: Examples) -> None:
    assert "Network has no parameters to train" in refusal(Network(), examples)
    empty = Network()
    empty.layer = nn.Linear(1, 1)
    assert "Network needs a function forward(examples)" in refusal(empty, examples)
