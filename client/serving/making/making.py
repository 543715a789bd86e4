"""Make an edition: copy the state of the shop, make each part of the copy, and put the whole in its place."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from client.serving.edition.disk import write_imprint, write_part
from client.serving.edition.edition import Imprint
from client.serving.edition.part import NAMES, Name
from client.serving.folder import ServedFolder
from client.serving.key import read_key, today_of
from client.serving.making.part import make_part
from client.serving.making.snapshot import bring_back, take_snapshot
from client.serving.making.source import Source
from client.shop.history.history import History
from client.shop.settings import read_shop
from common.errors import HansaError

LOGGER = logging.getLogger(__name__)
WEIGHT: dict[Name, float] = {  # of the time that a part takes
    "products": 1,
    "health": 3,
    "day": 20,
    "week": 20,
    "orders": 25,
    "customers": 15,
    "recommendations": 10,
    "market": 5,
    "reviews": 3,
    "score": 2,
}
SAY: dict[Name, str] = {
    "products": "reading products",
    "health": "looking at the data",
    "day": "forecasting days",
    "week": "forecasting weeks",
    "orders": "working out orders",
    "customers": "looking at customers",
    "recommendations": "finding what to offer",
    "market": "looking at the market",
    "reviews": "reading reviews",
    "score": "holding forecasts against sales",
}
FAULT = "This could not be worked out, by a fault of hansa's ({what}); tell its makers."
OnProgress = Callable[[str, float], None]


def make_edition(folder: Path, on_progress: OnProgress) -> str:
    """Make an edition of the state that the shop has now, and give its name.

    A part that cannot be made is a sentence that says why; the others are made all the same.

    Raises
    ------
    HansaError
        There are no settings of a shop, or no room.
    """
    home, made = ServedFolder(folder), datetime.now(UTC).replace(microsecond=0)
    shutil.rmtree(home.making, ignore_errors=True)
    home.making.mkdir(mode=0o700)
    on_progress("copying the history", 0.0)
    snapshot = home.making / "shop"
    take_snapshot(folder, snapshot)
    shop = read_shop(snapshot)
    day = today_of(shop)
    key = read_key(snapshot, shop, day)
    done, troubles = list[Name](), dict[Name, str]()
    for name in NAMES:
        on_step = _within(name, on_progress)
        on_step("", 0.0)
        source = Source(History.open(snapshot), shop, day, folder, on_step)
        try:
            write_part(home.making, name, make_part(name, source))
            done.append(name)
        except HansaError as error:
            troubles[name] = str(error).replace(str(snapshot), str(folder))
        except Exception as error:  # one part's fault costs no other part
            LOGGER.exception("part %s", name)
            troubles[name] = FAULT.format(what=type(error).__name__)
    bring_back(folder, snapshot)
    imprint = Imprint(
        name=f"{made:%Y%m%dT%H%M%SZ}-{key[:12]}",
        key=key,
        made=made,
        day=day,
        shop=shop.name,
        currency=shop.currency,
        time_zone=shop.time_zone,
        parts=tuple(done),
        troubles=troubles,
    )
    write_imprint(home.making, imprint, home.edition(imprint.name))
    return imprint.name


def _within(name: Name, on_progress: OnProgress) -> OnProgress:
    """Tell how far the whole is from how far a part is; a part of several steps never goes back."""
    whole, furthest = sum(WEIGHT.values()), 0.0
    before = sum(WEIGHT[each] for each in NAMES[: NAMES.index(name)])

    def tell(what: str, share: float) -> None:
        nonlocal furthest
        furthest = max(furthest, min(share, 1.0))
        on_progress(SAY[name], (before + WEIGHT[name] * furthest) / whole)

    return tell
