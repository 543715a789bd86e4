"""Federations that cannot help, by which a comparison is held to account: what they gain, it gives away.

null        no round is run, which is a learning rate of zero: the federation hands out what it started from
shuffled    rounds run as ever, on labels of other entities and other weeks: it learns noise of the right size

Both go the way of the real one from there on: personalised, weighed by their rehearsals, routed. Over the best that a
merchant could do alone, with the public model and its local fit among it, neither gains anything.

A shuffled label breaks the promise of the real one (one entity's rows reach another's record), so none is stated.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from common.forecast.method import Method
from common.model.features import Series
from common.plan.schema import Plan

WEEK_DAYS = 7


def same_as(method: Method, plan: Plan) -> Method:
    """Name what makes the very forecasts of a method, so that they are made once: itself, but for one.

    A federation that runs no round hands out what it started from; where that is the public model, both are the same as
    they are, and fitted to a merchant.
    """
    if method.is_federated and method.control == "null" and plan.start(private=method.is_private) == "warm":
        return Method("warm", personalised=method.personalised)
    return method


def shuffle_labels(series: Series, generator: np.random.Generator) -> Series:
    """Give each entity what labels are made of of another, turned by some weeks; what it forecasts from stays its own.

    The weeks are turned because what everyone shares on a day, as a holiday, would outlast a shuffle of entities, and
    is worth learning. Weekdays stay, and nothing from the origin on comes before it.
    """
    origin, entities = int(series.cutoffs[-1]), series.num_entities
    other = generator.permutation(entities)
    turned = WEEK_DAYS * generator.integers(max(origin // WEEK_DAYS, 1), size=entities)
    whole_weeks = origin - origin % WEEK_DAYS or origin
    day = torch.from_numpy((np.arange(origin) + turned[:, None]) % whole_weeks)
    donor = torch.from_numpy(other)[:, None]

    def shuffle(values: Shaped[Tensor, "entity day"]) -> Tensor:
        return torch.cat([values[donor, day], values[torch.from_numpy(other), origin:]], dim=1)

    return replace(
        series,
        target=shuffle(series.target),
        open=shuffle(series.open),
        censored=None if series.censored is None else shuffle(series.censored),
        expected=None if series.expected is None else shuffle(series.expected),
    )
