"""The gradient of every entity, before it is multiplied out: what went into each linear map, and what came back.

For one entity, the gradient of a linear map is a small matrix product over its rows (steps, positions, buckets):
what came back, transposed, times what went in. Multiplied out for a few entities at a time, all maps together fit a
core's cache: there the joint norm is read, the clipping factor follows, and the entities are added up and forgotten.
So the products cost what an ordinary backward pass pays for its weights, and memory holds a few gradients at a time.

Norms are those of the very numbers that are added up. They could be had without them, from Gram matrices of the rows
(Bu et al. 2022, arXiv 2210.00038); that was no faster at the sizes tried (docs/benchmark.md), and Gram matrices
cancel: in single precision a true norm of .3 may come out as 0, and whoever clips by it breaks the bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from common.privacy.clipping import clip_factors
from common.privacy.clipping_rule import ClippingRule

CACHED_NUMBERS = 1 << 20  # of factors and gradients worked on at a time on a CPU: a few of its caches, not many
DEVICE_NUMBERS = 1 << 26  # on any other device
SMALLEST_BLOCK = 16  # entities, below which the calls cost more than the numbers
FEWEST_BLOCKS = 4  # so that the gradients of few entities take no more memory than the rest of their step
ALIGNED_NUMBERS = 16  # 64 bytes of single precision


@dataclass(frozen=True)
class GradientFactors:
    """One linear map, as every entity used it.

    Attributes
    ----------
    weight, bias
        Of the map.
    inputs
        What went in.
    backprops
        The gradient of the loss in what came out.
    roll
        The column of `backprops` that belongs to row 0 of `weight`; from there on they run around in order.
    """

    weight: Tensor
    bias: Tensor
    inputs: Float[Tensor, "entity row in_"]
    backprops: Float[Tensor, "entity row out"]
    roll: int = 0


class Workspace:
    """Memory for one product, multiplied out for a few entities at a time, and used again for the next few.

    Every entity's factors and product begin at a multiple of 64 bytes, with zeros in between, for speed; and because
    elsewhere a kernel may add up in another order, so that an entity's last bits would depend on its place.
    """

    def __init__(self, product: GradientFactors, size: int) -> None:
        (_, rows, columns), out = product.inputs.shape, product.backprops.shape[2]
        padded = _even(rows) if columns % ALIGNED_NUMBERS else rows
        self._product = product
        self._inputs = product.inputs.new_zeros(size, padded, columns)
        self._backprops = product.inputs.new_zeros(size, padded, _even(out))
        self._gradients = product.inputs.new_empty(size, columns, _even(out))

    def expand(self, entities: slice) -> tuple[Float[Tensor, "some in_ out"], Float[Tensor, "some out"]]:
        """Multiply out the gradients of weight, transposed, and bias, with columns as in `backprops`, and padding.

        There may be fewer entities than the workspace holds. What is returned lasts until the next call.
        """
        inputs, backprops = self._product.inputs[entities], self._product.backprops[entities]
        (number, rows, _), out = inputs.shape, backprops.shape[2]
        self._inputs[:number, :rows] = inputs
        self._backprops[:number, :rows, :out] = backprops
        gradients, padded = self._gradients[:number], self._backprops[:number]
        torch.bmm(self._inputs[:number].transpose(1, 2), padded, out=gradients)
        return gradients, padded.sum(dim=1)

    def new_sums(self) -> tuple[Float[Tensor, "in_ out"], Float[Tensor, " out"]]:
        """Give zeros to add gradients of weight and bias to."""
        shape = self._gradients.shape[1:]
        return self._gradients.new_zeros(shape), self._gradients.new_zeros(shape[1])


def _even(size: int) -> int:
    return size + -size % ALIGNED_NUMBERS


@dataclass(frozen=True)
class EntityGradients:
    """The gradient of every entity, in all parameters.

    Attributes
    ----------
    products
        Each parameter belongs to one of them, and to one only.
    parameters
        In the order of the flat vector.

    Raises
    ------
    ValueError
        If a parameter has no product, or two.
    """

    products: Sequence[GradientFactors]
    parameters: Sequence[Tensor]

    def __post_init__(self) -> None:
        owned = [parameter for product in self.products for parameter in (product.weight, product.bias)]
        if len(owned) != len(self.parameters) or set(owned) != set(self.parameters):
            raise ValueError("Each parameter must belong to one linear map that is used once.")

    @property
    def num_entities(self) -> int:
        """Entities, each with one gradient."""
        return len(self.products[0].inputs)

    def expand(self, entities: slice) -> Float[Tensor, "some parameter"]:
        """Multiply out the flat gradients of some entities."""
        size = len(range(*entities.indices(self.num_entities)))
        return self._flatten([part for product in self.products for part in Workspace(product, size).expand(entities)])

    def sum_clipped(
        self, weight: Float[Tensor, " entity"], clipping_norm: float, rule: ClippingRule | None = None
    ) -> Float[Tensor, " parameter"]:
        """Add up the gradients of all entities, each clipped by itself and then weighed.

        Parameters
        ----------
        weight
            How much each entity's clipped gradient counts.
        clipping_norm
            Largest L2 norm of one entity's gradient over all parameters jointly, from 1e-9 to 1e9.
        rule
            What is done to a gradient before it is clipped; None for nothing.

        Returns
        -------
        Float[Tensor, " parameter"]
            Flat, in the precision of the gradients.

        Raises
        ------
        ConfigError
            If `clipping_norm` lies outside its legal range.

        Notes
        -----
        Each entity is scaled by a norm that is not below its own (`entity_norms`), and counts nothing where that is
        not finite. But the sum is one of floating-point numbers, for study: what leaves a merchant is summed as
        integers, by `common.privacy.mechanism`.
        """
        size = self._block_size()
        workspaces = [Workspace(product, size) for product in self.products]
        sums = [sum_ for workspace in workspaces for sum_ in workspace.new_sums()]
        for entities in (slice(first, first + size) for first in range(0, self.num_entities, size)):
            parts = [part for workspace in workspaces for part in workspace.expand(entities)]
            norms = entity_norms(parts)
            factor = (_factors(norms, clipping_norm, rule) * weight[entities].to(norms)).to(sums[0])
            if not bool(torch.isfinite(norms).all()):  # 0 · inf would be NaN
                parts = [part.nan_to_num(0.0, posinf=0.0, neginf=0.0) for part in parts]
            for sum_, part in zip(sums, parts, strict=True):
                sum_.view(-1).addmv_(part.flatten(1).t(), factor)
        return self._flatten([sum_[None] for sum_ in sums])[0]

    def _block_size(self) -> int:
        """Count the entities that are multiplied out at a time: as many as the cache holds, factors and all."""
        room = CACHED_NUMBERS if self.products[0].inputs.device.type == "cpu" else DEVICE_NUMBERS
        needed = sum(product.weight.numel() for product in self.products)
        needed += sum(
            product.inputs.shape[1] * (product.inputs.shape[2] + product.backprops.shape[2])
            for product in self.products
        )
        few = -(-self.num_entities // FEWEST_BLOCKS)
        return max(1, min(max(SMALLEST_BLOCK, room // needed), few))

    def _flatten(self, parts: Sequence[Tensor]) -> Float[Tensor, "some parameter"]:
        """Lay out what workspaces gave, product by product, in the order of the parameters."""
        flat: dict[Tensor, Tensor] = {}
        for product, weight, bias in zip(self.products, parts[::2], parts[1::2], strict=True):
            out = len(product.bias)
            flat[product.weight] = weight.transpose(1, 2)[:, :out].roll(-product.roll, dims=1).flatten(1)
            flat[product.bias] = bias[:, :out].roll(-product.roll, dims=1)
        return torch.cat([flat[parameter] for parameter in self.parameters], dim=1)


def _factors(norms: Float64[Tensor, " entity"], clipping_norm: float, rule: ClippingRule | None) -> Tensor:
    """Return what each entity is multiplied by: the rule's factor, and whatever clips the result."""
    if rule is None:
        return clip_factors(norms, clipping_norm)
    proposed = rule.factors(norms, clipping_norm)
    bounded = proposed * clip_factors(norms * proposed.abs(), clipping_norm)
    return torch.where(torch.isfinite(norms) & torch.isfinite(proposed), bounded, 0.0)


def entity_norms(parts: Sequence[Float[Tensor, "entity ..."]]) -> Float64[Tensor, " entity"]:
    """Take the joint L2 norm of each entity's parts: never below the true one, and hardly above.

    Notes
    -----
    Rows of n numbers are summed in the precision of the parts, with unit roundoff u, and their norms in float64. In
    any order of summation a row's computed norm is at least 1 - (n/2 + 2)u times the true one, and it is raised by
    (n/2 + 3)u for the longest row; squares too small for single precision lose less than what is left, in any norm
    above 1e-9. What float64 rounds lies within the margin of `clip_factors`. Where a row is too long for single
    precision, all are summed in float64.
    """
    rows = _row_norms(parts, parts[0].dtype)
    if not bool(torch.isfinite(rows).all()):
        rows = _row_norms(parts, torch.float64)
    raised = 1 + (max(part.shape[-1] for part in parts) / 2 + 3) * torch.finfo(parts[0].dtype).eps / 2
    return torch.linalg.vector_norm(rows, dim=1) * raised


def _row_norms(parts: Sequence[Tensor], dtype: torch.dtype) -> Float64[Tensor, "entity row"]:
    norms = [torch.linalg.vector_norm(part, dim=-1, dtype=dtype).view(len(part), -1) for part in parts]
    return torch.cat(norms, dim=1).double()
