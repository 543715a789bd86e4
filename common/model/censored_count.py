"""The probability that a negative binomial count is at least as large as what was sold, and its gradient.

With size r = 1/alpha and q = m / (m + r) it is a regularised incomplete beta function, P(Y ≥ k) = I_q(k, r), which
torch cannot differentiate. So it is worked out in double precision by scipy, for the elements alone that are censored:

- in log m the derivative is exact: d log P / d log m = k · P(Y = k) / P(Y ≥ k);
- in log alpha it is a central difference of log P, right to about nine digits;
- where P is below what a double holds, log P comes from the continued fraction of I_q.

A count need not be whole: I_q(k, r) is smooth in k. P(Y ≥ 0) is 1, whatever the parameters.

References
----------
Press, Teukolsky, Vetterling & Flannery, "Numerical Recipes", 3rd edition (2007), section 6.4: the continued fraction.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import special
from torch import Tensor

SMALLEST = 1e-280  # of a probability that is taken from scipy; below it its logarithm is
NEAR_ONE = 14.0  # log odds of q, from which on 1 - q has lost too many digits
DIFFERENCE = 3e-5  # in log alpha
FRACTIONS = 300  # terms of the continued fraction at most; a far tail needs a few dozen
TINY = 1e-300

Array = Float[np.ndarray, " element"]


def count_tail_loss(
    count: Float[Tensor, "*batch"],
    log_mean: Float[Tensor, "*batch"],
    log_alpha: Float[Tensor, "*batch"],
    censored: Bool[Tensor, "*batch"],
) -> Float[Tensor, "*batch"]:
    """Give -log P(Y ≥ count) where censored, and 0 elsewhere; its gradient reaches mean and alpha.

    Guarantee: an element's loss and gradient depend on that element alone. A parameter that is no finite number gives
    a loss that is none, which counts as nobody's gradient (`common.privacy.clipping`).
    """
    loss, _, _ = _CountTail.apply(count, log_mean, log_alpha, censored)  # type: ignore[no-untyped-call]
    return loss


class _CountTail(torch.autograd.Function):
    """The loss and its two derivatives, worked out at once."""

    @staticmethod
    def forward(count: Tensor, log_mean: Tensor, log_alpha: Tensor, censored: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        parts = torch.zeros((3, *log_mean.shape), dtype=torch.float64)
        there = (censored & (count > 0)).cpu()
        chosen = [part.detach().cpu()[there].double().numpy() for part in (count, log_mean, log_alpha)]
        parts[:, there] = torch.from_numpy(np.stack(_tail(*chosen)))
        loss, by_mean, by_alpha = parts.to(log_mean).unbind()
        return loss, by_mean, by_alpha

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
        _, by_mean, by_alpha = output
        ctx.mark_non_differentiable(by_mean, by_alpha)
        ctx.save_for_backward(by_mean, by_alpha)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, Tensor, None]:
        by_mean, by_alpha = ctx.saved_tensors
        return None, gradients[0] * by_mean, gradients[0] * by_alpha, None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *inputs: Tensor
    ) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[int, int, int]]:
        """Put what is mapped over in front: every element is worked out by itself."""
        front = [
            part.expand(info.batch_size, *part.shape) if dim is None else part.movedim(dim, 0)
            for part, dim in zip(inputs, in_dims, strict=True)
        ]
        return _CountTail.apply(*front), (0, 0, 0)  # type: ignore[no-untyped-call]


def _tail(count: Array, log_mean: Array, log_alpha: Array) -> tuple[Array, Array, Array]:
    """Give -log P(Y ≥ count), above 0, and its derivatives in log mean and log alpha."""
    with np.errstate(all="ignore"):
        log_tail, log_hazard = log_tails(count, log_mean, log_alpha)
        above, _ = log_tails(count, log_mean, log_alpha + DIFFERENCE)
        below, _ = log_tails(count, log_mean, log_alpha - DIFFERENCE)
        return -log_tail, -np.exp(np.log(count) + log_hazard), (below - above) / (2 * DIFFERENCE)


def log_tails(count: Array, log_mean: Array, log_alpha: Array) -> tuple[Array, Array]:
    """Give log P(Y ≥ count) and log P(Y = count) / P(Y ≥ count), for counts above 0."""
    odds, size = log_mean + log_alpha, np.exp(-log_alpha)  # the log odds of q
    log_q, log_rest = -np.logaddexp(0.0, -odds), -np.logaddexp(0.0, odds)
    log_point = count * log_q + size * log_rest - np.log(count) - special.betaln(count, size)
    near = odds > NEAR_ONE
    tail = special.betainc(count, size, np.exp(log_q))
    tail[near] = special.betaincc(size[near], count[near], np.exp(log_rest[near]))
    log_tail = np.log(tail)
    far = tail < SMALLEST
    log_tail[far] = log_point[far] + np.log(_continued_fraction(count[far], size[far], np.exp(log_q[far])))
    return log_tail, np.minimum(log_point - log_tail, 0.0)


def _continued_fraction(a: Array, b: Array, x: Array) -> Array:
    """Give I_x(a, b) · a · B(a, b) / (x^a (1 - x)^b) by Lentz's method; each element ends when it has converged."""
    c, d = np.ones_like(x), _away_from_zero(1 - (a + b) * x / (a + 1))
    d = 1 / d
    value, running = d.copy(), np.ones(len(x), bool)
    for term in range(1, FRACTIONS):
        for numerator in _numerators(term, a, b, x):
            d = 1 / _away_from_zero(1 + numerator * d)
            c = _away_from_zero(1 + numerator / c)
            value = np.where(running, value * d * c, value)
        running &= np.abs(d * c - 1) > 1e-15
        if not running.any():
            break
    return value


def _numerators(term: int, a: Array, b: Array, x: Array) -> tuple[Array, Array]:
    even = term * (b - term) * x / ((a + 2 * term - 1) * (a + 2 * term))
    odd = -(a + term) * (a + b + term) * x / ((a + 2 * term) * (a + 2 * term + 1))
    return even, odd


def _away_from_zero(values: Array) -> Array:
    return np.where(np.abs(values) < TINY, TINY, values)
