"""Factories for small plans, panels, series and models; each takes what a test wants to be different."""

import json
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import settings
from torch import Tensor

import slowest
import type_check  # noqa: F401  before all that it is to check
from common.data.panel import Panel
from common.model.demand_gru import DemandGRU, draw_model, entity_losses, get_vector, set_vector
from common.model.features import Examples, Series, build_series
from common.plan.schema import Plan

if TYPE_CHECKING:
    from demo_shop import Demo

torch.set_num_threads(1)  # torch's threads spin where another process holds a core: a suite of 30 s takes minutes
settings.register_profile("loaded", deadline=None)  # a busy machine takes its time over any example
settings.load_profile("loaded")

SMALL_PLAN: dict[str, Any] = {
    "name": "small",
    "data": {
        "path": "rows.csv",
        "rows": "events",
        "entity": "customer",
        "time": "time",
        "target": {"aggregate": "rows"},
        "start": date(2024, 1, 1),
        "end": date(2024, 3, 31),
    },
    "model": {
        "step": "day",
        "horizon_days": 4,
        "likelihood": "negative_binomial",
        "hidden_size": 3,
        "decoder_size": 4,
        "window_steps": 12,
        "positions": 3,
    },
    "privacy": {"unit": "customer"},
    "evaluation": {"origins": [date(2024, 3, 1)], "methods": ["anchor"]},
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slowest files; all others keep their order."""
    places = {path: place for place, path in enumerate(slowest.paths())}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> "Demo":
    """Set the demo shop up, once for all tests that only look at it: its folder and its truth."""
    from demo_shop import make_demo

    return make_demo(tmp_path_factory.mktemp("demo") / "shop")


@pytest.fixture
def make_plan() -> Callable[..., Plan]:
    """Make a small plan; nested mappings are laid over its sections, key by key."""

    def make(**sections: Any) -> Plan:
        return Plan.model_validate_json(json.dumps(_lay_over(SMALL_PLAN, sections), default=str))

    return make


@pytest.fixture
def make_panel() -> Callable[..., Panel]:
    """Make a panel of random demand from a seed, all open, born on day 0; any field can be given."""

    def make(*, num_entities: int = 5, num_days: int = 91, seed: int = 0, **fields: Any) -> Panel:
        generator = np.random.default_rng(seed)
        if "target" in fields:
            num_entities, num_days = fields["target"].shape
        shape = (num_entities, num_days)
        drawn = {
            "start": date(2024, 1, 1),
            "channels": ("spend",),
            "covariates": ("promo",),
            "entities": np.array([f"e{number}" for number in range(num_entities)], dtype=object),
            "merchants": np.array(["shop"] * num_entities, dtype=object),
            "target": generator.poisson(2.0, shape).astype(np.float32),
            "observed": generator.gamma(2.0, 3.0, (*shape, 1)).astype(np.float32),
            "known": generator.integers(0, 2, (*shape, 1)).astype(np.float32),
            "static": generator.normal(size=(num_entities, 2)).astype(np.float32),
            "open": np.ones(shape, dtype=bool),
            "first_day": np.zeros(num_entities, dtype=np.int64),
            "censored": np.zeros(shape, dtype=bool),
        }
        return Panel(**{**drawn, **fields})

    return make


@pytest.fixture
def make_series(make_plan: Callable[..., Plan], make_panel: Callable[..., Panel]) -> Callable[..., Series]:
    """Make the series of a random panel up to day 60; named arguments change the model's plan."""

    def make(panel: Panel | None = None, *, num_entities: int = 5, seed: int = 0, **model: Any) -> Series:
        panel = panel or make_panel(num_entities=num_entities, seed=seed)
        return build_series(panel, make_plan(model=model).model, 60)

    return make


@pytest.fixture
def make_awake_model() -> Callable[..., DemandGRU]:
    """Make a model in double precision away from the zero output layer, at which most gradients vanish."""

    def make(series: Series, *, seed: int = 0) -> DemandGRU:
        model = draw_model(series.plan, series, seed=seed)
        generator = torch.Generator().manual_seed(seed)
        set_vector(model, 0.3 * torch.randn(len(get_vector(model)), generator=generator))
        return model.double()

    return make


@pytest.fixture
def to_double() -> Callable[[Examples], Examples]:
    """Give examples in double precision."""

    def convert(examples: Examples) -> Examples:
        fields = examples.parts.items()
        return Examples(**{name: part.double() if part.is_floating_point() else part for name, part in fields})

    return convert


@pytest.fixture
def pick() -> Callable[[Examples, list[int]], Examples]:
    """Keep some entities of some examples."""

    def keep(examples: Examples, entities: list[int]) -> Examples:
        fields = examples.parts.items()
        return Examples(**{name: part if name == "position" else part[entities] for name, part in fields})

    return keep


@pytest.fixture
def gradient_of_each(pick: Callable[..., Examples]) -> Callable[..., Tensor]:
    """Take each entity's gradient by plain autograd, one entity at a time: what all others must equal."""

    def gradients(model: DemandGRU, examples: Examples) -> Tensor:
        rows = []
        for entity in range(len(examples.inputs)):
            loss = entity_losses(model, model.likelihood, pick(examples, [entity])).sum()
            parts = torch.autograd.grad(loss, list(model.parameters()))
            rows.append(torch.cat([part.reshape(-1) for part in parts]))
        return torch.stack(rows)

    return gradients


def _lay_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: _lay_over(below[key], value) if isinstance(value, dict) and key in below else value
        for key, value in above.items()
    }
    return {**below, **both}
