"""What days out of stock do to a forecast."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.command.app import JsonOption, PlanArgument
from common.command.output import make_console, print_json, print_table
from common.errors import ConfigError
from simulation.command.terminal import split_words
from simulation.command.warm import read_origins

if TYPE_CHECKING:
    from common.plan.schema import Plan


def stock(
    plan_file: PlanArgument = Path("demo"),
    likelihood: Annotated[str, typer.Option(help="In place of the plan's; log_normal draws a world of money.")] = "",
    only: Annotated[str, typer.Option(help="Methods, separated by commas; all of the plan's if left out.")] = "",
    origins: Annotated[str, typer.Option(help="Dates, separated by commas; those of the plan if left out.")] = "",
    share: Annotated[float, typer.Option(min=0.01, max=0.5, help="Share of days out of stock.")] = 0.2,
    products: Annotated[int, typer.Option(min=5, help="Products of the largest merchant.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the world, of weights and of simulated noise.")] = 0,
    network: Annotated[
        Path | None, typer.Option(help="New folder: run federations of separate processes over TLS instead.")
    ] = None,
    merchants: Annotated[
        int, typer.Option(min=0, help="How many take part: the largest; all if 0, with --network 4.")
    ] = 0,
    epsilon: Annotated[float, typer.Option(min=0.0, max=32.0, help="With --network; 0 for no noise.")] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Measure what empty shelves do.

    A world is drawn in which stock runs out on a share of the days, more often on busy ones. Each method of PLAN
    forecasts from what was wanted, from what was sold, and from what was sold with the days out of stock known.
    """
    import torch  # heavy, as is what follows

    from simulation.experiment.plans import read_named_plan
    from simulation.experiment.stock import World, make_bias_table, measure_biases
    from simulation.experiment.stock_network import federate_stocked
    from simulation.method.method import check_methods

    torch.set_num_threads(1)
    plan = change_plan(read_named_plan(plan_file), likelihood, origins)
    console = make_console(stderr=as_json)
    world = World(share, products, seed, merchants)
    if network is not None:
        noise = epsilon > 0
        found = federate_stocked(
            plan, world, network, merchants=merchants or 4, epsilon=epsilon or 8.0, noise=noise, console=console
        )
    else:
        methods = split_words(only) or plan.evaluation.methods
        check_methods(methods, plan)
        found = measure_biases(
            plan,
            methods,
            plan.evaluation.origins,
            world,
            on_forecast=lambda name, known: console.print(f"{name}, from {known} …", highlight=False),
        )
    if as_json:
        print_json([asdict(bias) for bias in found])
        return
    title = f"bias of the mean: {share:.0%} of days out of stock, {plan.model.likelihood}"
    print_table(make_console(), make_bias_table(found, title))


def change_plan(plan: Plan, likelihood: str, origins: str) -> Plan:
    """Take another likelihood and other origins; a shape without a public model starts cold.

    Raises
    ------
    ConfigError
        The plan reads a file, or has become none.
    """
    from pydantic import ValidationError

    from common.model.warm.start import warm_path
    from common.plan.schema import Plan

    if plan.data.source != "synthetic":
        raise ConfigError(
            f'The plan {plan.name!r} reads a file; take one that draws its data (data.source), as "demo".'
        )
    written = plan.model_dump(mode="json")
    written["model"]["likelihood"] = likelihood or plan.model.likelihood
    written["evaluation"]["origins"] = [str(day) for day in read_origins(origins) or plan.evaluation.origins]
    try:
        changed = Plan.model_validate_json(json.dumps(written))
        if not warm_path(changed.model).is_file():
            written["federation"]["start"] = "cold"
            changed = Plan.model_validate_json(json.dumps(written))
    except ValidationError as error:
        raise ConfigError(f"--likelihood or --origins make no plan: {error.errors()[0]['msg']}.") from error
    return changed
