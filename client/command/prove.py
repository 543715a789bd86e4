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
from common.errors import ConfigError

if TYPE_CHECKING:
    from client.decision.stock.cost import StockCosts
    from client.forecast.backtest import Proof
    from common.forecast.gain import Gain

SHOWN = {"wql": ("wape", "wql", "coverage80_mid", "bias"), "log_loss": ("log_loss", "auc", "brier")}
CALLED = {"wql": "quantile loss", "log_loss": "log-loss"}


def prove(
    data_root: DataRootOption = Path(),
    plan_hash: PlanHashOption = "",
    origin: OriginOption = "",
    device: DeviceOption = "auto",
    service_level: Annotated[
        float, typer.Option(min=0.01, max=0.999, help="Share of demand to serve from the shelf.")
    ] = 0.95,
    lead_days: Annotated[int, typer.Option(min=0, max=60, help="From an order to its arrival.")] = 7,
    review_days: Annotated[int, typer.Option(min=1, max=30, help="From an order to the next.")] = 7,
    price: Annotated[float, typer.Option(min=0.0, help="Of one unit; stock is said in money then.")] = 0.0,
    currency: Annotated[str, typer.Option(help="What the price is in, as EUR.")] = "",
    holding_cost: Annotated[float, typer.Option(min=0.0, help="A year on the shelf, as a share of the cost.")] = 0.25,
    margin: Annotated[float, typer.Option(min=0.0, max=0.99, help="Share of the price that is margin.")] = 0.4,
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say what the newest model is worth.

    Against what you could have said alone, on your own days after those that it learned from.
    """
    from client.decision.stock.walk import Rhythm
    from client.decision.stock.wording import say_joining
    from client.forecast.backtest import prove as hold_against
    from common.machine.device import choose_device  # these are heavy, and needed here alone

    model, rehearsal = read_newest(MerchantFolder(folder), plan_hash)
    day = choose_origin(origin, model)
    costs = _read_costs(price, currency, service_level, holding_cost, margin)
    proof = hold_against(
        model,
        data_root,
        day,
        device=choose_device(device),
        rehearsal=rehearsal,
        costs=costs,
        rhythm=Rhythm(lead_days, review_days),
    )
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
    if proof.joining is not None:
        typer.echo(say_joining(proof.joining))
    if proof.weights:
        typer.echo(f"routed is {say_weights(proof.weights)}.")
    for method, reason in proof.left_out.items():
        typer.echo(f"{method} has no part: it {reason}.")


def _read_costs(
    price: float, currency: str, service_level: float, holding_share: float, margin_share: float
) -> StockCosts:
    """Read what stock costs; without a price money is not spoken of."""
    import numpy as np

    from client.decision.stock.cost import cost_of_price

    if bool(price) != bool(currency):
        raise ConfigError("--price and --currency go together, as --price 4.50 --currency EUR; give both or neither.")
    return cost_of_price(
        np.array(price or 1.0),
        holding_share=holding_share,
        margin_share=margin_share,
        service_level=service_level,
        currency=currency,
    )


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
