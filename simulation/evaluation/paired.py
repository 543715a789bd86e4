"""Two methods of a run, entity by entity: what is resampled, and how much lower one's loss is than the other's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from common.forecast.gain import Gain
from simulation.evaluation.bootstrap import measure_gain
from simulation.evaluation.results import Results

UNITS = ["origin", "merchant", "entity"]


def pair_losses(results: Results, method: pd.DataFrame, against: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Set the losses of both methods beside each other: one row per origin, merchant and entity of both.

    What is resampled is numbered by `unit`: a dealt entity stays one, whichever merchant it is dealt to at an origin.
    """
    joined = method[[metric, "weight"]].join(against[metric].rename("against"), how="inner").reset_index()
    unit = joined.groupby(["entity"] if results.plan.data.deal else ["merchant", "entity"]).ngroup()
    return joined.rename(columns={metric: "value"}).assign(unit=unit)


def gain_of(pairs: pd.DataFrame, resamples: int, seed: Sequence[int]) -> dict[str, Any] | None:
    """Give the gain over some of the pairs, laid out for JSON; None where there is nothing to compare."""
    if pairs.empty:
        return None
    found = measure_gain(_sums(pairs), resamples=resamples, generator=np.random.default_rng(seed))
    return None if found is None else describe_gain(found)


def describe_gain(gain: Gain) -> dict[str, Any]:
    """Lay a gain out for JSON."""
    return {**asdict(gain), "verdict": gain.verdict}


def _sums(pairs: pd.DataFrame) -> Float[np.ndarray, "entity origin 3"]:
    """Lay losses out by entity and origin."""
    unit, units = pd.factorize(pairs["unit"])
    origin, origins = pd.factorize(pairs["origin"])
    sums = np.zeros((len(units), len(origins), 3))
    np.add.at(sums, (unit, origin), pairs[["value", "against", "weight"]].to_numpy())
    return sums
