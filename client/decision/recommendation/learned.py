"""What was learned of a shop, and its file in the shop's folder: plain numbers of one version, read without pickle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from scipy import sparse

from client.decision.recommendation.past import Past
from client.decision.recommendation.purchase import Purchases
from client.decision.recommendation.ranking import Line, Ranking, learn_ranking
from client.decision.recommendation.taste import Taste, learn_taste, learn_together
from common.disk.file import replace_file
from common.errors import ConfigError

FILE_NAME = "recommendation.npz"
VERSION = 1
OWN_EYES = 0o600  # it tells of customers
OnStep = Callable[[str, float], None]


@dataclass(frozen=True)
class Learned:
    """What takes seconds to learn, and nothing to read again.

    Attributes
    ----------
    together
        Product × product: how near they are in baskets.
    """

    taste: Taste
    together: sparse.csr_matrix
    ranking: Ranking


def learn(purchases: Purchases, past: Past, days: int, on_step: OnStep) -> Learned:
    """Learn everything from the purchases before the day of `past`."""
    on_step("learning who buys what", 0.0)
    ranking = learn_ranking(purchases, past.day, days)
    on_step("learning who buys what", 0.5)
    taste = learn_taste(past)
    on_step("learning who buys what", 0.9)
    together = learn_together(purchases.baskets())
    on_step("learning who buys what", 1.0)
    return Learned(taste, together, ranking)


def recall(folder: Path, purchases: Purchases, day: date, days: int) -> Learned | None:
    """Read what was learned from these very purchases; None where it is of others, damaged, or of another version."""
    try:
        content = BytesIO((folder / FILE_NAME).read_bytes())  # a file that numpy opens stays open where it is damaged
        with np.load(content) as kept:
            if kept["version"] != VERSION or str(kept["of"]) != _name(purchases, day, days):
                return None
            size = (len(purchases.products), len(purchases.products))
            return Learned(
                Taste(kept["customers"], kept["products"], _unpack(kept, "alike", size)),
                _unpack(kept, "together", size),
                Ranking(_line(kept["again"]), _line(kept["new"]), bool(kept["learned"])),
            )
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def keep(folder: Path, learned: Learned, purchases: Purchases, day: date, days: int) -> None:
    """Write it into the shop's folder.

    Raises
    ------
    ConfigError
        It cannot be written.
    """
    ranking, stream = learned.ranking, BytesIO()
    content: dict[str, Any] = {
        "version": VERSION,
        "of": _name(purchases, day, days),
        "customers": learned.taste.customers,
        "products": learned.taste.products,
        **_pack("alike", learned.taste.alike),
        **_pack("together", learned.together),
        "again": np.append(ranking.again.weights, ranking.again.constant),
        "new": np.append(ranking.new.weights, ranking.new.constant),
        "learned": ranking.learned,
    }
    np.savez(stream, **content)
    try:
        replace_file(folder / FILE_NAME, stream.getvalue(), mode=OWN_EYES)
    except OSError as error:
        raise ConfigError(
            f"Cannot write {folder / FILE_NAME}: {error.strerror}; make room, or make the folder writable."
        ) from error


def _line(kept: np.ndarray) -> Line:
    return Line(kept[:-1], float(kept[-1]))


def _name(purchases: Purchases, day: date, days: int) -> str:
    return f"{purchases.digest} {day} {days}"


def _pack(name: str, matrix: sparse.csr_matrix) -> dict[str, np.ndarray]:
    return {f"{name}_{part}": getattr(matrix, part) for part in ("data", "indices", "indptr")}


def _unpack(kept: np.lib.npyio.NpzFile, name: str, size: tuple[int, int]) -> sparse.csr_matrix:
    parts = tuple(kept[f"{name}_{part}"] for part in ("data", "indices", "indptr"))
    return sparse.csr_matrix(parts, shape=size)
