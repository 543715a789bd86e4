"""`hansa-client prove`: whether the federation's model was better than staying alone, on the merchant's own rows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from client.command.newest import OriginOption, PlanHashOption, choose_origin, read_newest
from client.command.predict import say_weights
from client.folder import MerchantFolder, PlaceOption
from common.command.app import DataRootOption, DeviceOption, JsonOption
from common.command.output import make_console, print_json, print_table

if TYPE_CHECKING:
    from client.forecast.backtest import Proof
    from common.forecast.gain import Gain

SHOWN = {"wql": ("wape", "wql", "coverage80_mid", "bias"), "log_loss": ("log_loss", "auc", "brier")}
CALLED = {"wql": "quantile loss", "log_loss": "log-loss"}


def prove(
    data_root: DataRootOption = Path(),
    plan_hash: PlanHashOption = "",
    origin: OriginOption = "",
    device: DeviceOption = "auto",
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say what the newest model is worth.

    Against what you could have said alone, on your own days after those that it learned from.
    """
    from client.forecast.backtest import prove as hold_against
    from common.machine.device import choose_device  # these are heavy, and needed here alone

    model, rehearsal = read_newest(MerchantFolder(folder), plan_hash)
    day = choose_origin(origin, model)
    proof = hold_against(model, data_root, day, device=choose_device(device), rehearsal=rehearsal)
    for sentence in proof.warnings:
        typer.echo(f"hansa-client: {sentence}", err=True)
    if as_json:
        said = {**asdict(proof), "origin": str(proof.origin), "last": str(proof.last)}
        print_json({**said, "plan": model.note.plan.name, "run_hash": model.note.run_hash})
        return
    _print_table(proof)
    whose = f"{proof.entities} of your own in {model.note.plan.data.entity!r}"
    typer.echo(f"{whose}, {proof.origin} to {proof.last}; the model knew no day of these.")
    for name, gain in proof.gains.items():
        typer.echo(f"{name} against {proof.best_own}, the best of your own here: {_say(gain, CALLED[proof.metric])}.")
    typer.echo("The best of your own is chosen with hindsight, which favours staying alone.")
    if proof.weights:
        typer.echo(f"routed is {say_weights(proof.weights)}.")
    for method, reason in proof.left_out.items():
        typer.echo(f"{method} has no part: it {reason}.")


def _print_table(proof: Proof) -> None:
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(box=SIMPLE)
    table.add_column("method", no_wrap=True)
    for metric in SHOWN[proof.metric]:
        table.add_column(metric, justify="right")
    for name, scores in proof.scores.items():
        values = [scores[metric] for metric in SHOWN[proof.metric]]
        table.add_row(name, *("–" if value is None else f"{value:.4f}" for value in values))
    print_table(make_console(), table)


def _say(gain: Gain | None, metric: str) -> str:
    if gain is None:
        return "there was no demand to compare on"
    said = f"{metric} {abs(gain.gain):.1%} {'lower' if gain.gain >= 0 else 'higher'}"
    if gain.low is None or gain.high is None:
        return f"{said}, with too few entities to say more"
    return f"{said} (95 % interval {gain.low:+.1%} to {gain.high:+.1%}): {gain.verdict}"
