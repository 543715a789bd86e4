"""The parts of a study at one origin: what is kept of each in the folder, and made where it is not there yet.

alone-ORIGIN-DAYS                        what each merchant forecasts alone
METHOD-ORIGIN-SEED-of-FOLDS-DAYS         what a federation of the others forecasts for it, after all rounds
…-served                                 the same after the second leg, by which it is served
…-rehearsed                              either, one horizon earlier; the federation after its first leg
METHOD-ORIGIN-SEED-of-FOLDS-FOLD[-LEG]   a model that has learned nothing of one fold
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from common.errors import DataError
from common.forecast.method import Method
from common.forecast.metric import Forecast
from common.model.demand_gru import DemandGRU
from common.model.warm.start import start_model
from simulation.experiment.firsts.fold import Fold, keep
from simulation.experiment.firsts.joined import forecast_joined, train_without
from simulation.experiment.firsts.own import forecast_alone, own_candidates
from simulation.experiment.firsts.store import Store
from simulation.experiment.folder import Stage
from simulation.origin.origin import Trial, rehearse

WHOLE = 0  # days of a history that is not cut

OnShare = Callable[[str, float], None]


@dataclass(frozen=True)
class Young:
    """Merchants with short histories.

    Attributes
    ----------
    days
        Of history; `WHOLE` is all there is.
    earlier
        The same merchants one horizon earlier, with as much less of history; None where nobody took part then.
    """

    days: int
    trial: Trial
    earlier: Trial | None

    @classmethod
    def of(cls, trial: Trial, days: int) -> Young:
        """Step back from a trial whose histories are cut already."""
        try:
            return cls(days, trial, rehearse(trial))
        except DataError:  # nobody took part that early, so nothing can be compared
            return cls(days, trial, None)


@dataclass(frozen=True)
class Told:
    """What methods forecast of the horizon, and would have forecast of the one before."""

    forecasts: Mapping[str, Forecast]
    rehearsed: Mapping[str, Forecast] = field(default_factory=dict)


@dataclass(frozen=True)
class Parts:
    """What is made at one origin.

    Attributes
    ----------
    trial
        Everybody, with all of their days.
    seed
        Of what merchants do alone.
    """

    trial: Trial
    folds: tuple[Fold, ...]
    store: Store
    seed: int
    on_share: OnShare

    def alone(self, young: Young) -> Told:
        """Forecast by what every merchant can do alone."""
        names, where = own_candidates(self.trial.plan), f"alone-{self.trial.origin}-{young.days}"
        forecasts = self._alone(names, where, young.trial, f"{say_days(young.days)} of history")
        if young.earlier is None:
            return Told(forecasts)
        label = f"{say_days(young.days)} of history, a horizon earlier"
        return Told(forecasts, self._alone(tuple(forecasts), f"{where}-rehearsed", young.earlier, label))

    def _alone(self, names: tuple[str, ...], where: str, trial: Trial, label: str) -> dict[str, Forecast]:
        def make(name: str) -> dict[str, Forecast]:
            return forecast_alone(name, trial, seed=self.seed, on_share=self._tell(label))

        parts = [self._kept(f"{where}-{name}", partial(make, name)) for name in names]
        return {name: forecast for part in parts for name, forecast in part.items()}

    def joined(self, young: Young, method: Method, *, seed: int) -> Told:
        """Forecast for each fold by the federation of all others, after all of its rounds."""

        def make() -> dict[str, Forecast]:
            models = [self._model(fold, method, seed) for fold in self.folds]
            return self._forecast(young.trial, method, models, models)

        return Told(self._kept(self._where(method, seed, young.days), make))

    def in_legs(self, young: Young, method: Method, *, seed: int) -> Told | None:
        """Forecast by such a federation's second leg, and the horizon before by its first.

        None where nothing can be rehearsed: nobody took part a horizon earlier.
        """
        if young.earlier is None:
            return None
        where = self._where(method, seed, young.days)
        served, rehearsed = self.store.read(f"{where}-served"), self.store.read(f"{where}-rehearsed")
        if served is None or rehearsed is None:
            try:
                first = [self._model(fold, method, seed, "rehearsal") for fold in self.folds]
            except DataError:
                return None
            second = [self._serving(fold, method, seed, start) for fold, start in zip(self.folds, first, strict=True)]
            served = self._forecast(young.trial, method, second, first)
            rehearsed = self._forecast(young.earlier, method, first, first)
            self.store.write(f"{where}-served", served)
            self.store.write(f"{where}-rehearsed", rehearsed)
        return Told(served, rehearsed)

    def _where(self, method: Method, seed: int, last: object) -> str:
        return f"{method.name}-{self.trial.origin}-{seed}-of-{len(self.folds)}-{last}"

    def _tell(self, label: str) -> OnShare:
        return lambda what, share: self.on_share(f"{self.trial.origin}, {label}, {what}", share)

    def _kept(self, name: str, make: Callable[[], dict[str, Forecast]]) -> dict[str, Forecast]:
        found = self.store.read(name)
        if found is None:
            found = make()
            self.store.write(name, found)
        return found

    def _model(
        self,
        fold: Fold,
        method: Method,
        seed: int,
        stage: Stage = "whole",
        *,
        start: DemandGRU | None = None,
    ) -> DemandGRU:
        """Read or train the model that knows nothing of a fold."""
        name = self._where(method, seed, f"{fold.number}{_end(stage)}")
        model = self.store.read_model(name, start_model(self.trial.plan.model, self.trial.series, seed=0, warm=False))
        if model is None:
            others, label = keep(self.trial, ~fold.is_out), f"without fold {fold.number}"
            tell = self._tell(label if stage == "whole" else f"{label} ({stage})")
            model = train_without(method, others, seed=seed, on_share=tell, stage=stage, start=start)
            self.store.write_model(name, model)
        return model

    def _serving(self, fold: Fold, method: Method, seed: int, start: DemandGRU) -> DemandGRU:
        """Go on from the first leg where rounds have a price; where they have none the rehearsal ran all of them."""
        return (
            self._model(fold, method, seed, "served", start=start)
            if method.is_private
            else self._model(fold, method, seed)
        )

    def _forecast(
        self, young: Trial, method: Method, models: list[DemandGRU], earlier: list[DemandGRU]
    ) -> dict[str, Forecast]:
        """Put what the folds' federations forecast together, so that each entity is forecast by one it was not in."""
        parts, rows = [], []
        for fold, model, before in zip(self.folds, models, earlier, strict=True):
            out = fold.holds(young)
            if out.any():
                parts.append(forecast_joined(model, method, keep(young, out), earlier=before))
                rows.append(np.flatnonzero(out))
        back = np.argsort(np.concatenate(rows))
        return {name: Forecast.concatenate([part[name] for part in parts]).select(back) for name in parts[0]}


def _end(stage: Stage) -> str:
    return "" if stage == "whole" else f"-{stage}"


def say_days(days: int) -> str:
    """Say a length of history."""
    return "all" if days == WHOLE else f"{days} days"
