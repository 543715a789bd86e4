import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.forecast.method.trees.example import DAYS_OF_ALL_ROWS, LAG_WEEKS, cut_horizon, cut_rows, draw_past
from common.model.features import build_series

LAST_WEEK, FOUR_WEEKS, ALL_WEEKS = -3, -2, -1  # the last three features


@pytest.fixture
def plan(make_plan):
    return make_plan(model={"horizon_days": 14}).model


def at(number):
    return np.array([number])


def test_the_same_weekday_is_looked_up_before_the_cut_off(make_panel, plan):
    panel = make_panel(target=np.arange(91, dtype=np.float32)[None, :])
    series = build_series(panel, plan, 60)
    for bucket, nearest in ((0, 53), (6, 59), (7, 53), (13, 59)):
        rows = cut_rows(panel, series, at(0), at(59), at(bucket))
        lags = np.expm1(rows.features[0, LAST_WEEK:] + np.log1p(rows.anchor))
        weeks = np.array([nearest - 7 * back for back in range(LAG_WEEKS) if nearest >= 7 * back])
        assert lags == pytest.approx([nearest, weeks[:4].mean(), weeks.mean()], rel=1e-4)


def test_a_bucket_of_days_is_held_against_past_buckets(make_panel, make_plan):
    plan = make_plan(model={"horizon_days": 6, "bucket_days": 3}).model
    panel = make_panel(target=np.arange(91, dtype=np.float32)[None, :])
    series = build_series(panel, plan, 60)
    for bucket in (0, 1):
        rows = cut_rows(panel, series, at(0), at(59), at(bucket))
        assert np.expm1(rows.features[0, LAST_WEEK] + np.log1p(rows.anchor)) == pytest.approx([57 + 58 + 59], rel=1e-4)


def test_a_closed_week_is_skipped_and_no_week_is_missing(make_panel, plan):
    panel = make_panel(target=np.arange(91, dtype=np.float32)[None, :])
    panel.open[0, 53] = False
    series = build_series(panel, plan, 60)
    rows = cut_rows(panel, series, at(0), at(59), at(0))
    assert np.isnan(rows.features[0, LAST_WEEK])
    assert np.expm1(rows.features[0, FOUR_WEEKS] + np.log1p(rows.anchor)) == pytest.approx(
        [(46 + 39 + 32) / 3], rel=1e-4
    )


def test_rows_of_a_horizon_stand_entity_by_entity_and_carry_its_demand(make_panel, plan):
    panel = make_panel(num_entities=3)
    rows = cut_horizon(panel, build_series(panel, plan, 60), 60)
    np.testing.assert_array_equal(rows.label.reshape(3, 14), panel.target[:, 60:74])


def test_every_possible_row_is_drawn_where_there_is_room(make_panel, plan):
    panel = make_panel(num_entities=2, first_day=np.array([0, 30]))
    past = draw_past(panel, build_series(panel, plan, 60), until=60, seed=0)
    assert len(past.label) == (46 + 16) * 14  # cut-offs 1 … 46, and 31 … 46


def test_no_more_rows_are_drawn_than_asked_for_and_fewer_of_a_short_past(make_panel, plan):
    panel = make_panel(num_entities=2)
    series = build_series(panel, plan, 60)
    tenth = DAYS_OF_ALL_ROWS // 60
    assert len(draw_past(panel, series, until=60, seed=0, num_rows=100 * tenth).label) == 100
    assert len(draw_past(panel, series, until=30, seed=0, num_rows=100 * tenth).label) == 50


def test_a_history_without_a_whole_horizon_gives_no_rows(make_panel, plan):
    panel = make_panel(num_entities=2)
    assert len(draw_past(panel, build_series(panel, plan, 10), until=10, seed=0).label) == 0


@given(seed=st.integers(0, 2**32 - 1), origin=st.integers(20, 70))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
def test_neither_features_nor_labels_of_the_past_look_beyond_the_origin(make_panel, plan, seed, origin):
    panel, other = make_panel(seed=seed), make_panel(seed=seed)
    other.target[:, origin:] += 1 + seed % 5
    other.observed[:, origin:] += 1
    series, changed = (build_series(of, plan, origin) for of in (panel, other))
    past, same = (draw_past(of, s, until=origin, seed=0) for of, s in ((panel, series), (other, changed)))
    np.testing.assert_array_equal(past.features, same.features)
    np.testing.assert_array_equal(past.label, same.label)
    ahead, same = cut_horizon(panel, series, origin), cut_horizon(other, changed, origin)
    np.testing.assert_array_equal(ahead.features, same.features)
