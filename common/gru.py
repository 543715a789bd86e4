"""A GRU made of two linear layers and one scan, so that Opacus sees per-step products, not a black box.

PyTorch's own GRU hides its products from Opacus; Opacus' DPGRU steps through time with autograd at every
step. Here the recurrence runs once without autograd; the hidden projections of all steps are then one
linear layer over the known hidden states, and one backward pass through time leaves the gradient of every
gate before its nonlinearity. So both weight matrices are linear layers with known inputs and output gradients.

Gates are ordered and meant as in `torch.nn.GRU`: reset, update, new (Cho et al. 2014, arXiv 1406.1078, in
cuDNN's variant). Memory is laid out by step, so that one step of all entities is one contiguous block.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

CACHED_ELEMENTS = 1 << 16  # slopes are worked out for as many steps at a time as stay in a core's cache


class StepLinear(nn.Linear):
    """A linear layer over [entity, step, feature] whose memory is laid out by step."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the layer; in and out are views of step-major memory."""
        return nn.functional.linear(inputs.transpose(0, 1), self.weight, self.bias).transpose(0, 1)


class ScanGRU(nn.Module):
    """One-layer GRU over a batch of sequences, numerically `torch.nn.GRU`."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.input_gates = StepLinear(input_size, 3 * hidden_size)
        self.hidden_gates = StepLinear(hidden_size, 3 * hidden_size)
        bound = 1 / math.sqrt(hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, inputs: Float[Tensor, "entity step feature"]) -> Float[Tensor, "entity step hidden"]:
        """Return the hidden state after every step, from a zero state."""
        by_step = inputs.transpose(0, 1).contiguous().transpose(0, 1)
        from_input = self.input_gates(by_step)
        with torch.no_grad():
            states, gates = scan(from_input, self.hidden_gates.weight, self.hidden_gates.bias)
        from_hidden = self.hidden_gates(states[:-1].transpose(0, 1))
        hidden: Tensor = _ThroughTime.apply(from_input, from_hidden, states, gates, self.hidden_gates.weight)  # type: ignore[no-untyped-call]
        return hidden


def scan(
    from_input: Float[Tensor, "entity step gate"],
    weight: Float[Tensor, "gate hidden"],
    bias: Float[Tensor, " gate"],
) -> tuple[Float[Tensor, "state entity hidden"], Float[Tensor, "step entity gate"]]:
    """Run the recurrence.

    Returns
    -------
    states
        State 0 is zero, state t + 1 follows step t.
    gates
        Reset, update and new of every step, after their nonlinearities.
    """
    size = weight.shape[1]
    gates = from_input.transpose(0, 1).clone(memory_format=torch.contiguous_format)
    gates[:, :, : 2 * size] += bias[: 2 * size]
    reset_update, reset = gates[:, :, : 2 * size].unbind(0), gates[:, :, :size].unbind(0)
    update, new = gates[:, :, size : 2 * size].unbind(0), gates[:, :, 2 * size :].unbind(0)
    states = torch.zeros(len(new) + 1, gates.shape[1], size, dtype=gates.dtype, device=gates.device)
    state = states.unbind(0)
    weight_gates, weight_new = weight[: 2 * size].t().contiguous(), weight[2 * size :].t().contiguous()
    for step in range(len(new)):
        reset_update[step].addmm_(state[step], weight_gates).sigmoid_()
        from_state = torch.addmm(bias[2 * size :], state[step], weight_new)
        new[step].addcmul_(reset[step], from_state).tanh_()
        torch.lerp(new[step], state[step], update[step], out=state[step + 1])
    return states, gates


class _ThroughTime(torch.autograd.Function):
    """Give the hidden states; on the way back, the gradient of every gate before its nonlinearity."""

    @staticmethod
    def forward(ctx, from_input, from_hidden, states, gates, weight):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(from_hidden, states, gates, weight)
        return states[1:].transpose(0, 1)

    @staticmethod
    def backward(ctx, grad_output):  # type: ignore[no-untyped-def]
        from_hidden, states, gates, weight = ctx.saved_tensors
        num_steps, num_entities, size = gates.shape[0], gates.shape[1], weight.shape[1]
        hidden_new = from_hidden.transpose(0, 1)[:, :, 2 * size :]
        direct, carry = grad_output.transpose(0, 1).unbind(0), gates[:, :, size : 2 * size].unbind(0)
        grad_hidden, grad_input = torch.empty_like(gates), torch.empty_like(gates)
        per_gate = grad_hidden.view(num_steps, num_entities, 3, size).unbind(0)
        flat, grad_new = grad_hidden.unbind(0), grad_input[:, :, 2 * size :].unbind(0)
        grad_state = torch.zeros_like(states[0])
        block = max(1, CACHED_ELEMENTS // max(1, num_entities * size))
        for last in range(num_steps, 0, -block):
            steps = slice(max(0, last - block), last)
            _write_slopes(grad_hidden[steps], grad_input[steps], gates[steps], states[steps], hidden_new[steps])
            for step in range(last - 1, steps.start - 1, -1):
                grad_state += direct[step]
                per_gate[step].mul_(grad_state.unsqueeze(1))
                grad_new[step].mul_(grad_state)
                grad_state.mul_(carry[step]).addmm_(flat[step], weight)
            grad_input[steps, :, : 2 * size] = grad_hidden[steps, :, : 2 * size]
        return grad_input.transpose(0, 1), grad_hidden.transpose(0, 1), None, None, None


def _write_slopes(slope_hidden: Tensor, slope_input: Tensor, gates: Tensor, states: Tensor, hidden_new: Tensor) -> None:
    """Write each gate's slope: its gradient is linear in the gradient of the state it leads to."""
    size = states.shape[2]
    reset, update, new = gates.split(size, dim=2)
    slope_new = torch.ops.aten.tanh_backward(1 - update, new)
    slope_input[:, :, 2 * size :] = slope_new
    torch.mul(slope_new, reset, out=slope_hidden[:, :, 2 * size :])
    slope_hidden[:, :, :size] = torch.ops.aten.sigmoid_backward(slope_new.mul_(hidden_new), reset)
    slope_hidden[:, :, size : 2 * size] = torch.ops.aten.sigmoid_backward(states - new, update)
