"""The demo shop of `hansa-client demo`, for tests: made once in a run, with its truth. Nobody may write into it."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from client.shop.demo.founding import found_demo
from client.shop.demo.invention import DemoShop

LAST = date(2026, 9, 30)


@dataclass(frozen=True)
class Demo:
    folder: Path
    truth: DemoShop


def make_demo(folder: Path) -> Demo:
    """Two years that end on `LAST`."""
    return Demo(folder, found_demo(folder, LAST, seed=1))
