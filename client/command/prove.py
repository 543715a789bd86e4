"""`hansa-client prove`: whether the federation's model was better than staying alone, on the merchant's own rows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.command.newest import OriginOption, PlanHashOption, choose_origin, read_newest
from client.command.predict import say_weights
from client.folder import MerchantFolder, PlaceOption
from common.command.app import DataRootOption, DeviceOption, JsonOption
from common.command.output import make_console, print_json, print_table

if TYPE_CHECKING:
    from client.forecast.backtest import Proof
    from client.shop.settings import Shop
    from common.forecast.gain import Gain

SHOWN = {"wql": ("wape", "wql", "coverage80_mid", "bias"), "log_loss": ("log_loss", "auc", "brier")}
WORTH = {"better": "Yes.", "worse": "No.", "unclear": "Undecided."}
CALLED = {"wql": "quantile loss", "log_loss": "log-loss"}


def prove(
    data_root: DataRootOption = Path(),
    plan_hash: PlanHashOption = "",
    origin: OriginOption = "",
    device: DeviceOption = "auto",
    service_level: Annotated[
        float | None, typer.Option(min=0.01, max=0.999, help="Share of demand to serve; of shop.toml if left out.")
    ] = None,
    lead_days: Annotated[
        int | None, typer.Option(min=0, max=60, help="From an order to its arrival; of shop.toml if left out.")
    ] = None,
    review_days: Annotated[
        int | None, typer.Option(min=1, max=30, help="From an order to the next; of shop.toml if left out.")
    ] = None,
    price: Annotated[float | None, typer.Option(min=0.0, help="Of one unit; stock is said in money then.")] = None,
    currency: Annotated[str, typer.Option(help="What the price is in; the shop's own if left out.")] = "",
    holding_cost: Annotated[
        float | None,
        typer.Option(min=0.0, help="A year on the shelf, as a share of the cost; of shop.toml if left out."),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(min=0.0, max=0.99, help="Share of the price that is margin; of shop.toml if left out."),
    ] = None,
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say what the newest model is worth.

    Against what you could have said alone, on your own days after those that it learned from.
    """
    from client.decision.stock.terms import Asked, choose_terms
    from client.decision.stock.wording import say_joining, say_terms, say_too_short
    from client.forecast.backtest import prove as hold_against
    from common.machine.device import choose_device  # these are heavy, and needed here alone

    asked = Asked(service_level, lead_days, review_days, holding_cost, margin, price, currency)
    terms = choose_terms(asked, _read_shop_if_any(folder))
    model, rehearsal = read_newest(MerchantFolder(folder), plan_hash)
    day = choose_origin(origin, model)
    proof = hold_against(
        model,
        data_root,
        day,
        device=choose_device(device),
        rehearsal=rehearsal,
        costs=terms.costs,
        rhythm=terms.rhythm,
    )
    for sentence in proof.warnings:
        typer.echo(f"hansa-client: {sentence}", err=True)
    if as_json:
        said = {**asdict(proof), "origin": str(proof.origin), "last": str(proof.last)}
        names = {"plan": model.note.plan.name, "run_hash": model.note.run_hash}
        print_json({**said, **names, "terms": None if proof.joining is None else asdict(terms)})
        return
    for sentence in _say_worth(proof):
        typer.echo(sentence)
    _print_table(proof)
    whose = f"{proof.entities} of your own in {model.note.plan.data.entity!r}"
    typer.echo(f"{whose}, {proof.origin} to {proof.last}; the model knew no day of these.")
    for name, gain in proof.gains.items():
        typer.echo(f"{name} against {proof.best_own}, the best of your own here: {_say(gain, CALLED[proof.metric])}.")
    typer.echo("The best of your own is chosen with hindsight, which favours staying alone.")
    if proof.joining is not None:
        for sentence in (say_joining(proof.joining), *say_terms(terms)):
            typer.echo(sentence)
    elif model.note.plan.evaluation.task == "demand":
        typer.echo(say_too_short(model.note.plan.model, terms.rhythm))
    if proof.weights:
        typer.echo(f"routed is {say_weights(proof.weights)}.")
    for method, reason in proof.left_out.items():
        typer.echo(f"{method} has no part: it {reason}.")


def _say_worth(proof: Proof) -> list[str]:
    """Say whether joining helped, and what the federation's model added to the public one, before anything else."""
    metric = CALLED[proof.metric]
    gain = proof.gains[proof.served]
    said = [
        f"Did joining help? {WORTH['unclear' if gain is None else gain.verdict]} {proof.served} against the best of "
        f"your own ({proof.best_own}): {_say(gain, metric)}."
    ]
    for name, added in proof.added.items():
        whose = "which nobody trained" if added.against == "anchor" else "which is public and has seen no data"
        said.append(f"Added by the federation, {name} against {added.against}, {whose}: {_say(added.gain, metric)}.")
    return said


def _read_shop_if_any(folder: Path) -> Shop | None:
    """Read shop.toml where there is one: whoever joined with files of a plan alone has none."""
    from client.shop.settings import FILE_NAME, read_shop

    return read_shop(folder) if (folder / FILE_NAME).exists() else None


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
    from common.forecast.gain import say_share

    if gain is None:
        return "there was no demand to compare on"
    said = f"{metric} {say_share(abs(gain.gain))} {'lower' if gain.gain >= 0 else 'higher'}"
    if gain.low is None or gain.high is None:
        return f"{said}, with too few entities to say more"
    ends = " to ".join(say_share(end, signed=True) for end in (gain.low, gain.high))
    return f"{said} (95 % interval {ends}): {gain.verdict}"
