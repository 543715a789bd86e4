"""What is asked of a model and what it answers, whether over REST or gRPC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from client.serving.inference.fault import InferenceFault, Kind, invalid
from client.serving.inference.tensor import Tensor

LONGEST_ID = 1024
LONGEST_TIMEOUT = 1 << 53  # microseconds; of JSON there is no largest number
UNSERVED = {  # what Triton's clients may ask of an input or output, and is not offered here
    "shared_memory_region": "shared memory",
    "classification": "classification",
}
Parameter = bool | int | float | str


@dataclass(frozen=True)
class Wanted:
    """An output that is asked for.

    Attributes
    ----------
    binary
        Over REST, whether it comes as bytes.
    """

    name: str
    binary: bool = False


@dataclass(frozen=True)
class Asked:
    """A request.

    Attributes
    ----------
    version
        "" for the current one.
    wanted
        Outputs, in the order in which they are wanted; empty for all.
    """

    model: str
    version: str
    inputs: Mapping[str, Tensor]
    id: str = ""
    wanted: tuple[Wanted, ...] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    @property
    def patience_seconds(self) -> float | None:
        """How long it may take, as Triton's clients say it: `timeout`, in microseconds."""
        found = self.parameters.get("timeout")
        return min(found, LONGEST_TIMEOUT) / 1e6 if type(found) is int and found > 0 else None


@dataclass(frozen=True)
class Answer:
    """An answer: the outputs that were asked for, of one version of a model."""

    model: str
    version: str
    outputs: tuple[Tensor, ...]
    id: str = ""


def name_once(tensors: Sequence[Tensor]) -> dict[str, Tensor]:
    """Give tensors by name; a name that comes twice is refused."""
    found = {tensor.name: tensor for tensor in tensors}
    if len(found) != len(tensors):
        raise invalid("An input comes twice.")
    return found


def require_served(name: str, parameters: Mapping[str, object]) -> None:
    """Refuse what is not offered here, rather than answer as if it had not been asked."""
    for key, what in UNSERVED.items():
        if key in parameters:
            raise invalid(f"{what.capitalize()} is not offered here; ask for {name!r} without it.")


def choose(outputs: Sequence[Tensor], wanted: Sequence[Wanted]) -> tuple[Tensor, ...]:
    """Keep what is wanted, in that order; everything if nothing is named."""
    if not wanted:
        return tuple(outputs)
    there = {output.name: output for output in outputs}
    if len({each.name for each in wanted}) != len(wanted):
        raise invalid("An output is asked for twice.")
    for each in wanted:
        if each.name not in there:
            raise invalid(f"There is no output {each.name[:60]!r}; there are {', '.join(there)}.")
    return tuple(there[each.name] for each in wanted)


def unknown_model(name: str, version: str = "") -> InferenceFault:
    """Say that there is no such model; the words are those of Triton, as clients know them."""
    which = f"version {version[:60]} " if version else ""
    return InferenceFault(Kind.UNKNOWN, f"Request for unknown model: '{name[:60]}' {which}is not found")
