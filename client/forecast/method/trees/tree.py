"""Fit boosted trees with LightGBM; the only file that knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    import lightgbm


@dataclass(frozen=True)
class TreePlan:
    """Size and regularisation of the trees.

    Attributes
    ----------
    num_trees
        At most; fewer where held-out rows say so.
    objective
        LightGBM's name of the loss.
    level
        Of the quantile, where the objective is one.
    largest_step
        That one leaf may add to a score, before the learning rate; 0 is without a bound. Without one a leaf in which
        much is sold where nothing was expected can take a Poisson mean to infinity.
    """

    num_trees: int
    learning_rate: float
    num_leaves: int
    min_leaf_rows: int
    objective: str
    level: float = 0.5
    largest_step: float = 0.0
    l2: float = 1.0
    feature_share: float = 0.7
    row_share: float = 0.7
    num_threads: int = 1


@dataclass(frozen=True)
class TreeRows:
    """What trees learn from.

    Attributes
    ----------
    offset
        Where a forecast starts before the first tree, on the scale of the objective's score.
    """

    features: Float[np.ndarray, "row feature"]
    label: Float[np.ndarray, " row"]
    offset: Float[np.ndarray, " row"]

    def select(self, rows: np.ndarray) -> TreeRows:
        """Keep some rows."""
        return TreeRows(self.features[rows], self.label[rows], self.offset[rows])


def fit_trees(rows: TreeRows, plan: TreePlan, *, seed: int) -> lightgbm.Booster:
    """Fit all trees of the plan; rows too few to split give trees that say nothing."""
    import lightgbm

    return lightgbm.train(_parameters(plan, seed), _dataset(rows), num_boost_round=plan.num_trees)


def enough_trees(rows: TreeRows, held_out: TreeRows, plan: TreePlan, *, seed: int) -> int:
    """Say after how many trees the held-out rows are forecast best."""
    import lightgbm

    history: dict[str, Any] = {}
    train = _dataset(rows)
    lightgbm.train(
        _parameters(plan, seed),
        train,
        num_boost_round=plan.num_trees,
        valid_sets=[lightgbm.Dataset(held_out.features, held_out.label, init_score=held_out.offset, reference=train)],
        callbacks=[lightgbm.record_evaluation(history)],
    )
    (losses,) = history["valid_0"].values()
    return 1 + int(np.argmin(losses))


def write_trees(booster: lightgbm.Booster) -> str:
    """Give the trees in LightGBM's own text format, in which every threshold and leaf keeps all its digits."""
    return str(booster.model_to_string())


def read_trees(text: str) -> lightgbm.Booster:
    """Read what `write_trees` gave; of other text LightGBM may not come back, so the caller knows whose it is."""
    import lightgbm

    return lightgbm.Booster(model_str=text)


def predict_score(booster: lightgbm.Booster, rows: TreeRows) -> Float[np.ndarray, " row"]:
    """Give the objective's score: the offset and what the trees add."""
    return rows.offset + np.asarray(booster.predict(rows.features, raw_score=True))


def _dataset(rows: TreeRows) -> lightgbm.Dataset:
    import lightgbm

    return lightgbm.Dataset(rows.features, rows.label, init_score=rows.offset)


def _parameters(plan: TreePlan, seed: int) -> dict[str, Any]:
    return {
        "objective": plan.objective,
        "alpha": plan.level,
        "learning_rate": plan.learning_rate,
        "num_leaves": plan.num_leaves,
        "min_data_in_leaf": plan.min_leaf_rows,
        "lambda_l2": plan.l2,
        "max_delta_step": plan.largest_step,
        "feature_fraction": plan.feature_share,
        "bagging_fraction": plan.row_share,
        "bagging_freq": 1,
        "seed": seed,
        "num_threads": plan.num_threads,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }
