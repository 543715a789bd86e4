"""Hold a masked vector against uniform bytes, and the noise of a sum against what its members add up to."""

from __future__ import annotations

import math
import os

import numpy as np
from jaxtyping import Float64, Int64, UInt8
from scipy import stats
from torch import Tensor

from client.audit.canary import chi_square_range, deviation
from common.secure_sum import mask

FALSE_ALARM = 1e-3  # of the level
TEST_FALSE_ALARM = FALSE_ALARM / 20  # a test for each number of drop-outs, shape, repeats, bytes and canaries
MISSED = 1e-3  # of noise a tenth too small
SHORTFALL = 0.9
WORD = 8  # bytes
STREAMS = 10_000  # seeds of 25 bits and fewer show
Noise = Float64[np.ndarray, " parameter"]


def check_bytes(masked: Int64[Tensor, "message parameter"]) -> list[str]:
    """Require that each byte is equally frequent at each place of a word, and that no word comes twice."""
    words: UInt8[np.ndarray, "word place"] = masked.contiguous().numpy().view(np.uint8).reshape(-1, WORD)
    found = []
    for place in range(WORD):
        counts = np.bincount(words[:, place], minlength=256)
        if stats.chisquare(counts).pvalue < TEST_FALSE_ALARM / WORD:
            found.append(f"byte {place} of masked numbers is not uniform, so they are not hidden")
    if len(np.unique(masked.numpy())) < masked.numel():  # by chance once in 2⁶⁴ / numel²
        found.append("a masked number comes twice")
    return found


def check_noise(noise: Noise, when: str) -> list[str]:
    """Require of the noise of a sum the deviation that its members add up to, and a Gaussian's shape."""
    found = []
    if len(noise) < coordinates_needed():
        found.append(f"{len(noise)} coordinates are too few to tell, {coordinates_needed()} are needed")
    low, high = chi_square_range(len(noise), TEST_FALSE_ALARM)
    if not low <= (std := deviation(noise)) <= high:
        found.append(
            f"{when} the sum's noise has {std:.4f} times the deviation of its members' ({low:.4f} to {high:.4f})"
        )
    if stats.kstest(noise, "norm").pvalue < TEST_FALSE_ALARM:
        found.append(f"{when} the sum's noise is not Gaussian (Kolmogorov-Smirnov)")
    return found


def coordinates_needed(shortfall: float = SHORTFALL, *, false_alarm: float = TEST_FALSE_ALARM) -> int:
    """Return how many coordinates tell noise of `shortfall` times its deviation, but for `MISSED`.

    Notes
    -----
    The sum of squares is chi-square; by Wilson and Hilferty its cube root is normal, of mean 1 - 2/(9N) and variance
    2/(9N). The lower end of the range must lie above where the smaller noise is, up to `MISSED`.
    """
    z_low, z_missed = stats.norm.isf(false_alarm / 2), stats.norm.isf(MISSED)
    cube = shortfall ** (2 / 3)
    spread = (z_low + cube * z_missed) / (1 - cube)
    return math.ceil(2 / 9 * spread**2) + 1


def check_seeds(num_streams: int = STREAMS) -> list[str]:
    """Require that every bit of a mask's seed counts, and that no two of many seeds give the same mask."""
    seed = os.urandom(32)
    mine, found = mask.expand(seed, 2).tobytes(), []
    turned = [
        bytes([*seed[:place], seed[place] ^ (1 << bit), *seed[place + 1 :]]) for place in range(32) for bit in range(8)
    ]
    if any(mask.expand(other, 2).tobytes() == mine for other in turned):
        found.append("some bits of a mask's seed do not count")
    masks = {mask.expand(os.urandom(32), 1).tobytes() for _ in range(num_streams)}
    if len(masks) < num_streams:
        found.append(f"of {num_streams} masks two are the same: their seeds have few bits")
    return found
