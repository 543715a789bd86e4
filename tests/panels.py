"""Panels of tables that are nowhere on a disk, for tests."""

import pandas as pd

from client.data.rows import read_frame, require_whole
from common.data.panel import Panel
from common.plan.schema import DataPlan


def build_panel(rows: pd.DataFrame, plan: DataPlan) -> Panel:
    """Read a table as the road does from its cells on; a row that had to be left out is an error."""
    return require_whole(read_frame(rows, plan)).panel
