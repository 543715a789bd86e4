"""Faults of the compiled kernel: a line of its source is another one, and what comes of it computes the rounds."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from client.round.fused import build, library
from client.round.fused.library import Kernel
from planted.fault import Severity


@dataclass(frozen=True)
class KernelFault:
    """One fault: `line` of kernel.cpp reads `instead`."""

    name: str
    severity: Severity
    sentence: str
    line: str
    instead: str


def compile_faulty(fault: KernelFault, folder: Path) -> Kernel:
    """Compile the kernel with a fault, as quickly as the compiler can."""
    source = folder / "source"
    source.mkdir()
    for name in build.SOURCES:
        shutil.copy(build.FOLDER / name, source)
    text = (source / build.SOURCES[0]).read_text()
    assert text.count(fault.line) == 1, fault.name
    (source / build.SOURCES[0]).write_text(text.replace(fault.line, fault.instead))
    compiler = build.find_compiler()
    assert compiler is not None
    path = folder / "faulty.so"
    assert build._compile(compiler, ["-O1", "-DLANES=8"], source / build.SOURCES[0], path)
    return Kernel(path)


def planter(fault: KernelFault) -> Callable[[pytest.MonkeyPatch, Path], None]:
    def plant(patch: pytest.MonkeyPatch, folder: Path) -> None:
        kernel = compile_faulty(fault, folder)
        patch.delenv(library.SWITCH, raising=False)
        patch.setattr(library, "_load", lambda: kernel)

    return plant


FAULTS = (
    KernelFault(
        "kernel-no-clip",
        "critical",
        "the kernel clips nobody",
        "part * (t.bound / (scaled > t.bound ? scaled : t.bound))",
        "part",
    ),
    KernelFault(
        "kernel-one-norm-for-all",
        "high",
        "the norm of the first lane serves the whole block",
        "std::sqrt(square[lane / HALF][lane % HALF])",
        "std::sqrt(square[0][0])",
    ),
    KernelFault(
        "kernel-norm-of-a-part",
        "high",
        "the norm leaves the last layers out",
        "for (int64_t first_of = 0; first_of < whole; first_of += SUMS)",
        "for (int64_t first_of = 0; first_of < whole / 2; first_of += SUMS)",
    ),
    KernelFault(
        "kernel-no-guard",
        "high",
        "what is no number is added all the same",
        "is_one ? -1 : 0",
        "-1",
    ),
    KernelFault(
        "kernel-away-from-zero",
        "low",
        "coordinates go to the lattice away from zero",
        "return (Doubles)((Longs)value & counts[half]);",
        "return (Doubles)((Longs)(value + (value < 0.0 ? every(-0.999999) : every(0.999999))) & counts[half]);",
    ),
    KernelFault(
        "kernel-idle-lanes-count",
        "high",
        "lanes without an entity contribute too",
        "bool is_one = lane < number && norm",
        "bool is_one = norm",
    ),
    KernelFault(
        "kernel-label-of-the-first",
        "critical",
        "the label of a block's first entity serves all of them",
        "parts[part][(first + (lane < number ? lane : 0)) * w.rows + row]",
        "parts[part][(first + (part != 2 && lane < number ? lane : 0)) * w.rows + row]",
    ),
    KernelFault(
        "kernel-gradients-left-over",
        "critical",
        "the last layer's gradient begins with that of the block before",
        "add_outer<false>(slopes",
        "add_outer<true>(slopes",
    ),
    KernelFault(
        "kernel-state-left-over",
        "high",
        "a block begins with the last state of the one before",
        "w.seen[k] = all(0.0f);",
        "w.seen[k] = first == 0 ? all(0.0f) : w.seen[w.length * w.seen_row + k];",
    ),
    KernelFault(
        "kernel-ragged-end",
        "high",
        "entities that fill no block are left out",
        "first < task->entities; first += L",
        "first + L <= task->entities; first += L",
    ),
    KernelFault(
        "kernel-share-of-the-block",
        "high",
        "an entity counts for less where its block has more of them",
        "times / t.lattice_step;",
        "times / t.lattice_step / number;",
    ),
    KernelFault(
        "kernel-sum-in-16-bits",
        "high",
        "the sum of a block keeps the last 16 bits",
        "t.total[k] += add_lanes(",
        "t.total[k] += (int16_t)add_lanes(",
    ),
)
