"""Write the rows of a plan's merchants to files, one folder each: what a real merchant would have on its disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from common.data.cells import as_names
from common.errors import ConfigError, DataError
from common.plan.schema import Plan
from simulation.origin.origin import load_rows

TRUTH = ("true_rate",)  # what only the inventor of a world knows


def export_merchants(plan: Plan, data_root: Path, out: Path, *, merchants: int | None = None) -> dict[str, int]:
    """Write `out`/MERCHANT/sales.csv for each merchant, or for those with the most entities.

    Returns
    -------
    dict[str, int]
        Entities of each merchant that was written, the largest first.

    Raises
    ------
    ConfigError
        The plan names no column of merchants, or has fewer than were asked for.
    DataError
        A file cannot be written.
    """
    if not plan.data.merchant:
        raise ConfigError(f"The plan {plan.name!r} names no data.merchant; its rows cannot be told apart.")
    rows = load_rows(plan, data_root)
    names = as_names(rows[plan.data.merchant])
    sizes = {name: len(np.unique(as_names(rows[plan.data.entity][names == name]))) for name in np.unique(names)}
    chosen = sorted(sizes, key=lambda name: (-sizes[name], name))[:merchants]
    if merchants is not None and len(chosen) < merchants:
        raise ConfigError(f"The plan {plan.name!r} has {len(chosen)} merchants; ask for at most as many.")
    for name in chosen:
        _write(rows[names == name], out / name, plan)
    return {name: sizes[name] for name in chosen}


def _write(rows: pd.DataFrame, folder: Path, plan: Plan) -> None:
    hidden = [column for column in (plan.data.merchant, *TRUTH) if column in rows]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rows.drop(columns=hidden).to_csv(folder / "sales.csv", index=False)
    except OSError as error:
        raise DataError(f"Cannot write {folder / 'sales.csv'}: {error.strerror}; choose another --out.") from error
