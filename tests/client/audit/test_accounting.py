from collections.abc import Callable
from dataclasses import replace

import pytest

from client.audit.accounting import check_accounting, delta_by_definition
from client.audit.subject import AuditSubject
from common.privacy.accounting import delta_of


@pytest.mark.parametrize("mu", [0.1, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("epsilon", [0.1, 2.0, 8.0])
def test_the_integral_of_the_definition_is_the_closed_form(mu: float, epsilon: float) -> None:
    expected = delta_of(mu, epsilon)
    assert delta_by_definition(mu, epsilon) == pytest.approx(expected, rel=1e-8, abs=1e-300)


def test_a_true_claim_passes_and_a_smaller_one_does_not(make_subject: Callable[..., AuditSubject]) -> None:
    subject = make_subject(num_customers=5)
    assert check_accounting(subject).violations == ()
    (sentence,) = check_accounting(replace(subject, epsilon=1.9)).violations
    assert "epsilon 1.9" in sentence
