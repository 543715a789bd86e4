"""Run a plan: every method at every origin, with progress, checkpoints and a summary that grows as it goes."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch.utils.tensorboard.writer import SummaryWriter

from common.data.panel import Panel
from common.errors import ConfigError
from common.forecast.method import Method
from common.model.demand_gru import save_model
from common.plan.schema import Plan
from common.privacy.accounting import epsilon_of
from server.round.checkpoint import load_checkpoint, save_checkpoint
from server.round.optimizer import ServerState
from simulation.engine.cluster.engine import Cluster
from simulation.evaluation.summary import describe_privacy, score_part, summarise
from simulation.experiment.ending import conclude, write_history
from simulation.experiment.entity import write_entities
from simulation.experiment.fingerprint import fingerprint_data
from simulation.experiment.folder import Part, RunFolder
from simulation.experiment.progress_bar import ProgressBar
from simulation.method.method import (
    Leg,
    Progress,
    Result,
    count_parameters,
    delta_of_plan,
    epsilon_of_method,
    mechanism_of,
    run_method,
    training_of,
)
from simulation.method.routing import (
    prerequisites,
    rehearsed_model,
    rounds_of,
    run_personalised,
    run_routed,
)
from simulation.origin.origin import Trial, load_panel, make_trial, rehearse

CHECKPOINT_SECONDS = 5.0


def plan_parts(plan: Plan, methods: tuple[str, ...], seed: int) -> list[Part]:
    """List the parts of a run, each after those it reads; what has noise once per seed, since the noise varies."""
    wanted = [
        Part(method, origin, seed + repetition)
        for origin in plan.evaluation.origins
        for method in map(Method.parse, methods)
        for repetition in range(plan.evaluation.seeds if _has_noise(method, plan) else 1)
    ]
    in_order = [step for part in wanted for step in (*prerequisites(part, plan, seed), part)]
    return list(dict.fromkeys(in_order))


def _has_noise(method: Method, plan: Plan) -> bool:
    return epsilon_of_method(method, plan) is not None and method.control != "null"


def run_plan(
    plan: Plan,
    folder: RunFolder,
    *,
    data_root: Path,
    methods: tuple[str, ...],
    seed: int,
    device: torch.device,
    command: str,
    display: ProgressBar,
    cluster: Cluster | None = None,
) -> dict[str, Any]:
    """Run what is not done yet, and return the summary; federate on `cluster` where one is given.

    Interrupted at any moment, the folder keeps every finished part and the last state of the one in training. What
    an earlier run left there for the plan's other methods is shown beside.
    """
    parts = plan_parts(plan, methods, seed)
    shown = plan_parts(plan, tuple(dict.fromkeys((*methods, *plan.evaluation.methods))), seed)
    header = {"plan": plan.name, "plan_hash": plan.hash, "seed": seed, "command": command, "answer": None}
    panel = load_panel(plan, data_root)
    folder.require_data(fingerprint_data(plan, data_root))
    stage: Stage | None = None
    for done, part in enumerate(parts):
        if folder.read_part(part) is not None:
            continue
        display.start(part, done, len(parts))
        if stage is None or stage.trial.origin != part.origin:
            stage = Stage(make_trial(plan, panel, part.origin))
            for sentence in stage.trial.gaps:
                display.note(f"At {part.origin}: {sentence}")
        with folder.writing():
            run_part(part, stage, folder, first_seed=seed, device=device, display=display, cluster=cluster)
            _write_summary(folder, shown, plan, header, panel)
    with folder.writing():
        folder.join_forecasts([part for part in shown if part.stage == "whole"])
        write_entities(folder, plan, panel)
        _write_summary(folder, shown, plan, {**header, "complete": True}, panel)
        display.note("Measuring how many months of own history joining is worth: own methods learn at each length.")
        write_history(folder, make_trial(plan, panel, max(plan.evaluation.origins)), methods, seed=seed, device=device)
        return conclude(folder)


@dataclass(frozen=True)
class Stage:
    """One origin, and the rehearsal of it once somebody asks."""

    trial: Trial

    @cached_property
    def rehearsal(self) -> Trial:
        """Step one horizon back."""
        return rehearse(self.trial)

    def of(self, part: Part) -> Trial:
        """Give the trial whose horizon a part forecasts."""
        return self.rehearsal if part.stage == "rehearsal" else self.trial


def run_part(
    part: Part,
    stage: Stage,
    folder: RunFolder,
    *,
    first_seed: int,
    device: torch.device,
    display: ProgressBar,
    cluster: Cluster | None,
) -> None:
    """Train, forecast and score one part.

    Raises
    ------
    ConfigError
        Training diverged.
    """
    started, trial = time.monotonic(), stage.of(part)
    choices: dict[str, dict[str, float]] | None = None
    if part.method.is_routed:
        routed = run_routed(part, trial, stage.rehearsal, folder, first_seed=first_seed)
        result, choices = Result(routed.forecast), routed.choices
    elif part.method.is_federated and part.method.personalised:
        result = Result(run_personalised(part, trial, folder))
    else:
        result = _train(part, trial, folder, device=device, display=display, cluster=cluster)
    if not result.forecast.is_finite():
        raise ConfigError(
            f"{part.method.name} diverged: it forecasts numbers that are not finite; "
            "lower its learning rate in the plan, or leave it out with --only."
        )
    if result.model is not None:
        save_model(result.model.cpu(), folder.model_path(part))
    scores = {
        "method": part.method.name,
        "origin": str(part.origin),
        "seed": part.seed,
        "stage": part.stage,
        "seconds": time.monotonic() - started,
        "privacy": describe_privacy(part.method, trial.plan, trial.cohort.size_classes),
        "choices": choices,
        **score_part(result.forecast, trial),
    }
    folder.write_part(part, scores, result.forecast, trial)


def _train(
    part: Part,
    trial: Trial,
    folder: RunFolder,
    *,
    device: torch.device,
    display: ProgressBar,
    cluster: Cluster | None,
) -> Result:
    with SummaryWriter(str(folder.curve_path(part))) as curves:
        recorder = _Recorder(part, trial, folder, curves, display)
        progress = Progress(on_round=recorder.on_round, on_step=recorder.on_step, state=recorder.load_state())
        leg = Leg(recorder.num_rounds, rehearsed_model(part, trial, folder) if part.stage == "served" else None)
        try:
            return run_method(
                part.method, trial, seed=part.seed, device=device, progress=progress, cluster=cluster, leg=leg
            )
        except KeyboardInterrupt:
            recorder.save_state()
            raise


@contextmanager
def hold_interrupt() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait for the end of a block; for the main thread.

    Thrown into the middle of TensorBoard's queue it swallows a wake-up, and closing the curves takes two minutes.
    """
    heard: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = [signal.signal(number, lambda number, frame: heard.append(number)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, previous, strict=True):
            signal.signal(number, handler)
    if heard:
        signal.raise_signal(heard[0])


class _Recorder:
    """Turn what training tells into curves, progress and checkpoints."""

    def __init__(
        self, part: Part, trial: Trial, folder: RunFolder, curves: SummaryWriter, display: ProgressBar
    ) -> None:
        self._part, self._trial, self._folder = part, trial, folder
        self._curves, self._display = curves, display
        self._state: ServerState | None = None
        self._saved_at = time.monotonic()
        largest = max(trial.cohort.size_classes)
        self._mechanism = mechanism_of(part.method, trial.plan, largest)
        self._delta = delta_of_plan(trial.plan, largest)
        self._rounds_before, self.num_rounds = rounds_of(part, training_of(part.method, trial.plan))

    def on_round(self, state: ServerState, loss: float) -> None:
        with hold_interrupt():
            self._record(state, loss)

    def _record(self, state: ServerState, loss: float) -> None:
        self._state = state
        text = f"round {state.round_number}/{self.num_rounds}"
        if not math.isnan(loss):
            text += f"  loss {loss:.4f}"
            self._curves.add_scalar("loss", loss, state.round_number)
        if self._mechanism.noise_multiplier > 0:
            rounds = self._rounds_before + state.round_number
            epsilon = epsilon_of(math.sqrt(rounds * self._mechanism.mu_squared), self._delta)
            text += f"  ε so far {epsilon:.3f} per {self._trial.plan.privacy.unit}"
            self._curves.add_scalar("epsilon", epsilon, state.round_number)
        self._display.show(state.round_number / self.num_rounds, text)
        if time.monotonic() - self._saved_at > CHECKPOINT_SECONDS:
            self.save_state()

    def on_step(self, share: float, loss: float) -> None:
        self._display.show(share, "" if math.isnan(loss) else f"loss {loss:.4f}")

    def save_state(self) -> None:
        if self._state is not None:
            save_checkpoint(self._state, self._folder.state_path(self._part), plan_hash=self._trial.plan.hash)
            self._saved_at = time.monotonic()

    def load_state(self) -> ServerState | None:
        path = self._folder.state_path(self._part)
        if not path.exists():
            return None
        return load_checkpoint(
            path, plan_hash=self._trial.plan.hash, size=count_parameters(self._part.method, self._trial)
        )


def _write_summary(
    folder: RunFolder, parts: list[Part], plan: Plan, header: dict[str, Any], panel: Panel
) -> dict[str, Any]:
    finished = [scores for part in parts if (scores := folder.read_part(part)) is not None]
    forecasts = [scores for scores in finished if scores["stage"] == "whole"]
    data = {
        "entities": len(panel.entities),
        "days": panel.num_days,
        "merchants": len(forecasts[0]["merchants"]) if forecasts else 0,
    }
    summary = summarise(finished, plan, {"complete": False, **header, "data": data})
    folder.write_json("summary.json", summary)
    return summary
