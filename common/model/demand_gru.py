"""DemandGRU: a small network that learns the correction to the anchor, for every bucket of the horizon.

    encoder   GRU over the causal features of the steps
    decoder   one MLP shared by all buckets, over [GRU state, features at the cut-off] and
              [covariates known ahead, anchor] of the bucket
    calendar  where the plan asks for it, a straight path from the covariates known ahead (`common.model.calendar_path`)
    output    starts at zero, so that the untrained network forecasts the anchor; with a direct path it also sees the
              features at the cut-off, and everything that it sees is shifted and scaled by public constants

Small is a privacy feature: noise grows with the square root of the number of parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from common.disk.reading import require_file
from common.errors import DataError
from common.model.calendar_path import CalendarPath
from common.model.features import Examples, Series
from common.model.gru import GRU
from common.model.likelihood import Likelihood, make_likelihood
from common.model.network import Network
from common.plan.schema import ModelPlan, Trained

FROZEN: dict[Trained, tuple[str, ...]] = {
    "all": (),
    "decoder": ("encoder",),
    "output": ("encoder", "from_context", "from_future"),
    "calendar": ("encoder", "from_context", "from_future", "output"),
}


class DemandGRU(Network):
    """Forecast the outputs of a likelihood from every chosen position of a window."""

    center: Tensor
    scale: Tensor

    def __init__(
        self, plan: ModelPlan, *, num_features: int, num_future: int, future_names: tuple[str, ...] = ()
    ) -> None:
        super().__init__()
        self.likelihood: Likelihood = make_likelihood(plan)
        self.encoder = GRU(num_features, plan.hidden_size)
        self.from_context = nn.Linear(plan.hidden_size + num_features, plan.decoder_size)
        self.from_future = nn.Linear(num_future + 1, plan.decoder_size)
        self.direct = plan.direct
        width = plan.decoder_size + plan.direct * num_features
        self.output = nn.Linear(width, self.likelihood.num_outputs)
        if plan.direct:  # public constants; a warm start brings its own
            self.register_buffer("center", torch.zeros(width))
            self.register_buffer("scale", torch.ones(width))
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)
        self.calendar = CalendarPath(plan.likelihood, future_names) if plan.calendar else None

    def forward(self, examples: Examples) -> Float[Tensor, "entity position bucket output"]:
        """Return the likelihood's outputs of each bucket."""
        return self.decode(self.encode(examples), examples.future, examples.anchor)

    def encode(self, examples: Examples) -> Float[Tensor, "entity position context"]:
        """Return what the decoder sees of the past: the GRU's state and the features at each position."""
        states, _ = self.encoder(examples.inputs)
        hidden = states.index_select(1, examples.position)
        return torch.cat([hidden, examples.inputs[:, examples.position]], dim=2)

    def decode(
        self,
        context: Float[Tensor, "entity position context"],
        future: Float[Tensor, "entity position bucket covariate"],
        anchor: Float[Tensor, "entity position bucket"],
    ) -> Float[Tensor, "entity position bucket output"]:
        """Return the likelihood's outputs of each bucket, from what is known of past and future."""
        outputs: Tensor = self.output(self.read(context, future, anchor))
        if self.calendar is None:
            return outputs
        straight: Tensor = self.calendar(context[:, :, self.encoder.hidden_size :], future, anchor)
        return outputs + straight

    def read(
        self,
        context: Float[Tensor, "entity position context"],
        future: Float[Tensor, "entity position bucket covariate"],
        anchor: Float[Tensor, "entity position bucket"],
    ) -> Float[Tensor, "entity position bucket width"]:
        """Return what the last layer sees: hidden units, and the features where they have a direct path."""
        ahead = torch.cat([future, torch.log1p(anchor)[..., None] / 4], dim=3)
        hidden = torch.tanh(self.from_context(context)[:, :, None] + self.from_future(ahead))
        if not self.direct:
            return hidden
        features = context[:, :, None, self.encoder.hidden_size :]
        both = torch.cat([hidden, features.expand(*hidden.shape[:3], -1)], dim=3)
        return (both - self.center) * self.scale


@torch.no_grad()
def standardise(model: DemandGRU, center: Float[Tensor, " width"], spread: Float[Tensor, " width"]) -> None:
    """Shift and scale what the last layer sees, and change that layer so that all forecasts stay the same.

    Under noise a last layer learns fastest where all that it sees is of one size. Both vectors are public constants.
    """
    weight, bias = model.output.weight, model.output.bias
    whole = model.center + center / model.scale
    bias.add_(weight @ center)
    weight.mul_(spread)
    model.center.copy_(whole)
    model.scale.div_(spread)


def entity_losses(
    model: Callable[[Examples], Tensor], likelihood: Likelihood, examples: Examples
) -> Float[Tensor, " entity"]:
    """Negative log-likelihood of each entity's counted buckets, over the number of buckets that could count.

    The denominator is public and the same for all, so a position weighs the same whoever it belongs to: what is
    trained on has the mix of old and new entities that a forecast meets. An entity without a label has loss 0.
    """
    given = examples.anchor, examples.spread, examples.label, examples.censored, examples.expected
    loss = likelihood.loss(model(examples), *given)
    total = (loss * examples.weight).sum(dim=(1, 2))
    return total / (examples.weight.shape[1] * examples.weight.shape[2])


def make_model(
    plan: ModelPlan, *, num_features: int, num_future: int, seed: int, future_names: tuple[str, ...] = ()
) -> DemandGRU:
    """Make the model with weights drawn from a public seed.

    Parameters
    ----------
    future_names
        Of the covariates known ahead; only a calendar path asks for them.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return DemandGRU(plan, num_features=num_features, num_future=num_future, future_names=future_names)


def draw_model(plan: ModelPlan, series: Series, *, seed: int) -> DemandGRU:
    """Make the model for the columns of a series, with weights drawn from a public seed."""
    sizes = {"num_features": series.num_features, "num_future": series.num_future}
    return make_model(plan, **sizes, seed=seed, future_names=series.future_names)


def freeze(model: DemandGRU, trained: Trained) -> DemandGRU:
    """Make constants of the parameters that do not train, in place: they belong to the model and not to its vector.

    Noise grows with the square root of the number of parameters: what a public start knows already may stay.
    """
    for name in FROZEN[trained]:
        layer = model.get_submodule(name)
        for key, parameter in list(layer.named_parameters(recurse=False)):
            delattr(layer, key)
            layer.register_buffer(key, parameter.detach())
    return model


def get_vector(model: nn.Module) -> Float[Tensor, " parameter"]:
    """Flatten all parameters, in the order of `model.parameters()`."""
    return torch.cat([parameter.detach().reshape(-1) for parameter in model.parameters()])


@torch.no_grad()
def set_vector(model: nn.Module, vector: Float[Tensor, " parameter"]) -> None:
    """Write a flat vector back into the parameters; one of another length is refused with a RuntimeError."""
    sizes = [parameter.numel() for parameter in model.parameters()]
    for parameter, part in zip(model.parameters(), torch.split(vector, sizes), strict=True):
        parameter.copy_(part.view_as(parameter))


def save_model(model: nn.Module, path: Path) -> None:
    """Write the parameters as safetensors."""
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path)


def load_model(model: nn.Module, path: Path) -> None:
    """Read parameters that `save_model` wrote.

    Raises
    ------
    DataError
        The file is missing, damaged, or holds another shape of model.
    """
    try:
        require_file(path)
        model.load_state_dict(load_file(path))
    except FileNotFoundError as error:
        raise DataError(f"There is no model file {path}; train one first.") from error
    except (RuntimeError, SafetensorError, OSError) as error:
        raise DataError(f"{path} is not a model of this plan: {str(error).splitlines()[0]}") from error
