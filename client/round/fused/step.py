"""The private step of a DemandGRU by the compiled kernel: from examples to a sum of clipped gradients.

The reference, and what a GPU runs, is `client.round.entity_gradient` with `common.privacy.mechanism`; both give the
same sum but for the last digits. The kernel knows our three likelihoods of demand that was seen whole. Where days are
out of stock it gives the outputs, torch takes the likelihood's gradient in them, and the kernel goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from client.round.fused.censored import censored_slopes
from client.round.fused.library import Kernel, Task, find_kernel
from common.errors import PrivacyError
from common.model.demand_gru import FROZEN, DemandGRU
from common.model.features import Examples
from common.model.gru import GRU, NAMES
from common.model.likelihood import HurdleNegativeBinomial, LogNormal, NegativeBinomial
from common.model.network import Network
from common.privacy.clipping import ROUNDING_MARGIN, check_clipping_norm
from common.privacy.clipping_rule import Automatic
from common.privacy.mechanism import Mechanism

LIKELIHOODS = NegativeBinomial, LogNormal, HurdleNegativeBinomial  # by their numbers in likelihood.hpp
SQUARED_STATES, ROWS = 3, 4
LARGEST_MODEL = 2**20  # parameters: so many have room for a rule in the proof of common/privacy/clipping.py
SMALLEST_STABILITY = 1e-9  # of the automatic rule: its factor stays a number of ordinary size
EXAMPLE_PARTS = "inputs", "future", "anchor", "spread", "label", "weight"


def find_step(model: Network, mechanism: Mechanism, device: torch.device) -> FusedStep | None:
    """Give the kernel's step, where it can do what is asked, with the numbers of the mechanism; else None."""
    if device.type != "cpu" or not _knows(model) or not _knows_clipping(mechanism):
        return None
    kernel = find_kernel()
    return None if kernel is None else FusedStep(model, kernel)  # type: ignore[arg-type]


def _knows(model: Network) -> bool:
    """Whether it is a DemandGRU, and no other network in its clothes, in single precision."""
    if type(model) is not DemandGRU or type(model.encoder) is not GRU or model.encoder.num_layers != 1:
        return False
    if type(model.likelihood) not in LIKELIHOODS or model.calendar is not None or _trained(model) is None:
        return False
    single = all(part.dtype == torch.float32 for part in model.state_dict().values())
    return single and sum(parameter.numel() for parameter in model.parameters()) <= LARGEST_MODEL


def _knows_clipping(mechanism: Mechanism) -> bool:
    rule = mechanism.rule
    proven = rule is None or (type(rule) is Automatic and rule.stability >= SMALLEST_STABILITY)
    return mechanism.clipping_norm is not None and proven


class FusedStep:
    """The kernel, ready for one model; several threads may use it at once."""

    def __init__(self, model: DemandGRU, kernel: Kernel) -> None:
        self._model, self._kernel = model, kernel
        self.size = sum(parameter.numel() for parameter in model.parameters())

    def contribution(self, examples: Examples, mechanism: Mechanism) -> Int64[Tensor, " parameter"]:
        """Return the exact clipped sum over a chunk of entities, in lattice steps, as `Mechanism.contribution` does.

        Guarantee: the entities' integer vectors are each no longer than the clipping norm, and what an entity adds
        depends on no other entity of the chunk, to the last bit.
        """
        total = np.zeros(self.size, np.int64)
        self._run(examples, _clipping(mechanism), total=total)
        return torch.from_numpy(total)

    def weighted_sum(
        self, examples: Examples, mechanism: Mechanism, weight: Float[Tensor, " entity"]
    ) -> tuple[Float64[Tensor, " parameter"], Float64[Tensor, " entity"]]:
        """Return the clipped gradients, each times its entity's weight, added up in float64; and the losses."""
        if len(weight) != len(examples.inputs):
            raise ValueError("Each entity needs one weight.")
        total, losses, each = np.zeros(self.size), np.zeros(len(weight)), weight.double().numpy()
        more = self._run(examples, _clipping(mechanism), entity_weight=each, weighted_total=total, losses=losses)
        return torch.from_numpy(total), torch.from_numpy(losses) + more

    def gradients(self, examples: Examples) -> Float32[Tensor, "entity parameter"]:
        """Return each entity's gradient, as it is before it is clipped."""
        rows = np.zeros((len(examples.inputs), self.size), np.float32)
        self._run(examples, {}, gradients=rows)
        return torch.from_numpy(rows)

    def _run(
        self, examples: Examples, clipping: Mapping[str, int | float], **results: np.ndarray
    ) -> Float64[Tensor, " entity"]:
        """Run the kernel, and give the losses of the buckets that it knows nothing of."""
        arrays = _weights(self._model) | {name: _as_array(getattr(examples, name)) for name in EXAMPLE_PARTS}
        arrays["position"] = _as_array(examples.position, np.int64)
        numbers, losses = self._numbers(examples), torch.zeros(len(examples.inputs), dtype=torch.float64)
        if examples.censored is not None:
            out = np.zeros((*examples.label.shape, self._model.likelihood.num_outputs), np.float32)
            self._call(numbers, arrays | {"out": out})
            given, losses = censored_slopes(self._model.likelihood, examples, torch.from_numpy(out))
            arrays |= {"given": _as_array(given), "is_given": _as_array(examples.censored, np.uint8)}
        self._call({**numbers, **clipping}, arrays | results)
        return losses

    def _call(self, numbers: Mapping[str, int | float], arrays: Mapping[str, np.ndarray]) -> None:
        addresses = {name: array.ctypes.data for name, array in arrays.items()}
        self._kernel.run(Task(**numbers, **addresses))

    def _numbers(self, examples: Examples) -> dict[str, int]:
        model, (entities, steps, features) = self._model, examples.inputs.shape
        _, positions, buckets, covariates = examples.future.shape
        if (features, covariates + 1) != (model.encoder.input_size, model.from_future.in_features):
            raise ValueError("These examples have other columns than the model; the kernel would read beyond them.")
        if not bool(((examples.position >= 0) & (examples.position < steps)).all()):
            raise ValueError("A position lies outside the window; the kernel would read beyond it.")
        return {
            "entities": entities,
            "steps": steps,
            "features": features,
            "hidden": model.encoder.hidden_size,
            "positions": positions,
            "buckets": buckets,
            "covariates": covariates,
            "decoder": len(model.from_context.bias),
            "outputs": model.likelihood.num_outputs,
            "likelihood": LIKELIHOODS.index(type(model.likelihood)),
            "direct": int(model.direct),
            "trained": _trained(model) or 0,
            "parameters": self.size,
        }


def sum_rows(
    kernel: Kernel, gradients: Float32[Tensor, "entity parameter"], mechanism: Mechanism
) -> Int64[Tensor, " parameter"]:
    """Clip gradients that are given, and add them up on the lattice, as the kernel does with its own."""
    total, rows = np.zeros(gradients.shape[1], np.int64), _as_array(gradients)
    sizes = {"entities": len(rows), "parameters": gradients.shape[1], "likelihood": ROWS}
    kernel.run(Task(**sizes, **_clipping(mechanism), inputs=rows.ctypes.data, total=total.ctypes.data))
    return torch.from_numpy(total)


def _clipping(mechanism: Mechanism) -> dict[str, float]:
    """Tell the kernel the mechanism's numbers."""
    norm = mechanism.clipping_norm
    if norm is None:
        raise PrivacyError("The kernel clips: without a clipping norm, take its gradients.")
    check_clipping_norm(norm)
    rule = mechanism.rule
    return {
        "clipping_norm": norm,
        "bound": norm * (1 - ROUNDING_MARGIN),
        "lattice_step": mechanism.lattice_step,
        "stability": 0.0 if rule is None else rule.stability,  # type: ignore[attr-defined]
    }


def _weights(model: DemandGRU) -> dict[str, np.ndarray]:
    """Name what the kernel reads of a model, whether it trains or not."""
    encoder = {name: getattr(model.encoder, f"{name}_l0") for name in NAMES}
    layers = {"context": model.from_context, "future": model.from_future, "output": model.output}
    decoder = {f"{name}_{part}": getattr(layer, part) for name, layer in layers.items() for part in ("weight", "bias")}
    direct = {"center": model.center, "scale": model.scale} if model.direct else {}
    return {name: _as_array(part.detach()) for name, part in (encoder | decoder | direct).items()}


def _as_array(tensor: Tensor, kind: type = np.float32) -> np.ndarray:
    return np.ascontiguousarray(tensor.numpy(), dtype=kind)


def _trained(model: DemandGRU) -> int | None:
    """Give the place in `FROZEN` of the layers that do not train; None if it has no such choice."""
    frozen = {name for name, layer in model.named_children() if not any(True for _ in layer.parameters())}
    return next((place for place, names in enumerate(FROZEN.values()) if frozen == set(names)), None)
