"""How well `hansa-client customers` told, at past days, who would buy and what was at risk."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.command.app import DataRootOption, JsonOption, PlanArgument
from common.command.output import make_console, print_json, print_table
from simulation.command.warm import read_origins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from simulation.experiment.customers import Verdict


def customers(
    plan_file: PlanArgument,
    data_root: DataRootOption = Path(),
    origins: Annotated[str, typer.Option(help="Days, separated by commas; those of the plan if left out.")] = "",
    days: Annotated[int, typer.Option(min=1, max=365, help="Horizon in days.")] = 30,
    as_json: JsonOption = False,
) -> None:
    """Judge what is said of customers.

    PLAN's events are taken as one shop's purchases. At each past day: who buys within the horizon beside BG/NBD and two
    regressions, purchases and money said and seen, and of the money said to be at risk, how much was lost in 90 days.
    """
    from simulation.experiment.customers import judge_day, pool_groups, purchases_of  # heavy, as is what follows
    from simulation.experiment.plans import read_named_plan
    from simulation.origin.origin import load_panel

    plan = read_named_plan(plan_file)
    purchases = purchases_of(load_panel(plan, data_root))
    verdicts = [judge_day(purchases, day, days) for day in read_origins(origins) or plan.evaluation.origins]
    if as_json:
        pooled = [asdict(point) for point in pool_groups(verdicts, "served")]
        print_json({"days": [asdict(verdict) for verdict in verdicts], "groups_together": pooled})
        return
    console = make_console()
    for table in (make_skill_table(verdicts), make_money_table(verdicts), make_risk_table(verdicts)):
        print_table(console, table)
    groups = pool_groups(verdicts, "served")
    typer.echo(
        "all days together, said → bought: " + ", ".join(f"{each.said:.3f} → {each.seen:.3f}" for each in groups)
    )


def make_skill_table(verdicts: Sequence[Verdict]) -> Table:
    """Lay out who told best who buys."""
    table = _make_table(
        "who buys", "day", "customers", "bought", "method", "AUC", "log-loss", "worse by", "furthest group", "by chance"
    )
    for verdict in verdicts:
        for skill in verdict.skills:
            worse = "" if skill.method == "served" else f"{skill.worse:+.4f} ± {1.96 * skill.error:.4f}"
            table.add_row(
                verdict.day, f"{verdict.customers:,}", f"{verdict.share:.3f}", skill.method, f"{skill.auc:.3f}",
                f"{skill.log_loss:.3f}", worse, f"{skill.furthest * 100:.1f} points",
                f"{skill.by_chance * 100:.1f}",
            )  # fmt: skip
    return table


def make_money_table(verdicts: Sequence[Verdict]) -> Table:
    """Lay out purchases and money said and seen."""
    heads = ("day", "purchases said", "seen", "money said", "four of five", "seen", "customers above", "below")
    table = _make_table("what they brought", *heads)
    for verdict in verdicts:
        said, low, high, seen = verdict.money
        table.add_row(
            verdict.day, f"{verdict.orders[0]:,.0f}", f"{verdict.orders[1]:,.0f}", f"{said:,.0f}",
            f"{low:,.0f} to {high:,.0f}", f"{seen:,.0f}", f"{verdict.above:.1%}", f"{verdict.below:.1%}",
        )  # fmt: skip
    return table


def make_risk_table(verdicts: Sequence[Verdict]) -> Table:
    """Lay out what was said to be at risk, and what was lost."""
    heads = ("day", "segment", "customers", "usual", "said at risk", "lost", "19 of 20", "said away", "stayed away")
    table = _make_table("the next 90 days", *heads)
    for verdict in verdicts:
        for risk in verdict.risks:
            table.add_row(
                verdict.day, risk.segment, f"{risk.customers:,}", f"{risk.usual:,.0f}", f"{risk.at_risk:,.0f}",
                f"{risk.lost:,.0f}", f"{risk.low:,.0f} to {risk.high:,.0f}", f"{risk.said_away:.0%}",
                f"{risk.stayed_away:.0%}",
            )  # fmt: skip
    return table


def _make_table(title: str, *heads: str) -> Table:
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(title=title, box=SIMPLE)
    for head in heads:
        table.add_column(head, justify="left" if head in ("day", "method", "segment") else "right")
    return table
