"""Draws of forked, fresh, copied and concurrent sources of noise: nobody shares a number with anybody.

Every number is drawn at a deviation of 2^40, so two that are equal, or equal but for their sign, are one number that
was used twice: among `MOST_NUMBERS` of them that happens by chance with less than 1e-6.
"""

from __future__ import annotations

import copy
import os
import select
import signal
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from client.audit.key.entropy import draw
from client.audit.key.worker import Silent, hear, start_worker
from common.privacy.noise import SecureNoise

MOST_NUMBERS = 2_000
FALSE_ALARM = 1e-6
FORKS = 4  # of a process, each of which forks once more
SIZES = (7, 8, 1)
PATIENCE_SECONDS = 60.0


def check_restarts(num_processes: int) -> list[str]:
    """Draw in every kind of company, and look for a number that was drawn twice."""
    found: list[str] = []
    companies: dict[str, Callable[[], list[int]]] = {
        "forked processes and their parent": _forked,
        "a source of noise and its copies": _copied,
        "threads": _threaded,
    }
    if num_processes:
        companies[f"{num_processes} fresh processes"] = partial(_fresh, num_processes)
    for words, together in companies.items():
        try:
            numbers = together()
        except Silent:
            found.append(f"{words}: no noise comes")
            continue
        if twice := _count_twice(numbers):
            found.append(f"{words} share {twice} of {len(numbers)} numbers")
    return found


def _count_twice(numbers: list[int]) -> int:
    counted = Counter(map(abs, numbers))
    return sum(count - 1 for count in counted.values())


def _some(noise: SecureNoise) -> list[int]:
    """Draw from a source that is kept, and from a new one."""
    return [number for size in SIZES for source in (noise, SecureNoise()) for number in draw(source, size)]


def _forked() -> list[int]:
    """Fork in the middle of a source's life, after a draw of an odd size; every child forks once more."""
    noise = SecureNoise()
    numbers = [*draw(noise, SIZES[0])]
    for _ in range(FORKS):
        numbers += _in_a_fork(noise, depth=2)
    return numbers + _some(noise)


def _in_a_fork(noise: SecureNoise, *, depth: int) -> list[int]:
    """Draw in a child; what it says comes back through a pipe, and one that says nothing is not waited for."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child only draws, and takes no lock to do it
        child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            numbers = _some(noise) + (_in_a_fork(noise, depth=depth - 1) if depth > 1 else [])
            with os.fdopen(writing, "w") as pipe:
                pipe.write(" ".join(map(str, numbers)))
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    return _hear_child(child, reading)


def _hear_child(child: int, reading: int) -> list[int]:
    said = []
    try:
        while select.select([reading], [], [], PATIENCE_SECONDS)[0]:
            if not (more := os.read(reading, 1 << 16)):
                break
            said.append(more)
        else:
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(reading)
        _, status = os.waitpid(child, 0)
    if status != 0:
        raise Silent
    return [int(number) for number in b"".join(said).split()]


def _copied() -> list[int]:
    noise = SecureNoise()
    numbers = [*draw(noise, SIZES[0])]
    return numbers + [number for each in (copy.copy(noise), copy.deepcopy(noise), noise) for number in _some(each)]


def _threaded() -> list[int]:
    noise = SecureNoise()
    with ThreadPoolExecutor(4) as pool:
        return [number for numbers in pool.map(lambda _: _some(noise), range(8)) for number in numbers]


def _fresh(num_processes: int) -> list[int]:
    workers = [start_worker("draw") for _ in range(num_processes)]
    numbers, silent = list[int](), False
    for worker in workers:  # all of them end, whatever one of them says
        try:
            numbers += map(int, hear(worker))
        except Silent:
            silent = True
    if silent:
        raise Silent
    return numbers
