"""hansa-sim: a whole federation in one process, for the researcher."""

from __future__ import annotations

from common.command.app import VersionOption, make_app
from common.command.program import run_program
from simulation.command.audit import audit
from simulation.command.bench import bench
from simulation.command.births import births
from simulation.command.customers import customers
from simulation.command.firsts import firsts
from simulation.command.joint import joint
from simulation.command.market import drift, trends
from simulation.command.network import export, federation
from simulation.command.plan import check, plan, plans
from simulation.command.recommend import recommend
from simulation.command.report import compare, report, table
from simulation.command.run import run
from simulation.command.shop import shop
from simulation.command.stock import stock
from simulation.command.sweep import sweep
from simulation.command.warm import newcomer, warm
from simulation.command.worth import worth

app = make_app("A whole federation on one machine: run, compare, audit.", completion=True)
for command in (
    run,
    sweep,
    check,
    export,
    federation,
    plan,
    plans,
    warm,
    newcomer,
    firsts,
    stock,
    recommend,
    shop,
    births,
    joint,
    customers,
    trends,
    drift,
    worth,
    report,
    compare,
    table,
    audit,
    bench,
):
    app.command()(command)


@app.callback()
def _take_version(version: VersionOption = False) -> None:
    pass  # the option answers by itself


def main() -> None:
    """Run the command line where its commands are imported already."""
    run_program("hansa-sim", "simulation.cli")


if __name__ == "__main__":
    main()
