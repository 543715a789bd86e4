"""Gaussian noise on the integer lattice, from the operating system's entropy and from nothing else.

Notable here: the integers are *exactly* rounded Gaussians, up to a probability of 2⁻¹⁰⁰ each. Box-Muller in
float64 gives a value and a bound on its error; where the bound leaves open to which integer the true value
rounds, that pair is computed again with 256 more random bits. So neither the missing tail of a 53-bit
uniform (nothing beyond 8.6 standard deviations) nor the rounding of log and cos has any part in the privacy
argument.
"""

import math
import os
from typing import Protocol, runtime_checkable

import mpmath  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
import torch
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from jaxtyping import Int64
from torch import Tensor

from common.errors import PrivacyError

LARGEST_STD = 2.0**40  # in lattice steps: a noise multiplier of 65,536
UNIFORM_BITS = 53  # what float64 holds exactly
EXTRA_BITS = 256  # drawn where 53 bits leave the rounding open
FLOAT_ERROR = 2.0**-47  # 64 units in the last place; see `_rounded_pairs`


@runtime_checkable  # beartype looks at arguments under pytest
class NoiseSource(Protocol):
    """Whoever draws noise: from a key stream where data is real, from a seed in a simulation."""

    def integers(self, size: int, std: float) -> Int64[Tensor, " parameter"]:
        """Return `size` independent Gaussians of standard deviation `std`, each rounded to an integer."""


class SecureNoise:
    """Gaussian noise from a ChaCha20 key stream.

    Notes
    -----
    **Guarantee**

    - Every draw has a key of its own, 256 bits from the operating system. There is no state, so two
      processes, two merchants, a fork, a restart or a copied virtual machine never share a stream.
    - No seed: whoever knows configuration and code knows nothing about the noise.
    - Together with exact integers x, x + round(Z) = round(x + Z): post-processing of the real Gaussian
      mechanism. The distance from that ideal is in `common.privacy.tail`.
    """

    def integers(self, size: int, std: float) -> Int64[Tensor, " parameter"]:
        """Return `size` independent Gaussians of standard deviation `std`, each rounded to an integer.

        Parameters
        ----------
        size : int
            Number of coordinates.
        std : float
            Standard deviation in lattice steps, from 0 to 2⁴⁰.

        Returns
        -------
        Int64[Tensor, " parameter"]
            On the CPU.

        Raises
        ------
        PrivacyError
            If `std` lies outside its legal range.
        """
        if not 0 <= std <= LARGEST_STD:
            raise PrivacyError(f"std is {std} lattice steps: it must lie between 0 and {LARGEST_STD:.0f}.")
        if std == 0:
            return torch.zeros(size, dtype=torch.int64)
        radius, angle = _uniform_words(2 * math.ceil(size / 2)).reshape(2, -1)
        integers, certain = _rounded_pairs(radius, angle, std)
        for pair in np.flatnonzero(~certain):
            integers[:, pair] = _refined_pair(int(radius[pair]), int(angle[pair]), std)
        return torch.from_numpy(integers.ravel()[:size])


def _uniform_words(count: int) -> npt.NDArray[np.uint64]:
    """Return integers uniform over 53 bits, from a key used once."""
    cipher = Cipher(ChaCha20(key=os.urandom(32), nonce=bytes(16)), mode=None)
    stream = cipher.encryptor().update(bytes(8 * count))
    return np.frombuffer(stream, dtype="<u8") >> np.uint64(64 - UNIFORM_BITS)


def _rounded_pairs(
    radius: npt.NDArray[np.uint64], angle: npt.NDArray[np.uint64], std: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return Box-Muller pairs rounded to integers, and whether each pair is rounded beyond doubt.

    The true uniforms lie in [radius, radius + 1]·2⁻⁵³ and [angle, angle + 1]·2⁻⁵³. So the true length lies
    between `inner` and `outer`. The rest is a multiple of outer·2⁻⁵³: 15 for the angle (its cell 2π, the
    product with 2π 8.5), 8 for cos, 20 for log and square root in both lengths, 3 for products; 64 are
    charged.
    """
    inner = _length(radius + np.uint64(1))
    outer = _length(radius)
    turn = angle * (2 * math.pi * 2.0**-UNIFORM_BITS)
    values = std * inner * np.stack([np.cos(turn), np.sin(turn)])
    errors = std * (outer - inner + FLOAT_ERROR * outer)
    certain = np.rint(values - errors) == np.rint(values + errors)
    return np.rint(values).astype(np.int64), certain.all(axis=0)


def _length(radius: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """Return the length of a Gaussian pair; a radius of 0 is infinitely far, hence always refined."""
    with np.errstate(divide="ignore"):
        lengths: npt.NDArray[np.float64] = np.sqrt(-2 * np.log(radius * 2.0**-UNIFORM_BITS))
    return lengths


def _refined_pair(radius: int, angle: int, std: float) -> tuple[int, int]:
    """Return a Box-Muller pair from the same leading bits and 256 more, rounded to integers."""
    scale = 1 << (UNIFORM_BITS + EXTRA_BITS)
    with mpmath.workprec(UNIFORM_BITS + 2 * EXTRA_BITS):
        length = std * mpmath.sqrt(-2 * mpmath.log(mpmath.mpf(_extended(radius) + 1) / scale))
        direction = 2 * mpmath.pi * _extended(angle) / scale
        return int(mpmath.nint(length * mpmath.cos(direction))), int(mpmath.nint(length * mpmath.sin(direction)))


def _extended(leading: int) -> int:
    """Append 256 random bits to the leading ones."""
    return leading << EXTRA_BITS | int.from_bytes(os.urandom(EXTRA_BITS // 8), "little")
