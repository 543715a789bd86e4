"""What forecasts are worth as stock."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from common.command.app import DataRootOption, JsonOption, PlanArgument
from common.command.output import make_console, print_json, print_table
from common.errors import ConfigError


def worth(
    plan_file: PlanArgument,
    data_root: DataRootOption = Path(),
    pieces: Annotated[str, typer.Option(help="Column whose sum is demand; the plan's target if left out.")] = "",
    price: Annotated[
        str, typer.Option(help="Column with the price of a piece, or a number; a piece counts as 1 if left out.")
    ] = "",
    currency: Annotated[str, typer.Option(help="What prices are in, as EUR.")] = "",
    first: Annotated[str, typer.Option(help="Day of the first review; half a year before the end if left out.")] = "",
    lead_days: Annotated[int, typer.Option(min=0, max=120, help="From an order to its arrival.")] = 7,
    review_days: Annotated[int, typer.Option(min=1, max=56, help="From an order to the next.")] = 7,
    fill_rate: Annotated[str, typer.Option(help="Shares of demand to serve, separated by commas.")] = "0.9,0.95,0.98",
    holding_cost: Annotated[float, typer.Option(min=0.0, help="A year on the shelf, as a share of the cost.")] = 0.25,
    margin: Annotated[float, typer.Option(min=0.0, max=0.99, help="Share of the price that is margin.")] = 0.4,
    order_cost: Annotated[float, typer.Option(min=0.0, help="Of one order of one product.")] = 0.0,
    busiest: Annotated[int, typer.Option(min=0, help="So many products, sold on most days before.")] = 0,
    random: Annotated[int, typer.Option(min=0, help="And so many others, at random; all if both are 0.")] = 0,
    backorders: Annotated[bool, typer.Option("--backorders", help="Customers wait instead of leaving.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of products and weeks drawn.")] = 0,
    picture: Annotated[Path | None, typer.Option(help="Draw what each share served costs, as .svg or .html.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure what forecasts save as stock.

    The last months of PLAN's real demand are lived through with the stock that hansa's own forecasts order, and with
    what weekday means, AutoETS and min/max order; compared where all serve the same share of demand.
    """
    from client.decision.stock.walk import Rhythm  # heavy, as is what follows
    from client.shop.forecast.picture import require_picture_file
    from simulation.command.terminal import write_text
    from simulation.experiment.plans import read_named_plan
    from simulation.experiment.worth import Stocking, make_worth_table, measure_worth
    from simulation.experiment.worth_picture import draw_frontier

    if picture is not None:
        require_picture_file(picture)
    asked = Stocking(
        rhythm=Rhythm(lead_days, review_days),
        first=_read_day(first),
        pieces=pieces,
        price=price,
        currency=currency,
        holding_share=holding_cost,
        margin_share=margin,
        per_order=order_cost,
        busiest=busiest,
        random=random,
        fill_rates=_read_shares(fill_rate),
        backorders=backorders,
        seed=seed,
    )
    console = make_console(stderr=True)
    told: dict[str, int] = {}

    def on_step(what: str, share: float) -> None:
        tenth = int(share * 10)
        if told.get(what) != tenth:
            told[what] = tenth
            console.print(f"{what} … {tenth * 10} %", highlight=False)

    found = measure_worth(read_named_plan(plan_file), data_root, asked, on_step=on_step)
    if picture is not None:
        write_text(picture, draw_frontier(found, page=picture.suffix == ".html"))
    if as_json:
        document = asdict(found)
        print_json({"schema": 1, **document, "first": str(found.first), "last": str(found.last)})
        return
    print_table(make_console(), make_worth_table(found))
    typer.echo(
        f"{found.products} products over {found.counted_weeks:.0f} weeks; demand is what was sold. + is cheaper. The "
        "best other method is chosen in hindsight, which favours it; intervals are of other products and weeks."
    )


def _read_day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--first {text} is no date; write it as 2011-03-21.") from error


def _read_shares(text: str) -> tuple[float, ...]:
    try:
        shares = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--fill-rate {text} is no list of shares; write it as 0.9,0.95.") from error
    if not all(0 < share < 1 for share in shares):
        raise ConfigError(f"--fill-rate {text} must lie between 0 and 1; write 95 % as 0.95.")
    return shares
