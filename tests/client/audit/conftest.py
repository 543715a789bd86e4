"""A merchant small enough to be audited in seconds, with data on which every planted fault can show."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from client.audit.source import make_source
from client.audit.subject import AuditSubject
from common.plan.schema import Measure, Plan
from common.privacy.accounting import noise_multiplier_for
from common.privacy.mechanism import Mechanism

ORIGIN = date(2024, 2, 5)
COUNTRIES = ("here", "there")
DELTA = 1e-5
DATA = {
    "target": {"aggregate": "sum", "column": "units"},
    "static": [{"column": "country", "categories": COUNTRIES}],
    "start": date(2024, 1, 1),
    "end": date(2024, 2, 9),
}

MODEL = {"season": False, "hidden_size": 16, "decoder_size": 16}  # whole vector registers, so that chunks are full


def draw_rows(num_customers: int, *, seed: int = 0) -> pd.DataFrame:
    """Draw purchases; nobody buys on 20 January."""
    generator = np.random.default_rng(seed)
    visits = generator.integers(1, 9, num_customers)
    days = generator.choice([day for day in range(35) if day != 19], visits.sum())
    customer = np.repeat(np.arange(num_customers), visits)
    return pd.DataFrame(
        {
            "customer": [f"customer-{number:03d}" for number in customer],
            "time": pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D"),
            "units": generator.integers(1, 9, visits.sum()).astype(float),
            "country": np.array(COUNTRIES)[customer % 2],
        }
    )


@pytest.fixture
def make_subject(make_plan: Callable[..., Plan]) -> Callable[..., AuditSubject]:
    """Make a subject over a file of `rows`, or of the rows of `num_customers` customers."""

    def make(
        *,
        num_customers: int = 70,
        rows: pd.DataFrame | None = None,
        epsilon: float = 2.0,
        num_rounds: int = 50,
        path: str = "sales.csv",
        **changes: Any,
    ) -> AuditSubject:
        plan = make_plan(data=DATA | {"path": path}, model=MODEL, evaluation={"origins": [ORIGIN]})
        sigma = noise_multiplier_for(epsilon=epsilon, delta=DELTA, num_rounds=num_rounds)
        own = draw_rows(num_customers) if rows is None else rows
        terms = {"mechanism": Mechanism(1.0, sigma), "num_rounds": num_rounds, "epsilon": epsilon, "delta": DELTA}
        return AuditSubject(plan, make_source(own, path), **(terms | changes))

    return make


@pytest.fixture
def make_observing(make_subject: Callable[..., AuditSubject]) -> Callable[..., AuditSubject]:
    """Make a subject that observes a second channel."""

    def make(*, num_customers: int) -> AuditSubject:
        subject = make_subject(num_customers=num_customers)
        rows = subject.source.rows.assign(spend=subject.source.rows["units"] * 2.5)
        observed = {"observed": {"spend": Measure(aggregate="sum", column="spend")}}
        plan = subject.plan.model_copy(update={"data": subject.plan.data.model_copy(update=observed)})
        return replace(subject, plan=plan, source=make_source(rows, "sales.csv"))

    return make
