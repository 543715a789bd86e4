"""What the operating system gives for one draw of noise, and that the draw depends on all of it and on nothing else.

For the length of a look, `os.urandom` gives bytes that are known. Then a draw must be a function of these bytes, of its
size and of its deviation alone: a draw that gives something else the second time is fed by what an earlier one left, or
by a generator that is not the operating system's. And each bit of the key must count: one that can be turned over
without a trace is one bit less to try.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import numpy as np

from client.audit.canary import chi_square_range, deviation
from common.privacy.noise import LARGEST_STD, SecureNoise

KEY_BITS = 256
SIZES = (33, 1, 8, 64, 33)  # odd and even: a pair of Gaussians of which one is kept shows
STREAMS = 20_000  # of 2^24 keys, so many streams share one but for a probability of 7e-6
STREAM_SIZE = 4
STRETCHES = 8  # of the draws of one source
FALSE_ALARM = 1e-4  # of their deviations together


@contextmanager
def given(block: bytes) -> Iterator[list[int]]:
    """Let the operating system give these bytes, over and over; the list holds how many were asked for."""
    asked: list[int] = []

    def give(size: int) -> bytes:
        asked.append(size)
        return (block * (size // len(block) + 1))[:size]

    with mock.patch.object(os, "urandom", give):
        yield asked


def draw(noise: SecureNoise, size: int) -> tuple[int, ...]:
    """Draw at the largest deviation, so that each number has some forty bits of its own."""
    return tuple(noise.integers(size, LARGEST_STD).tolist())


def check_source() -> list[str]:
    """Look where a draw comes from."""
    first, second = os.urandom(KEY_BITS // 8), os.urandom(KEY_BITS // 8)
    kept = SecureNoise()
    with given(first) as asked:
        drawn = [draw(kept, size) for size in SIZES]
        again = [draw(noise, size) for noise in (kept, SecureNoise()) for size in SIZES]
        num_bytes = sum(asked) / (3 * len(SIZES))
    with given(second):
        other = [draw(kept, size) for size in SIZES]
    found = []
    if num_bytes < KEY_BITS / 8:
        found.append(f"a draw takes {8 * num_bytes:.0f} bits from the operating system, not {KEY_BITS}")
    if drawn + drawn != again or drawn[0] != drawn[-1]:
        found.append("the same key gives other noise the second time: something is left of an earlier draw")
    if any(mine == theirs for mine, theirs in zip(drawn, other, strict=True)):
        found.append("another key gives the same noise")
    return found + _check_bits(first)


def _check_bits(block: bytes) -> list[str]:
    """Turn over one bit of the key after the other."""
    key, drawn = int.from_bytes(block, "little"), set()
    for bit in range(-1, KEY_BITS):
        turned = key if bit < 0 else key ^ (1 << bit)
        with given(turned.to_bytes(KEY_BITS // 8, "little")):
            drawn.add(draw(SecureNoise(), STREAM_SIZE))
    if len(drawn) == KEY_BITS + 1:
        return []
    return [f"{KEY_BITS + 1 - len(drawn)} of the key's {KEY_BITS} bits change nothing"]


def check_streams(num_streams: int = STREAMS) -> list[str]:
    """Begin many streams, each at a source of its own and at one that is kept, and look for one that comes again.

    The one that is kept must draw as much after a thousand draws as after one.
    """
    kept = SecureNoise()
    streams = [draw(SecureNoise() if place % 2 else kept, STREAM_SIZE) for place in range(num_streams)]
    repeated = len(streams) - len({tuple(map(abs, stream)) for stream in streams})
    found = []
    if repeated:
        found.append(f"{repeated} of {num_streams} streams of noise come again: the key has too few bits, or is kept")
    for stretch in np.array_split(np.array(streams[::2], np.float64) / LARGEST_STD, STRETCHES):
        low, high = chi_square_range(stretch.size, FALSE_ALARM / STRETCHES)
        if not low <= (std := deviation(stretch)) <= high:
            found.append(f"a source that has drawn often draws {std:.4f} times the deviation that is asked for")
            break
    return found
