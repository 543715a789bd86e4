import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ConfigError
from common.plan.place import fault_of_place, fault_of_places
from common.plan.reading import read_plan
from common.plan.schema import Plan

OUTSIDE = [
    "/etc/passwd.csv", "//etc/passwd.csv", "C:sales.csv", "c:/sales.csv", "C:\\sales.csv", "..\\sales.csv", "a\\b.csv",
    "../sales.csv", "a/../sales.csv", "a/..", "..", "a//sales.csv", "sales.csv/", "sales\0.csv", "",
]  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_path_that_may_lead_out_of_its_folder_on_any_system_is_refused_in_one_sentence(
    tmp_path: Path, make_plan: Callable[..., Plan], path: str
) -> None:
    assert fault_of_place(path)
    if not path:  # a plan of a file needs one; that of a lookup is looked at here
        plan = make_plan(data={"lookups": [{"path": path, "key": "customer", "column": "customer"}]})
        assert fault_of_places(plan.data).startswith("data.lookups.0.path = '' is no path below the data root")
        return
    plan = make_plan(data={"path": path})
    assert fault_of_places(plan.data).startswith(f"data.path = {path!r} is no path below the data root, since")
    text = (Path(__file__).parents[3] / "plans" / "federation.toml").read_text()
    (tmp_path / "plan.toml").write_text(text.replace('path = "sales.csv"', f"path = {json.dumps(path)}"))
    with pytest.raises(ConfigError) as caught:
        read_plan(tmp_path / "plan.toml")
    assert "is no path below the data root" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["sales.csv", "year/sales.parquet", "./sales.csv", "a..b/sales.csv", "日本/売上.csv"])
def test_a_path_below_the_data_root_is_one(make_plan: Callable[..., Plan], path: str) -> None:
    assert fault_of_place(path) == ""
    assert fault_of_places(make_plan(data={"path": path}).data) == ""


@given(st.lists(st.sampled_from(["..", ".", "", "a", "C:", "\\", "\0", "b.csv"]), min_size=1, max_size=5))
def test_whatever_is_not_refused_stays_below_the_folder_by_its_words(parts: list[str]) -> None:
    path = "/".join(parts)
    if not fault_of_place(path):
        assert Path("/data", path).resolve(strict=False).is_relative_to("/data")
        assert "\0" not in path
