"""What `hansa-client trends` and `watch` do on invented shops whose truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.command.app import JsonOption
from common.command.output import make_console, print_json, print_table

if TYPE_CHECKING:
    from rich.table import Table

RunsOption = Annotated[int, typer.Option(min=20, help="Shops of each kind that are drawn.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of all draws.")]


def trends(runs: RunsOption = 400, seed: SeedOption = 0, as_json: JsonOption = False) -> None:
    """Measure what trends tells of known shops.

    Shops are drawn that are steady, grow, or change on a known day by a known size: how often a change is told that is
    none, how often the true one is found, and whether its day and its size lie in their intervals.
    """
    from simulation.experiment.market import try_all  # heavy

    console = make_console(stderr=True)
    found = try_all(runs=runs, seed=seed, on_step=lambda share: console.print(f"{share:.0%}", highlight=False))
    if as_json:
        print_json({"runs": runs, "seed": seed, **found})
        return
    print_table(make_console(), _lay_out_steps(found["steps"]))
    print_table(make_console(), _lay_out_surprises(found["surprises"]))


def drift(runs: RunsOption = 1000, seed: SeedOption = 0, as_json: JsonOption = False) -> None:
    """Measure what watch sees, and false alarms.

    Shops of several sizes are watched for a year in which nothing changes, and then through a lasting rise or fall by a
    fifth: alarms in 52 weeks, and the share of shifts that are noticed within four and eight weeks.
    """
    from simulation.experiment.drift import try_all  # heavy

    console = make_console(stderr=True)
    found = try_all(runs=runs, seed=seed, on_step=lambda share: console.print(f"{share:.0%}", highlight=False))
    if as_json:
        print_json({"runs": runs, "seed": seed, "worlds": found})
        return
    print_table(make_console(), _lay_out_drift(found))


def _lay_out_steps(found: list[dict[str, Any]]) -> Table:
    table = _start("changes of the whole shop", ("weeks", "pieces a week", "carried over", "growth a month", "change"))
    for name in ("told wrongly", "found", "day in interval", "size in interval", "days off"):
        table.add_column(name, justify="right")
    for each in found:
        world = each["world"]
        head = (f"{world['weeks']}", f"{world['pieces']:,.0f}", f"{world['carry']:.1f}", f"{world['growth']:.0%}")
        change = f"{world['step'] - 1:+.0%}" if world["step"] != 1 else "none"
        cells = [f"{each['told']:.1%}"]
        if world["step"] != 1:
            cells += [f"{each[name]:.0%}" for name in ("found", "day_held", "size_held")] + [f"{each['days_off']:.0f}"]
        table.add_row(*head, change, *cells)
    return table


def _lay_out_surprises(found: list[dict[str, Any]]) -> Table:
    table = _start("more or less than expected, of 200 products", ("changed", "by a factor of"))
    for name in ("any named wrongly", "changed ones named", "wrong among the named"):
        table.add_column(name, justify="right")
    for each in found:
        power = f"{each['power']:.0%}" if each["changed"] else "–"
        cells = (f"{each['any_false']:.0%}", power, f"{each['false_share']:.1%}")
        table.add_row(f"{each['changed']:.0%}", f"{each['factor']:.1f}", *cells)
    return table


def _lay_out_drift(found: list[dict[str, Any]]) -> Table:
    table = _start("watched for a year", ("pieces a week", "groups", "in common", "carried over", "noise of a week"))
    for name in ("false alarms in 52 weeks", "+20 % in 4 weeks", "-20 % in 4", "+20 % in 8", "-20 % in 8"):
        table.add_column(name, justify="right")
    for each in found:
        world = each["world"]
        head = (f"{world['pieces']:,.0f}", f"{world['groups']}", f"{world['common']:.0%}", f"{world['carry']:.1f}")
        alarms = f"{each['false_alarms']:.2f} ± {2 * each['false_alarms_error']:.2f}"
        seen = (f"{each[name]:.0%}" for name in ("rise_seen", "fall_seen", "rise_later", "fall_later"))
        table.add_row(*head, f"{each['noise']:.0%}", alarms, *seen)
    return table


def _start(title: str, names: tuple[str, ...]) -> Table:
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(title=title, box=SIMPLE)
    for name in names:
        table.add_column(name, justify="right")
    return table
