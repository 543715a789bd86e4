"""A model as the protocol sees it: what goes in, what comes out, in which versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from client.serving.inference.exchange import Asked
from client.serving.inference.fault import invalid
from client.serving.inference.tensor import Tensor

PLATFORM = "hansa"
EXTENSIONS = ["binary_tensor_data"]  # of Triton's, that are spoken here


@dataclass(frozen=True)
class Place:
    """An input or output of a model.

    Attributes
    ----------
    shape
        Sizes; -1 for any.
    datatypes
        That are taken; the first is the one that is told.
    optional
        Whether a request may leave it out.
    """

    name: str
    datatypes: tuple[str, ...]
    shape: tuple[int, ...]
    optional: bool = False


@dataclass(frozen=True)
class About:
    """What is told of a model."""

    name: str
    versions: tuple[str, ...]
    inputs: tuple[Place, ...]
    outputs: tuple[Place, ...]


@runtime_checkable
class Served(Protocol):
    """A model, in all its versions: a value that never changes, so that an answer is of one version whole."""

    @property
    def about(self) -> About:
        """What is told of it; the current version comes first."""
        ...

    async def answer(self, asked: Asked, version: str) -> tuple[Tensor, ...]:
        """Give all outputs by a version that is there.

        Raises
        ------
        InferenceFault
            It cannot be answered.
        """
        ...


def take_inputs(about: About, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Refuse inputs that a model has not, of which it needs more, or that are of another type or shape.

    A column stands for a list: [N, 1] where the model has [N], as MLServer's codecs send it.
    """
    known = {place.name: place for place in about.inputs}
    for name in inputs:
        if name not in known:
            raise invalid(f"The model {about.name!r} has no input {name[:60]!r}; it has {', '.join(known)}.")
    for name, place in known.items():
        if name in inputs:
            _require_fit(place, inputs[name])
        elif not place.optional:
            raise invalid(f"The model {about.name!r} needs the input {name!r}.")
    return inputs


def _require_fit(place: Place, tensor: Tensor) -> None:
    if tensor.datatype not in place.datatypes:
        wanted = " or ".join(place.datatypes)
        raise invalid(f"The input {place.name!r} is of the datatype {wanted}, not {tensor.datatype}.")
    shape = tensor.shape
    if len(place.shape) == 1 and len(shape) == 2 and shape[1] == 1:
        shape = shape[:1]
    if len(shape) != len(place.shape) or any(
        wanted not in (-1, size) for wanted, size in zip(place.shape, shape, strict=True)
    ):
        told = ",".join(map(str, place.shape))
        raise invalid(f"The input {place.name!r} has the shape [{told}], not {list(tensor.shape)}.")
    if not tensor.values.size:
        raise invalid(f"The input {place.name!r} is empty.")
