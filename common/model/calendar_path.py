"""A straight path from what is known ahead to the forecast: a regression that a little noise cannot hurt.

What a calendar does to demand (a promotion on a Monday, the day before a holiday, last year's season) is to a large
part linear, and takes some fifty numbers. They are learned with hardly any of the noise in the way where the columns
are uncorrelated and of one size: every direction is then learned at one pace, a few dozen rounds are enough, and noise
of one size in each coordinate moves a forecast as little as it can. So the columns are whitened by second moments of
invented demand (`simulation.synthetic.pretraining`), a public constant that costs no privacy. Moments that are wrong
for a merchant's world slow learning down; they do not move its goal.

References
----------
The symmetric root of the inverse moments (ZCA): Kessy, Lewin & Strimmer 2018, "Optimal whitening and decorrelation",
The American Statistician 72. Public moments before clipping and noise: Li et al. 2022 (AdaDPS, arXiv 2202.05963); scale
then privatise: arXiv 2507.01129.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from common.plan.schema import WEEKDAYS

CROSSED = "regime", "open before", "open after"  # mean another thing on every weekday
TRENDS = 5  # of the first features of a step, what is new, three trends and the rate, is learned how they fade
BESIDE = 2 + TRENDS  # columns behind those that a plan names: how far ahead, the anchor, and the fading trends
UNKNOWN_CENTER, UNKNOWN_VARIANCE = 0.1, 0.1  # of a column that no invented world has: a mark now and then
FARTHEST = 10.0  # standard deviations: what a column of another scale, or a slip of the keyboard, says at most
FLOOR = 0.1  # of the mean variance: what hardly varies is not blown up to full size
GAINS = {  # of each output, so that an entity's gradient in them is of one size
    "log_normal": (0.1, 0.5),
    "negative_binomial": (0.5, 0.5),
    "hurdle_negative_binomial": (1.0, 0.5, 0.5),
}


@dataclass(frozen=True)
class CalendarMoments:
    """What invented worlds say of the path's columns, in the order of `columns`: mean, and covariance."""

    center: Float[Tensor, " column"]
    covariance: Float[Tensor, "column column"]


class CalendarPath(nn.Module):
    """Add to a likelihood's outputs a linear function of what is known ahead; nothing before it has learned.

    Parameters
    ----------
    future_names
        Of the plan's covariates known ahead, `Series.future_names`.
    """

    center: Tensor
    whitening: Tensor

    def __init__(self, likelihood: str, future_names: tuple[str, ...]) -> None:
        super().__init__()
        if not future_names:
            raise ValueError("A calendar path needs the names of what is known ahead.")
        self._crosses = find_crosses(future_names)
        self._gains = GAINS[likelihood]
        width = len(future_names) + BESIDE + len(self._crosses)
        self.linear = nn.Linear(width, len(self._gains))
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        self.register_buffer("center", torch.zeros(width))
        self.register_buffer("whitening", torch.eye(width))

    def forward(
        self,
        features: Float[Tensor, "entity position feature"],
        future: Float[Tensor, "entity position bucket covariate"],
        anchor: Float[Tensor, "entity position bucket"],
    ) -> Float[Tensor, "entity position bucket output"]:
        """Return what is added to the outputs of each bucket."""
        return self.say(self.read(features, future, anchor))

    def read(
        self,
        features: Float[Tensor, "entity position feature"],
        future: Float[Tensor, "entity position bucket covariate"],
        anchor: Float[Tensor, "entity position bucket"],
    ) -> Float[Tensor, "entity position bucket column"]:
        """Return the columns of each bucket, whitened, and none farther out than `FARTHEST`."""
        white: Tensor = (self.columns(features, future, anchor) - self.center) @ self.whitening
        return white.clamp(-FARTHEST, FARTHEST)

    def say(self, white: Float[Tensor, "*row column"]) -> Float[Tensor, "*row output"]:
        """Return what is added to the outputs, of columns that are read."""
        outputs: Tensor = self.linear(white) * white.new_tensor(self._gains)
        return outputs

    def columns(
        self,
        features: Float[Tensor, "entity position feature"],
        future: Float[Tensor, "entity position bucket covariate"],
        anchor: Float[Tensor, "entity position bucket"],
    ) -> Float[Tensor, "entity position bucket column"]:
        """Give what the path sees of each bucket: covariates, lead, anchor, trends times lead, and the crosses."""
        fading = features[:, :, None, :TRENDS] * future[..., -1:]
        parts = [future, torch.log1p(anchor)[..., None] / 4, fading]
        if self._crosses:
            left, right = (list(places) for places in zip(*self._crosses, strict=True))
            parts.append(future[..., left] * future[..., right])
        return torch.cat(parts, dim=3)

    @torch.no_grad()
    def whiten(self, moments: CalendarMoments) -> None:
        """Take out the mean and the correlations that columns of these moments have.

        Worked out in double precision where the model starts; another machine's last bits change no guarantee.
        """
        root, turn = np.linalg.eigh(moments.covariance.double().numpy())
        spread = np.sqrt(np.maximum(root, 0.0) + FLOOR * max(float(root.mean()), 1e-12))
        self.center.copy_(moments.center)
        self.whitening.copy_(torch.from_numpy((turn / spread) @ turn.T))


def find_crosses(future_names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Give the pairs of covariates whose product is a column; none where no weekday is told."""
    place = {name: index for index, name in enumerate(future_names)}
    if WEEKDAYS[0] not in place:
        return ()
    return tuple((place[name], place[day]) for name in CROSSED if name in place for day in WEEKDAYS)


def name_crosses(future_names: tuple[str, ...]) -> tuple[str, ...]:
    """Name the columns of `find_crosses`."""
    return tuple(f"{future_names[left]} on {future_names[right]}" for left, right in find_crosses(future_names))


def lay_moments(moments: CalendarMoments, places: Mapping[int, int], *, width: int) -> CalendarMoments:
    """Lay public moments where a plan has their columns; what only the plan has is uncorrelated with all others.

    Parameters
    ----------
    places
        Where each column that both have lies in the plan's.
    """
    here, there = list(places.keys()), list(places.values())
    center = torch.full((width,), UNKNOWN_CENTER)
    center[there] = moments.center[here]
    covariance = UNKNOWN_VARIANCE * torch.eye(width)
    covariance[np.ix_(there, there)] = moments.covariance[np.ix_(here, here)]
    return CalendarMoments(center, covariance)
