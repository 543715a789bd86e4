"""hansa-sim: a whole federation in one process, for the researcher."""

from __future__ import annotations

from common.command.app import VersionOption, make_app
from common.command.program import run_program
from simulation.command.audit import audit
from simulation.command.bench import bench
from simulation.command.joint import joint
from simulation.command.network import export, federation
from simulation.command.plan import check, plan, plans
from simulation.command.report import compare, report, table
from simulation.command.run import run
from simulation.command.shop import shop
from simulation.command.stock import stock
from simulation.command.sweep import sweep
from simulation.command.warm import newcomer, warm

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
    stock,
    shop,
    joint,
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
