"""Sums in floating point must not depend on where in memory a record stands."""

import os

SETTING, VALUE = "MKL_CBWR", "AUTO,STRICT"


def fix_arithmetic() -> None:
    """Let MKL compute every row of a matrix product alike, wherever the row stands, unless the user chose a mode.

    Notes
    -----
    By default MKL cuts the rows of a product into blocks as suits the processor, and sums differently in blocks
    of different height. On an AMD EPYC the last bit of an entity's gradient then changes with its place in the
    chunk, modulo 4; one entity's presence moves others to other places, so their contributions change, and the
    sum moved by 1.00000008 clipping norms. With conditional numerical reproducibility (strict) it does not, at
    no measurable cost. MKL reads the setting at its first call. The neighbour replay (`client/audit/replay.py`)
    looks whether the bits agree on the machine at hand. The compiled kernel (`client.round.fused`) does not need the
    setting: there each entity has a lane to itself, and all lanes the same instructions.
    """
    os.environ.setdefault(SETTING, VALUE)
