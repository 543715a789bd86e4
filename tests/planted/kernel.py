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
    """One fault: `line` of the kernel's sources, which stands there once, reads `instead`."""

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
    (file,) = (path for path in source.iterdir() if fault.line in path.read_text())
    text = file.read_text()
    assert text.count(fault.line) == 1, fault.name
    file.write_text(text.replace(fault.line, fault.instead))
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
        "add_squares(values, from, size, squares);",
        "add_squares(values, from, from < t.parameters / 2 ? size : 0, squares);",
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
        "multiply_out<false>(w.parts[part], 0,",
        "multiply_out<true>(w.parts[part], 0,",
    ),
    KernelFault(
        "kernel-rows-left-over",
        "critical",
        "rows of a gradient that are worked out anew begin with the rows before",
        "add_strip<false>(rows, a.values + row,",
        "add_strip<true>(rows, a.values + row,",
    ),
    KernelFault(
        "kernel-rows-twice",
        "high",
        "rows that are worked out anew are added twice",
        "show(w.strip, part.from + row * part.b.columns, rows * part.b.columns);",
        "for (int time = 0; time < 2; time++) show(w.strip, part.from + row * part.b.columns, rows * part.b.columns);",
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
        "t.total[from + k] += add_lanes(",
        "t.total[from + k] += (int16_t)add_lanes(",
    ),
)
