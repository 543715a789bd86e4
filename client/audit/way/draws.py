"""What happens while noise is drawn, and which noise it was.

Between the charge and the seal of a round lies the draw. For the length of a look it is listened to: what the ledger
says at that moment, what another process would do then, what is left where the process ends there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from jaxtyping import Int64
from torch import Tensor

from common.privacy.noise import SecureNoise

Moment = Callable[[], None]


class Ended(Exception):
    """Stands for the end of a process in the middle of a round."""


@contextmanager
def listening(during: Moment = lambda: None, *, after: Moment = lambda: None) -> Iterator[list[tuple[int, float]]]:
    """Do something before the first draw of noise, and after it; the list holds what was asked of every draw.

    A draw that either of them makes itself is not listened to again.
    """
    asked: list[tuple[int, float]] = []
    drawing, heard = SecureNoise.integers, [False]

    def draw(self: SecureNoise, size: int, std: float) -> Int64[Tensor, " parameter"]:
        asked.append((size, std))
        first, heard[0] = not heard[0], True
        if first:
            during()
        noise: Int64[Tensor, " parameter"] = drawing(self, size, std)
        if first:
            after()
        return noise

    with mock.patch.object(SecureNoise, "integers", draw):
        yield asked


def end_here() -> None:
    """End in the middle of a round, as a process that is killed does."""
    raise Ended


def same_noise(first: Tensor, second: Tensor) -> bool:
    """Whether two messages' noises are one, or one turned round: far more alike than chance has it."""
    size = max(len(first), 1)
    both = torch.stack([first.double(), second.double()])
    lengths = torch.linalg.vector_norm(both, dim=1).clamp(min=1e-300)
    return bool(abs(float(both[0] @ both[1])) / float(lengths.prod()) * size**0.5 > ALIKE)


ALIKE = 7.0  # in units of 1 / sqrt(parameters): by chance with 2.6e-12
