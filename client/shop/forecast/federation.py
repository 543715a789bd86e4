"""Find a federation's released model in the shop's folder that forecasts what the shop's own methods do.

    models/ (signed) + [[plans]] of shop.toml → the plan's file, read as `hansa-client predict` reads it → `Released`

It serves where its plan forecasts pieces a day of each product, and where the plan's file tells of the same sales as
the history. Nothing here ever stops a forecast: what cannot be used is left out, and said.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from client.daemon.membership import read_federation
from client.daemon.store import REHEARSAL, Model, Store
from client.data.rows import read
from client.folder import MerchantFolder
from client.forecast.prediction import extend, learned_until, restore
from client.language.speech import t
from client.language.trouble import say_trouble
from client.shop.forecast.released import Learner, Released
from client.shop.plan.ingredient import choose_ingredients
from client.shop.settings import PlanSettings, Shop
from common.data.cells import canonical_name
from common.data.gap import find_gaps, require_told
from common.data.panel import Panel
from common.errors import HansaError
from common.plan.reading import read_plan
from common.plan.schema import Plan

LEAST_UNITS = 1e-3  # less is no other sale


@dataclass(frozen=True)
class Found:
    """A released model that can be used, or why the one that is here cannot be, in half a sentence.

    Attributes
    ----------
    remarks
        What makes its forecasts doubtful, in sentences.
    """

    released: Released | None = None
    obstacle: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def is_here(self) -> bool:
        """Whether a model is here at all."""
        return self.released is not None or bool(self.obstacle)


NOTHING = Found()


@dataclass(frozen=True)
class _Match:
    """A model, and the section of shop.toml that names its plan."""

    model: Model
    settings: PlanSettings
    unfit: str


def find_released(folder: Path, shop: Shop, panel: Panel, origin: date, products: tuple[str, ...]) -> Found:
    """Find the newest released model that can forecast from `origin` on, in a folder that has some.

    Parameters
    ----------
    panel
        Of the shop, of some products: the plan's file must tell the same of them.
    products
        All of the shop.
    """
    try:
        return _find(folder, shop, panel, origin, products)
    except HansaError as error:
        return Found(obstacle=t("cannot be used ({error})", error=say_trouble(str(error).rstrip("."))))


def has_model(folder: Path) -> bool:
    """Whether a federation was joined, and has released a model; that of a rehearsal alone is none yet."""
    home = MerchantFolder(folder)
    released = (path for path in home.models.glob("*.safetensors") if not path.stem.endswith(REHEARSAL))
    return home.federation.is_file() and any(released)


def list_read(folder: Path, shop: Shop) -> tuple[Path, ...]:
    """List what a forecast reads of a federation, beside the history: whoever copies a shop copies these along."""
    home = MerchantFolder(folder)
    found = [home.federation, *sorted(home.models.glob("*.safetensors"))]
    for settings in shop.plans:
        path, root = folder / settings.path, folder / settings.data_root
        try:
            data = read_plan(path).data
        except HansaError:
            continue
        names = [data.path, *(lookup.path for lookup in data.lookups), *(table.path for table in data.ahead)]
        names += [data.school_holidays.path] if data.school_holidays else []
        found += [path, *(root / name for name in names)]
    return tuple(dict.fromkeys(path for path in found if path.is_file()))


def _find(folder: Path, shop: Shop, panel: Panel, origin: date, products: tuple[str, ...]) -> Found:
    home = MerchantFolder(folder)
    federation = read_federation(home)
    store = Store(home.models, *federation.lineage.keys)
    matches = _match(folder, shop, store)
    if not matches:
        name = store.newest_model().note.plan.name
        return Found(
            obstacle=t(
                "is of the plan {name!r}, which shop.toml does not name; make its file with: hansa-client adapt PLAN",
                name=name,
            )
        )
    match = min(matches, key=lambda each: (bool(each.unfit), -each.model.since.timestamp()))
    if match.unfit:
        return Found(obstacle=match.unfit)
    return _read(match, store, federation.welcome.federation, folder, panel, origin, products)


def _match(folder: Path, shop: Shop, store: Store) -> list[_Match]:
    """Give the newest model of every run of a plan that shop.toml names."""
    found = []
    for settings in shop.plans:
        plan = read_plan(folder / settings.path)
        for private in (True, False):
            run_hash = plan.run_hash(private=private)
            if store.has_model(run_hash):
                found.append(_Match(store.newest_model(run_hash), settings, say_unfit(plan, settings)))
    return found


def say_unfit(plan: Plan, settings: PlanSettings) -> str:
    """Say why a plan does not forecast pieces a day of each product; "" where it does."""
    made = {each.column: each.ingredient for each in choose_ingredients(plan, settings.columns)}
    target = plan.data.target
    if made[plan.data.entity] != "product":
        return t("forecasts each {unit}, not each product", unit=plan.privacy.unit)
    if target.aggregate != "sum" or made[target.column] != "units" or plan.data.filters:
        return t("forecasts something else than the pieces sold")
    if plan.evaluation.task != "demand":
        return t("forecasts whether anything will be sold, not how many pieces")
    if plan.model.bucket_days != 1:
        return t("forecasts {days} days as one", days=plan.model.bucket_days)
    return ""


def _read(
    match: _Match,
    store: Store,
    federation: str,
    folder: Path,
    panel: Panel,
    origin: date,
    products: tuple[str, ...],
) -> Found:
    """Read the plan's file, up to the end of the horizon that begins on `origin`."""
    rehearsal = store.rehearsal_of(match.model)
    models = [match.model, *([rehearsal] if rehearsal is not None else [])]
    plan = extend(match.model.note.plan, origin)
    reading = read(plan.data, folder / match.settings.data_root, ahead_from=origin)
    places = _place(products, reading.panel)
    gaps = find_gaps(reading.panel, plan.data, reading.panel.day_of(origin), plan.model.horizon_days)
    require_told(gaps)
    released = Released(federation, plan, reading.panel, places, tuple(map(_learner, models)))
    if released.learner_at(origin) is None:
        last = released.served.until - timedelta(days=1)
        return Found(obstacle=t("has learned from days up to {last}", last=last))
    other = find_other_sale(panel, released, origin)
    if other:
        return Found(
            obstacle=t(
                "is forecast from {path}, which tells other sales than the history ({other} first); make it anew with: "
                "hansa-client adapt {plan}",
                path=plan.data.path,
                other=other,
                plan=match.settings.path,
            )
        )
    return Found(released, remarks=tuple(say_trouble(gap.sentence) for gap in gaps))


def _learner(model: Model) -> Learner:
    return Learner(learned_until(model), model.note.model_hash, restore(model))


def _place(products: tuple[str, ...], panel: Panel) -> dict[str, int]:
    """Find each product among the plan's entities; two that the plan takes for one are in it neither."""
    place = {str(name): number for number, name in enumerate(panel.entities)}
    called = [canonical_name(name) for name in products]
    number = dict[str, int]()
    for name in called:
        number[name] = number.get(name, 0) + 1
    own = zip(products, called, strict=True)
    return {product: place[name] for product, name in own if name in place and number[name] == 1}


def find_other_sale(panel: Panel, released: Released, origin: date) -> str:
    """Name a product and a day of which the plan's panel tells another sale than the shop's; "" where they agree.

    They are held against each other on days before `origin` that both have as open.
    """
    products = [(place, str(name)) for place, name in enumerate(panel.entities) if str(name) in released.places]
    here = np.array([place for place, _ in products], int)
    there = np.array([released.places[name] for _, name in products], int)
    first = max(panel.start, released.panel.start)
    days = max((origin - first).days, 0)
    mine, theirs = (first - panel.start).days, (first - released.panel.start).days
    own, other = slice(mine, mine + days), slice(theirs, theirs + days)
    both = panel.open[here, own] & released.panel.open[there, other]
    apart = np.abs(panel.target[here, own] - released.panel.target[there, other]) > LEAST_UNITS
    rows, day = np.nonzero(both & apart)
    return f"{products[rows[0]][1]} on {first + timedelta(days=int(day[0]))}" if len(rows) else ""
