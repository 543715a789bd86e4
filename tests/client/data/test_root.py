"""Nothing but a file below the data root is ever opened, on every road that a merchant takes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from client.audit.source import read_source
from client.data.check.inspection import inspect_files
from client.data.root import DataRoot
from client.data.rows import read, read_series
from client.round.leg import read_legs
from common.errors import DataError
from common.plan.schema import Plan
from fleet.shop import write_rows
from simulation.experiment.fingerprint import fingerprint_data
from simulation.origin.origin import load_panel

ROADS: dict[str, Callable[[Plan, Path], object]] = {
    "read": lambda plan, root: read(plan.data, root),
    "round": read_legs,
    "series": read_series,
    "audit": lambda plan, root: read_source(plan.data, root),
    "simulation": load_panel,
    "fingerprint": fingerprint_data,
}
LOOKUP = {"key": "customer", "column": "customer"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a data root with rows in it, and rows and a table beside it."""
    root = tmp_path / "data"
    (root / "inner").mkdir(parents=True)
    write_rows(root / "rows.csv")
    write_rows(tmp_path / "outside.csv")
    (tmp_path / "kinds.csv").write_text("customer,kind\ncustomer-0,a\n")
    (root / "link.csv").symlink_to(tmp_path / "outside.csv")
    (root / "kinds.csv").symlink_to(tmp_path / "kinds.csv")
    (root / "out").symlink_to(tmp_path)
    (root / "circle.csv").symlink_to(root / "circle.csv")
    (root / "inner" / "link.csv").symlink_to(root / "rows.csv")
    return root


@pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)
@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"path": "{outside}"}, "since it is absolute"),
        ({"path": "../outside.csv"}, "since it leads upwards"),
        ({"path": "inner/../../outside.csv"}, "since it leads upwards"),
        ({"path": "link.csv"}, "leads out of the data root"),
        ({"path": "out/outside.csv"}, "leads out of the data root"),
        ({"path": "circle.csv"}, "circle.csv"),
        ({"lookups": [{"path": "../kinds.csv", **LOOKUP}]}, "since it leads upwards"),
        ({"lookups": [{"path": "kinds.csv", **LOOKUP}]}, "leads out of the data root"),
    ],
)
def test_a_file_outside_is_not_read_on_any_road(
    make_plan: Callable[..., Plan], root: Path, road: Callable[[Plan, Path], object], data: dict[str, object], said: str
) -> None:
    text = json.dumps(data).replace("{outside}", str(root.parent / "outside.csv"))
    with pytest.raises(DataError) as caught:
        road(make_plan(data=json.loads(text)), root)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)
def test_a_link_within_the_data_root_and_a_root_that_is_a_link_are_read(
    make_plan: Callable[..., Plan], root: Path, tmp_path: Path, road: Callable[[Plan, Path], object]
) -> None:
    (tmp_path / "also").symlink_to(root)
    road(make_plan(data={"path": "inner/link.csv"}), tmp_path / "also")


def test_a_check_names_a_file_outside_as_a_fault_and_reads_nothing(make_plan: Callable[..., Plan], root: Path) -> None:
    report = inspect_files(make_plan(data={"path": "link.csv"}), root)
    assert report.fails
    assert report.panel == {}
    assert "leads out of the data root" in report.findings[0].sentence


def test_a_file_that_the_policy_does_not_name_is_not_looked_for(tmp_path: Path, make_plan: Callable[..., Plan]) -> None:
    allowed = DataRoot(tmp_path, {"rows.csv": ("customer", "time")})
    plan = make_plan(data={"path": "other.csv"}).data
    said = []
    for _ in range(2):
        with pytest.raises(DataError, match=r"names no file 'other\.csv'") as caught:
            read(plan, allowed)
        said.append(str(caught.value))
        write_rows(tmp_path / "other.csv")
    assert said[0] == said[1]


def test_a_column_that_the_policy_does_not_list_is_as_if_it_were_not_there(
    tmp_path: Path, make_plan: Callable[..., Plan]
) -> None:
    """A lookup's column counts, not the one of the same name among the rows, which may not be read."""
    (tmp_path / "rows.csv").write_text("customer,time,kind\nanna,2024-01-02,secret\n")
    (tmp_path / "kinds.csv").write_text("customer,kind\nanna,public\n")
    lookup = {"path": "kinds.csv", "key": "customer", "column": "customer"}
    plan = make_plan(data={"lookups": [lookup], "static": [{"column": "kind", "categories": ["secret", "public"]}]})
    allowed = DataRoot(tmp_path, {"rows.csv": ("customer", "time"), "kinds.csv": ("customer", "kind")})
    assert read(plan.data, allowed).panel.static.tolist() == [[0, 1]]
    shutil.copy(tmp_path / "rows.csv", tmp_path / "kinds.csv")
    nowhere = DataRoot(tmp_path, {"rows.csv": ("customer", "time"), "kinds.csv": ("customer",)})
    with pytest.raises(DataError, match="names the column 'kind'; the data has customer, time"):
        read(plan.data, nowhere)
