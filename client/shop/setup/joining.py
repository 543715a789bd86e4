"""Take a federation's plan up: keep its text beside shop.toml, and make the file that it reads of the history."""

from __future__ import annotations

from pathlib import Path

from client.shop.history.history import History
from client.shop.plan.adaptation import Adapted
from client.shop.settings import PlanSettings, Shop, read_shop
from client.shop.setup.refresh import adapt_to, keep_plan
from common.disk.file import write_whole
from common.plan.schema import Plan

USUAL_ROOT = "data"


def data_root_of(shop: Shop) -> str:
    """Give the folder, relative to the shop's, that the paths of its plans start from."""
    return shop.plans[0].data_root if shop.plans else USUAL_ROOT


def take_up(folder: Path, plan: Plan, text: str) -> Adapted:
    """Make the plan's file, and note the plan in shop.toml, so that every import makes the file anew.

    Whoever calls this has held the plan against the policy: its paths lead nowhere but below the data root.

    Raises
    ------
    ConfigError, DataError
        The history lacks what the plan reads, or something cannot be written; nothing is noted then.
    """
    shop = read_shop(folder)
    place = folder / f"plan-{plan.hash[:8]}.toml"
    settings = next(
        (each for each in shop.plans if each.path == place.name),
        PlanSettings(path=place.name, data_root=data_root_of(shop)),
    )
    is_new = not place.exists()
    write_whole(place, text.encode())
    try:
        with History.open(folder) as history:
            adapted = adapt_to(settings, history, shop, folder)
        keep_plan(settings, shop, folder)
    except BaseException:
        if is_new:
            place.unlink(missing_ok=True)
        raise
    return adapted
