"""A GRU whose backward pass can stop at the gates, so that one entity's gradient costs next to nothing extra.

Same parameters, names and numbers as `torch.nn.GRU`. What is notable:

- The whole recurrence is one node of autograd. All input projections are one product; a step is one product and
  four elementwise operations, and five on the way back.
- A step's gates lie side by side as [new, reset, update, from_state]: the first three columns are what the input
  feeds, the last three what the state feeds, so both weight gradients read one buffer, and no product is split.
- The backward pass writes each gate's gradient over the gate itself. A weight's gradient is then gate gradients
  times inputs: summed at once by default, or left as `GradientFactors`s, from which
  `common.model.gradient_factors` takes per-entity norms and clipped sums.

Gates are meant as in `torch.nn.GRU`: reset, update, new (Cho et al. 2014, arXiv 1406.1078, in cuDNN's variant).
Memory is laid out by step, so that one step of all entities is one block.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from common.model.gradient_factors import GradientFactors

CACHED_ELEMENTS = 1 << 16  # slopes are worked out for as many steps at a time as stay in a core's cache
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class GRU(nn.Module):
    """`torch.nn.GRU` over whole sequences from a zero state: batch first, one way, no dropout.

    Parameters
    ----------
    input_size
        Features per step.
    hidden_size
        Units of the state.
    num_layers
        Layers on top of each other.

    Attributes
    ----------
    factors
        None, and a backward pass gives every weight's gradient. Or a dictionary, and it leaves each layer's
        inputs, states and gate gradients there instead, for `products`.
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.factors: dict[int, tuple[Tensor, Tensor, Tensor]] | None = None
        bound = 1 / math.sqrt(hidden_size)
        for layer in range(num_layers):
            sizes = (input_size if layer == 0 else hidden_size,), (hidden_size,), (), ()
            for name, size in zip(NAMES, sizes, strict=True):
                values = torch.empty(3 * hidden_size, *size).uniform_(-bound, bound)
                self.register_parameter(f"{name}_l{layer}", nn.Parameter(values))

    def forward(
        self, inputs: Float[Tensor, "entity step feature"]
    ) -> tuple[Float[Tensor, "entity step hidden"], Float[Tensor, "layer entity hidden"]]:
        """Return the last layer's state after every step, and every layer's last state."""
        hidden, last = inputs.transpose(0, 1), []
        for layer in range(self.num_layers):
            states, _ = _Layer.apply(hidden, *self.weights(layer), layer, self.factors)  # type: ignore[no-untyped-call]
            hidden = states[1:]
            last.append(states[-1])
        return hidden.transpose(0, 1), torch.stack(last)

    def weights(self, layer: int) -> list[Tensor]:
        """Give a layer's parameters, in the order of `parameters()`."""
        return [getattr(self, f"{name}_l{layer}") for name in NAMES]

    def products(self) -> list[GradientFactors]:
        """Take what the last backward pass left in `factors`."""
        factors, size = self.factors or {}, self.hidden_size
        products = []
        for layer, (inputs, states, gates) in sorted(factors.items()):
            weight_ih, weight_hh, bias_ih, bias_hh = self.weights(layer)
            from_input, from_state = gates[:, :, : 3 * size], gates[:, :, size:]
            products += [
                GradientFactors(weight_ih, bias_ih, inputs.transpose(0, 1), from_input.transpose(0, 1), roll=size),
                GradientFactors(weight_hh, bias_hh, states[:-1].transpose(0, 1), from_state.transpose(0, 1)),
            ]
        factors.clear()
        return products


class _Layer(torch.autograd.Function):
    """One layer, [step, entity, feature] in, states and gates out; on the way back, products in place of sums.

    Under `torch.func.vmap` many models run at once: their dimension stands before that of the entities, and first in
    the weights.
    """

    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        inputs, weight_ih, weight_hh, bias_ih, bias_hh, layer, factors
    ):
        gates = project_inputs(inputs, weight_ih, bias_ih, bias_hh)
        return scan(gates, weight_hh), gates

    @staticmethod
    def setup_context(ctx, inputs, output):  # type: ignore[no-untyped-def]
        sequence, weight_ih, weight_hh, _, _, ctx.layer, ctx.factors = inputs
        states, gates = output
        ctx.mark_non_differentiable(gates)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(sequence, states, gates, weight_ih, weight_hh)

    @staticmethod
    def backward(ctx, grad_states, _):  # type: ignore[no-untyped-def]
        inputs, states, gates, weight_ih, weight_hh = ctx.saved_tensors
        size = weight_hh.shape[-1]
        write_gate_gradients(gates, states, grad_states, weight_hh)
        from_input, from_state = gates[..., : 3 * size], gates[..., size:]
        grad_inputs = from_input @ weight_ih.roll(size, -2) if ctx.needs_input_grad[0] else None
        if ctx.factors is not None:
            ctx.factors[ctx.layer] = (inputs.detach(), states.detach(), gates.detach())
            return grad_inputs, None, None, None, None, None, None
        grad_ih, grad_hh = _sum_products(from_input, inputs), _sum_products(from_state, states[:-1])
        bias = gates.sum(dim=(0, -2))
        grad_bias_ih, grad_bias_hh = bias[..., : 3 * size].roll(-size, -1), bias[..., size:]
        return grad_inputs, grad_ih.roll(-size, -2), grad_hh, grad_bias_ih, grad_bias_hh, None, None

    @staticmethod
    def vmap(info, in_dims, inputs, *rest):  # type: ignore[no-untyped-def]
        *weights, layer, _ = rest
        inputs = _place(inputs, in_dims[0], 1, info.batch_size)
        stacked = [
            _place(weight, place, 0, info.batch_size) for weight, place in zip(weights, in_dims[1:5], strict=True)
        ]
        return _Layer.apply(inputs, *stacked, layer, None), (1, 1)  # type: ignore[no-untyped-call]


def _place(values: Tensor, place: int | None, wanted: int, size: int) -> Tensor:
    """Move the dimension of the models, or make one for what they share."""
    if place is not None:
        return values.movedim(place, wanted)
    shape = (*values.shape[:wanted], size, *values.shape[wanted:])
    return values.unsqueeze(wanted).expand(shape)


def _sum_products(backprops: Tensor, inputs: Tensor) -> Tensor:
    """Sum over steps and entities what came back times what went in: the gradient of a weight."""
    if inputs.dim() == 3:
        return backprops.flatten(0, 1).t() @ inputs.flatten(0, 1)
    by_model = [part.movedim(1, 0).flatten(1, 2) for part in (backprops, inputs)]
    return torch.bmm(by_model[0].mT, by_model[1])


def project_inputs(
    inputs: Float[Tensor, "step *model entity feature"], weight_ih: Tensor, bias_ih: Tensor, bias_hh: Tensor
) -> Float[Tensor, "step *model entity gate"]:
    """Write what every gate gets from the input and from both biases, for all steps in one product.

    `new` and `from_state` are written twice as large, as `scan` wants them.
    """
    size = bias_ih.shape[-1] // 3
    bias = bias_ih.clone()
    bias[..., : 2 * size] += bias_hh[..., : 2 * size]
    bias[..., 2 * size :] *= 2
    bias, weight = bias.roll(size, -1), _with_new_twice(weight_ih).roll(size, -2).mT
    gates = inputs.new_empty(*inputs.shape[:-1], 4 * size)
    gates[..., 3 * size :] = 2 * bias_hh[..., None, 2 * size :]
    if inputs.dim() == 3:
        torch.addmm(bias, inputs.flatten(0, 1), weight, out=gates.flatten(0, 1)[:, : 3 * size])
    else:
        gates[..., : 3 * size] = inputs @ weight + bias[:, None]
    return gates


def scan(gates: Float[Tensor, "step *model entity gate"], weight_hh: Tensor) -> Float[Tensor, "state *model entity h"]:
    """Run the recurrence: complete the gates of each step in place, and return all states.

    State 0 is zero, state t + 1 follows step t. Afterwards reset, update and new are past their nonlinearities,
    and the last column of `gates` is twice what `new` got from the state, before it was reset: tanh(x) is
    2·sigmoid(2x) - 1, and on a CPU torch's sigmoid is seven times as fast as its tanh.
    """
    size, weight = weight_hh.shape[-1], _with_new_twice(weight_hh).mT
    least = gates.new_tensor(-1.0)
    states = gates.new_empty(len(gates) + 1, *gates.shape[1:-1], size)
    states[0] = 0.0
    new, reset, update, from_state = (gate.unbind(0) for gate in gates.split(size, dim=-1))
    fed, reset_update = gates[..., size:].unbind(0), gates[..., size : 3 * size].unbind(0)
    state, add_product = states.unbind(0), _product_of(weight_hh)
    for step in range(len(gates)):
        add_product(fed[step], state[step], weight)
        reset_update[step].sigmoid_()
        new[step].addcmul_(reset[step], from_state[step]).sigmoid_()
        torch.add(least, new[step], alpha=2, out=new[step])
        torch.lerp(new[step], state[step], update[step], out=state[step + 1])
    return states


def write_gate_gradients(gates: Tensor, states: Tensor, grad_states: Tensor, weight_hh: Tensor) -> None:
    """Turn the gates that `scan` left into the gradients of the gates before their nonlinearities, in place.

    All gates of a step have gradients linear in the gradient of the state that they lead to. So the slopes are
    written for a block of steps at once, and one multiplication a step remains to be done in order.
    """
    num_steps, size = len(gates), weight_hh.shape[-1]
    direct, fed = grad_states.unbind(0), gates[..., size:].unbind(0)
    per_gate = gates.unflatten(-1, (4, size)).unbind(0)
    grad_state, add_product = direct[num_steps], _product_of(weight_hh)
    block = max(1, CACHED_ELEMENTS // max(1, states[0].numel()))
    for last in range(num_steps, 0, -block):
        first = max(0, last - block)
        carry = _write_slopes(gates[first:last], states[first:last]).unbind(0)
        for step in range(last - 1, first - 1, -1):
            per_gate[step].mul_(grad_state.unsqueeze(-2))
            grad_state = torch.addcmul(direct[step], grad_state, carry[step - first])
            add_product(grad_state, fed[step], weight_hh)


def _with_new_twice(weight: Tensor) -> Tensor:
    """Copy a weight with the rows of the gate `new` twice as large."""
    reset_update, new = weight.split((2 * weight.shape[-2] // 3, weight.shape[-2] // 3), dim=-2)
    return torch.cat([reset_update, 2 * new], dim=-2)


def _product_of(weight: Tensor) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Give what adds a product to its first argument in place: one for all, or one for each model."""
    return torch.Tensor.addmm_ if weight.dim() == 2 else torch.Tensor.baddbmm_


def _write_slopes(gates: Tensor, states: Tensor) -> Tensor:
    """Write each gate's slope in its place, and return what of a state is carried over unchanged."""
    new, reset, update, from_state = gates.split(states.shape[-1], dim=-1)
    carry = update.clone(memory_format=torch.contiguous_format)
    torch.ops.aten.sigmoid_backward(states - new, carry, grad_input=update)
    slope_new = torch.ops.aten.tanh_backward(1 - carry, new)
    new.copy_(slope_new)
    slope_reset = torch.ops.aten.sigmoid_backward(slope_new * from_state, reset)
    torch.mul(slope_new, reset, out=from_state)
    torch.mul(slope_reset, 0.5, out=reset)
    return carry
