"""Compile the kernel beside its source: `python client/round/fused/build.py`, and whenever hansa is installed.

One file for each set of vector registers that a processor of this kind may have, so that what was built on one machine
runs on another; `client.round.fused.library` chooses. A machine without a compiler gets none, and trains with torch.
This file stands alone, because an installation runs it before anything else of hansa can be imported.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
SOURCES = "kernel.cpp", "gradient.hpp", "task.hpp", "product.hpp", "likelihood.hpp", "lanes.hpp"
# No -ffast-math: it would fold the rounding trick of `exponential` away, and forget that a number may be none.
FLAGS = "-std=c++17", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-Wno-psabi", "-shared", "-fPIC"
COMPILERS = "c++", "g++", "clang++"
# For each kind of processor the widest registers first: their name, the flags, and the lanes of single precision.
TARGETS = {
    "x86_64": (("avx512", "-march=x86-64-v4", 16), ("avx2", "-march=x86-64-v3", 8)),
    "aarch64": (("neon", "-march=armv8-a", 4),),
}


def digest() -> str:
    """Name the sources and flags, so that what was built from others is never loaded."""
    told = hashlib.sha256(" ".join(FLAGS).encode())
    for name in SOURCES:
        told.update((FOLDER / name).read_bytes())
    return told.hexdigest()[:16]


def library_path(registers: str, folder: Path = FOLDER) -> Path:
    """Name the file that holds the kernel for some registers."""
    return folder / f"kernel-{registers}-{digest()}.so"


def find_compiler() -> str | None:
    """Find a C++ compiler: the one that CXX names, or a usual one."""
    return next(filter(None, map(shutil.which, filter(None, (os.environ.get("CXX"), *COMPILERS)))), None)


def build(folder: Path = FOLDER, *, source: Path = FOLDER, compiler: str | None = None) -> list[Path]:
    """Compile for every set of registers of this kind of processor, and give what could be compiled.

    Parameters
    ----------
    folder
        Where the libraries go; those of other sources go away.
    source
        The folder of the sources.
    compiler
        The one found if left out.
    """
    compiler = compiler or find_compiler()
    if compiler is None:
        return []
    built = []
    for registers, flag, lanes in TARGETS.get(platform.machine(), ()):
        path = library_path(registers, folder)
        if not path.exists() and not _compile(compiler, [flag, f"-DLANES={lanes}"], source / SOURCES[0], path):
            continue
        built.append(path)
    for old in set(folder.glob("kernel-*.so")) - set(built):
        old.unlink(missing_ok=True)
    return built


def _compile(compiler: str, flags: list[str], source: Path, path: Path) -> bool:
    """Compile one library, which is there whole or not at all."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".build-") as folder:
        made = Path(folder) / path.name
        command = [compiler, *FLAGS, *flags, "-o", str(made), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own words
        if done.returncode == 0:
            made.replace(path)
        else:
            sys.stderr.write(f"{path.name} could not be compiled:\n{done.stderr}")
    return done.returncode == 0


if __name__ == "__main__":
    paths = build()
    if not paths:
        sys.exit("No kernel was built: there is no C++ compiler (CXX, c++, g++, clang++) that knows this processor.")
    sys.stdout.write("".join(f"{path}\n" for path in paths))
