"""The same over the network: real processes over TLS learn from a world that runs out of stock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from common.plan.schema import Plan
from simulation.experiment.stock import KNOWN, Bias, draw_stocked, know, lay_out_rows, sum_wanted
from simulation.localhost.federation import run_localhost_federation


def federate_stocked(
    plan: Plan, out: Path, *, merchants: int, epsilon: float, noise: bool, share: float, seed: int, console: Console
) -> list[Bias]:
    """Run one federation for each of what may be known, and hold its merchants' forecasts against what was wanted.

    Parameters
    ----------
    plan
        Whose world is drawn; its last origin is forecast.
    out
        A new folder; each federation leaves its own folders in it.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows, found = draw_stocked(plan, share=share, seed=seed), []
    wanted, origin = lay_out_rows(rows, know(plan, "demand")), plan.evaluation.origins[-1]
    name = f"federated, epsilon {epsilon:g}" if noise else "federated"
    for known in KNOWN:
        seen = rows.assign(units=rows["demand"]) if known == "demand" else rows  # every merchant's file calls it units
        launched, source = _write_files(seen, know(plan, known), out, known.replace(" ", "-"))
        said = run_localhost_federation(
            launched,
            source,
            out / launched.stem,
            merchants=merchants,
            epsilon=epsilon,
            console=console,
            noise=noise,
            data_root=out,
        )
        forecasts = pd.concat([pd.read_csv(path, dtype={"entity": str}) for path in said["forecasts"].values()])
        own = wanted.select(pd.Index(wanted.entities).isin(forecasts["entity"].unique()))
        bias = float(forecasts["mean"].sum() / sum_wanted(own, plan, origin) - 1)
        found.append(Bias(name, known, bias, (bias,)))
    return found


def _write_files(rows: pd.DataFrame, plan: Plan, out: Path, name: str) -> tuple[Path, Path]:
    """Write the world, the plan that is launched, and the plan of the file whose merchants take part."""
    rows.to_csv(out / f"{name}.csv", index=False)
    written = plan.model_dump(mode="json")
    written["data"]["target"]["column"] = "units"
    source, launched = out / f"{name}-source.toml", out / f"{name}.toml"
    source.write_text(_as_toml(written | {"data": written["data"] | {"source": "file", "path": f"{name}.csv"}}))
    joined = {"source": "file", "path": "sales.csv", "merchant": ""}
    launched.write_text(_as_toml(written | {"name": name, "data": written["data"] | joined}))
    return launched, source


def _as_toml(written: dict[str, Any]) -> str:
    return "".join(f"{key} = {_inline(value)}\n" for key, value in written.items() if value is not None)


def _inline(value: Any) -> str:
    """Write a value of JSON as TOML on one line, without what is None, which TOML cannot say."""
    if isinstance(value, dict):
        there = {key: _inline(part) for key, part in value.items() if part is not None}
        return f"{{ {', '.join(f'{json.dumps(key)} = {part}' for key, part in there.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    return json.dumps(value)
