"""What a public start is worth: to a merchant on its first days, before any round, and in rounds once they begin.

day one   histories are cut to their last few days, as if every merchant had begun to keep books then; the methods
that need no training forecast the horizon from there, the public model among them
race      the federation without noise is trained twice, from the plan's own draw of weights and from the public
model, on the whole histories; both read the same windows in the same round, so their losses compare
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from common.forecast.method import UNTRAINED, Method
from common.model.warm.start import start_model
from common.plan.schema import Plan
from simulation.engine.batch import federate
from simulation.engine.seeded_noise import SeededNoise
from simulation.evaluation.history import shorten
from simulation.evaluation.summary import HEADLINE, Metrics, score_part
from simulation.method.method import Progress, mechanism_of, run_method
from simulation.origin.origin import Trial
from simulation.report import chart
from simulation.report.page import TEMPLATES

STARTS = ("cold", "warm")
SMOOTHED_ROUNDS = 5
CPU = torch.device("cpu")

OnRound = Callable[[str, int, float], None]


@dataclass(frozen=True)
class Race:
    """The training loss before each round, from both starts.

    Attributes
    ----------
    cold, warm
        One loss per round, smoothed over the last `SMOOTHED_ROUNDS` rounds.
    """

    cold: Float[np.ndarray, " round"]
    warm: Float[np.ndarray, " round"]

    @property
    def warm_rounds(self) -> int | None:
        """Round in which the warm start is as low as the cold one ever comes; None where it never is."""
        reached = np.flatnonzero(self.warm <= self.cold.min())
        return int(reached[0]) + 1 if len(reached) else None

    @property
    def cold_rounds(self) -> int:
        """Round in which the cold start is lowest."""
        return int(self.cold.argmin()) + 1


def score_newcomers(trial: Trial, days: int) -> dict[str, Metrics]:
    """Score every method without training on histories cut to `days` days."""
    young = shorten(trial, days)
    results = {name: run_method(Method(name), young, seed=0, device=CPU, progress=Progress()) for name in UNTRAINED}
    return {name: score_part(result.forecast, young)["all"] for name, result in results.items()}


def race_starts(trial: Trial, *, num_rounds: int, seed: int, on_round: OnRound = lambda *told: None) -> Race:
    """Train without noise from both starts, for as many rounds."""
    losses = {start: _train(trial, start, num_rounds, seed, on_round) for start in STARTS}
    return Race(**{start: smooth(np.array(found)) for start, found in losses.items()})


def _train(trial: Trial, start: str, num_rounds: int, seed: int, on_round: OnRound) -> list[float]:
    losses: list[float] = []

    def listen(state: Any, loss: float) -> None:
        losses.append(loss)
        on_round(start, state.round_number, loss)

    plan = trial.plan
    federate(
        start_model(plan.model, trial.series, seed=seed, warm=start == "warm"),
        trial.series,
        trial.cohort,
        mechanism_of(Method("federated"), plan, max(trial.cohort.size_classes)),
        training=plan.federation.training.model_copy(update={"num_rounds": num_rounds}),
        cap=plan.federation.weight_cap,
        noise=SeededNoise(np.random.default_rng(seed)),
        device=CPU,
        on_round=listen,
    )
    return losses


def smooth(losses: Float[np.ndarray, " round"]) -> Float[np.ndarray, " round"]:
    """Give the mean over the last `SMOOTHED_ROUNDS` rounds, over fewer at the beginning."""
    total = np.cumsum(losses)
    before = np.concatenate([np.zeros(min(SMOOTHED_ROUNDS, len(losses))), total[:-SMOOTHED_ROUNDS]])
    smoothed: np.ndarray = (total - before) / np.minimum(np.arange(len(losses)) + 1, SMOOTHED_ROUNDS)
    return smoothed


def describe_newcomers(
    plan: Plan, scores: Sequence[dict[str, Metrics]], *, days: int, race: Race | None
) -> dict[str, Any]:
    """Average over origins, and say what the race came to."""
    metrics = HEADLINE[plan.evaluation.task]
    found = {name: {metric: _mean([each[name][metric] for each in scores]) for metric in metrics} for name in UNTRAINED}
    return {"plan": plan.name, "days": days, "methods": found, "race": race and _describe_race(race)}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _describe_race(race: Race) -> dict[str, Any]:
    return {
        "cold_rounds": race.cold_rounds,
        "warm_rounds": race.warm_rounds,
        "cold": race.cold.tolist(),
        "warm": race.warm.tolist(),
    }


def say_race(found: dict[str, Any]) -> str:
    """Say in one sentence what the public start saves."""
    cold, warm = found["cold_rounds"], found["warm_rounds"]
    lowest = f"A cold start comes down to a loss of {min(found['cold']):.4f} in round {cold}"
    if warm is None:
        return f"{lowest}; from the public model {len(found['warm'])} rounds are not enough for that."
    return f"{lowest}, from the public model it is reached in round {warm}."


def make_newcomer_table(found: dict[str, Any]) -> Table:
    """Lay out what every method reaches on the first days."""
    metrics = list(next(iter(found["methods"].values())))
    table = Table(title=Text(f"{found['plan']}: histories of {found['days']} days, no training"), box=SIMPLE)
    table.add_column("method", no_wrap=True)
    for metric in metrics:
        table.add_column(metric, justify="right")
    for name, scores in found["methods"].items():
        table.add_row(name, *("–" if scores[metric] is None else f"{scores[metric]:.4f}" for metric in metrics))
    return table


def make_newcomer_page(found: dict[str, Any]) -> str:
    """Write the table, and the curves of the race where there was one, as a page that loads nothing."""
    race = found["race"]
    picture = race and chart.draw_race(race["cold"], race["warm"]).to_svg()
    sentence = race and say_race(race)
    metrics = list(next(iter(found["methods"].values())))
    return TEMPLATES.get_template("newcomer.html").render(
        **found, metric_names=metrics, picture=picture, sentence=sentence
    )
