"""From one output distribution: the loss, the mean, any quantile, and the probability of any demand.

Every distribution is placed at the anchor: with all network outputs at zero its location is the anchor's
forecast, so an untrained network forecasts what the anchor does. Of money the anchor gives the spread too.

A bucket with a day out of stock is censored: demand was at least what was sold. Taken alone, -log P(Y ≥ label) teaches
a mean too high: a distribution weeks ahead is wider than that of a day whose stock was chosen shortly before, and so
expects too much above what was sold. Therefore the mean learns from what the entity's own days before say that was
probably wanted (`common.model.sold_out`), as from any label, and P(Y ≥ label) teaches the width. The gradient of a
negative binomial in its mean is linear in the label, whatever its width: an expected label gives the expected gradient.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.special import ndtri
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from common.model.censored_count import count_tail_loss
from common.model.count_quantile import count_quantiles
from common.plan.schema import ModelPlan

FLOOR = 0.02  # an anchor of zero still leaves the network something to multiply


@runtime_checkable
class Likelihood(Protocol):
    """A distribution of demand per bucket, given the anchor and the network's outputs."""

    num_outputs: int

    def loss(
        self,
        outputs: Float[Tensor, "*batch output"],
        anchor: Float[Tensor, "*batch"],
        spread: Float[Tensor, "*batch"],
        label: Float[Tensor, "*batch"],
        censored: Bool[Tensor, "*batch"] | None = None,
        expected: Float[Tensor, "*batch"] | None = None,
    ) -> Float[Tensor, "*batch"]:
        """Negative log-likelihood of each label, and where `censored` of demand at or above it.

        Where demand `expected` there is given, it teaches the mean, and "at or above" the width alone.
        """
        ...

    def describe(
        self,
        outputs: Float[Tensor, "*batch output"],
        anchor: Float[Tensor, "*batch"],
        spread: Float[Tensor, "*batch"],
        levels: tuple[float, ...],
    ) -> Description:
        """Mean, quantiles and probability of any demand."""
        ...


@dataclass(frozen=True)
class Description:
    """What a decision needs from a distribution, per bucket."""

    mean: Float[np.ndarray, "*batch"]
    quantiles: Float[np.ndarray, "*batch level"]
    probability: Float[np.ndarray, "*batch"]


class NegativeBinomial:
    """Counts with mean `m` and variance m + alpha·m² (NB2; Cameron & Trivedi 1986)."""

    num_outputs = 2

    def loss(
        self,
        outputs: Tensor,
        anchor: Tensor,
        spread: Tensor,
        label: Tensor,
        censored: Tensor | None = None,
        expected: Tensor | None = None,
    ) -> Tensor:
        """Negative log-likelihood of each label, and where `censored` of demand at or above it."""
        log_mean, log_alpha = self._parameters(outputs, anchor)
        loss = -_negative_binomial(label, log_mean, log_alpha)
        if censored is None:
            return loss
        return torch.where(censored, _censored_count(label, log_mean, log_alpha, censored, expected), loss)

    def describe(self, outputs: Tensor, anchor: Tensor, spread: Tensor, levels: tuple[float, ...]) -> Description:
        """Mean, quantiles and probability of any demand."""
        from scipy import stats  # 30 MB that training does without

        log_mean, log_alpha = self._parameters(outputs, anchor)
        mean, size = _as_numpy(log_mean.exp()), _as_numpy((-log_alpha).exp())
        quantiles = count_quantiles(np.broadcast_to(levels, (*mean.shape, len(levels))), mean, size)
        probability = 1 - stats.nbinom.pmf(0, size, size / (size + mean))
        return Description(mean, quantiles, probability)

    def _parameters(self, outputs: Tensor, anchor: Tensor) -> tuple[Tensor, Tensor]:
        return torch.log(anchor + FLOOR) + outputs[..., 0], _log_alpha(outputs[..., 1])


class HurdleNegativeBinomial:
    """Any demand at all by a coin of its own; given some, 1 + a negative binomial.

    The coin carries the decision (will this customer buy?), so it is not bound to the tail of the counts.
    """

    num_outputs = 3

    def loss(
        self,
        outputs: Tensor,
        anchor: Tensor,
        spread: Tensor,
        label: Tensor,
        censored: Tensor | None = None,
        expected: Tensor | None = None,
    ) -> Tensor:
        """Negative log-likelihood of each label, and where `censored` of demand at or above it."""
        logit, log_mean, log_alpha = self._parameters(outputs, anchor)
        some = label > 0
        coin = -torch.where(some, logsigmoid(logit), logsigmoid(-logit))
        excess = (label - 1).clamp(min=0)
        count = -_negative_binomial(excess, log_mean, log_alpha)
        loss = coin + torch.where(some, count, torch.zeros_like(count))
        if censored is None:
            return loss
        above = expected
        if expected is not None:  # where nothing was sold, by chance as a Poisson's; of some it is 1 or more
            share = torch.where(some, torch.ones_like(coin), -torch.expm1(-expected.clamp(min=1e-6)))
            coin = -(share * logsigmoid(logit) + (1 - share) * logsigmoid(-logit))
            above = (expected / share - 1).clamp(min=0)
        else:
            share = some.to(coin)
            coin = share * coin
        tail = coin + share * _censored_count(excess, log_mean, log_alpha, censored, above)
        return torch.where(censored, tail, loss)

    def describe(self, outputs: Tensor, anchor: Tensor, spread: Tensor, levels: tuple[float, ...]) -> Description:
        """Mean, quantiles and probability of any demand."""
        from scipy import stats  # 30 MB that training does without

        logit, log_mean, log_alpha = self._parameters(outputs, anchor)
        probability = _as_numpy(torch.sigmoid(logit))
        excess, size = _as_numpy(log_mean.exp()), _as_numpy((-log_alpha).exp())
        quantiles = np.empty((*excess.shape, len(levels)))
        for place, level in enumerate(levels):
            within = np.clip((level - (1 - probability)) / np.maximum(probability, 1e-12), 0.0, 1 - 1e-12)
            some = 1 + stats.nbinom.ppf(within, size, size / (size + excess))
            quantiles[..., place] = np.where(level <= 1 - probability, 0.0, some)
        return Description(probability * (1 + excess), quantiles, probability)

    def _parameters(self, outputs: Tensor, anchor: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        expected = anchor + FLOOR
        logit = torch.log(torch.expm1(expected.clamp(max=20.0)))  # logit of 1 - exp(-expected), a Poisson's
        return logit + outputs[..., 0], torch.log(expected) + outputs[..., 1], _log_alpha(outputs[..., 2])


class LogNormal:
    """Positive amounts: log(1 + demand) is Gaussian around log(1 + anchor), as wide as the anchor errs.

    A zero on an open day has no density and teaches nothing. Use a hurdle where zeros matter.
    """

    num_outputs = 2
    largest_log_scale = math.log(5.0)  # beyond it a mean is no number

    def loss(
        self,
        outputs: Tensor,
        anchor: Tensor,
        spread: Tensor,
        label: Tensor,
        censored: Tensor | None = None,
        expected: Tensor | None = None,
    ) -> Tensor:
        """Negative log-likelihood of each label, on the scale of log(1 + demand); a zero counts nothing.

        Where `censored`, that of demand at or above the label.
        """
        location, log_scale = self._parameters(outputs, anchor, spread)
        error = (torch.log1p(label) - location) * torch.exp(-log_scale)
        loss = 0.5 * error.square() + log_scale
        if censored is not None:
            loss = torch.where(censored, self._censored(label, location, log_scale, censored, expected), loss)
        return torch.where(label > 0, loss, torch.zeros_like(error))

    def describe(self, outputs: Tensor, anchor: Tensor, spread: Tensor, levels: tuple[float, ...]) -> Description:
        """Mean, quantiles and probability of any demand."""
        location, log_scale = self._parameters(outputs, anchor, spread)
        location, scale = location.double(), log_scale.double().exp()
        mean = torch.expm1(location + scale.square() / 2)
        normal = torch.tensor(ndtri(levels), device=location.device)
        quantiles = torch.expm1(location[..., None] + scale[..., None] * normal)
        return Description(_as_numpy(mean.clamp(min=0)), _as_numpy(quantiles.clamp(min=0)), np.ones(mean.shape))

    def _censored(
        self, label: Tensor, location: Tensor, log_scale: Tensor, censored: Tensor, expected: Tensor | None
    ) -> Tensor:
        middle = location if expected is None else location.detach()
        above = (torch.log1p(label) - middle) * torch.exp(-log_scale)
        tail = -torch.special.log_ndtr(-torch.where(censored, above, 0.0))
        if expected is None:
            return tail
        return tail + 0.5 * ((torch.log1p(expected) - location) * torch.exp(-log_scale.detach())).square()

    def _parameters(self, outputs: Tensor, anchor: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
        log_scale = torch.log(spread) + outputs[..., 1].clamp(-3.0, 3.0)
        return torch.log1p(anchor) + outputs[..., 0], log_scale.clamp(max=self.largest_log_scale)


def make_likelihood(plan: ModelPlan) -> Likelihood:
    """Give the likelihood that the plan names."""
    if plan.likelihood == "negative_binomial":
        return NegativeBinomial()
    return HurdleNegativeBinomial() if plan.likelihood == "hurdle_negative_binomial" else LogNormal()


def _log_alpha(output: Tensor) -> Tensor:
    return -0.5 + output.clamp(-4.0, 4.0)


def _censored_count(
    count: Tensor, log_mean: Tensor, log_alpha: Tensor, censored: Tensor, expected: Tensor | None
) -> Tensor:
    """Give the loss of demand at or above `count`; the mean learns from what is expected there, if that is known."""
    if expected is None:
        return count_tail_loss(count, log_mean, log_alpha, censored)
    width = count_tail_loss(count, log_mean.detach(), log_alpha, censored)
    return width - _negative_binomial(expected, log_mean, log_alpha.detach())


def _negative_binomial(count: Tensor, log_mean: Tensor, log_alpha: Tensor) -> Tensor:
    """Log-probability; with log(1 + alpha·m) as a softplus, so that no mean overflows."""
    size = torch.exp(-log_alpha)
    log_ratio = softplus(log_mean + log_alpha)
    return (
        torch.lgamma(count + size)
        - torch.lgamma(size)
        - torch.lgamma(count + 1)
        - size * log_ratio
        + count * (log_mean + log_alpha - log_ratio)
    )


def _as_numpy(tensor: Tensor) -> np.ndarray:
    return tensor.detach().double().cpu().numpy()
