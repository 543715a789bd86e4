"""Who takes part at each origin of a run, and since when: what a gain by length of history is told from."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from common.data.panel import Panel
from common.disk.file import replace_file
from common.plan.schema import Plan
from simulation.evaluation.group import MONTH_DAYS
from simulation.evaluation.results import ENTITIES
from simulation.experiment.folder import RunFolder
from simulation.origin.origin import choose_present


def write_entities(folder: RunFolder, plan: Plan, panel: Panel) -> None:
    """Write each entity's merchant and months of history at each origin, beside the forecasts."""
    rows = pd.concat([_list_entities(plan, panel, pd.Timestamp(origin)) for origin in plan.evaluation.origins])
    buffer = io.BytesIO()
    rows.to_parquet(buffer, index=False)
    replace_file(folder.path / ENTITIES, buffer.getvalue())


def _list_entities(plan: Plan, panel: Panel, origin: pd.Timestamp) -> pd.DataFrame:
    day = panel.day_of(origin.date())
    present = choose_present(panel, plan, day)
    return pd.DataFrame(
        {
            "origin": np.full(len(present.entities), origin),
            "merchant": present.merchants.astype(str),
            "entity": present.entities.astype(str),
            "months": (day - present.first_day) / MONTH_DAYS,
        }
    )
