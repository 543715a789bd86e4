"""Faults of the noise's key: what a process keeps, and what is the same after it ends, forks or goes on."""

import hashlib
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from torch import Tensor

from client.round import answers
from common.privacy import noise as module
from common.privacy.noise import SecureNoise
from planted.fault import Fault

Patch = pytest.MonkeyPatch
POOL = 64  # draws that are made beforehand
secure, fresh_words, train_round = SecureNoise.integers, module._uniform_words, answers.train_round


def words_of(key: bytes, count: int, nonce: bytes = bytes(16)) -> np.ndarray:
    stream = Cipher(ChaCha20(key=key, nonce=nonce), mode=None).encryptor().update(bytes(8 * count))
    return np.frombuffer(stream, dtype="<u8") >> np.uint64(64 - module.UNIFORM_BITS)


def key_in_a_file(patch: Patch) -> None:
    """Make the key once and keep it; count draws from the start of the process."""
    path = Path(tempfile.gettempdir()) / f"hansa-noise-{os.getuid()}.key"
    draws: dict[int, Iterator[int]] = {}

    def words(count: int) -> np.ndarray:
        with suppress(FileExistsError), path.open("xb") as stream:
            stream.write(os.urandom(32))
        number = next(draws.setdefault(os.getpid(), itertools.count()))
        return words_of(path.read_bytes(), count, bytes(8) + number.to_bytes(8, "little"))

    patch.setattr(module, "_uniform_words", words)


def key_of_16_bits(patch: Patch) -> None:
    patch.setattr(module, "_uniform_words", lambda count: words_of(os.urandom(2) + bytes(30), count))


def leftover(patch: Patch) -> None:
    """Draw twice as much as is asked for, and serve the rest to whoever asks next; a fork copies it."""
    left = [np.empty(0, np.uint64)]

    def words(count: int) -> np.ndarray:
        if len(left[0]) < count:
            left[0] = fresh_words(2 * count)
        served, left[0] = left[0][:count], left[0][count:]
        return served

    patch.setattr(module, "_uniform_words", words)


def key_of_the_clock(patch: Patch) -> None:
    """Mix time and process id for want of entropy: the time of sending stands on the message."""

    def words(count: int) -> np.ndarray:
        return words_of(hashlib.sha256(f"{time.time_ns() // 1_000_000} {os.getpid()}".encode()).digest(), count)

    patch.setattr(module, "_uniform_words", words)


def key_for_a_moment(patch: Patch) -> None:
    """Ask the operating system for a key ten times a second at most."""
    made, key = [-1.0], [b""]

    def words(count: int) -> np.ndarray:
        if time.monotonic() > made[0] + 0.1:
            made[0], key[0] = time.monotonic(), os.urandom(32)
        return words_of(key[0], count)

    patch.setattr(module, "_uniform_words", words)


def noise_of_the_round(patch: Patch) -> None:
    """Keep a round's noise so that a request asked again gets the same: by data and round, whatever the plan."""
    kept: dict[tuple[object, ...], Tensor] = {}

    class Kept:
        def __init__(self, noise: Any, about: tuple[object, ...]) -> None:
            self._noise, self._about = noise, about

        def integers(self, size: int, std: float) -> Tensor:
            about = (*self._about, size)
            if about not in kept:
                kept[about] = self._noise.integers(size, std).double() / max(std, 1e-300)
            return (kept[about] * std).round().to(torch.int64)

    def faulty(model: Any, series: Any, parameters: Tensor, *, round_number: int, noise: Any, **rest: Any) -> Tensor:
        about = (series.key.tobytes(), round_number)
        return train_round(model, series, parameters, round_number=round_number, noise=Kept(noise, about), **rest)

    patch.setattr(answers, "train_round", faulty)


def spare_of_another_plan(patch: Patch) -> None:
    """Keep the second number of the last pair for the next draw of an odd size, whatever deviation that one has."""
    spare: list[int] = []

    def draw(self: SecureNoise, size: int, std: float) -> Tensor:
        pairs = secure(self, size + size % 2, std)
        noise = pairs[:size].clone()
        if size % 2:
            if spare:
                noise[-1] = spare.pop()
            spare.append(int(pairs[-1]))
        return noise

    patch.setattr(SecureNoise, "integers", draw)


def pool(patch: Patch) -> None:
    """Prepare draws beforehand, and begin with the first again when they are used up."""

    def draw(self: SecureNoise, size: int, std: float) -> Tensor:
        drawn = vars(self).setdefault((size, std), [])
        number = vars(self).setdefault("number", itertools.count())
        place = next(number) % POOL
        while len(drawn) <= place:
            drawn.append(secure(self, size, std))
        return drawn[place].clone()

    patch.setattr(SecureNoise, "integers", draw)


FAULTS = (
    Fault(
        "key-after-restart", "critical", "the key is in a file, and draws are counted from each start", key_in_a_file
    ),
    Fault("key-of-16-bits", "critical", "a key of 16 bits", key_of_16_bits),
    Fault("leftover-across-fork", "critical", "what is left of a draw is kept across a fork", leftover),
    Fault("key-of-the-clock", "critical", "a key of the milliseconds and the process id", key_of_the_clock),
    Fault("key-for-a-moment", "critical", "one key for all draws within a tenth of a second", key_for_a_moment),
    Fault("noise-of-the-round", "critical", "two plans get the same noise in the same round", noise_of_the_round),
    Fault("spare-of-another-plan", "critical", "a spare number of another plan's deviation", spare_of_another_plan),
    Fault("pool-of-64-draws", "critical", "the 65th round has the noise of the first", pool),
)
