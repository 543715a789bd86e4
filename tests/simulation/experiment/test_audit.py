import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from common.errors import ConfigError
from common.plan.reading import read_plan
from common.privacy.mechanism import Mechanism
from simulation.experiment.audit import (
    NUM_CANARIES,
    audit_federation,
    audit_plan,
    deal_canaries,
    epsilon_lower_bound,
    guess,
    score_canaries,
    smallest_epsilon,
)
from simulation.origin.origin import Trial

FEDERATIONS = 30


def test_the_deterministic_levels_pass_at_the_smallest_merchant_that_has_two_entities(
    hansa_sim: Callable, tables: Path, write_plan: Callable[..., Path]
) -> None:
    plan_file = write_plan()
    finished = hansa_sim("audit", plan_file, "--data-root", tables, "--level", "l0,accounting")
    assert finished.code == 0, finished.stdout
    assert "An absent violation is no proof" in finished.stdout
    lonely = hansa_sim("audit", plan_file, "--data-root", tables, "--level", "accounting", "--merchant", "north")
    assert lonely.code == 2
    assert "choose another merchant" in lonely.stderr


def test_json_holds_the_report_and_a_dealt_merchant_is_audited_on_its_raw_rows(
    hansa_sim: Callable, tables: Path, write_plan: Callable[..., Path]
) -> None:
    plan_file = write_plan("orders")
    finished = hansa_sim("audit", plan_file, "--data-root", tables, "--level", "l0", "--json")
    report = json.loads(finished.stdout)
    assert (finished.code, report["clean"]) == (0, True)
    assert report["levels"]["l0"]["measured"]["sums compared"] > 50


def test_a_violation_is_said_and_ends_with_1(
    hansa_sim: Callable, tables: Path, write_plan: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.privacy.accounting.customer_mu", lambda mu, products: mu)
    plan_file = write_plan()
    finished = hansa_sim("audit", plan_file, "--data-root", tables, "--level", "accounting", "--merchant", "west")
    assert finished.code == 1
    assert "VIOLATION" in finished.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--level", "l9"), "no audit level"), (("--merchant", "nobody"), "no merchant 'nobody'")],
)
def test_a_mistake_is_one_sentence_and_ends_with_2(
    hansa_sim: Callable, tables: Path, write_plan: Callable[..., Path], options: tuple[str, str], words: str
) -> None:
    finished = hansa_sim("audit", write_plan(), "--data-root", tables, *options)
    assert finished.code == 2
    assert words in finished.stderr
    assert finished.stderr.count("\n") == 1


def test_a_plan_without_a_promise_needs_one(write_plan: Callable[..., Path], tables: Path) -> None:
    plan = read_plan(write_plan(evaluation={"methods": ["anchor"]}))
    with pytest.raises(ConfigError, match="--epsilon"):
        audit_plan(plan, tables, levels=("accounting",))
    assert smallest_epsilon(read_plan(write_plan())) == 8
    controls = ["federated_eps8", "federated_eps1_shuffled", "federated_eps1_null", "federated_eps2_sum"]
    assert smallest_epsilon(read_plan(write_plan(evaluation={"methods": controls}))) == 8


# Origin: without delta the bound is that of a binomial test, here with every guess right: q^100 = .05.
def test_right_guesses_refute_small_epsilons() -> None:
    q = 0.05 ** (1 / 100)
    expected = np.log(q / (1 - q))
    assert epsilon_lower_bound(400, 100, 100, delta=0.0, wrong=0.05) == pytest.approx(expected, rel=1e-6)
    assert epsilon_lower_bound(400, 100, 55, delta=0.0, wrong=0.05) == 0
    assert epsilon_lower_bound(400, 100, 100, delta=1e-5, wrong=0.05) < expected
    some = epsilon_lower_bound(400, 100, 80, delta=0.0, wrong=0.05)
    assert stats.binom.sf(79, 100, 1 / (1 + np.exp(-some))) == pytest.approx(0.05, rel=1e-6)


def test_the_surest_guesses_are_made_and_counted() -> None:
    included = np.arange(NUM_CANARIES) % 2 == 0
    assert guess(np.where(included, 1.0, -1.0), included) == (100, 100)
    assert guess(np.where(included, -1.0, 1.0), included) == (100, 0)


def test_canaries_are_long_one_and_dealt_to_everyone() -> None:
    canaries = deal_canaries(50, 3)
    assert set(canaries.merchant_of) == {0, 1, 2}
    assert sum(len(canaries.of(merchant)) for merchant in range(3)) == canaries.included.sum()
    np.testing.assert_allclose(np.linalg.norm(canaries.directions.numpy(), axis=1), 1, rtol=1e-5)


# Without noise every guess is right but for the canaries' own overlap; the coin falls otherwise with 1e-9.
def test_without_noise_the_messages_tell_who_was_in(make_small_trial: Callable[..., Trial], sales: object) -> None:
    trial = make_small_trial(sales, model={"hidden_size": 16, "decoder_size": 16})
    guesses, correct = guess(*score_canaries(trial, Mechanism(1.0, 1e-6)))
    assert correct >= 0.95 * guesses


# The bound lies above the claim with 1e-3 at most; it is far below in fact.
def test_a_private_federation_stays_below_its_claim(make_small_trial: Callable[..., Trial], sales: object) -> None:
    report = audit_federation(make_small_trial(sales), 8.0)
    assert report.violations == ()
    assert report.measured["epsilon at least"] <= 8


# Where trust is in the sum it alone is heard: the same coin, and the same bound as above.
@pytest.mark.slow
def test_a_released_sum_tells_who_was_in_without_noise_and_stays_below_its_claim_with_it(
    make_small_trial: Callable[..., Trial], sales: object
) -> None:
    terms = {"threshold": 2, "colluders": 1}
    trial = make_small_trial(
        sales,
        model={"hidden_size": 16, "decoder_size": 16},
        privacy={"training": {"num_rounds": 20}, "trust": "sum", "sum": terms},
    )
    guesses, correct = guess(*score_canaries(trial, Mechanism(1.0, 1e-6)))
    assert correct >= 0.9 * guesses
    report = audit_federation(trial, 8.0)
    assert report.violations == ()
    assert report.measured["epsilon at least"] <= 8


@pytest.mark.slow
def test_the_headline_stays_below_epsilon_on_thirty_federations(
    make_small_trial: Callable[..., Trial], sales: object
) -> None:
    trial = make_small_trial(
        sales, model={"hidden_size": 16, "decoder_size": 16}, privacy={"training": {"num_rounds": 20}}
    )
    for epsilon in (2.0, 8.0):
        bounds = [audit_federation(trial, epsilon).measured["epsilon at least"] for _ in range(FEDERATIONS)]
        print(f"\nepsilon {epsilon}: bounds up to {max(bounds):.2f}, mean {np.mean(bounds):.2f}")  # noqa: T201
        assert max(bounds) <= epsilon
