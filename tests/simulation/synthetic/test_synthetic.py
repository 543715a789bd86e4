"""Every draw is seeded; a false-alarm rate says how often another seed would fail a test by chance."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from common.errors import ConfigError
from simulation.synthetic.customer import draw_customers, draw_events
from simulation.synthetic.federation import SyntheticSettings
from simulation.synthetic.kind import KINDS
from simulation.synthetic.panel import draw_panel

DRAWS = [draw_panel, draw_events, draw_customers]
SMALL = SyntheticSettings(merchants=5, products_per_merchant_largest=40, customers_per_merchant_largest=100)


@pytest.fixture(scope="module")
def panel():
    return draw_panel(SyntheticSettings())


@pytest.fixture(scope="module")
def events():
    return draw_events(SyntheticSettings())


@pytest.fixture(scope="module")
def customers():
    return draw_customers(SyntheticSettings())


def history_days(panel):
    return panel.groupby("merchant")["date"].agg(lambda dates: (dates.max() - dates.min()).days + 1)


@pytest.mark.parametrize("draw", DRAWS)
def test_the_same_seed_gives_the_same_frame(draw):
    pd.testing.assert_frame_equal(draw(SMALL), draw(SMALL))


@pytest.mark.parametrize("draw", DRAWS)
def test_another_seed_gives_another_frame(draw):
    assert not draw(SMALL).equals(draw(replace(SMALL, seed=1)))


@pytest.mark.parametrize("draw", DRAWS)
def test_another_merchant_changes_nobody_else(draw):
    more = draw(replace(SMALL, merchants=8))
    few = draw(SMALL)
    assert more["merchant"].nunique() == 8
    pd.testing.assert_frame_equal(more[more["merchant"].isin(few["merchant"].unique())], few)


@pytest.mark.parametrize("draw", DRAWS)
def test_one_merchant_with_one_product_and_one_customer_is_a_federation(draw):
    tiny = SyntheticSettings(merchants=1, products_per_merchant_smallest=1, customers_per_merchant_smallest=1)
    assert draw(tiny)["merchant"].nunique() == 1


def test_the_panel_is_regular_and_complete(panel):
    assert not panel.isna().any(axis=None)
    assert not panel.duplicated(["product", "date"]).any()
    days = panel[["merchant", "date"]].drop_duplicates()
    days["open_day"] = days.groupby("merchant").cumcount()
    open_day = panel.merge(days, on=["merchant", "date"])
    steps = open_day.groupby("product")["open_day"].diff().dropna()
    assert (steps == 1).all()
    assert (panel.groupby("product")["date"].max() == panel["date"].max()).all()


def test_counts_and_prices_are_possible(panel):
    assert (panel[["units", "views", "carts"]] >= 0).all(axis=None)
    assert (panel[["price", "true_rate"]] > 0).all(axis=None)
    assert set(panel["promotion"]) == {0, 1}
    assert set(panel["kind"]) == {kind.name for kind in KINDS}
    assert (panel.groupby("merchant")["kind"].nunique() == 1).all()


@pytest.mark.parametrize("weekday", [2, 6])
def test_the_closed_weekday_has_no_rows_and_no_events(weekday):
    settings = replace(SMALL, closed_weekday=weekday)
    everyday = set(range(7))
    assert set(draw_panel(settings)["date"].dt.day_of_week) == everyday - {weekday}
    assert set(draw_events(settings)["time"].dt.day_of_week) == everyday - {weekday}


def test_sizes_span_the_range(panel, customers):
    products = panel.groupby("merchant")["product"].nunique()
    assert (products.min(), products.max()) == (5, 200)
    assert products.sum() == 596  # by hand: 5 · 40^p, rounded, over p = 0, 1, 1/2, 1/4, 3/4, …, 5/16
    bases = customers.groupby("merchant").size()
    assert (bases.min(), bases.max()) == (20, 800)


def test_every_kind_has_a_small_and_a_large_merchant(panel):
    products = panel.groupby(["kind", "merchant"])["product"].nunique().groupby("kind")
    assert (products.max() >= 4 * products.min()).all()


def test_new_merchants_have_a_short_history(panel):
    days = history_days(panel)
    assert days.index[days <= 56].tolist() == ["merchant-005", "merchant-011"]
    assert (days[days > 56] >= 399).all()


def test_some_products_are_new(panel):
    old = panel[panel["merchant"].map(history_days(panel)) > 56]
    first_days = old.groupby("product")["date"].min()
    assert 0.05 < (first_days > old["date"].min()).mean() < 0.25


def test_mean_units_agree_with_the_true_rate(panel):
    # |z| < 4.5 for each of 12 merchants: false alarm about 1e-4 over all.
    dispersion = panel["kind"].map({kind.name: kind.dispersion for kind in KINDS})
    variance = panel["true_rate"] + panel["true_rate"] ** 2 / dispersion
    surplus = (panel["units"] - panel["true_rate"]).groupby(panel["merchant"]).sum()
    assert (surplus.abs() / np.sqrt(variance.groupby(panel["merchant"]).sum()) < 4.5).all()


def test_units_scatter_as_the_negative_binomial_says(panel):
    # 20,000 grocery rows: the mean squared residual has a std of about 0.012; 0.06 is 5, false alarm < 1e-5.
    grocery = panel[panel["kind"] == "grocery"]
    rate = grocery["true_rate"]
    scatter = (grocery["units"] - rate) ** 2 / (rate + rate**2 / KINDS[0].dispersion)
    assert scatter.mean() == pytest.approx(1, abs=0.06)


def test_promotions_raise_demand(panel):
    # A typical fashion product lifts demand 2.1-fold (discount 0.23, elasticity 3); the median is over 296.
    fashion = panel[panel["kind"] == "fashion"]
    demand = fashion.pivot_table(index="product", columns="promotion", values=["units", "true_rate", "price"])
    lift = (demand.xs(1, axis=1, level=1) / demand.xs(0, axis=1, level=1)).median()
    assert lift["units"] > 1.4
    assert lift["true_rate"] > 1.4
    assert lift["price"] < 0.9


def test_grocers_sell_most_on_saturdays(panel):
    grocery = panel[panel["kind"] == "grocery"]
    weekday = grocery.groupby(grocery["date"].dt.day_of_week)["units"].mean()
    assert weekday.idxmax() == 5
    assert weekday.max() > 1.5 * weekday.min()


def test_fashion_follows_the_year(panel):
    fashion = panel[panel["kind"] == "fashion"]
    month = fashion.groupby(fashion["date"].dt.month)["units"].mean()
    assert month.loc[[5, 6]].mean() > 1.3 * month.loc[[11, 12]].mean()


def test_spare_parts_sell_on_few_days(panel):
    zeros = (panel["units"] == 0).groupby(panel["kind"]).mean()
    assert zeros["spare parts"] > 0.85
    assert zeros["grocery"] < 0.15


def test_views_lead_orders_online(panel):
    # Views of two open days ago tell more about today's units than views of two open days ahead.
    online = panel[panel["kind"] == "online"]
    views = np.log1p(online.groupby("product")["views"].transform(lambda views: views / views.mean()))
    units = np.log1p(online["units"])
    units = units - units.groupby(online["product"]).transform("mean")
    before, after = (units.corr(views.groupby(online["product"]).shift(step)) for step in (2, -2))
    assert before > after + 0.05


def test_the_funnel_narrows(panel, events):
    for views, carts, orders in panel.groupby("merchant")[["views", "carts", "units"]].sum().to_numpy():
        assert views >= carts >= orders
    steps = events.groupby(["merchant", "event"]).size().unstack()
    assert ((steps["view"] >= steps["cart"]) & (steps["cart"] >= steps["order"])).all()


@pytest.mark.parametrize(("later", "earlier"), [("order", "cart"), ("cart", "view")])
def test_no_step_of_the_funnel_is_skipped(events, later, earlier):
    keys = ["customer", "product"]
    seen = events.assign(later=(events["event"] == later).astype(int), earlier=(events["event"] == earlier).astype(int))
    totals = seen.groupby(keys)[["later", "earlier"]].cumsum()
    assert (totals["earlier"] >= totals["later"]).all()


def test_events_come_in_order_and_only_orders_have_a_value(events):
    assert events.groupby("merchant")["time"].is_monotonic_increasing.all()
    assert len(events) <= 150_000
    assert (events.loc[events["event"] == "order", "value"] > 0).all()
    assert (events.loc[events["event"] != "order", "value"] == 0).all()


def test_events_tell_of_the_products_in_the_panel(panel, events):
    first_days = panel.groupby("product")["date"].min()
    viewed = events[events["event"] == "view"]
    assert (viewed["time"] >= viewed["product"].map(first_days)).all()


def test_customers_do_nothing_before_their_start_and_after_their_end(events, customers):
    life = customers.set_index("customer")
    end = life["end"].fillna(pd.Timestamp.max.as_unit("us"))
    assert (events["time"] >= events["customer"].map(life["start"])).all()
    assert (events["time"] <= events["customer"].map(end)).all()
    assert 0.3 < life["end"].notna().mean() < 0.8


def test_customers_order_at_their_true_rate(events, customers):
    # 14,000 orders; over eight seeds the ratio had a std of 0.5 %: 3 % is 6 of them, false alarm < 1e-6.
    lines = events[events["event"] == "order"]
    orders = lines.drop_duplicates(["merchant", "customer", "time"]).groupby("merchant").size()
    last = events["time"].max()
    days = (customers["end"].fillna(last) - customers["start"]).dt.total_seconds() / 86_400 * 6 / 7
    expected = (customers["rate"] * days).groupby(customers["merchant"]).sum()
    assert orders.sum() == pytest.approx(expected.sum(), rel=0.03)


def test_whether_a_customer_buys_in_the_next_30_days_can_be_learned(events, customers):
    # AUC of the orders in the 90 days before; chance is 0.5 with a std of about 0.012 over 2,000 customers.
    cut = events["time"].max().normalize() - pd.Timedelta(days=30)
    orders = events[events["event"] == "order"]
    recent = orders[orders["time"].between(cut - pd.Timedelta(days=90), cut)].groupby("customer").size()
    buys = customers["customer"].isin(orders.loc[orders["time"] > cut, "customer"])
    ranks = customers["customer"].map(recent).fillna(0).rank()
    wins = ranks[buys].sum() - buys.sum() * (buys.sum() + 1) / 2
    assert wins / (buys.sum() * (~buys).sum()) > 0.7
    assert 0.1 < buys.mean() < 0.6


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("merchants", 0),
        ("products_per_merchant_smallest", 201),
        ("customers_per_merchant_smallest", 0),
        ("newcomer_days", 401),
        ("newcomer_days", 6),
        ("closed_weekday", 7),
        ("seed", -1),
    ],
)
def test_an_illegal_setting_is_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=name):
        SyntheticSettings(**{name: value})
