"""The command line in this process and in a shop's folder, and an invented shop whose truth is known."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from client import cli
from client.shop.history.history import History
from client.shop.invented.invention import Size, invent_shop
from client.shop.invented.shop import InventedShop

Demand = dict[tuple[str, date], float]


@dataclass(frozen=True)
class Finished:
    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


@pytest.fixture
def hansa_client(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Finished]:
    """Run the command line: the `main` that the script calls."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")

    def run(*arguments: object) -> Finished:
        monkeypatch.setattr(sys, "argv", ["hansa-client", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.main()
        said = capsys.readouterr()
        return Finished(int(stop.value.code or 0), said.out, said.err)

    return run


@pytest.fixture(scope="session")
def invented() -> InventedShop:
    """Eight weeks around the night in which the clock is put forward."""
    return invent_shop(11, Size(date(2024, 2, 19), date(2024, 4, 13), num_people=20, orders_a_day=2.0))


def demand_in(folder: Path) -> Demand:
    """Give what a history says was sold, by product and day."""
    daily = History.open(folder).daily().to_pydict()
    cells = zip(daily["product"], daily["day"], daily["units"], strict=True)
    return {(product, day): units for product, day, units in cells if units}


@pytest.fixture
def demand() -> Callable[[Path], Demand]:
    return demand_in
