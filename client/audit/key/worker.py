"""What a fresh process does for an audit: draw noise, and answer rounds of a merchant's folder, both as lines.

python -m client.audit.key.worker draw                    numbers, one a line
python -m client.audit.key.worker answer FOLDER FILE …    SHA-256 of the bytes that leave for each request
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PATIENCE_SECONDS = 300.0
FRESH_SIZES = (7, 8, 1)


class Silent(Exception):
    """Say that a process said nothing."""


def start_worker(*words: str) -> subprocess.Popen[str]:
    """Start a fresh interpreter that finds the very modules that this one found."""
    path = os.pathsep.join(place or os.getcwd() for place in sys.path)
    return subprocess.Popen(  # noqa: S603  our own module, by our own interpreter
        [sys.executable, "-P", "-m", "client.audit.key.worker", *words],  # -P: nothing of this folder
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )


def hear(worker: subprocess.Popen[str]) -> list[str]:
    """Wait for what a worker says.

    Raises
    ------
    Silent
        It ended badly, or in silence.
    """
    try:
        said, _ = worker.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired as error:
        worker.kill()
        worker.communicate()
        raise Silent from error
    if worker.returncode != 0 or not said.strip():
        raise Silent
    return said.split()


def main(words: Sequence[str]) -> None:
    """Do what was asked for."""
    if words[0] == "draw":
        from client.audit.key.entropy import draw
        from common.privacy.noise import SecureNoise

        kept = SecureNoise()
        lines = [str(number) for size in FRESH_SIZES for noise in (kept, SecureNoise()) for number in draw(noise, size)]
    else:
        from client.audit.way.merchant import answer_files

        lines = answer_files(Path(words[1]), [Path(word) for word in words[2:]])
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
