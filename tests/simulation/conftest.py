"""The real command in this process, and the small plans and tables that it runs on."""

import io
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console

from common.plan.reading import parse_plan
from panels import build_panel
from simulation import cli
from simulation.experiment.fingerprint import fingerprint_data
from simulation.experiment.folder import RunFolder
from simulation.experiment.progress_bar import ProgressBar
from simulation.experiment.run import run_plan
from simulation.origin.origin import Trial, make_trial

START = date(2024, 1, 1)
TRAINING = {"num_rounds": 3, "learning_rate": 0.05}
MODEL = {
    "step": "day",
    "horizon_days": 4,
    "likelihood": "negative_binomial",
    "hidden_size": 3,
    "decoder_size": 4,
    "window_steps": 12,
    "positions": 3,
    "season": False,
}
COMMON: dict[str, Any] = {
    "model": MODEL,
    "privacy": {"unit": "product", "training": TRAINING},
    "federation": {"training": TRAINING},
}
SALES_PLAN: dict[str, Any] = {
    **COMMON,
    "name": "sales",
    "data": {
        "path": "sales.csv",
        "rows": "panel",
        "merchant": "shop",
        "entity": "product",
        "time": "date",
        "target": {"aggregate": "sum", "column": "units"},
        "start": START,
        "end": date(2024, 2, 9),
        "known": [{"column": "promotion"}],
    },
    "evaluation": {
        "origins": [date(2024, 2, 6)],
        "methods": ["seasonal_naive", "anchor", "federated_eps8"],
        "alone": {"num_steps": 8, "batch_size": 4},
    },
}
ORDERS_PLAN: dict[str, Any] = {
    **COMMON,
    "name": "orders",
    "data": {
        "path": "orders.parquet",
        "rows": "events",
        "entity": "customer",
        "time": "time",
        "target": {"aggregate": "distinct", "column": "invoice"},
        "start": START,
        "end": date(2024, 2, 9),
        "observed": {"spend": {"aggregate": "sum", "column": "spend"}},
        "deal": {"by": "level", "column": "spend", "merchants": 3, "smallest": 2, "largest": 8},
    },
    "model": {**MODEL, "step": "week", "bucket_days": 4, "likelihood": "hurdle_negative_binomial"},
    "privacy": {"unit": "customer", "training": TRAINING},
    "evaluation": {
        "origins": [date(2024, 2, 6), date(2024, 2, 1)],
        "task": "purchase",
        "methods": ["seasonal_naive", "anchor", "logistic_local", "federated", "federated_eps8"],
        "seeds": 2,
        "alone": {"num_steps": 8, "batch_size": 4},
    },
}

PLANS = {"sales": SALES_PLAN, "orders": ORDERS_PLAN}


@dataclass(frozen=True)
class Finished:
    """What a command left when it ended."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture
def hansa_sim(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Finished]:
    """Run the command line in this process: the same `main` that the installed script calls."""

    def run(*arguments: object) -> Finished:
        monkeypatch.setattr(sys, "argv", ["hansa-sim", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.main()
        said = capsys.readouterr()
        return Finished(int(stop.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def write_plan(tmp_path: Path) -> Callable[..., Path]:
    """Write the plan "sales" or "orders" as TOML; mappings are laid over its sections, and a key that is None goes."""

    def write(base: str = "sales", **sections: Any) -> Path:
        path = tmp_path / "plan.toml"
        path.write_text(_plan_text(PLANS[base], **sections))
        return path

    return write


@pytest.fixture
def sales() -> pd.DataFrame:
    """Draw 40 days of the six products of three shops: north has one, south two, west three."""
    return _draw_sales()


@pytest.fixture
def orders() -> pd.DataFrame:
    """Draw 40 days of orders of 15 customers who belong to no merchant."""
    return _draw_orders()


@pytest.fixture
def tables(tmp_path: Path, sales: pd.DataFrame, orders: pd.DataFrame) -> Path:
    """Write both tables, and give the folder in which they are."""
    return _write_tables(tmp_path, sales, orders)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Run the plan "sales" or "orders" once, and give its folder, which nobody may change."""
    folders: dict[str, Path] = {}

    def run(base: str) -> Path:
        if base not in folders:
            root = _write_tables(tmp_path_factory.mktemp(base), _draw_sales(), _draw_orders())
            plan = parse_plan(_plan_text(PLANS[base]))
            folder = RunFolder(root / "run")
            data, command = fingerprint_data(plan, root), f"hansa-sim run {base}.toml"
            folder.open(plan, seed=0, data=data, command=command, resume=False)
            with ProgressBar(Console(file=io.StringIO())) as display:
                run_plan(
                    plan,
                    folder,
                    data_root=root,
                    methods=plan.evaluation.methods,
                    seed=0,
                    device=torch.device("cpu"),
                    command=command,
                    display=display,
                )
            folders[base] = folder.path
        return folders[base]

    return run


@pytest.fixture
def own_run(finished_run: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """Give a copy of a finished run that a test may change."""

    def copy(base: str) -> Path:
        return Path(shutil.copytree(finished_run(base), tmp_path / f"{base}-run"))

    return copy


def _draw_sales() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    rows = [
        {"date": START + timedelta(days=day), "shop": shop, "product": f"{shop}-{number}"}
        for place, shop in enumerate(("north", "south", "west"))
        for number in range(place + 1)
        for day in range(40)
    ]
    drawn = {"units": generator.poisson(3.0, len(rows)), "promotion": generator.integers(0, 2, len(rows))}
    return pd.DataFrame(rows).assign(**drawn).astype(object)


def _draw_orders() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    rows = [
        {"customer": f"c{customer:02}", "time": pd.Timestamp(START) + pd.Timedelta(days=day, hours=9)}
        for customer in range(15)
        for day in range(40)
        if day == customer % 5 or generator.random() < 0.04 * (1 + customer % 6)
    ]
    invoices = [f"i{number}" for number in range(len(rows))]
    return pd.DataFrame(rows).assign(invoice=invoices, spend=generator.gamma(2.0, 10.0, len(rows)).round(2))


def _write_tables(folder: Path, sales: pd.DataFrame, orders: pd.DataFrame) -> Path:
    sales.to_csv(folder / "sales.csv", index=False)
    orders.to_parquet(folder / "orders.parquet")
    return folder


@pytest.fixture
def make_small_trial() -> Callable[..., Trial]:
    """Make the first origin of a plan over its table."""

    def make(table: pd.DataFrame, base: str = "sales", **sections: Any) -> Trial:
        plan = parse_plan(_plan_text(PLANS[base], **sections))
        return make_trial(plan, build_panel(table, plan.data), plan.evaluation.origins[0])

    return make


def _plan_text(base: dict[str, Any], **sections: Any) -> str:
    """Write a plan as TOML, one section a line."""
    return "".join(f"{key} = {_to_toml(value)}\n" for key, value in _lay_over(base, sections).items())


def _lay_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: _lay_over(below[key], value) if isinstance(value, dict) and key in below else value
        for key, value in above.items()
    }
    return {key: value for key, value in {**below, **both}.items() if value is not None}


def _to_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_to_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_to_toml, value)) + "]"
    return str(value) if isinstance(value, date) else json.dumps(value)
