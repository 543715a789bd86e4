"""BG/NBD: customers buy by chance at a rate of their own, and after any purchase may leave for good.

The rate is gamma(`shape`, 1/`scale`) over the customers, the chance to leave after a purchase beta(`leave`, `stay`).
Known of a customer are x purchases after the first, the time t_x of the last and T until now, both since the first.

    likelihood      Γ(r+x)/Γ(r) α^r · B(a, b+x)/B(a, b) · [ (α+T)^-(r+x) + 1{x>0} a/(b+x-1) (α+t_x)^-(r+x) ]
    still there     1 / (1 + 1{x>0} a/(b+x-1) ((α+T)/(α+t_x))^(r+x))
    buys within t   still there · (1 - ((α+T)/(α+T+t))^(r+x)), since she leaves only after a purchase
    purchases in t  (a+b+x-1)/(a-1) · (1 - ((α+T)/(α+T+t))^(r+x) ₂F₁(r+x, b+x; a+b+x-1; t/(α+T+t))) · still there

References
----------
Fader, Hardie & Lee 2005, "Counting your customers the easy way: an alternative to the Pareto/NBD model", Marketing
Science 24(2), 275-284: equations 6 (likelihood), 10 (expectation); P(still there) is their note of 2008.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1

from client.decision.customer.past import Past

WEAK = 0.01  # of the squared logarithms, against parameters that run away where the data says nothing about them
MOST_LOGARITHM = 7.0
LEAST_CUSTOMERS = 20
NEAR_ONE = 1e-6  # the expectation has a removable gap where `leave` is 1
TINY = 1e-12

Times = Float[np.ndarray, " customer"]
Counts = Int[np.ndarray, " customer"]


@dataclass(frozen=True)
class BuyTillDie:
    """A fitted BG/NBD: r, α, a and b of the paper; times in the unit that they were fitted in."""

    shape: float
    scale: float
    leave: float
    stay: float

    def log_likelihood(self, again: Counts, last: Times, age: Times) -> Times:
        """Give the log-likelihood of each customer; equation 6."""
        r, alpha, a, b = self.shape, self.scale, self.leave, self.stay
        begin = gammaln(r + again) - gammaln(r) + r * np.log(alpha) + betaln(a, b + again) - betaln(a, b)
        here = -(r + again) * np.log(alpha + age)
        return begin + here + np.log1p(self._gone(again, last, age))

    def _gone(self, again: Counts, last: Times, age: Times) -> Times:
        """Odds of having left."""
        ratio = (self.shape + again) * np.log((self.scale + age) / (self.scale + last))
        odds = self.leave / (self.stay + np.maximum(again, 1) - 1) * np.exp(np.minimum(ratio, 500.0))
        return np.where(again > 0, odds, 0.0)

    def alive(self, again: Counts, last: Times, age: Times) -> Times:
        """Give the probability that a customer is still there; one who bought once always is, in this model."""
        return 1.0 / (1.0 + self._gone(again, last, age))

    def buys(self, again: Counts, last: Times, age: Times, ahead: float) -> Times:
        """Give the probability of at least one purchase within `ahead`."""
        return self.alive(again, last, age) * self.buys_if_there(again, age, ahead)

    def buys_if_there(self, again: Counts, age: Times, ahead: float) -> Times:
        """Give that probability for one who has not left."""
        return -np.expm1(-(self.shape + again) * np.log1p(ahead / (self.scale + age)))

    def expect(self, again: Counts, last: Times, age: Times, ahead: float) -> Times:
        """Give the number of purchases that are expected within `ahead`; equation 10."""
        a = self.leave if abs(self.leave - 1.0) > NEAR_ONE else 1.0 + NEAR_ONE
        r, alpha, b = self.shape, self.scale, self.stay
        top = a + b + again - 1
        power = np.exp((r + again) * np.log((alpha + age) / (alpha + age + ahead)))
        curve = hyp2f1(r + again, b + again, top, ahead / (alpha + age + ahead))
        expected = top / (a - 1) * (1 - power * curve) * self.alive(again, last, age)
        return np.maximum(expected, self.buys(again, last, age, ahead))

    def silent(self, again: Counts, last: Times, silence: Times) -> Times:
        """Give the probability of so long a silence after the last purchase, for one who has not left.

        The rate's posterior at the last purchase is gamma(r + x, α + t_x), so the silence is Lomax.
        """
        return np.exp(-(self.shape + again) * np.log1p(silence / (self.scale + last)))


def fit_buy_till_die(again: Counts, last: Times, age: Times) -> BuyTillDie:
    """Find the most probable parameters, with a weak pull towards ones of the size of the data's own times."""
    unit = max(float(np.mean(age)), TINY)
    last, age = last / unit, age / unit

    def cost(logarithms: np.ndarray) -> float:
        model = BuyTillDie(*np.exp(logarithms))
        return float(-model.log_likelihood(again, last, age).sum() + WEAK * (logarithms**2).sum())

    ends = [(-MOST_LOGARITHM, MOST_LOGARITHM)] * 4
    found = minimize(cost, np.zeros(4), method="L-BFGS-B", bounds=ends)
    shape, scale, leave, stay = np.exp(found.x)
    return BuyTillDie(float(shape), float(scale * unit), float(leave), float(stay))


def fit_past(past: Past) -> BuyTillDie:
    """Fit to the customers of a past, in days."""
    return fit_buy_till_die(*times_of(past))


def times_of(past: Past) -> tuple[Counts, Times, Times]:
    """Give x, t_x and T of every customer, in days."""
    return past.again, (past.last - past.first).astype(np.float64), past.age.astype(np.float64)
