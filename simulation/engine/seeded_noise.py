"""Noise that can be replayed, for simulations only: it hides nothing from whoever knows the seed."""

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor


class SeededNoise:
    """Gaussian noise from a generator that the caller owns, seeds and may share between calls.

    Parameters
    ----------
    generator : numpy.random.Generator
        Where the noise comes from; its state moves on with every draw.
    """

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator

    def integers(self, size: int, std: float) -> Int64[Tensor, " parameter"]:
        """Return `size` independent Gaussians of standard deviation `std`, each rounded to an integer."""
        return torch.from_numpy(np.rint(std * self._generator.standard_normal(size)).astype(np.int64))
