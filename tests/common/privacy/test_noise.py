"""SecureNoise has no seed, so each statistical test below fails by chance with the probability it states."""

import ast
import inspect
import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from common.errors import PrivacyError
from common.privacy.noise import SecureNoise, _refined_pair, _rounded_pairs, _uniform_words
from common.privacy.tail import tail_delta

ROOT = Path(__file__).parents[3]
HOUSE = ("client", "common", "server", "simulation")
STD = 26.4 * 2**24  # 50 rounds at epsilon 1


def largest_correlation(rows: list[torch.Tensor]) -> float:
    return float(torch.corrcoef(torch.stack(rows).double()).fill_diagonal_(0).abs().max())


# False alarm 1e-7 by the threshold on the p-value.
@pytest.mark.parametrize("std", [3.0 * 2**10, STD, 1e4 * 2**24])
def test_noise_is_gaussian(std: float) -> None:
    noise = SecureNoise().integers(200_000, std).numpy() / std
    assert stats.kstest(noise, "norm").pvalue > 1e-7


# False alarm 1e-9: chi-square over two million coordinates; its interval is ±0.31 %, inside 0.5 %.
def test_the_standard_deviation_is_right_within_half_a_percent() -> None:
    count = 2_000_000
    spread = float(((SecureNoise().integers(count, STD).double() / STD) ** 2).sum())
    low, high = stats.chi2.ppf([0.5e-9, 1 - 0.5e-9], df=count)
    assert low < spread < high
    assert 0.995**2 * count < low < high < 1.005**2 * count


# Both members of a Box-Muller pair; false alarm below 45 · 2 · Φ(-7) = 1.2e-10.
def test_neighbours_and_halves_of_one_draw_are_independent() -> None:
    rows = list(SecureNoise().integers(100_000, STD).reshape(10, -1))
    assert largest_correlation(rows) < 7 / math.sqrt(10_000)


# 28 pairs, each beyond 4.5 with probability 6.8e-6: 1.9e-4; a second look at fresh draws makes it 3.6e-8.
def test_instances_and_rounds_are_independent() -> None:
    size = 30_000

    def correlation() -> float:
        return largest_correlation([SecureNoise().integers(size, STD) for _ in range(8)])

    assert min(correlation(), correlation()) < 4.5 / math.sqrt(size)


def draw_in_a_fork(noise: SecureNoise, size: int) -> torch.Tensor:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(noise.integers(size, STD).numpy().tobytes())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        drawn = pipe.read()
    os.waitpid(child, 0)
    return torch.from_numpy(np.frombuffer(drawn, dtype=np.int64).copy())


# 6 pairs, each beyond 4.5 with probability 6.8e-6: 4.1e-5; a second look at fresh draws makes it 1.7e-9.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_children_share_nothing_with_each_other_or_their_parent() -> None:
    size, noise = 30_000, SecureNoise()
    noise.integers(size, STD)  # a stream is under way when the process forks

    def correlation() -> float:
        children = [draw_in_a_fork(noise, size) for _ in range(3)]
        return largest_correlation([*children, noise.integers(size, STD)])

    assert min(correlation(), correlation()) < 4.5 / math.sqrt(size)


# Deterministic but for uncertain pairs, which are left out; 1e4 · 2^24 is where a float is least certain.
@pytest.mark.parametrize("std", [1.0, STD, 1e4 * 2**24])
def test_whatever_the_fast_path_is_certain_of_is_what_more_bits_give(std: float) -> None:
    radius, angle = _uniform_words(1000).reshape(2, -1)
    integers, certain = _rounded_pairs(radius, angle, std)
    assert certain.mean() > 0.9
    for pair in np.flatnonzero(certain):
        assert _refined_pair(int(radius[pair]), int(angle[pair]), std) == tuple(integers[:, pair])


def test_the_far_tail_that_53_bits_cannot_reach_is_refined() -> None:
    radius, angle = np.array([0, 2**52], dtype=np.uint64), np.array([5, 5], dtype=np.uint64)
    _, certain = _rounded_pairs(radius, angle, STD)
    assert certain.tolist() == [False, True]
    assert _refined_pair(0, 5, STD)[0] > 8.57 * STD  # sqrt(2 · 53 · ln 2) = 8.57, the end of plain Box-Muller


# Origin: worked by hand; u = 1/2 gives length sqrt(2 ln 2) = 1.17741, an eighth of a turn 0.70711.
def test_box_muller_on_known_bits() -> None:
    radius, angle = np.array([2**52 - 1], dtype=np.uint64), np.array([2**50], dtype=np.uint64)
    integers, certain = _rounded_pairs(radius, angle, 1e6)
    assert integers.tolist() == [[832555], [832555]]
    assert certain.all()


@pytest.mark.parametrize("size", [0, 1, 2, 7])
def test_any_number_of_coordinates_can_be_drawn(size: int) -> None:
    drawn = SecureNoise().integers(size, STD)
    assert drawn.shape == (size,)
    assert drawn.dtype == torch.int64


def test_no_spread_is_no_noise() -> None:
    assert SecureNoise().integers(3, 0.0).tolist() == [0, 0, 0]


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, 2.0**41])
def test_an_impossible_spread_is_refused(bad: float) -> None:
    with pytest.raises(PrivacyError, match="std is"):
        SecureNoise().integers(1, bad)


def test_nobody_can_hand_in_a_seed() -> None:
    assert list(inspect.signature(SecureNoise).parameters) == []
    assert list(inspect.signature(SecureNoise().integers).parameters) == ["size", "std"]
    assert not vars(SecureNoise())


# Origin: (1 + e^8) · 3e4 · 1e3 · 2^-100 by hand.
def test_finite_precision_adds_nothing_that_matters_to_delta() -> None:
    assert tail_delta(30_000, 1000, epsilon=8.0) == pytest.approx(7.06e-20, rel=1e-2)


FORBIDDEN_GENERATORS = {"normal", "normal_", "randn", "randn_like", "rand", "rand_like", "random", "random_"}
FORBIDDEN_LOADERS = {"pickle", "cPickle", "dill", "cloudpickle", "shelve"}


def names_of(tree: ast.AST) -> Iterator[str]:
    """Every dotted name that a module imports or uses, and every keyword that it passes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield ast.unparse(node)
        elif isinstance(node, ast.keyword) and node.arg:
            yield f"{node.arg}="


def draws_noise(name: str) -> bool:
    return bool(FORBIDDEN_GENERATORS & set(name.split(".")))


def unpickles(name: str) -> bool:
    return bool(FORBIDDEN_LOADERS & set(name.split("."))) or name in {"torch.load", "joblib.load", "allow_pickle="}


def offences(forbidden, *folders: str) -> list[str]:
    files = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [f"{file}: {name}" for file in files for name in names_of(ast.parse(file.read_text())) if forbidden(name)]


# The audit seeds generators to see that no message follows, and trees draw the rows they learn from, which never leave;
# no answer can import either (an import contract holds that).
# A shop's own forecasts and decisions; never in a round.
MAY_DRAW = (
    "client/audit",
    "client/decision",
    "client/explanation",
    "client/feedback",
    "client/forecast/method/foundation",
    "client/forecast/method/trees",
    "client/shop",
)


def test_no_other_generator_is_in_reach_of_the_mechanism_or_the_client() -> None:
    found = offences(draws_noise, "common/privacy", "client")
    assert [offence for offence in found if not offence.startswith(tuple(str(ROOT / room) for room in MAY_DRAW))] == []


# Tests are left out: some make a pickle to see it refused.
def test_nothing_in_the_house_can_unpickle() -> None:
    assert offences(unpickles, *HOUSE) == []


@pytest.mark.parametrize(
    "source",
    [
        "import random",
        "from random import gauss",
        "from numpy import random as r",
        "import numpy.random",
        "np.random.default_rng()",
        "torch.normal(0, 1)",
        "x.normal_()",
        "torch.randn(3)",
    ],
)
def test_the_ban_on_generators_bites(source: str) -> None:
    assert any(draws_noise(name) for name in names_of(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "torch.load(p)",
        "from torch import load",
        "from joblib import load",
        "np.load(p, allow_pickle=True)",
    ],
)
def test_the_ban_on_pickles_bites(source: str) -> None:
    assert any(unpickles(name) for name in names_of(ast.parse(source)))
