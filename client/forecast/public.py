"""The public model beside the federation's: what both say is no merit of the federation."""

from __future__ import annotations

from collections.abc import Iterable

from common.forecast.method import Method
from common.model.warm.start import warm_path
from common.plan.schema import ModelPlan


def add_public(candidates: Iterable[Method], plan: ModelPlan) -> tuple[Method, ...]:
    """Add the public model to what is averaged, as it is or fitted to the merchant, as the federation's is there.

    Nothing is added where there is no public model of the plan's shape.
    """
    named = tuple(dict.fromkeys(candidates))
    if not warm_path(plan).exists():
        return named
    beside = (Method("warm", personalised=method.personalised) for method in named if method.is_federated)
    return tuple(dict.fromkeys((*named, *beside)))
