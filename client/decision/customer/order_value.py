"""Gamma-Gamma: what a purchase of a customer is worth, from what hers were worth and what everybody's are.

A purchase is gamma(p, 1/ν) in money, and ν is gamma(q, 1/γ) over the customers. Of a customer with x purchases of z on
average, ν is gamma(p x + q, 1/(γ + x z)), so the next is worth p (γ + x z)/(p x + q - 1) on average.

References
----------
Fader & Hardie 2013, "The Gamma-Gamma model of monetary value", equations 1a (likelihood) and 5 (expectation).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize
from scipy.special import gammaln

LEAST = 1e-9
WEAK = 0.01  # of the squared logarithms
LEAST_TAIL = 1.05  # below 1 there is no mean

Money = Float[np.ndarray, " customer"]


@dataclass(frozen=True)
class OrderValue:
    """A fitted Gamma-Gamma: p, q and γ of the note."""

    within: float
    between: float
    scale: float

    def expect(self, count: Money, mean: Money) -> Money:
        """Give what the next purchase is worth."""
        return self.within * (self.scale + count * mean) / (self.within * count + self.between - 1)

    def draw(
        self, count: Money, mean: Money, number: Float[np.ndarray, "draw customer"], generator: np.random.Generator
    ) -> Float[np.ndarray, "draw customer"]:
        """Draw the money of so many purchases ahead."""
        shape = np.broadcast_to(self.within * count + self.between, number.shape)
        rate = generator.standard_gamma(shape) / (self.scale + count * mean)
        return generator.standard_gamma(self.within * number) / np.maximum(rate, LEAST)


def fit_order_value(count: Money, mean: Money, *, weak: float = WEAK) -> OrderValue:
    """Find the most probable parameters; customers who brought nothing in all are left out."""
    kept = mean > LEAST
    if not kept.any():
        return OrderValue(1.0, 2.0, LEAST)
    x, unit = count[kept], float(np.median(mean[kept]))
    z = mean[kept] / unit

    def cost(logarithms: np.ndarray) -> float:
        p, q, gamma = np.exp(logarithms)
        q += LEAST_TAIL
        likely = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(gamma)
        likely = likely + (p * x - 1) * np.log(z) + p * x * np.log(x) - (p * x + q) * np.log(gamma + x * z)
        return float(-likely.sum() + weak * (logarithms**2).sum())

    found = minimize(cost, np.zeros(3), method="L-BFGS-B", bounds=[(-7.0, 7.0)] * 3)
    p, q, gamma = np.exp(found.x)
    return OrderValue(float(p), float(q + LEAST_TAIL), float(gamma * unit))
