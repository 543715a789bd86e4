"""Noise independence: messages of merchants without data, over rounds, have nothing to do with each other.

Without data a message is its noise. So every pair of messages, of one merchant or of two, is held side by side:
digests, the correlation, and the correlation at every shift (a key stream read twice, at another place, or a
draw that repeats within itself). Two more questions: is a repeated request answered in the same bytes, and is
the noise still new where every generator that has a seed was seeded alike?
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float64
from scipy import stats

from client.audit.canary import deviation
from client.audit.report import LevelReport
from client.audit.subject import AuditSubject, ask
from client.round.answers import Answers
from common.message.round import RoundRequest
from common.model.features import Series
from common.privacy.bound import LATTICE_BITS
from common.privacy.noise import SecureNoise

MERCHANTS, ROUNDS = 4, 4
LARGEST_CORRELATION = 4.5  # in units of 1 / sqrt(parameters): each of 120 pairs beyond it by chance with 6.8e-6
PAIR_FALSE_ALARM = 120 * 2 * float(stats.norm.sf(LARGEST_CORRELATION))
SHIFT_FALSE_ALARM = 1e-4
FALSE_ALARM = PAIR_FALSE_ALARM + SHIFT_FALSE_ALARM


def compare_noise(subject: AuditSubject) -> LevelReport:
    """Compare the noise of merchants and rounds."""
    nobody = subject.own_series().select(torch.arange(0))
    requests = [subject.request(nobody, number) for number in range(1, ROUNDS + 1)]
    try:
        messages, repeated = _draw_messages(subject, nobody, requests)
        seeded = _draw_seeded(subject, nobody, requests[0])
    except Exception as error:
        return LevelReport("independence", (f"no reply: {type(error).__name__}",), {}, FALSE_ALARM)
    found = ["a repeated request gets other bytes: noise drawn twice is noise halved"] * (not repeated)
    digests = [hashlib.sha256(message.tobytes()).digest() for message in messages]
    if len(set(digests)) < len(digests):
        found.append(f"{len(digests) - len(set(digests))} of {len(digests)} messages repeat another")
    if np.array_equal(seeded[0], seeded[1]):
        found.append("the noise follows the seed of a common generator")
    more, measured = _correlate(messages)
    return LevelReport("independence", (*found, *more), measured, FALSE_ALARM)


def _new_merchant(subject: AuditSubject, nobody: Series) -> Answers:
    return Answers(subject.merchant(nobody, mechanism=subject.mechanism, noise=SecureNoise(), num_rounds=ROUNDS))


def _draw_messages(
    subject: AuditSubject, nobody: Series, requests: list[RoundRequest]
) -> tuple[npt.NDArray[np.int64], bool]:
    """Return every merchant's message of every round, and whether repeated requests got the same bytes."""
    messages, repeated = [], True
    for _ in range(MERCHANTS):
        answers = _new_merchant(subject, nobody)
        for request in requests:
            messages.append(ask(answers, request).total.numpy())
            repeated &= np.array_equal(messages[-1], ask(answers, request).total.numpy())
    return np.stack(messages), repeated


def _draw_seeded(subject: AuditSubject, nobody: Series, request: RoundRequest) -> list[npt.NDArray[np.int64]]:
    """Return two merchants' messages, drawn with every common generator seeded alike."""
    drawn = []
    for _ in range(2):
        with _seeded_generators():
            drawn.append(ask(_new_merchant(subject, nobody), request).total.numpy())
    return drawn


@contextmanager
def _seeded_generators() -> Iterator[None]:
    """Seed the generators of Python, NumPy and torch; give them their own state back afterwards."""
    python, legacy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            np.random.seed(0)
            random.seed(0)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)


def _correlate(messages: npt.NDArray[np.int64]) -> tuple[list[str], dict[str, float | int]]:
    scaled = messages / 2.0**LATTICE_BITS
    if deviation(scaled) == 0:
        return ["the messages carry no noise at all"], {}
    size = scaled.shape[1]
    at_shift = correlations(scaled) * math.sqrt(size)
    aligned = at_shift[:, :, 0] - np.diag(np.diagonal(at_shift[:, :, 0]))
    largest = float(np.abs(aligned).max())
    found = []
    if largest >= LARGEST_CORRELATION:
        found.append(f"two messages correlate by {largest / math.sqrt(size):.3f}")
    np.einsum("iis->is", at_shift)[:, 0] = 0.0  # a message equals itself
    shifted = float(np.abs(at_shift).max())
    tests = len(messages) * (len(messages) + 1) / 2 * size
    if shifted >= stats.norm.isf(SHIFT_FALSE_ALARM / 2 / tests):
        found.append(f"messages repeat at a shift: a correlation of {shifted / math.sqrt(size):.3f}")
    figures = {"messages": len(messages), "largest correlation · √d": largest, "at any shift": shifted}
    return found, figures


def correlations(messages: Float64[np.ndarray, "message parameter"]) -> Float64[np.ndarray, "message message shift"]:
    """Return the correlation of every pair of messages, the second turned round by every number of places."""
    spectra = np.fft.rfft(messages / np.linalg.norm(messages, axis=1, keepdims=True).clip(min=1e-300), axis=1)
    products = spectra[:, None] * spectra[None].conj()
    return np.fft.irfft(products, n=messages.shape[1], axis=2)
