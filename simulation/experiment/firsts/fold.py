"""Leave merchants out: deal them into folds, and train on all but one fold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool

from common.errors import ConfigError
from simulation.origin.origin import Trial, declare_cohort


@dataclass(frozen=True)
class Fold:
    """Merchants who are left out of a training.

    Attributes
    ----------
    number
        From 1.
    is_out
        The entities of these merchants.
    """

    number: int
    merchants: tuple[str, ...]
    is_out: Bool[np.ndarray, " entity"]

    def holds(self, trial: Trial) -> Bool[np.ndarray, " entity"]:
        """Tell which entities of a trial are these merchants', where not all of the dealt ones take part."""
        return np.isin(trial.panel.merchants.astype(str), self.merchants)


def deal_folds(trial: Trial, count: int, *, seed: int) -> Iterator[Fold]:
    """Deal the merchants of an origin into folds, each as many as the next up to one; every merchant is in one.

    Raises
    ------
    ConfigError
        There are fewer merchants than folds, or nobody would be left to train.
    """
    merchants = np.array(trial.merchants)
    if not 2 <= count <= len(merchants):
        raise ConfigError(
            f"{len(merchants)} merchants take part at {trial.origin} and cannot be dealt into {count} folds; "
            "choose --folds from 2 to as many as there are merchants."
        )
    order = np.random.default_rng(seed).permutation(len(merchants))
    owner = trial.panel.merchants.astype(str)
    for number in range(count):
        out = merchants[np.sort(order[number::count])]
        yield Fold(number + 1, tuple(out.tolist()), np.isin(owner, out))


def keep(trial: Trial, chosen: Bool[np.ndarray, " entity"]) -> Trial:
    """Keep some entities of an origin; their merchants are the cohort."""
    rows = np.flatnonzero(chosen)
    panel = trial.panel.select(rows)
    return replace(
        trial,
        panel=panel,
        series=trial.series.select(torch.from_numpy(rows)),
        cohort=declare_cohort(panel, trial.plan),
        outcome=trial.outcome.select(rows),
    )
