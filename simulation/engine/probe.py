"""Whether a network can be trained under privacy, tried on invented entities before any real one is seen.

A gradient per entity is right only where entities do not meet inside the network. That cannot be read off a list of
layers (`x - x.mean(0)` is no layer), so it is tried: drawn entities go through a copy of the network together and
alone, and with other steps after a position. What fails is refused in one sentence. What is left is computed from one
pass where that gives what plain autograd gives, entity by entity; else entity by entity.
"""

from __future__ import annotations

import copy
from contextlib import closing

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.parameter import UninitializedParameter

from client.round.entity_gradient import GradientFactorModule
from common.errors import ConfigError
from common.model.features import Examples
from common.model.network import Network
from simulation.engine.one_by_one import gradients_one_by_one, pick_entity

DRAWN_ENTITIES = 4
STIR = 0.1  # standard deviation of what is added to every parameter: at a zero output layer most gradients vanish
RTOL, ATOL = 1e-6, 1e-9  # in double precision; what another entity adds is of the size of the outputs


def passes_at_once(network: Network, like: Examples) -> bool:
    """Refuse a network that cannot be trained under privacy; tell whether one pass gives all entities' gradients.

    Parameters
    ----------
    network
        It is copied and left as it is.
    like
        Examples whose shapes the invented ones have; their values are not looked at.

    Raises
    ------
    ConfigError
        One entity's forecast or gradient depends on other entities, on chance or on the future, or there is nothing
        to train; the sentence names the layer where one is to blame.
    """
    _refuse_layers(network)
    twin, drawn = _stirred_copy(network), _draw_examples(like)
    name = type(network).__name__
    try:
        _refuse_meeting(twin, drawn, name)
        _refuse_foresight(twin, drawn, name)
        expected, _ = gradients_one_by_one(twin, drawn)
    except ConfigError:
        raise
    except Exception as error:  # the network is the researcher's: whatever it raises is said in one sentence
        reason = (str(error).splitlines() or [""])[0]
        raise ConfigError(f"{name} cannot be run and differentiated ({type(error).__name__}: {reason}).") from error
    return _agrees(twin, drawn, expected)


def _refuse_layers(network: Network) -> None:
    """Refuse what is known to be wrong, by the name of the layer: its sentence says more than a trial can."""
    parameters = dict(network.named_parameters())
    if not parameters:
        raise ConfigError(f"{type(network).__name__} has no parameters to train.")
    for name, parameter in parameters.items():
        if isinstance(parameter, UninitializedParameter):
            raise ConfigError(f"The parameter {name} has no size yet; give the layer its number of inputs.")
        if not parameter.requires_grad:
            raise ConfigError(f"The parameter {name} does not train; keep a constant in a buffer (register_buffer).")
    for name, layer in network.named_modules():
        _refuse_layer(f"The layer {name} ({type(layer).__name__})", layer)


def _refuse_layer(named: str, layer: nn.Module) -> None:
    if isinstance(layer, _NormBase) and not isinstance(layer, nn.modules.instancenorm._InstanceNorm):
        raise ConfigError(
            f"{named} takes its mean over all entities, so one entity would change what the others teach; "
            "use LayerNorm or GroupNorm."
        )
    dropout = layer.p if isinstance(layer, _DropoutNd) else getattr(layer, "dropout", 0.0)
    if isinstance(dropout, int | float) and dropout > 0:
        raise ConfigError(
            f"{named} drops units at random, so what an entity teaches would depend on chance and on who came before "
            "it; set its dropout to 0: the noise regularises already."
        )


def _stirred_copy(network: Network) -> Network:
    """Copy a network in double precision, away from zeros, as it would train."""
    twin = copy.deepcopy(network).cpu().double().train()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.add_(STIR * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return twin


def _draw_examples(like: Examples) -> Examples:
    """Invent entities of the shape of real ones."""
    generator = torch.Generator().manual_seed(0)

    def draw(part: Tensor) -> Tensor:
        shape = (DRAWN_ENTITIES, *part.shape[1:])
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    return Examples(
        inputs=draw(like.inputs),
        position=like.position.cpu(),
        future=draw(like.future),
        anchor=draw(like.anchor).abs() + 1,
        spread=draw(like.spread).abs().clamp(0.3, 1),
        label=draw(like.label).abs().mul(3).round(),
        open=torch.ones((DRAWN_ENTITIES, *like.open.shape[1:]), dtype=torch.bool),
        weight=torch.ones((DRAWN_ENTITIES, *like.weight.shape[1:]), dtype=torch.float64),
    )


def _refuse_meeting(twin: Network, drawn: Examples, name: str) -> None:
    """Run drawn entities together and alone: outputs, buffers and the generator must not notice."""
    buffers = {key: buffer.clone() for key, buffer in twin.named_buffers()}
    chance = torch.get_rng_state()
    together = twin(drawn)
    for key, buffer in twin.named_buffers():
        if not torch.equal(buffer, buffers[key]):
            raise ConfigError(
                f"The buffer {key} of {name} changes as entities pass, so one entity would change what the others "
                "teach; keep only constants in buffers."
            )
    if not torch.equal(chance, torch.get_rng_state()):
        raise ConfigError(f"{name} draws at random as entities pass; a forecast must be a function of its entity.")
    wanted = (*drawn.label.shape, twin.likelihood.num_outputs)
    if together.shape != wanted:
        raise ConfigError(f"{name} returns the shape {tuple(together.shape)}; its likelihood needs {wanted}.")
    alone = torch.cat([twin(pick_entity(drawn, entity)) for entity in range(DRAWN_ENTITIES)])
    if not torch.allclose(together, alone, rtol=RTOL, atol=ATOL):
        raise ConfigError(
            f"{name} forecasts an entity differently when others are there, so no gradient is one entity's; "
            "let no layer mix the first dimension (a mean, a softmax, an attention over entities)."
        )


def _refuse_foresight(twin: Network, drawn: Examples, name: str) -> None:
    """Change the steps after a position: what is forecast from there must stay as it is."""
    position = int(drawn.position[0])
    if position + 1 >= drawn.inputs.shape[1]:
        return
    inputs = drawn.inputs.clone()
    inputs[:, position + 1 :] += 1
    changed = twin(Examples(**{**vars(drawn), "inputs": inputs}))
    if not torch.allclose(changed[:, 0], twin(drawn)[:, 0], rtol=RTOL, atol=ATOL):
        raise ConfigError(
            f"{name} forecasts from a position with steps after it, so it would learn from the future; "
            "use layers that look back only."
        )


def _agrees(twin: Network, drawn: Examples, expected: Tensor) -> bool:
    """Tell whether linear layers and our GRU, from one pass, give what plain autograd gives."""
    try:
        with closing(GradientFactorModule(twin)) as hooked:
            gradients, _ = hooked.gradients(drawn)
            found = gradients.expand(slice(DRAWN_ENTITIES))
    except Exception:  # a layer that it cannot do, or one that is used twice: then entity by entity
        return False
    return torch.allclose(found, expected, rtol=RTOL, atol=ATOL)
