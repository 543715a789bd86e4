"""Faults of single coordinates and of arithmetic: where the noise is not, or is not what its deviation says."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from client.round import answers
from common.privacy import lattice, mechanism
from common.privacy import noise as module
from common.privacy.clipping import clip_factors
from common.privacy.mechanism import Mechanism
from common.privacy.noise import SecureNoise
from planted.fault import Fault, on_torch

Patch = pytest.MonkeyPatch
SMALL_NORM = 0.1
secure, release, train_round = SecureNoise.integers, Mechanism.release, answers.train_round


def zeros_stay(patch: Patch) -> None:
    """Keep a sparse sum sparse: what nobody moved gets no noise."""
    patch.setattr(
        Mechanism, "release", lambda self, total, noise: torch.where(total == 0, total, release(self, total, noise))
    )


def odd_last(patch: Patch) -> None:
    """Draw whole pairs: of an odd number the last has none."""

    def draw(self: SecureNoise, size: int, std: float) -> Tensor:
        return torch.cat([secure(self, size - size % 2, std), torch.zeros(size % 2, dtype=torch.int64)])

    patch.setattr(SecureNoise, "integers", draw)


def coarse_angle(patch: Patch) -> None:
    """Take the angle of a pair from one byte: each number is Gaussian, each pair lies on one of 256 lines."""
    words = module._uniform_words

    def faulty(count: int) -> np.ndarray:
        drawn = words(count).copy()
        drawn[count // 2 :] &= np.uint64(0xFF << (module.UNIFORM_BITS - 8))
        return drawn

    patch.setattr(module, "_uniform_words", faulty)


def whole_multiplier(patch: Patch) -> None:
    """Read the noise multiplier as a whole number where it is above 1."""

    def faulty(self: Mechanism, total: Tensor, noise: Any) -> Tensor:
        sigma = self.noise_multiplier
        return total + noise.integers(total.numel(), math.ldexp(math.floor(sigma) if sigma > 1 else sigma, 24))

    patch.setattr(Mechanism, "release", faulty)


def finer_lattice(patch: Patch) -> None:
    """Take a finer lattice for small clipping norms, and leave the noise on the old one."""

    def faulty(clipping_norm: float) -> float:
        return lattice.lattice_step(clipping_norm) * (0.25 if clipping_norm < SMALL_NORM else 1.0)

    patch.setattr(mechanism, "lattice_step", faulty)


def none_for_nobody(patch: Patch) -> None:
    """Add no noise where there is nobody to protect."""

    def faulty(model: Any, series: Any, parameters: Tensor, **rest: Any) -> Tensor:
        if series.num_entities == 0:
            return torch.zeros(len(parameters), dtype=torch.int64)
        return train_round(model, series, parameters, **rest)

    patch.setattr(answers, "train_round", faulty)


def half_norms(patch: Patch) -> None:
    """Take norms in half precision: what is tiny vanishes, and the digits end at three."""

    def faulty(gradients: Tensor, clipping_norm: float) -> Tensor:
        norms = torch.linalg.vector_norm(gradients.half().double(), dim=1)
        clipped = gradients.double() * clip_factors(norms, clipping_norm)[:, None]
        return torch.where(torch.isfinite(norms)[:, None], clipped, 0.0)

    on_torch(patch).setattr(mechanism, "clip", faulty)


FAULTS = (
    Fault("zeros-stay-zero", "critical", "coordinates that nobody moved go without noise", zeros_stay),
    Fault("odd-last-coordinate", "critical", "an odd model's last coordinate goes without noise", odd_last),
    Fault("angle-of-8-bits", "critical", "a pair's angle is one of 256", coarse_angle),
    Fault("multiplier-cut-to-whole", "medium", "a noise multiplier of 1.9 is taken for 1", whole_multiplier),
    Fault("finer-lattice-below-a-tenth", "high", "noise a quarter as large below a norm of 0.1", finer_lattice),
    Fault("no-noise-for-nobody", "high", "a merchant without an entity sends zeros", none_for_nobody),
    Fault("norms-in-half-precision", "medium", "norms in half precision", half_norms),
)
