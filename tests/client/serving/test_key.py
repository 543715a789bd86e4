"""What tells that a shop has changed, and what is copied of it."""

import os
import shutil
from datetime import date
from pathlib import Path

import pytest

from client.serving.key import glance
from client.serving.making.snapshot import take_snapshot
from client.shop.settings import FILE_NAME, read_shop
from common.errors import ConfigError
from common.plan.reading import read_plan

DAY = date(2026, 11, 30)
PLAN = next((Path(__file__).parents[3] / "plans").rglob("*.toml"))


def make_folder(folder: Path, plan: str) -> Path:
    """A shop whose settings name a plan, with a file for it."""
    (folder / "data").mkdir(parents=True)
    (folder / FILE_NAME).write_text(f'name = "Tea"\ntime_zone = "UTC"\ncurrency = "EUR"\n[[plans]]\npath = "{plan}"\n')
    shutil.copy(PLAN, folder / plan)
    (folder / "data" / read_plan(PLAN).data.path).parent.mkdir(parents=True, exist_ok=True)
    (folder / "data" / read_plan(PLAN).data.path).write_text("day,product,quantity\n")
    return folder


def test_a_file_that_was_made_anew_for_a_plan_is_seen(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "shop", "plan.toml")
    shop = read_shop(folder)
    before = glance(folder, shop, DAY)
    assert glance(folder, shop, DAY) == before
    for path in (folder / "plan.toml", folder / "data" / read_plan(PLAN).data.path):
        os.utime(path, ns=(0, 1 + path.stat().st_mtime_ns))
        after = glance(folder, shop, DAY)
        assert after != before
        before = after


def test_a_copy_of_a_shop_is_written_nowhere_else(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "shop", "../plan.toml")
    into = folder / "served" / ".making" / "shop"
    with pytest.raises(ConfigError, match=f"write it as {tmp_path / 'plan.toml'}"):
        take_snapshot(folder, into)
    assert not (into.parent / "plan.toml").exists()
