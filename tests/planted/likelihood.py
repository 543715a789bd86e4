"""Faults of one kind of plan: a likelihood, a rhythm, a season, a clipping rule that others do not have."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from client.round import training
from common.data.panel import Panel
from common.model import anchor, features, purchase_gaps
from common.model.features import Examples, Series
from common.model.likelihood import HurdleNegativeBinomial
from common.privacy.clipping_rule import Automatic, apply_rule
from common.privacy.lattice import sum_entities, truncate
from common.privacy.mechanism import Mechanism
from planted.fault import Fault, on_torch

Patch = pytest.MonkeyPatch
MOST = 20.0  # times that a young entity counts


def pooled_spread(patch: Patch) -> None:
    """Begin every entity's spread with the mean error of all, not with a constant (log-normal plans alone have one)."""
    spread = anchor._spread

    def faulty(
        errors: np.ndarray, known: np.ndarray, cutoffs: np.ndarray, decay: float, *censored: np.ndarray
    ) -> np.ndarray:
        with pytest.MonkeyPatch.context() as inner:
            if known.any():
                inner.setattr(
                    anchor, "UNKNOWN_SPREAD", float(anchor.DEVIATIONS_PER_ERROR * np.abs(errors[known]).mean())
                )
            return spread(errors, known, cutoffs, decay, *censored)

    patch.setattr(anchor, "_spread", faulty)


def weighed_by_buyers(patch: Patch) -> None:
    """Weigh demand against none by how rare it is among the batch (hurdle plans alone)."""
    loss = HurdleNegativeBinomial.loss

    def faulty(
        self: HurdleNegativeBinomial,
        outputs: Tensor,
        anchor: Tensor,
        spread: Tensor,
        label: Tensor,
        *hidden: Tensor | None,
    ) -> Tensor:
        some = label > 0
        share = some.float().mean().clamp(0.01, 0.99)
        return loss(self, outputs, anchor, spread, label, *hidden) * torch.where(some, 0.5 / share, 0.5 / (1 - share))

    on_torch(patch).setattr(HurdleNegativeBinomial, "loss", faulty)


def gap_of_all(patch: Patch) -> None:
    """Begin every entity's gaps with the mean gap of all, not with a constant (plans with a rhythm alone)."""
    rhythm = features.rhythm_features

    def faulty(sold: np.ndarray, cutoffs: np.ndarray, horizon_days: int) -> dict[str, np.ndarray]:
        with pytest.MonkeyPatch.context() as inner:
            if sold.any():
                inner.setattr(purchase_gaps, "PRIOR_GAP_DAYS", float(sold.size / sold.sum()))
            return rhythm(sold, cutoffs, horizon_days)

    patch.setattr(features, "rhythm_features", faulty)


def season_of_all(patch: Patch) -> None:
    """Give whoever has no last year that of the shop (histories over a year alone)."""
    last_year = features._last_year

    def faulty(own: Panel, horizon_days: int) -> np.ndarray:
        ratios = last_year(own, horizon_days)
        return np.where(ratios == 0, ratios.mean(0, keepdims=True), ratios) if len(ratios) else ratios

    patch.setattr(features, "_last_year", faulty)


def rule_instead_of_clip(patch: Patch) -> None:
    """Leave clipping out where a rule has scaled already: it is short enough, unless it is not finite."""
    clip = Mechanism.clip

    def faulty(self: Mechanism, gradients: Tensor) -> Tensor:
        if self.rule is None or self.clipping_norm is None:
            return clip(self, gradients)
        return apply_rule(gradients, self.clipping_norm, self.rule)

    on_torch(patch).setattr(Mechanism, "clip", faulty)


def rule_by_mean(patch: Patch) -> None:
    """Scale by the mean length beside the own one: a stability that needs no choice."""

    def faulty(self: Automatic, norms: Tensor, clipping_norm: float) -> Tensor:
        return clipping_norm / (norms + norms[norms.isfinite()].mean())

    on_torch(patch).setattr(Automatic, "factors", faulty)


def young_count_more(patch: Patch) -> None:
    """Make up for a short history after clipping: who is there for a tenth of the window counts ten times."""
    cut, share = training.cut_training, [torch.ones(0)]

    def faulty(series: Series, round_number: int) -> Examples:
        examples = cut(series, round_number)
        share[0] = (examples.inputs != 0).any(2).double().mean(1)
        return examples

    def contribution(self: Mechanism, gradients: Tensor) -> Tensor:
        clipped, there = self.clip(gradients), share[0][: len(gradients)]
        if len(there) == len(clipped):
            clipped = clipped * (1 / there).clamp(max=MOST)[:, None]
        return sum_entities(truncate(clipped, self.lattice_step))

    patch.setattr(training, "cut_training", faulty)
    on_torch(patch).setattr(Mechanism, "contribution", contribution)


def calendar_of_the_busiest(patch: Patch) -> None:
    """Give the anchor's weekdays the level of the busiest entity where an entity has none (plans by weekday alone)."""
    fit = features.fit_anchor

    def faulty(own: Panel, *arguments: Any, **options: Any) -> anchor.Anchor:
        fitted = fit(own, *arguments, **options)
        if len(own.target) and fitted.cell_level.shape[2] > 1:
            busiest = own.target.sum(1).argmax()
            levels = np.where(fitted.cell_level == 0, fitted.cell_level[busiest], fitted.cell_level)
            return anchor.Anchor(fitted.level, levels, fitted.cell_of_day, fitted.spread, fitted.logarithmic)
        return fitted

    patch.setattr(features, "fit_anchor", faulty)


FAULTS = (
    Fault("spread-of-all", "high", "log-normal: a spread begins with the errors of all", pooled_spread),
    Fault("weighed-by-buyers", "high", "hurdle: demand weighs by its share in the batch", weighed_by_buyers),
    Fault("gap-of-all", "high", "rhythm: gaps begin with the mean gap of all", gap_of_all),
    Fault("season-of-all", "high", "season: who has no last year gets that of all", season_of_all),
    Fault("rule-instead-of-clip", "high", "automatic: the rule's result is not clipped", rule_instead_of_clip),
    Fault("rule-by-mean-norm", "high", "automatic: scaled by the mean length of a chunk", rule_by_mean),
    Fault("young-count-more", "high", "short histories count more after clipping", young_count_more),
    Fault("weekdays-of-the-busiest", "high", "by weekday: empty levels are the busiest's", calendar_of_the_busiest),
)
