"""What a method of the comparison is called, parsed once.

seasonal_naive, moving_average, weekday_mean    points, from the entity's own past
anchor                                          the untrained model: what the network corrects
warm                                            the public model, trained on invented demand only
warm_personalised                               that model, fitted to each merchant's own data
auto_ets, croston, tsb, imapa                   classic forecasts of single series
chronos, fracast                                public foundation models, as they are
lightgbm_local, lightgbm_pooled                 boosted trees; per merchant, or all data in one place
logistic_local, logistic_pooled                 purchases; per merchant, or all data in one place
gru_local, gru_pooled                           the demand model alone, or with all data in one place
federated                                       all merchants together, without noise
federated_eps<number>                           the same at that epsilon per entity, each merchant adding all the noise
federated_eps<number>_sum                       the same where merchants trust a secure sum, and share the noise
federated…_personalised                         that model, fitted to each merchant's own data
routed, routed_own                              each merchant by the average of what served its last horizon well
federated…_null                                 a federation that learns nothing: it hands out what it started from
federated…_shuffled                             one that learns noise: its labels are of other entities and other weeks
routed_null, routed_shuffled                    routed, with such a federation in place of the real one

The last three are controls: whatever they gain over staying alone is not the federation's doing.

What one merchant can do by itself is in `client.forecast`; where methods need more than hansa's own libraries is there
too (`client.forecast.own`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

POINTS = ("seasonal_naive", "moving_average", "weekday_mean")
UNTRAINED = (*POINTS, "anchor", "warm")
PURCHASES_ONLY = ("logistic_local", "logistic_pooled")
POOLED = ("logistic_pooled", "lightgbm_pooled", "gru_pooled")
FOUNDATION = ("chronos", "fracast")
CLASSIC = ("auto_ets", "croston", "tsb", "imapa")
OWN = (*UNTRAINED, "logistic_local", *CLASSIC, "lightgbm_local", "gru_local", *FOUNDATION)
ROUTED = ("routed", "routed_own")
CONTROLS = ("null", "shuffled")
NAMES = (
    *UNTRAINED,
    *PURCHASES_ONLY,
    *CLASSIC,
    "lightgbm_local",
    "lightgbm_pooled",
    "gru_local",
    "gru_pooled",
    *FOUNDATION,
    "federated",
)
CONTROL = rf"(?:_({'|'.join(CONTROLS)}))?"
FEDERATED = re.compile(rf"federated(?:_eps(\d+(?:\.\d+)?)(_sum)?)?{CONTROL}(_personalised)?")
ROUTER = re.compile(rf"routed{CONTROL}")
FITTED = "warm_personalised"  # what anybody can fit without a federation


@dataclass(frozen=True)
class Method:
    """One method.

    Attributes
    ----------
    kind
        A name of `NAMES` or `ROUTED`; a name that nobody knows is a kind of its own, for `is_known` to tell.
    epsilon
        Of a federation with noise, per entity; None for one without, and for every other kind.
    personalised
        Whether the federation's model, or the public one, is fitted to each merchant.
    trusts_sum
        Of a federation with noise, whether its promise rests on the secure sum; else on each merchant's own noise.
    control
        One of `CONTROLS` where the federation is one that cannot help; empty where it is real, or there is none.
    """

    kind: str
    epsilon: float | None = None
    personalised: bool = False
    trusts_sum: bool = False
    control: str = ""

    @classmethod
    def parse(cls, name: str) -> Method:
        """Read a name as plans and summaries have it."""
        router = ROUTER.fullmatch(name)
        if router is not None:
            return cls("routed", control=router.group(1) or "")
        match = FEDERATED.fullmatch(name)
        if name == FITTED:
            return cls("warm", personalised=True)
        if match is None:
            return cls(name)
        epsilon, summed, control, personalised = match.groups()
        noise = None if epsilon is None else float(epsilon)
        return cls("federated", noise, personalised is not None, summed is not None, control or "")

    @property
    def name(self) -> str:
        """Write the name as plans and summaries have it."""
        noise = "" if self.epsilon is None else f"_eps{np.format_float_positional(self.epsilon, trim='-')}"
        control = self.control and f"_{self.control}"
        ends = ("_sum" * self.trusts_sum, control, "_personalised" * self.personalised)
        return f"{self.kind}{noise}{''.join(ends)}"

    @property
    def is_known(self) -> bool:
        """Whether there is such a method."""
        return self.kind in {*NAMES, *ROUTED}

    @property
    def is_federated(self) -> bool:
        """Whether this is a federation's model, as it is or personalised, be it a control's."""
        return self.kind == "federated"

    @property
    def is_real(self) -> bool:
        """Whether this is no control, so that it may be chosen, served and promised."""
        return not self.control

    @property
    def is_private(self) -> bool:
        """Whether this is a federation whose rounds have a price."""
        return self.epsilon is not None

    @property
    def is_routed(self) -> bool:
        """Whether this averages other methods."""
        return self.kind in ROUTED

    @property
    def is_own(self) -> bool:
        """Whether a merchant can use the method alone: no other merchant's data has a part in it."""
        return not self.is_federated and self.kind not in POOLED and self.kind != "routed"

    @property
    def is_from_outside(self) -> bool:
        """Whether this is a network that learned before it came here: the federation's, or a public one."""
        return self.is_federated or self.kind in ("warm", *FOUNDATION)

    @property
    def federation(self) -> Method:
        """Give what the personalised form of a federation, or of the public model, rests on."""
        return replace(self, personalised=False)
