"""Set the demo shop up as any shop is: exports into a folder, settings beside them, and all of it imported."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from client.shop.demo.export import make_settings, write_exports
from client.shop.demo.invention import DAYS, DemoShop, invent_demo
from client.shop.history.history import History
from client.shop.settings import FILE_NAME
from client.shop.setup.importing import SourceImport
from client.shop.setup.writing import write_shop
from common.disk.file import write_whole
from common.errors import ConfigError


def found_demo(folder: Path, last: date, *, seed: int = 0, days: int = DAYS) -> DemoShop:
    """Make the demo shop in a folder that is new or empty, and give its truth.

    Raises
    ------
    ConfigError
        Something is in the folder.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is there already and is not empty; name a new folder for the demo shop.")
    shop, settings = invent_demo(last, seed=seed, days=days), make_settings()
    write_exports(shop, folder)
    write_whole(folder / FILE_NAME, write_shop(settings).encode())
    with History.open(folder) as history:
        for source in settings.sources:
            for _ in SourceImport(history, settings, source, folder).steps():
                pass
    return shop
