"""Make the files of a shop's plans anew after an import."""

from __future__ import annotations

from pathlib import Path

from client.shop.history.history import History
from client.shop.plan.adaptation import Adapted, adapt
from client.shop.settings import FILE_NAME, PlanSettings, Shop
from client.shop.setup.writing import write_plan_settings
from common.disk.file import write_whole
from common.disk.reading import read_file_text
from common.errors import ConfigError
from common.plan.reading import parse_toml, read_plan


def refresh_plans(history: History, shop: Shop, folder: Path) -> list[Adapted]:
    """Write the file of every plan that `shop.toml` names.

    Raises
    ------
    ConfigError
        A plan cannot be read.
    DataError
        The history lacks what one reads.
    """
    return [adapt_to(settings, history, shop, folder) for settings in shop.plans]


def adapt_to(settings: PlanSettings, history: History, shop: Shop, folder: Path) -> Adapted:
    """Write the file of one plan."""
    return adapt(history, shop, read_plan(folder / settings.path), folder / settings.data_root, settings.columns)


def keep_plan(settings: PlanSettings, shop: Shop, folder: Path) -> None:
    """Note a plan in shop.toml, so that imports make its file anew; what a person wrote there stays.

    Raises
    ------
    ConfigError
        It is noted already with other columns or another folder, which only a person may change.
    """
    if settings in shop.plans:
        return
    path = folder / FILE_NAME
    if any(plan.path == settings.path for plan in shop.plans):
        raise ConfigError(f"{path} says otherwise of the plan {settings.path}; change its section [[plans]] there.")
    text = read_file_text(path).rstrip("\n") + "\n\n" + write_plan_settings(settings)
    parse_toml(text, Shop, origin=f"{path} with the plan added")
    write_whole(path, text.encode())
