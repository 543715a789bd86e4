import pytest

from simulation.evaluation.kept import kept_of_gain, name_unshared
from simulation.report.wording import kept_words


def summary_of(**losses: float | None) -> dict[str, object]:
    methods = {name: {"wql": loss} for name, loss in losses.items()}
    return {"methods": methods, "spread": {"federated_eps2_sum": {"wql": 0.001}}}


def test_what_remains_of_a_gain_is_told_for_either_trust():
    losses = {"anchor": 0.05, "federated": 0.04, "federated_eps2": 0.052, "federated_eps2_sum": 0.042}
    kept = kept_of_gain(summary_of(**losses, federated_eps2_sum_personalised=0.03, federated_eps2_null=0.05), "wql")
    assert {name: (found.share, found.spread) for name, found in kept.items()} == {
        "federated_eps2": (pytest.approx(-0.2), 0.0),
        "federated_eps2_sum": (pytest.approx(0.8), pytest.approx(0.1)),
    }
    assert kept_words(kept, "wql").replace("\N{NO-BREAK SPACE}", " ") == (
        "Of what `federated` gains over `anchor` in quantile loss remain: `federated_eps2` -20 %, "
        "`federated_eps2_sum` 80 % ± 10 %"
    )


@pytest.mark.parametrize(
    "losses",
    [
        {"anchor": 0.05, "federated_eps2": 0.04},
        {"federated": 0.05, "federated_eps2": 0.04},
        {"anchor": 0.04, "federated": 0.05, "federated_eps2": 0.04},
        {"anchor": 0.05, "federated": 0.04, "federated_eps2": None},
        {"anchor": 0.05, "federated": 0.04},
    ],
)
def test_where_there_is_no_gain_nothing_is_said_of_it(losses):
    assert kept_of_gain(summary_of(**losses), "wql") == {}
    assert kept_words({}, "wql") == ""


def test_the_public_model_s_merit_is_not_the_federation_s():
    losses = {"anchor": 0.06, "warm": 0.05, "federated": 0.04, "federated_eps8": 0.048}
    summary = summary_of(**losses)
    assert name_unshared(summary, "wql") == "warm"
    assert kept_of_gain(summary, "wql")["federated_eps8"].share == pytest.approx(0.2)
    said = kept_words(kept_of_gain(summary, "wql"), "wql", over="warm")
    assert said.startswith("Of what `federated` gains over `warm` in quantile loss remain")
    assert name_unshared(summary_of(anchor=0.04, warm=0.05), "wql") == "anchor"
    assert name_unshared(summary_of(federated=0.04), "wql") == "anchor"
