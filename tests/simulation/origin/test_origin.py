from datetime import date

import numpy as np
import pytest

from common.errors import ConfigError, DataError
from common.forecast.metric import observe
from panels import build_panel
from simulation.origin.origin import declare_cohort, load_panel, make_trial

ORIGIN = date(2024, 3, 1)
DAY = 60


def test_only_entities_with_a_row_before_the_origin_take_part(make_panel, make_plan):
    panel = make_panel(num_entities=3, first_day=np.array([DAY - 1, DAY, 0]))
    trial = make_trial(make_plan(), panel, ORIGIN)
    assert trial.day == DAY
    assert trial.panel.entities.tolist() == ["e0", "e2"]
    assert len(trial.cohort.merchant_of) == len(trial.outcome.actual) == trial.series.num_entities == 2


def test_an_origin_before_everyone_is_refused(make_panel, make_plan):
    with pytest.raises(DataError, match="No customer has a row before the origin 2024-03-01; choose a later origin"):
        make_trial(make_plan(), make_panel(first_day=np.full(5, DAY)), ORIGIN)


def test_only_active_entities_are_dealt_and_take_part(make_panel, make_plan):
    target = np.zeros((4, 91), np.float32)
    target[[0, 0, 1, 2, 2, 3], [50, 58, 58, 20, 59, 70]] = 1
    deal = {"by": "random", "merchants": 1, "smallest": 1, "largest": 1}
    plan = make_plan(data={"active": {"days": 2, "within_days": 30}, "deal": deal})
    assert make_trial(plan, make_panel(target=target), ORIGIN).panel.entities.tolist() == ["e0"]


def test_a_data_set_without_an_active_entity_is_refused(make_panel, make_plan):
    plan = make_plan(data={"active": {"days": 30, "within_days": 30}})
    with pytest.raises(DataError, match=r"No customer is as active as data\.active asks before the origin 2024-03-01"):
        make_trial(plan, make_panel(target=np.zeros((3, 91), np.float32)), ORIGIN)


def test_merchants_stand_in_the_order_of_the_cohort(make_panel, make_plan):
    panel = make_panel(num_entities=4, merchants=np.array(["b", "a", "b", "c"], dtype=object))
    trial = make_trial(make_plan(), panel, ORIGIN)
    assert trial.merchants == ("a", "b", "c")
    assert trial.cohort.merchant_of.tolist() == [1, 0, 1, 2]
    assert trial.rows_of("b").tolist() == [0, 2]


@pytest.mark.parametrize(("sizes", "classes"), [((1, 4), (2, 4)), ((2, 5), (2, 8)), ((3, 3), (4, 4))])
def test_a_merchant_declares_the_smallest_class_that_holds_it(make_panel, make_plan, sizes, classes):
    merchants = np.repeat(np.array(["a", "b"], dtype=object), sizes)
    panel = make_panel(num_entities=sum(sizes), merchants=merchants)
    cohort = declare_cohort(panel, make_plan(privacy={"size_classes": [8, 2, 4]}))
    assert cohort.size_classes == classes


def test_a_merchant_beyond_the_largest_class_is_refused(make_panel, make_plan):
    with pytest.raises(DataError, match="A merchant has 5 entities, more than the largest"):
        declare_cohort(make_panel(num_entities=5), make_plan(privacy={"size_classes": [2, 4]}))


def test_what_happened_is_added_up_by_bucket_over_open_days(make_panel, make_plan):
    target = np.zeros((2, 10), np.float32)
    target[:, 6:] = [[1, 2, 4, 8], [0, 0, 3, 5]]
    panel = make_panel(target=target)
    panel.open[0, 7] = False
    panel.open[1, 6:8] = False
    outcome = observe(panel, make_plan(model={"horizon_days": 4, "bucket_days": 2}).model, 6)
    assert outcome.actual.tolist() == [[1, 12], [0, 8]]
    assert outcome.counted.tolist() == [[True, True], [False, True]]


def test_the_scale_is_the_mean_squared_change_of_the_entitys_own_past(make_panel, make_plan):
    target = np.array([[1, 3, 3, 0, 9, 9], [7, 7, 2, 4, 9, 9]], np.float32)
    panel = make_panel(target=target, first_day=np.array([0, 2]))
    outcome = observe(panel, make_plan(model={"horizon_days": 2}).model, 4)
    assert outcome.scale.tolist() == pytest.approx([(4 + 0 + 9) / 3, 4])


def test_an_entity_with_one_day_of_past_has_no_scale(make_panel, make_plan):
    panel = make_panel(num_entities=1, first_day=np.array([DAY - 1]))
    assert observe(panel, make_plan().model, DAY).scale.tolist() == [0]


def test_a_deal_names_merchants_at_each_origin_and_leaves_the_unborn_out(make_panel, make_plan):
    deal = {"by": "random", "merchants": 2, "smallest": 1, "largest": 3}
    panel = make_panel(num_entities=5, first_day=np.array([0, 0, 0, 0, DAY]))
    trial = make_trial(make_plan(data={"deal": deal}), panel, ORIGIN)
    assert trial.merchants == ("merchant-01", "merchant-02")
    assert sorted(len(trial.rows_of(merchant)) for merchant in trial.merchants) == [1, 3]
    again = make_trial(make_plan(data={"deal": deal}), panel, ORIGIN)
    assert trial.panel.merchants.tolist() == again.panel.merchants.tolist()


def test_a_deal_that_cannot_be_is_refused(make_panel, make_plan):
    deal = {"by": "random", "merchants": 4, "smallest": 3, "largest": 5}
    with pytest.raises(ConfigError, match="cannot deal 5 entities to 4 merchants"):
        make_trial(make_plan(data={"deal": deal}), make_panel(), ORIGIN)


def test_rows_come_from_the_file_below_the_data_root(tables, make_small_trial, sales):
    plan = make_small_trial(sales).plan
    read, given = load_panel(plan, tables), build_panel(sales, plan.data)
    assert read.entities.tolist() == given.entities.tolist()
    assert np.array_equal(read.target, given.target)
    assert np.array_equal(read.known, given.known)
