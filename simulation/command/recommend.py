"""How well a shop's recommendations come true."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.command.app import JsonOption
from common.command.output import make_console, print_json, print_table
from common.errors import DataError
from simulation.command.warm import read_origins

if TYPE_CHECKING:
    from rich.table import Table

    from simulation.experiment.recommendation import Found, Ratio

FEWEST_PRODUCTS = 20


def recommend(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A shop's folder, with shop.toml and its history.")],
    origins: Annotated[
        str, typer.Option(help="First days of past horizons, separated by commas; the last three if left out.")
    ] = "",
    days: Annotated[int, typer.Option(min=1, max=366, help="Days in which an offer can come true.")] = 28,
    as_json: JsonOption = False,
) -> None:
    """Measure recommendations on past days.

    Popularity, neighbours, EASE, ALS, BPR, what was bought before, and what hansa-client recommends, each learned from
    the days before: hit rate and NDCG of ten offers, with intervals over buyers.
    """
    from client.decision.recommendation.purchase import read_purchases  # heavy, as is what follows
    from client.shop.history.history import History
    from simulation.experiment.recommendation import compare, judge, latest_origins, sum_up

    purchases = read_purchases(History.open(folder))
    if len(purchases.products) < FEWEST_PRODUCTS:
        raise DataError(
            f"{folder} sold {len(purchases.products)} products; with fewer than {FEWEST_PRODUCTS}, ten offers say "
            "nothing."
        )
    when = read_origins(origins) or tuple(latest_origins(purchases, days, 3))
    console = make_console(stderr=True)
    outcomes = judge(purchases, when, days, lambda what: console.print(f"{what} …", highlight=False))
    found, ratios = sum_up(outcomes), compare(outcomes)
    if as_json:
        said = {"origins": [str(day) for day in when], "days": days}
        print_json({**said, "methods": [asdict(each) for each in found], "ratios": [asdict(each) for each in ratios]})
        return
    print_table(make_console(), _make_table(found, ratios, days))


def _make_table(found: list[Found], ratios: list[Ratio], days: int) -> Table:
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(title=f"ten offers, and what was bought in the {days} days after", box=SIMPLE)
    for column in ("buyers", "method", "number", "hit rate", "NDCG", "hansa: hits ×", "NDCG ×"):
        table.add_column(column, justify="left" if column in ("buyers", "method") else "right")
    beside = {(each.group, each.against): each for each in ratios}
    for each in sorted(found, key=lambda one: one.group):
        ratio = beside.get((each.group, each.method))
        times = ("", "")
        if ratio is not None:
            times = (
                f"{ratio.hit:.2f} ({ratio.hit_low:.2f} to {ratio.hit_high:.2f})",
                f"{ratio.gain:.2f} ({ratio.gain_low:.2f} to {ratio.gain_high:.2f})",
            )
        table.add_row(
            each.group,
            each.method,
            f"{each.buyers:,}",
            f"{each.hit:.3f} ({each.hit_low:.3f} to {each.hit_high:.3f})",
            f"{each.gain:.3f} ({each.gain_low:.3f} to {each.gain_high:.3f})",
            *times,
        )
    return table
