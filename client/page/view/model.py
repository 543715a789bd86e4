"""What came of a federation: the model that it released, and what part it has in the forecasts that are served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from client.folder import MerchantFolder
from client.language.speech import t
from client.shop.forecast.federation import has_model
from client.shop.forecast.released import FEDERATED
from common.errors import HansaError

LEAST_SHARE = 0.005


@dataclass(frozen=True)
class ShownModel:
    """The newest model that is here, and what is said of it.

    Attributes
    ----------
    part
        What part it has in the forecasts.
    has_part
        Whether it has any.
    made_by
        What the forecasts are made of.
    """

    plan: str = ""
    rounds: int = 0
    since: datetime | None = None
    part: str = ""
    has_part: bool = False
    made_by: str = ""
    trouble: str = ""


def show_model(folder: Path, zone: ZoneInfo, week: Mapping[str, Any], *, is_stale: bool) -> ShownModel | None:
    """Say what came and what became of it; None where nothing came.

    Parameters
    ----------
    zone
        The shop's clock.
    week
        The document of the forecasts by week that are served; empty where there are none.
    is_stale
        Whether newer ones are being made.
    """
    if not has_model(folder):
        return None
    try:
        plan, rounds, since = _read_newest(MerchantFolder(folder))
    except HansaError as error:
        return ShownModel(trouble=str(error))
    part, has_part = say_part(week, is_stale=is_stale)
    made_by = next((str(said) for said in week.get("sentences", [])[1:2]), "")
    return ShownModel(plan, rounds, since.astimezone(zone), part, has_part, made_by)


def _read_newest(home: MerchantFolder) -> tuple[str, int, datetime]:
    from client.daemon.membership import read_federation
    from client.daemon.store import Store

    model = Store(home.models, *read_federation(home).lineage.keys).newest_model()
    return model.note.plan.name, model.note.round_number, model.since


def say_part(week: Mapping[str, Any], *, is_stale: bool) -> tuple[str, bool]:
    """Say what part a released model has in forecasts, and whether it has any."""
    why = week.get("left_out", {}).get(FEDERATED, "")
    joined = week.get("joined")
    if joined is None and not why:
        if is_stale:
            return t("Newer forecasts are being made, in which it is weighed against your own methods."), False
        return t("The forecasts that are shown were made without it."), False
    share = week["methods"].get(FEDERATED, 0.0)
    if share >= LEAST_SHARE:
        return t("It was weighed against your own methods, and has {share:.0%} of the forecasts.", share=share), True
    if why:
        return t("It was weighed, and has no part in the forecasts: it {why}.", why=why), False
    return t("It was weighed against your own methods, and has no part: they forecast your sales better."), False
