"""The plans that hansa brings along, by their bare names."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import ConfigError
from common.plan.reading import read_plan
from simulation.experiment.plans import bundled_plans, find_plan

ROOT = Path(__file__).parents[3]


def test_every_plan_of_the_repository_has_a_name() -> None:
    assert set(bundled_plans()) == {path.stem for path in (ROOT / "plans").glob("*.toml")}
    for name, path in bundled_plans().items():
        assert read_plan(path) == read_plan(ROOT / "plans" / f"{name}.toml")


def test_a_file_of_that_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_plan(Path("demo")) == bundled_plans()["demo"]
    Path("demo").write_text("mine")
    assert find_plan(Path("demo")) == Path("demo")


@pytest.mark.parametrize("file", ["demo.toml", "plans/demo", "/nowhere/demo"])
def test_a_path_is_a_path(file: str) -> None:
    assert find_plan(Path(file)) == Path(file)


def test_a_name_that_is_none_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"no plan of this name; it brings demo, favorita, .*young-stores\."):
        find_plan(Path("dmo"))


def test_a_command_takes_a_name(hansa_sim, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert hansa_sim("check", "demo").code == 0
    assert "rossmann" in hansa_sim("plans").stdout
    assert "it brings demo" in hansa_sim("run", "dmo", "--out", "run").stderr
