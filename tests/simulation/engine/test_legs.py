"""A run that rehearses over messages gives, without noise, the two models of the simulation's two legs."""

import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import torch

from client.account.agreement import Offer, agree
from client.account.ledger.answer_log import LedgerAnswerLog
from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger, create_ledger
from client.account.policy import Policy
from client.round.answers import Answers, Merchant, make_client_app
from client.round.leg import read_legs
from common.forecast.method import Method
from common.message.round import RoundRequest, encode_request
from common.message.vector import hash_vector
from common.model.demand_gru import get_vector
from common.model.warm.start import start_training
from common.plan.leg import legs_of
from common.privacy.mechanism import Mechanism
from common.privacy.noise import SecureNoise
from server.round.aggregation import Terms
from server.round.federation import Federation
from server.round.optimizer import start_state
from simulation.engine.batch import federate
from simulation.engine.grid import InProcessGrid, make_context
from simulation.engine.rounds import run_rounds
from simulation.engine.seeded_noise import SeededNoise
from simulation.experiment.folder import Part
from simulation.method.routing import rounds_of
from simulation.origin.origin import load_panel, make_trial, rehearse

CPU, EXACT = torch.device("cpu"), Mechanism(None, 0.0)
TRAINING = {"num_rounds": 6, "learning_rate": 0.02, "ema": 0.5}
SHOPS = ("north", "south", "west")
COORDINATOR = "c" * 64
LIMITS = {"largest_num_rounds": 50, "smallest_cohort": 3}


@pytest.fixture
def plan(make_plan):
    return make_plan(
        privacy={"training": TRAINING},
        federation={"training": TRAINING, "rehearsal": True},
        data={"merchant": "shop"},
        model={"window_steps": 12, "positions": 3},
    )


@pytest.fixture
def root(tmp_path):
    """Write visits of three shops' customers; some customers come only in the last horizon before the origin."""
    generator, rows = np.random.default_rng(3), []
    for number, shop in enumerate(SHOPS):
        for customer in range(4 + number):
            first = "2024-02-27" if customer == 0 else "2024-01-02"
            for day in pd.date_range(first, "2024-03-20"):
                rows += [(shop, f"{shop}-{customer}", str(day.date()))] * int(generator.poisson(1 + customer / 2))
    table = pd.DataFrame(rows, columns=["shop", "customer", "time"])
    table.to_csv(tmp_path / "rows.csv", index=False)
    for shop, own in table.groupby("shop"):
        (tmp_path / str(shop)).mkdir()
        own.to_csv(tmp_path / str(shop) / "rows.csv", index=False)
    return tmp_path


def run_over_messages(plan, root, size_classes):
    """Run every round through ClientApps; give the state after each."""
    merchants = []
    for shop in SHOPS:
        series, rehearsal = read_legs(plan, root / shop)
        merchants.append(Merchant(plan, TRAINING["num_rounds"], series, EXACT, SecureNoise(), CPU, rehearsal=rehearsal))
    grid = InProcessGrid(
        {
            shop: (make_client_app(Answers(own).answer), make_context(2 + i))
            for i, (shop, own) in enumerate(zip(SHOPS, merchants, strict=True))
        }
    )
    federation = Federation(
        plan=plan,
        training=plan.federation.training,
        cohort={2 + place: Terms(size, EXACT) for place, size in enumerate(size_classes)},
        quorum=len(SHOPS),
        timeout_seconds=60.0,
        legs=legs_of(plan, private=False),
    )
    start, states = start_training(plan, merchants[0].series, seed=0, private=False), []
    run_rounds(grid, federation, start_state(get_vector(start)), on_round=lambda state, outcome: states.append(state))
    return states


def run_simulated(plan, root, size_classes):
    """Run the simulation's two legs, as `simulation.method.routing` shares the rounds out; give both models."""
    trial = make_trial(plan, load_panel(plan, root), plan.evaluation.origins[-1])
    model, models = start_training(plan, trial.series, seed=0, private=False), []
    for stage, here in (("rehearsal", rehearse(trial)), ("served", trial)):
        part = Part(Method("federated", 8.0), plan.evaluation.origins[-1], 0, stage)
        _, num_rounds = rounds_of(part, plan.federation.training)
        federate(
            model,
            here.series,
            replace(here.cohort, size_classes=size_classes),
            EXACT,
            training=plan.federation.training.model_copy(update={"num_rounds": num_rounds}),
            cap=plan.federation.weight_cap,
            noise=SeededNoise(np.random.default_rng(0)),
            device=CPU,
        )
        models.append(get_vector(model).clone())
    return models


def test_both_legs_over_messages_are_those_of_the_simulation(plan, root):
    size_classes = (32, 32, 32)
    states, (rehearsed, served) = run_over_messages(plan, root, size_classes), run_simulated(plan, root, size_classes)
    assert [state.round_number for state in states] == [1, 2, 3, 4, 5, 6]
    assert float((served - rehearsed).abs().max()) > 1e-3
    torch.testing.assert_close(states[3].average.float(), rehearsed, rtol=0, atol=1e-6)
    torch.testing.assert_close(states[5].average.float(), served, rtol=0, atol=1e-6)


def test_the_rehearsal_knows_nothing_of_the_last_horizon_before_the_origin(plan, root):
    _, before = read_legs(plan, root / "north")
    rows = pd.read_csv(root / "north" / "rows.csv", dtype=str)
    pd.concat([rows, rows[rows["time"] >= "2024-02-26"]]).to_csv(root / "north" / "rows.csv", index=False)
    later, after = read_legs(plan, root / "north")
    assert later.num_entities == before.num_entities + 1  # who came in the last horizon
    for name in ("inputs", "cell_level"):
        assert torch.equal(getattr(before, name), getattr(after, name))


def test_every_round_of_either_leg_is_charged_the_same(plan, root, tmp_path):
    policy = Policy.model_validate_json(
        json.dumps(
            {
                "dataset": "shop",
                "unit": "customer",
                "size_class": 32,
                "data": {
                    "entity": "customer",
                    "merchant": "shop",
                    "files": {"rows.csv": ["shop", "customer", "time"]},
                },
                "budget": {"epsilon": 8.0, "period_epsilon": 8.0, "period_days": 365, "delta": 1e-5},
                "plan": {
                    "epsilon": 8.0,
                    "smallest_noise_multiplier": 0.5,
                    "largest_num_rounds": 50,
                    "smallest_cohort": 1,
                },
                "approval": {
                    "coordinators": [COORDINATOR],
                    "automatic": {"largest_num_rounds": 50, "smallest_cohort": 1},
                },
            }
        )
    )
    create_ledger(tmp_path / "ledger.sqlite")
    with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.open_account("shop", "customer", delta=1e-5, at=datetime.now(UTC))
        series, rehearsal = read_legs(plan, root / "north")
        vector = get_vector(start_training(plan, series, seed=0, private=True))
        offer = Offer(plan=plan, private=True, coordinator=COORDINATOR, cohort_size=3)
        agreement = agree(policy, offer, ledger, num_coordinates=len(vector))
        log = LedgerAnswerLog(ledger, agreement)
        merchant = Merchant(plan, 6, series, agreement.mechanism, SecureNoise(), CPU, log, rehearsal=rehearsal)
        answers = Answers(merchant)
        for round_number in range(1, 7):
            request = RoundRequest(merchant.run_hash, round_number, hash_vector(vector), vector)
            answers.answer(encode_request(request))
        spends = [entry for entry in ledger.entries if isinstance(entry, Spend)]
        assert [spend.round_number for spend in spends] == [1, 2, 3, 4, 5, 6]
        assert {spend.cost("customer") for spend in spends} == {agreement.mechanism.mu_squared}
        assert merchant.find_series(4) == (rehearsal, 4)
        assert merchant.find_series(5) == (series, 1)


def test_a_merchant_without_a_usable_row_has_nobody_in_either_leg(plan, root):
    (root / "north" / "rows.csv").write_text("shop,customer,time\n")
    assert [series.num_entities for series in read_legs(plan, root / "north")] == [0, 0]
