import math
from collections.abc import Callable

import numpy as np
import torch

from client.audit.independence import FALSE_ALARM, compare_noise, correlations
from client.audit.subject import AuditSubject


# False alarm 9.2e-4.
def test_a_clean_merchant_passes_and_common_generators_keep_their_state(
    make_subject: Callable[..., AuditSubject],
) -> None:
    before = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    report = compare_noise(make_subject(num_customers=5))
    assert report.violations == ()
    assert report.false_alarm == FALSE_ALARM < 1e-3
    assert before == (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())


def test_correlations_at_every_shift_are_those_of_turned_messages() -> None:
    messages = np.random.default_rng(0).standard_normal((3, 7))
    found = correlations(messages)
    for shift in range(7):
        turned = np.roll(messages[1], shift)
        expected = messages[0] @ turned / np.linalg.norm(messages[0]) / np.linalg.norm(turned)
        assert math.isclose(found[0, 1, shift], expected, abs_tol=1e-12)
