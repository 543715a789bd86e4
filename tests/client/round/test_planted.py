"""A planted fault leaks and does not merely fail: with ordinary data a round is answered in a house with any of them.

Where a plant fails, because what it patches has moved, the audit would catch the missing reply in place of the leak.
"""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import torch

from client.round.answers import Answers, Merchant
from client.round.leg import read_legs
from common.message.round import RoundRequest, encode_request
from common.message.vector import hash_vector
from common.plan.schema import Plan
from common.privacy.mechanism import Mechanism
from common.privacy.noise import SecureNoise
from fleet.shop import write_rows
from planted.catalogue import FAULTS, LATER
from planted.fault import Fault, Severity

ALL = (*FAULTS, *LATER)
ROUND = 10  # in which some faults show that do not in the first


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: fault.name)
def test_a_merchant_with_a_planted_fault_answers(
    fault: Fault, make_plan: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(tmp_path / "rows.csv", num_customers=3)
    plan = make_plan(privacy={"unit": "customer", "training": {"num_rounds": ROUND}})
    fault.plant(monkeypatch)
    series, _ = read_legs(plan, tmp_path)
    merchant = Merchant(plan, ROUND, series, Mechanism(1.0, 1.5), SecureNoise(), torch.device("cpu"))
    answers = Answers(merchant)
    parameters = torch.zeros(answers.size)
    asked = RoundRequest(merchant.run_hash, ROUND, hash_vector(parameters), parameters)
    assert answers.answer(encode_request(asked))


def test_no_two_planted_faults_share_a_name_or_a_sentence() -> None:
    assert len({fault.name for fault in ALL}) == len({fault.sentence for fault in ALL}) == len(ALL)
    assert {fault.severity for fault in LATER} == set(get_args(Severity))
