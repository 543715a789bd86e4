"""Letters: who is held back, and whether the effect that is planted is found."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from client.decision.customer.letter import choose_letters, is_held_out, measure_effect
from client.decision.customer.outlook import foresee_customers
from client.decision.customer.purchase import make_purchases
from common.errors import DataError


@pytest.fixture(scope="module")
def purchases(world):  # type: ignore[no-untyped-def]
    return world(customers=400, days=300, scale=20.0, leave=0.5, stay=3.0, seed=11)


@pytest.fixture(scope="module")
def outlook(purchases):  # type: ignore[no-untyped-def]
    return foresee_customers(purchases, purchases.date_of(300), 30)


def test_a_fifth_is_held_back_by_hash_and_stays_so_for_a_quarter(outlook) -> None:  # type: ignore[no-untyped-def]
    names = [f"{number:032x}" for number in range(4000)]
    day = outlook.origin.replace(month=1, day=8)
    held = np.array([is_held_out(name, day, 0.2) for name in names])
    assert held.mean() == pytest.approx(0.2, abs=0.02)
    assert (held == [is_held_out(name, day + timedelta(days=60), 0.2) for name in names]).all()
    other = np.array([is_held_out(name, day + timedelta(days=120), 0.2) for name in names])
    assert (held & other).mean() == pytest.approx(0.04, abs=0.015)


def test_those_with_the_most_at_stake_come_first_and_only_where_the_chance_has_fallen(outlook) -> None:  # type: ignore[no-untyped-def]
    found = choose_letters(outlook, most=30, hold_out=0.2, uplift=0.1)
    rows = found.table.to_pylist()
    stakes = [row["value_at_risk"] for row in rows]
    assert 0 < len(rows) <= 30
    assert stakes == sorted(stakes, reverse=True)
    assert all(row["chance_90"] <= 0.75 * row["usual_chance_90"] for row in rows)
    assert {row["segment"] for row in rows} <= {"slipping away", "quiet", "regular", "big and rare"}
    written = [row for row in rows if not row["hold_out"]]
    guessed = sum(min(0.1, 1 - row["chance_90"]) * row["order_value"] for row in written)
    assert found.gain == pytest.approx(guessed)
    assert choose_letters(outlook, most=30, hold_out=0.2, uplift=None).gain is None
    assert choose_letters(outlook, most=30, hold_out=0.0, uplift=None).smallest_seen is None


def test_a_planted_effect_lies_in_the_interval_and_none_does_nine_times_in_ten(purchases) -> None:  # type: ignore[no-untyped-def]
    """19 in 20 intervals hold the truth; of 60 at least 51 (false-alarm rate 0.3 %)."""
    generator = np.random.default_rng(5)
    names, start = purchases.customers, purchases.date_of(300)
    holds = 0
    for _ in range(60):
        held = generator.random(len(names)) < 0.3
        comes = generator.random(len(names)) < np.where(held, 0.2, 0.3)
        who = np.concatenate([purchases.customers[purchases.customer], names[comes]])
        day = np.concatenate([purchases.day, np.full(comes.sum(), 305)])
        amount = np.concatenate([purchases.amount, np.full(comes.sum(), 20.0)])
        after = make_purchases(who, day, amount, start=purchases.start, num_days=310)
        effect = measure_effect(after, _list(names, held, start), until=after.date_of(310), origin="list.csv")
        holds += effect.bought[1] <= 0.1 <= effect.bought[2]
    assert holds >= 51
    assert effect.days == 10


def _list(names: np.ndarray, held: np.ndarray, day: object) -> pa.Table:
    days = pa.array([day] * len(names), pa.date32())
    return pa.table({"customer": names.tolist(), "written_on": days, "hold_out": held.tolist()})


def test_a_list_that_is_none_is_refused_in_a_sentence(purchases) -> None:  # type: ignore[no-untyped-def]
    names, day = purchases.customers[:10], purchases.date_of(290)
    held = np.arange(10) < 3
    until = purchases.date_of(300)
    good = _list(names, held, day)
    assert measure_effect(purchases, good, until=until, origin="a.csv").held.customers == 3
    for listed, said in [
        (good.drop_columns(["hold_out"]), "no column 'hold_out'"),
        (_list(np.array(["nobody"] * 10), held, day), "does not know"),
        (_list(names, held & False, day), "held back"),
        (_list(names, held, until), "No day after"),
    ]:
        with pytest.raises(DataError, match=said):
            measure_effect(purchases, listed, until=until, origin="a.csv")
    assert replace(purchases).num_days == 300
