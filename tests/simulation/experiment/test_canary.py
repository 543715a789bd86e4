"""Canaries in entities' names and amounts, and a whole `hansa-sim run` over them.

What may hold them is the researcher's own and is no report: the forecasts (Parquet), one row per entity.
"""

import struct
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

ENTITY, AMOUNT = "canary-product-7391", 73917.390625
NEEDLES = (ENTITY.encode(), b"73917", struct.pack("<f", AMOUNT), struct.pack("<d", AMOUNT))
FORECASTS = ".parquet"


@pytest.fixture
def planted(tmp_path: Path, sales: pd.DataFrame) -> Path:
    """Name one product after a canary, and let it sell a canary amount on ten days."""
    sales.loc[sales["product"] == "west-0", "product"] = ENTITY
    days = sales.index[sales["product"] == ENTITY][:10]
    sales.loc[days, "units"] = AMOUNT
    sales.to_csv(tmp_path / "sales.csv", index=False)
    return tmp_path


def test_a_canary_is_in_no_report_checkpoint_model_curve_or_output_of_a_run(
    planted: Path, write_plan: Callable[..., Path], hansa_sim
) -> None:
    methods = ["seasonal_naive", "anchor", "gru_local", "federated", "federated_eps8"]
    finished = hansa_sim(
        "run", write_plan(evaluation={"methods": methods}), "--out", planted / "run", "--data-root", planted, "--json"
    )
    assert finished.code == 0
    files = [file for file in (planted / "run").rglob("*") if file.is_file()]
    assert any(ENTITY.encode() in file.read_bytes() for file in files if file.suffix == FORECASTS)  # it took part
    texts = {file.name: file.read_bytes() for file in files if file.suffix != FORECASTS}
    assert {"summary.json", "run.json", "plan.json"} <= set(texts)
    for name, content in (texts | {"stdout": finished.stdout.encode(), "stderr": finished.stderr.encode()}).items():
        assert [needle for needle in NEEDLES if needle in content] == [], name
