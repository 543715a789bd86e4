"""Parts add up: for every product, method and period, to what `forecast` says; and no order of them decides."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from client.explanation.asked import read_asked
from client.explanation.explaining import Ready, explain, get_ready
from client.explanation.group import GROUPS, group_of
from client.explanation.network import split_network
from client.explanation.part import add_by_group, logarithmic_mean
from client.explanation.tree import name_groups, share_score
from client.forecast.method.trees.demand import fit_boosted_mean
from client.forecast.method.trees.example import cut_horizon
from client.forecast.released import forecast_mean
from client.shop.forecast.outlook import forecast_shop
from client.shop.history.history import History
from client.shop.override.override import Override, Overrides
from client.shop.settings import read_shop
from common.model.demand_gru import DemandGRU
from common.model.features import Series
from demo_shop import Demo
from small_shop import draw_sales, make_shop

NEXT = date(2023, 8, 1)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Old products, one that is new, one that sold once, one that is gone, and an override."""
    first = date(2023, 1, 2)
    sold = draw_sales(days=210, products=4)
    sold += [("young", first + timedelta(days=day), 3.0) for day in range(190, 210)]
    sold += [("once", first + timedelta(days=150), 1.0)]
    sold += [("gone", first + timedelta(days=day), 5.0) for day in range(120)]
    folder = make_shop(tmp_path_factory.mktemp("shop") / "shop", sold, "closed_dates = [2023-08-09]\n")
    said = {
        "number": 1,
        "of": "product",
        "name": "P1",
        "first": date(2023, 7, 31),
        "last": date(2023, 8, 31),
        "factor": 1.5,
    }
    Overrides(folder).add(Override(**said, author="Ada", reason="a fair", made=date(2023, 7, 1)))
    return folder


def ready_for(folder: Path, period: str = "", method: str = "") -> Ready:
    with History.open(folder) as history:
        span = history.span()
        assert span is not None
        asked = read_asked(period, None, span[1], method=method)
        return get_ready(history, read_shop(folder), asked, today=NEXT)


@pytest.mark.parametrize("period", ["", "2023-08-09", "2023-08"])
def test_the_parts_of_every_product_and_method_add_up_to_what_forecast_says(shop: Path, period: str) -> None:
    ready = ready_for(shop, period)
    with History.open(shop) as history:
        asked = read_asked(period, None, ready.setting.known.origin - timedelta(days=1))
        table = forecast_shop(history, read_shop(shop), asked.question, today=NEXT).table
    said = {(row["product"], row["first"]): row for row in table.to_pylist()}
    whys = explain(ready, ())
    assert {why.product for why in whys} == {"P0", "P1", "P2", "P3", "young", "once", "gone"}
    for why in whys:
        row = said[why.product, why.period.first]
        assert (why.mean, why.low, why.high) == pytest.approx((row["mean"], row["q10"], row["q90"]), rel=1e-5, abs=1e-9)
        assert sum(why.parts.values()) == pytest.approx(why.mean, abs=1e-9)
        assert why.parts["override"] == pytest.approx(row["mean"] - row["without"], abs=1e-9)
        for method in why.methods.values():
            assert sum(method.parts.values()) == pytest.approx(method.mean, abs=1e-6)
        told = sum(each.share * each.mean for each in why.methods.values())
        moved = why.parts["new"] + why.parts["override"]
        assert told + moved == pytest.approx(why.mean, rel=1e-5, abs=1e-6)
        assert why.error < 1e-3 * max(why.mean, 1.0)
        assert abs(why.parts["rest"]) < 0.05 * max(why.mean, 1.0)


def test_what_is_new_gone_or_overridden_is_told(shop: Path) -> None:
    whys = {why.product: why for why in explain(ready_for(shop), ())}
    assert whys["young"].parts["new"] < 0
    assert whys["gone"].mean == 0.0
    assert whys["gone"].parts["new"] == pytest.approx(-sum(v for g, v in whys["gone"].parts.items() if g != "new"))
    assert whys["P1"].parts["override"] == pytest.approx(whys["P1"].mean / 3)
    assert whys["P0"].parts["new"] == whys["P0"].parts["override"] == 0.0


@pytest.mark.parametrize(
    "method", ["seasonal_naive", "moving_average", "anchor", "lightgbm", "warm", "croston", "auto_ets"]
)
def test_each_method_alone_adds_up(shop: Path, method: str) -> None:
    for why in explain(ready_for(shop, method=method), ()):
        assert sum(why.parts.values()) == pytest.approx(why.mean, abs=1e-9)
        assert abs(why.parts["rest"]) < 0.01 * max(why.mean, 1.0), "nothing but rounding is left"


def test_a_single_product_is_explained_as_it_is_among_all(shop: Path) -> None:
    ready = ready_for(shop)
    (alone,) = explain(ready, ("P2",))
    among = next(why for why in explain(ready, ()) if why.product == "P2")
    assert alone.parts == pytest.approx(among.parts, abs=1e-5)
    assert alone.similar == among.similar


def test_pieces_of_factors_depend_on_no_order_and_on_no_grouping() -> None:
    generator = np.random.default_rng(0)
    logs, base = generator.normal(0, 0.7, (5, 40)), generator.gamma(1.0, 3.0, (1, 40))
    value = base * np.exp(logs.sum(axis=0))
    pieces = logs * logarithmic_mean(value, base)
    assert pieces.sum(axis=0) == pytest.approx((value - base)[0], abs=1e-9)
    merged = np.stack([logs[0] + logs[3], logs[1], logs[2] + logs[4]])[[2, 0, 1]]
    again = merged * logarithmic_mean(base * np.exp(merged.sum(axis=0)), base)
    assert again[1] == pytest.approx(pieces[0] + pieces[3])
    assert logarithmic_mean(np.array([[2.0, 1.0, 0.0]]), np.array([[2.0, np.e, 1.0]]))[0] == pytest.approx(
        [2.0, np.e - 1, 0.0]
    )


def test_shares_of_trees_are_those_of_the_package_shap(make_series: Callable[..., Series], make_panel: Any) -> None:
    """Literal values of shap 0.51.0's own algorithm, of the first row's largest columns; all differ by up to 3e-17.

    Of a LightGBM model `TreeExplainer` asks LightGBM itself; with `model.model_type = "other"` it counts by itself.
    """
    panel = make_panel(num_entities=12, seed=3)
    series = make_series(panel)
    trees = fit_boosted_mean(panel, series, until=60, num_trees=30, seed=0)
    ahead = cut_horizon(panel, series, 60)
    shares, constant = share_score(trees, ahead)
    assert trees.booster is not None
    raw = trees.booster.predict(ahead.features, raw_score=True)
    assert constant - trees.offset + shares.sum(axis=1) == pytest.approx(raw, abs=1e-9)
    assert shares.shape[1] == len(name_groups(series))
    largest = np.argsort(-np.abs(shares[0]), kind="stable")[:3]
    assert (largest.tolist(), shares[0, largest].tolist()) == (SHAP_COLUMNS, pytest.approx(SHAP_VALUES, abs=1e-6))


SHAP_COLUMNS = [10, 54, 2]
SHAP_VALUES = [-0.05093427806642226, 0.04906833743623350, 0.04093088230908317]


@pytest.mark.parametrize("likelihood", ["negative_binomial", "hurdle_negative_binomial", "log_normal"])
def test_a_network_s_parts_are_its_mean_beyond_the_anchor(
    likelihood: str, make_series: Callable[..., Series], make_awake_model: Callable[..., DemandGRU]
) -> None:
    series = make_series(likelihood=likelihood, step="week", horizon_days=7, rhythm=True, direct=True)
    model = make_awake_model(series).float()
    mean = forecast_mean(model, series, device=torch.device("cpu"))
    split = split_network(model, series, slice(1, 5))
    anchor = (cut_anchor(series))[:, 1:5].sum(axis=1)
    assert anchor + split.parts.sum(axis=0) == pytest.approx(mean[:, 1:5].sum(axis=1), rel=1e-4)
    assert np.abs(split.error).max() < 1e-3 * mean.sum(axis=1).max(), "and what captum misses is small"


def test_a_network_with_a_calendar_path_adds_up_too(
    make_series: Callable[..., Series], make_awake_model: Callable[..., DemandGRU]
) -> None:
    series = make_series(likelihood="log_normal", horizon_days=7, calendar=True)
    model = make_awake_model(series).float()
    mean = forecast_mean(model, series, device=torch.device("cpu"))
    split = split_network(model, series, slice(1, 5))
    anchor = (cut_anchor(series))[:, 1:5].sum(axis=1)
    assert anchor + split.parts.sum(axis=0) == pytest.approx(mean[:, 1:5].sum(axis=1), rel=1e-4)
    assert np.abs(split.error).max() < 1e-3 * mean.sum(axis=1).max()


def cut_anchor(series: Series) -> np.ndarray:
    from common.model.features import cut_forecast

    examples = cut_forecast(series)
    return (examples.anchor * examples.open)[:, 0].double().numpy()


def test_a_network_that_says_nothing_moves_nothing(make_series: Callable[..., Series]) -> None:
    from common.model.demand_gru import make_model

    series = make_series(step="week", horizon_days=7)
    model = make_model(series.plan, num_features=series.num_features, num_future=series.num_future, seed=0)
    parts = split_network(model, series, slice(0, 7)).parts
    quiet = [place for place, group in enumerate(GROUPS) if group != "alike"]
    assert np.abs(parts[quiet]).max() < 1e-12


def test_every_column_of_a_shop_has_a_group(shop: Path) -> None:
    setting = ready_for(shop).setting
    series = setting.batch(np.arange(2)).read()
    assert {name for name in (*series.names, *series.future_names) if group_of(name) == "rest"} == set()
    names = ("holiday", "black_friday", "event fair", "discount", "price", "x")
    groups = ["holiday", "holiday", "event", "promotion", "price", "known"]
    assert [group_of(f"known {name}") for name in names] == groups


def test_columns_are_added_up_by_their_groups() -> None:
    parts = add_by_group(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), ("price", "season", "price"), 2)
    assert parts[GROUPS.index("price")].tolist() == [6.0, 8.0]
    assert parts.sum() == 21.0


@pytest.mark.slow
def test_every_product_of_the_demo_shop_adds_up_and_is_explained_within_a_second_of_work(demo: Demo) -> None:
    import time

    with History.open(demo.folder) as history:
        span = history.span()
        assert span is not None
        ready = get_ready(history, read_shop(demo.folder), read_asked("", None, span[1]), today=span[1])
        for why in explain(ready, ()):
            assert sum(why.parts.values()) == pytest.approx(why.mean, abs=1e-9)
            assert abs(why.parts["rest"]) < 0.05 * max(why.mean, 1.0)
        began = time.process_time()
        explain(ready, ("GR-103",))
        assert time.process_time() - began < 1.0
