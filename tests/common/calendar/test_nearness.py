from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta

import numpy as np
import pytest

from common.calendar.nearness import days_of, fault_of_name, near_holiday, nearness
from common.errors import ConfigError
from common.plan.near_day import NEAR_DAYS, near_names
from common.plan.reading import parse_plan


def test_a_day_belongs_to_the_two_distances_that_it_lies_between() -> None:
    there = nearness(np.array([-7, -6, -1, 0, 2, 3, 5]))
    assert there[0].tolist() == [1, 0, 0, 0, 0, 0]
    assert there[1] == pytest.approx([3 / 4, 1 / 4, 0, 0, 0, 0])
    assert there[2].tolist() == [0, 0, 1, 0, 0, 0]
    assert there[3].tolist() == [0, 0, 0, 1, 0, 0]
    assert there[4] == pytest.approx([0, 0, 0, 0, 0.5, 0.5])
    assert there[5].tolist() == [0, 0, 0, 0, 0, 1]
    assert there[6] == pytest.approx([0, 0, 0, 0, 0, 0.5])


def test_nearness_begins_two_weeks_before_a_holiday_and_ends_one_after() -> None:
    first = date(2014, 3, 1)
    near = near_holiday("DE", "", "Good Friday", first=first, last=date(2014, 5, 31))
    felt = [first + timedelta(days=int(day)) for day in np.flatnonzero(near.sum(axis=1))]
    assert (felt[0], felt[-1]) == (date(2014, 4, 5), date(2014, 4, 24))  # Good Friday was 18 April 2014
    assert near[(date(2014, 4, 18) - first).days, NEAR_DAYS.index(0)] == 1


def test_a_holiday_beyond_the_end_of_the_span_is_near_within_it() -> None:
    near = near_holiday("DE", "", "Christmas Day", first=date(2014, 12, 1), last=date(2014, 12, 18))
    assert near[-1, NEAR_DAYS.index(-7)] == 1


def test_a_holiday_of_two_days_is_one_with_two_middles() -> None:
    near = near_holiday("EC", "", "Carnival", first=date(2014, 3, 1), last=date(2014, 3, 10))  # 3 and 4 March
    assert near[:, NEAR_DAYS.index(0)].tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 0, 0]
    assert near[:, NEAR_DAYS.index(-1)].tolist() == pytest.approx([0.5, 1, 0, 0, 0, 0, 0, 0, 0, 0])


def test_a_day_that_is_two_holidays_is_near_both() -> None:
    assert days_of("DE", "", "Ascension Day", first=date(2008, 1, 1), last=date(2008, 12, 31)) == (date(2008, 5, 1),)
    assert days_of("DE", "", "Labor Day", first=date(2008, 1, 1), last=date(2008, 12, 31)) == (date(2008, 5, 1),)


def test_a_plan_means_the_same_on_a_machine_of_another_language() -> None:
    code = "from common.calendar.nearness import fault_of_name; print(fault_of_name('DE', '', 'Good Friday'))"
    environment = {"LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de", "PYTHONPATH": ":".join(sys.path)}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == ""


def test_a_holiday_that_the_country_does_not_have_is_refused_with_those_that_it_has() -> None:
    assert fault_of_name("DE", "", "Thanksgiving").startswith("DE has no public holiday 'Thanksgiving'; there are ")
    text = """
        name = "shops"
        [data]
        path = "sales.csv"
        rows = "panel"
        entity = "product"
        time = "date"
        target = { aggregate = "rows" }
        start = 2014-01-01
        end = 2014-12-31
        holidays = { country = "DE", near = ["Easter"] }
        [model]
        step = "day"
        horizon_days = 7
        likelihood = "negative_binomial"
        [privacy]
        unit = "product"
        [evaluation]
        origins = [2014-11-01]
        methods = ["anchor"]
    """
    with pytest.raises(ConfigError, match=r"data\.holidays\.near: DE has no public holiday 'Easter'; .*Easter Monday"):
        parse_plan(text)
    covariates = parse_plan(text.replace('"Easter"', '"Easter Monday"')).data.covariates
    assert covariates == ("holiday", "before", "after", *near_names("Easter Monday"))
