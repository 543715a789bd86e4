"""What a plan's rounds begin with, and what can be known to be wrong with a plan before anybody is asked."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from common.errors import ConfigError, HansaError
from common.message.proposal import MOST_BYTES, Proposal
from common.model.demand_gru import get_vector
from common.model.warm.start import start_without_data
from common.plan.schema import Plan
from common.privacy.mechanism import Mechanism


def start_vector(plan: Plan, *, private: bool) -> Float[Tensor, " parameter"]:
    """Return the parameters that a plan starts from, which anybody can work out without data.

    Raises
    ------
    HansaError
        No model can be made of the plan, or it is larger than clipping is proven for.
    """
    try:
        return get_vector(start_without_data(plan, private=private))
    except HansaError:
        raise
    except Exception as error:  # torch raises anything on sizes that fit nowhere
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise ConfigError(
            f"No model can be made of the plan {plan.name!r} ({reason}); see: hansa-sim check PLAN"
        ) from error


def require_runnable(proposal: Proposal, size_classes: Sequence[int], *, quorum: int) -> None:
    """Refuse a plan that cannot start, or that too few members could accept whatever their policies say.

    Parameters
    ----------
    size_classes
        Of every member.

    Raises
    ------
    HansaError
        In these cases.
    """
    plan = proposal.plan
    if plan.data.source != "file":
        raise ConfigError(f"The plan {plan.name!r} draws its data; a merchant takes part with a file of its own.")
    if len(proposal.to_bytes()) > MOST_BYTES:
        raise ConfigError(f"The plan {plan.name!r} is longer than {MOST_BYTES} bytes, more than a merchant reads.")
    if proposal.private:
        Mechanism(plan.privacy.clipping_norm, 1.0)
    fitting = sum(size_class in plan.privacy.size_classes for size_class in size_classes)
    if fitting < quorum:
        raise ConfigError(
            f"{fitting} of the {len(size_classes)} members have one of the size classes of plan {plan.name!r} "
            f"({', '.join(map(str, plan.privacy.size_classes))}), fewer than the quorum of {quorum}; add theirs to "
            "privacy.size_classes."
        )
    start_vector(plan, private=proposal.private)
