"""A merchant whose plan trusts in a sum: 5 members, 4 make a sum, 1 may collude."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from client.audit.subject import AuditSubject
from common.plan.schema import PrivacyPlan
from common.privacy import shared_noise
from common.privacy.mechanism import Mechanism

TERMS = {"threshold": 4, "colluders": 1}


@pytest.fixture
def make_summed(make_subject: Callable[..., AuditSubject]) -> Callable[..., AuditSubject]:
    """Make a subject whose plan shares the noise that it would have alone."""

    def make(**changes: Any) -> AuditSubject:
        subject = make_subject(num_customers=6, **changes)
        sigma = subject.mechanism.noise_multiplier
        privacy = subject.plan.privacy.model_dump() | {"trust": "sum", "sum": TERMS | {"noise_multiplier": sigma}}
        plan = subject.plan.model_copy(update={"privacy": PrivacyPlan.model_validate(privacy)})
        own = shared_noise.share_noise(sigma, plan.privacy.noise_share)
        return replace(subject, plan=plan, mechanism=Mechanism(subject.clipping_norm, own))

    return make
