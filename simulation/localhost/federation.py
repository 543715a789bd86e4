"""A federation on one machine: invented merchants train over TLS, and each ends with forecasts on its own disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from client.account.starter import write_section
from common.errors import ConfigError, HansaError
from common.forecast.gain import say_share
from common.plan.reading import read_plan
from common.plan.schema import Plan
from simulation.experiment.progress_bar import ProgressBar
from simulation.localhost.export import export_merchants, member_name
from simulation.localhost.processes import Processes, free_port

LONGEST_SECONDS = 900.0
LOOK_SECONDS = 0.3


def run_localhost_federation(
    plan_file: Path,
    source_file: Path,
    out: Path,
    *,
    merchants: int,
    epsilon: float,
    console: Console,
    seconds: float = LONGEST_SECONDS,
    noise: bool = True,
    data_root: Path = Path(),
) -> dict[str, Any]:
    """Export merchants, let them join, run a plan over the network, have each forecast and judge that, stop everything.

    Parameters
    ----------
    plan_file
        The plan that is launched; its data.path is a file that every merchant has, and every merchant's policy names
        the columns that it reads.
    source_file
        The plan whose merchants are exported.
    epsilon
        What each merchant's policy gives to the plan.
    noise
        Whether the plan's training with noise runs, or the one without, which every merchant's policy then allows.
    data_root
        Of the plan whose merchants are exported.

    Returns
    -------
    dict
        Rounds, their seconds, what every merchant spent, where its forecasts are, and whether they were worth it.

    Raises
    ------
    ConfigError
        The folder holds something already.
    HansaError
        A command failed, or the rounds did not end in time.
    """
    if out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out} holds something already; choose another --out, or remove it.")
    out.mkdir(parents=True, exist_ok=True)
    plan, source = read_plan(plan_file), read_plan(source_file)
    sizes, readable = export_merchants(source, data_root, out, merchants=merchants), write_section(plan.data)
    began = time.monotonic()
    with Processes(out, free_port()) as network:
        for merchant, size in sizes.items():
            size_class = next(found for found in sorted(plan.privacy.size_classes) if found >= size)
            network.let_in(
                merchant,
                unit=plan.privacy.unit,
                size_class=size_class,
                epsilon=epsilon,
                data=readable,
                without_noise=not noise,
            )
            console.print(f"{merchant} joined with size class {size_class}.")
        network.start_coordinator()
        for merchant in sizes:
            network.start_merchant(merchant)
        words = ("--quorum", str(merchants), "--round-seconds", "60", *([] if noise else ["--without-noise"]))
        network.server("launch", str(plan_file), *words)
        status = watch_rounds(network, list(sizes), console, seconds=seconds)
        forecasts = {merchant: predict(network, merchant) for merchant in sizes}
        proofs = {merchant: prove(network, merchant, console) for merchant in sizes}
        spent = {merchant: network.client(merchant, "ledger", "show") for merchant in sizes}
    console.print(draw_forecasts(plan, forecasts))
    console.print(draw_proofs(proofs))
    return {
        "seconds": round(time.monotonic() - began, 1),
        "launch": status["launches"][0],
        "model": status["models"][-1],
        "forecasts": {merchant: str(path) for merchant, path in forecasts.items()},
        "proofs": proofs,
        "ledgers": spent,
    }


def watch_rounds(network: Processes, merchants: Sequence[str], console: Console, *, seconds: float) -> dict[str, Any]:
    """Show the rounds until they are over and every merchant has the model.

    Raises
    ------
    HansaError
        That takes longer than `seconds`.
    """
    with ProgressBar(console) as display:
        display.begin("rounds")

        def look() -> dict[str, Any] | None:
            status = network.status()
            launch = status["launches"][0]
            of = f"{launch['state']}, round {launch['round']} of {launch['num_rounds']}"
            display.show(launch["round"] / launch["num_rounds"], of)
            ended = launch["state"] == "finished"  # a run that rehearses has released a model before
            received = status["models"][-1]["received_by"] if ended else {}
            return status if {member_name(merchant) for merchant in merchants} <= set(received) else None

        return await_it(look, seconds=seconds, what=f"The rounds did not end; see {network.coordinator / 'logs'}")


def await_it(look: Callable[[], dict[str, Any] | None], *, seconds: float, what: str) -> dict[str, Any]:
    """Look again and again until there is something.

    Raises
    ------
    HansaError
        There is nothing after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(LOOK_SECONDS)
    raise HansaError(f"{what}: nothing within {seconds:.0f} seconds.")


def predict(network: Processes, merchant: str) -> Path:
    """Have a merchant forecast; return its file."""
    folder = network.home(merchant)
    network.client(merchant, "predict", "--data-root", str(folder), "--out", str(folder / "forecasts.csv"))
    return folder / "forecasts.csv"


def prove(network: Processes, merchant: str, console: Console) -> dict[str, Any] | None:
    """Have a merchant hold the model against what it could have said alone; None, and why, where that is not known."""
    try:
        return network.client(merchant, "prove", "--data-root", str(network.home(merchant)))
    except HansaError as error:
        console.print(f"{merchant}: {error}")
        return None


def draw_forecasts(plan: Plan, files: dict[str, Path]) -> Table:
    """Show what each merchant forecasts for its product of highest demand."""
    table = Table(
        "merchant", plan.privacy.unit, "total", "first days: mean (10 % to 90 %)",
        title="what each merchant forecasts, on its own disk",
    )  # fmt: skip
    for merchant, path in files.items():
        forecast = pd.read_csv(path, dtype={"entity": str})
        totals = forecast.groupby("entity")["mean"].sum()
        best = str(totals.index[int(np.argmax(totals.to_numpy()))])
        days = forecast[forecast["entity"] == best].head(5)
        shown = "  ".join(
            f"{mean:.1f} ({low:.0f} to {high:.0f})"
            for mean, low, high in zip(days["mean"], days["q10"], days["q90"], strict=True)
        )
        table.add_row(merchant, best, f"{totals[best]:.0f}", shown)
    return table


def draw_proofs(proofs: dict[str, dict[str, Any] | None]) -> Table:
    """Show for each merchant how the loss of the federation's model stands to its own best, and to the public model."""
    table = Table(
        "merchant", "entities", "best of its own", "federated", "personalised", "federated against the public model",
        title="loss against the best of its own, and against the public model (less is better)",
    )  # fmt: skip
    for merchant, proof in proofs.items():
        if proof is None:
            table.add_row(merchant, *"–––––")
            continue
        gains = [*(proof["gains"][name] for name in ("federated", "personalised")), proof["added"]["federated"]["gain"]]
        said = [_say_gain(gain) for gain in gains]
        table.add_row(merchant, str(proof["entities"]), proof["best_own"], *said)
    return table


def _say_gain(gain: dict[str, float | None] | None) -> str:
    """Write a gain as a loss is written: minus is better."""
    if gain is None or gain["gain"] is None:
        return "–"
    said = say_share(-gain["gain"], signed=True)
    if gain["low"] is None or gain["high"] is None:
        return said
    return f"{said} ({say_share(-gain['high'], signed=True)} to {say_share(-gain['low'], signed=True)})"
