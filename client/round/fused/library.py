"""The compiled kernel: found, loaded once, and called with the task of one chunk of entities."""

from __future__ import annotations

import ctypes
import logging
import os
import platform
from functools import cache
from pathlib import Path

import numpy as np

from client.round.fused.build import TARGETS, library_path

LOGGER = logging.getLogger(__name__)
SWITCH = "HANSA_KERNEL"  # "torch" leaves the kernel alone
AVX2 = "avx2", "fma", "f16c", "bmi1", "bmi2", "abm", "movbe"  # as Linux calls what x86-64-v3 is made of
NEEDED: dict[str, tuple[str, ...]] = {
    "avx512": ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", *AVX2),
    "avx2": AVX2,
    "neon": (),
}
ALIGNMENT = 64

NUMBERS = (
    *("entities", "steps", "features", "hidden", "positions", "buckets", "covariates", "decoder", "outputs"),
    *("likelihood", "direct", "trained", "parameters"),
)
EXAMPLES = "position", "inputs", "future", "anchor", "spread", "label", "weight", "given", "is_given"
WEIGHTS = (
    *("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
    *("context_weight", "context_bias", "future_weight", "future_bias", "output_weight", "output_bias"),
    *("center", "scale"),
)
REALS = "clipping_norm", "bound", "lattice_step", "stability"
RESULTS = "entity_weight", "total", "weighted_total", "norms", "losses", "out", "gradients"


class Task(ctypes.Structure):
    """What the kernel is to do for one chunk of entities; `struct Task` of task.hpp.

    Numbers are sizes; `likelihood` and `trained` are places in `common.plan.schema`'s lists as the sources have them.
    Arrays are contiguous, entities first, single precision; `position` and `total` are of 64 bits, and
    `entity_weight`, `weighted_total`, `norms` and `losses` in double precision. One that is null is neither read nor
    written.

    Attributes
    ----------
    given, is_given
        Gradients of the outputs that the caller worked out, and for which buckets (bytes).
    bound
        The norm to which an entity is clipped: the clipping norm less its margin for rounding.
    stability
        Of the automatic rule; 0 for none.
    entity_weight
        What each clipped gradient counts, for `weighted_total`; null adds lattice steps to `total`.
    out
        If there, the outputs go here, and nothing else is done.
    gradients
        If there, gradients go here as they are, and nothing is summed.
    """

    _fields_ = (
        *((name, ctypes.c_int64) for name in NUMBERS),
        *((name, ctypes.c_void_p) for name in (*EXAMPLES, *WEIGHTS)),
        *((name, ctypes.c_double) for name in REALS),
        *((name, ctypes.c_void_p) for name in RESULTS),
    )


class Kernel:
    """A loaded library; several threads may call it at once."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        for name in ("hansa_lanes", "hansa_task_bytes", "hansa_workspace_bytes"):
            getattr(self._library, name).restype = ctypes.c_int64
        if self._library.hansa_task_bytes() != ctypes.sizeof(Task):
            raise OSError(f"{path} was built from other sources.")
        self.lanes = int(self._library.hansa_lanes())

    def run(self, task: Task) -> None:
        """Do a task, in memory that is given back afterwards."""
        workspace = np.empty(int(self._library.hansa_workspace_bytes(ctypes.byref(task))) + ALIGNMENT, np.uint8)
        start = workspace.ctypes.data + -workspace.ctypes.data % ALIGNMENT
        self._library.hansa_run(ctypes.byref(task), ctypes.c_void_p(start))


def find_kernel() -> Kernel | None:
    """Give the kernel for this processor; None, and a word in the log once, where there is none."""
    return None if os.environ.get(SWITCH) == "torch" else _load()


def known_registers() -> list[str]:
    """Name the vector registers of this processor that a kernel can be compiled for, the widest first."""
    flags = _processor_flags()
    known = [registers for registers, _, _ in TARGETS.get(platform.machine(), ())]
    return [registers for registers in known if flags.issuperset(NEEDED[registers])]


def has_library() -> bool:
    """Whether a kernel was compiled from these sources for this processor."""
    return any(library_path(registers).exists() for registers in known_registers())


@cache
def _load() -> Kernel | None:
    for registers in known_registers():
        path = library_path(registers)
        if path.exists():
            try:
                return Kernel(path)
            except OSError as error:
                LOGGER.warning("The compiled kernel cannot be loaded: %s", error)
    LOGGER.warning(
        "Rounds are computed by torch, with the same numbers but slowly: no kernel is compiled for this processor. "
        "With a C++ compiler at hand, run: python -m client.round.fused.build"
    )
    return None


def _processor_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return next((set(line.split(":", 1)[1].split()) for line in lines if line.startswith("flags")), set())
