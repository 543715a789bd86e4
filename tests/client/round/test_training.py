import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from client.round.fused.library import SWITCH, find_kernel
from client.round.training import CHUNK_ENTITIES, train_round
from common.model.demand_gru import DemandGRU, draw_model, freeze, get_vector
from common.model.features import Series, build_series
from common.plan.schema import Plan
from common.privacy.bound import LATTICE_BITS
from common.privacy.mechanism import Mechanism
from panels import build_panel
from simulation.engine.seeded_noise import SeededNoise

CPU = torch.device("cpu")
CLIPPED = Mechanism(clipping_norm=1.0, noise_multiplier=2.0)
NUM_CUSTOMERS = CHUNK_ENTITIES + 6  # two chunks, so that a newcomer in front moves someone to the second


def units_plan(make_plan: Callable[..., Plan], size: int) -> Plan:
    units = {"aggregate": "sum", "column": "units"}
    model = {"hidden_size": size, "decoder_size": size}
    return make_plan(data={"target": units, "observed": {"units": units}}, model=model)


@pytest.fixture
def plan(make_plan: Callable[..., Plan]) -> Plan:
    return units_plan(make_plan, 16)


def stock_plan(make_plan: Callable[..., Plan], likelihood: str) -> Plan:
    """Forecast units of plans that know the days out of stock."""
    units = {"aggregate": "sum", "column": "units"}
    data = {"target": units, "observed": {"units": units}, "out_of_stock": "gone"}
    return make_plan(data=data, model={"hidden_size": 16, "decoder_size": 16, "likelihood": likelihood})


def draw_rows(customers: list[str], *, seed: int = 5) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    visits = [generator.integers(1, 40) for _ in customers]
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(generator.integers(0, 91, sum(visits)), unit="D")
    units = generator.integers(1, 9, sum(visits)).astype(float)
    return pd.DataFrame({"customer": np.repeat(customers, visits), "time": days, "units": units})


def make_series(rows: pd.DataFrame, plan: Plan) -> Series:
    panel = build_panel(rows, plan.data)
    return build_series(panel, plan.model, panel.day_of(date(2024, 3, 1)))


def start_parameters(model: DemandGRU) -> Tensor:
    """Move away from the zero output layer, at which all other gradients are zero."""
    vector = get_vector(model)
    return vector + 0.1 * torch.randn(len(vector), generator=torch.Generator().manual_seed(3))


def replay(series: Series, plan: Plan, *, mechanism: Mechanism = CLIPPED) -> Tensor:
    """Run one round with frozen noise."""
    model = draw_model(plan.model, series, seed=0)
    if plan.model.calendar:
        freeze(model, "calendar")
    return train_round(
        model,
        series,
        start_parameters(model),
        round_number=4,
        mechanism=mechanism,
        noise=SeededNoise(np.random.default_rng(7)),
        device=CPU,
    )


def integer_norm(integers: Tensor) -> float:
    return math.sqrt(sum(value * value for value in integers.tolist()))  # Python's integers do not overflow


@pytest.fixture(params=["kernel", "torch"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Compute the rounds by the kernel, where one is compiled, and by torch."""
    if request.param == "torch":
        monkeypatch.setenv(SWITCH, "torch")
    elif find_kernel() is None:
        pytest.skip("no kernel is compiled for this processor: run python -m client.round.fused.build")
    return str(request.param)


BASE = draw_rows([f"customer-{number:03d}" for number in range(NUM_CUSTOMERS)])


def newcomer(name: str, *, copies: int = 1, units: float | None = None) -> pd.DataFrame:
    rows = pd.concat([draw_rows([name], seed=11)] * copies)
    return rows if units is None else rows.assign(units=units)


@pytest.mark.parametrize("name", ["a-first", "customer-030-between", "z-last"])
@pytest.mark.parametrize(
    ("copies", "units"), [(1, None), (16, None), (1, 1e12)], ids=["ordinary", "sixteenfold", "enormous"]
)
def test_one_entity_more_adds_its_own_contribution_and_changes_no_bit_of_the_others(
    plan: Plan, path: str, name: str, copies: int, units: float | None
) -> None:
    rows = newcomer(name, copies=copies, units=units)
    without = replay(make_series(BASE, plan), plan)
    both = replay(make_series(pd.concat([BASE, rows]), plan), plan)
    assert integer_norm(both - without) <= 2**LATTICE_BITS
    silent = replace(CLIPPED, noise_multiplier=0.0)
    alone = replay(make_series(rows, plan), plan, mechanism=silent)
    assert torch.equal(both - without, alone)


@pytest.mark.parametrize("name", ["a-first", "customer-030-between", "z-last"])
def test_neither_does_it_on_a_calendar_path(make_plan: Callable[..., Plan], name: str) -> None:
    units = {"aggregate": "sum", "column": "units"}
    plan = make_plan(data={"target": units, "observed": {"units": units}}, model={"calendar": True})
    rows = newcomer(name)
    without, both = (replay(make_series(each, plan), plan) for each in (BASE, pd.concat([BASE, rows])))
    assert integer_norm(both - without) <= 2**LATTICE_BITS
    alone = replay(make_series(rows, plan), plan, mechanism=replace(CLIPPED, noise_multiplier=0.0))
    assert alone.any()
    assert torch.equal(both - without, alone)


LIKELIHOODS = ("negative_binomial", "hurdle_negative_binomial", "log_normal")


def mark(rows: pd.DataFrame, share: float) -> pd.DataFrame:
    """Let a share of the rows say that the stock ran out, each by its own number."""
    return rows.assign(gone=(rows["units"].to_numpy() * 7 + np.arange(len(rows))) % 100 < 100 * share)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("others", [0.0, 0.3], ids=["others are never sold out", "others are sold out too"])
@pytest.mark.parametrize("name", ["a-first", "customer-030-between"])
def test_an_entity_that_sells_out_changes_no_bit_of_the_others(
    make_plan: Callable[..., Plan], likelihood: str, others: float, name: str
) -> None:
    plan, base = stock_plan(make_plan, likelihood), mark(BASE, others)
    rows = draw_rows([name], seed=3).assign(gone=True)
    without = replay(make_series(base, plan), plan)
    both = replay(make_series(pd.concat([base, rows]), plan), plan)
    silent = replace(CLIPPED, noise_multiplier=0.0)
    alone = replay(make_series(rows, plan), plan, mechanism=silent)
    assert torch.equal(both - without, alone)
    assert 0 < integer_norm(alone) <= 2**LATTICE_BITS
    open_ended = replay(make_series(rows.assign(gone=False), plan), plan, mechanism=silent)
    assert not torch.equal(alone, open_ended)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("units", [1e6, 1e12])
def test_an_entity_that_sells_out_of_enormous_amounts_is_clipped(
    make_plan: Callable[..., Plan], likelihood: str, units: float
) -> None:
    plan, base = stock_plan(make_plan, likelihood), mark(BASE, 0.3)
    rows = draw_rows(["a-first"], seed=3).assign(units=units)
    rows = rows.assign(gone=np.arange(len(rows)) % 2 == 0)
    without, both = (replay(make_series(each, plan), plan) for each in (base, pd.concat([base, rows])))
    assert integer_norm(both - without) <= 2**LATTICE_BITS


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("value", [math.nan, math.inf, 1e38])
def test_a_sold_out_label_that_is_no_amount_moves_the_sum_by_the_clipping_norm_at_most(
    make_plan: Callable[..., Plan], likelihood: str, value: float
) -> None:
    plan, base = stock_plan(make_plan, likelihood), mark(BASE, 0.3)
    series = make_series(pd.concat([base, draw_rows(["a-first"], seed=3).assign(gone=True)]), plan)
    series.target[0] = value
    assert integer_norm(replay(series, plan) - replay(make_series(base, plan), plan)) <= 2**LATTICE_BITS


@pytest.mark.parametrize("size", [1, 3, 20])
def test_layers_that_fill_no_vector_register_are_as_exact(make_plan: Callable[..., Plan], path: str, size: int) -> None:
    plan, few = units_plan(make_plan, size), BASE[BASE["customer"] < "customer-018"]
    silent = Mechanism(clipping_norm=0.1, noise_multiplier=0.0)
    without = replay(make_series(few, plan), plan, mechanism=silent)
    both = replay(make_series(pd.concat([few, newcomer("a-first")]), plan), plan, mechanism=silent)
    assert torch.equal(both - without, replay(make_series(newcomer("a-first"), plan), plan, mechanism=silent))


def test_one_entity_less_takes_at_most_the_clipping_norm_away(plan: Plan) -> None:
    whole = replay(make_series(BASE, plan), plan)
    for customer in ("customer-001", "customer-063", f"customer-{NUM_CUSTOMERS - 1:03d}"):
        left = replay(make_series(BASE[BASE["customer"] != customer], plan), plan)
        assert integer_norm(whole - left) <= 2**LATTICE_BITS


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30, 1e38])
def test_an_entity_whose_features_break_every_bound_moves_the_sum_by_the_clipping_norm_at_most(
    plan: Plan, value: float
) -> None:
    without = replay(make_series(BASE, plan), plan)
    series = make_series(pd.concat([BASE, newcomer("a-first")]), plan)
    for broken in (series.inputs, series.target, series.level, series.cell_level):
        broken[0] = value
    assert integer_norm(replay(series, plan) - without) <= 2**LATTICE_BITS


def test_an_entity_without_a_finite_gradient_counts_as_nobody(plan: Plan, path: str) -> None:
    series = make_series(pd.concat([BASE, newcomer("a-first")]), plan)
    series.inputs[0] = math.nan
    assert torch.equal(replay(series, plan), replay(make_series(BASE, plan), plan))


def test_a_steep_gradient_is_clipped_and_no_gradient_is_longer_than_the_norm(plan: Plan) -> None:
    silent = Mechanism(clipping_norm=1e-3, noise_multiplier=0.0)
    for customer in ("customer-000", "customer-001", "customer-002"):
        norm = integer_norm(replay(make_series(BASE[BASE["customer"] == customer], plan), plan, mechanism=silent))
        assert 0.999 * 2**LATTICE_BITS < norm <= 2**LATTICE_BITS


def test_no_entity_at_all_gives_the_noise_alone(plan: Plan) -> None:
    empty = make_series(BASE, plan).select(torch.arange(0))
    total = replay(empty, plan)
    noise = SeededNoise(np.random.default_rng(7)).integers(len(total), 2.0 * 2**LATTICE_BITS)
    assert torch.equal(total, noise)
