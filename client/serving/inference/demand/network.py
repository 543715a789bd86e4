"""A version of the model `demand`: the public network, or one that a federation released, with its weights' hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import torch
from jaxtyping import Float

from client.daemon.store import Model
from client.forecast.prediction import restore
from client.forecast.released import forecast_demand
from client.forecast.view import Ahead
from client.serving.inference.demand.panel import lay_out_units
from client.shop.forecast.plan import SEASON_DAYS, STEP_DAYS, make_model_plan
from common.errors import ConfigError
from common.forecast.metric import Forecast
from common.model.features import build_series
from common.model.network import Network
from common.model.warm.start import start_model, warm_path
from common.plan.schema import DataPlan, ModelPlan

VERSION_DIGITS = 12
HORIZON_DAYS = 28  # of the public model's forecasts
CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Variant:
    """A network and the plan by which it reads."""

    plan: ModelPlan
    network: Network


@dataclass(frozen=True, eq=False)
class DemandNetwork:
    """A version; it never changes.

    Attributes
    ----------
    version
        First digits of the hash of its weights.
    source
        "public", or the name of the plan of the federation that released it.
    variants
        Whether a history shows the time of year → what reads such a history.
    days
        Says which days are closed; None where none is.
    """

    version: str
    source: str
    variants: Mapping[bool, Variant]
    days: DataPlan | None = None

    @property
    def plan(self) -> ModelPlan:
        """By which it forecasts."""
        return self.variants[False].plan

    def forecast(self, units: Float[np.ndarray, "row day"], last_day: date) -> Forecast:
        """Forecast the days after `last_day`; each row by its own numbers alone.

        The same as the commands say for such a history, see `client.shop.forecast.candidate`.
        """
        days = units.shape[1]
        variant = self.variants[days >= SEASON_DAYS]
        panel = lay_out_units(units, last_day, variant.plan.horizon_days, self.days)
        return forecast_demand(variant.network, Ahead(panel, variant.plan, days), device=CPU)


def read_public() -> DemandNetwork:
    """Give the public network, which has learned from invented demand alone.

    Raises
    ------
    HansaError
        Its file is damaged or not there.
    """
    plans = {season: make_model_plan(HORIZON_DAYS, counts=True, season=season) for season in (False, True)}
    variants = {season: _start(plan) for season, plan in plans.items()}
    digest = hashlib.sha256(warm_path(plans[False]).read_bytes()).hexdigest()
    return DemandNetwork(digest[:VERSION_DIGITS], "public", variants)


def _start(plan: ModelPlan) -> Variant:
    nobody = lay_out_units(np.zeros((0, STEP_DAYS)), date(2000, 1, 1), plan.horizon_days)
    return Variant(plan, start_model(plan, build_series(nobody, plan, STEP_DAYS), seed=0, warm=True))


def read_released(model: Model) -> DemandNetwork:
    """Give the network that a federation released.

    Raises
    ------
    ConfigError
        It needs to know more of a day than how many pieces were sold, or reads money.
    DataError
        Its parameters are not those of its plan.
    """
    plan = model.note.plan
    needs_more = plan.data.observed or plan.data.covariates or plan.data.static or plan.data.missing == "closed"
    if needs_more or plan.model.likelihood == "log_normal":
        raise ConfigError(
            f"The model of {plan.name[:60]!r} does not read pieces sold alone, so it is not served as `demand`; its "
            "forecasts are made by: hansa-client predict."
        )
    variant = Variant(plan.model, restore(model))
    name = model.note.model_hash[:VERSION_DIGITS]
    return DemandNetwork(name, plan.name, {False: variant, True: variant}, plan.data)
