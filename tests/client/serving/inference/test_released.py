"""A network that a federation released, as a version of `demand`."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from client.daemon.store import Model
from client.serving.inference.demand.model import Batch
from client.serving.inference.demand.network import read_released
from common.errors import ConfigError
from common.message.release import ReleaseNote
from common.message.vector import hash_vector
from common.model.demand_gru import get_vector
from common.model.warm.start import start_without_data
from common.plan.schema import Plan

SUNDAY = date(2026, 11, 1)


def release(plan: Plan, change: float = 0.0) -> Model:
    """Release what the plan begins with, a little changed."""
    parameters = get_vector(start_without_data(plan, private=True)) + change
    note = ReleaseNote(
        plan=plan,
        private=True,
        round_number=2,
        model_hash=hash_vector(parameters),
        num_parameters=len(parameters),
        released_at=datetime(2026, 10, 1, tzinfo=UTC),
        members=(),
        software="test",
    )
    return Model(note, parameters, datetime(2026, 10, 1, tzinfo=UTC))


def test_it_serves_where_it_reads_pieces_alone_and_knows_the_closed_days_of_its_plan(
    make_plan: Callable[..., Plan],
) -> None:
    plan = make_plan(data={"closed_weekdays": ["monday"]})
    one, other = read_released(release(plan)), read_released(release(plan, 0.01))
    assert one.source == plan.name
    assert one.version != other.version
    units = np.random.default_rng(0).poisson(4.0, (3, 70)).astype(np.float64)
    ((mean, _),) = Batch(one, 70, SUNDAY).work_out([units])
    ((changed, _),) = Batch(other, 70, SUNDAY).work_out([units])
    assert mean.shape == (3, plan.model.horizon)
    assert (mean[:, 0] == 0).all()
    assert (mean[:, 1:] > 0).all()
    assert not np.array_equal(mean, changed)


@pytest.mark.parametrize(
    "more", [{"data": {"observed": {"spend": {"aggregate": "rows"}}}}, {"model": {"likelihood": "log_normal"}}]
)
def test_it_is_refused_where_it_needs_more_or_reads_money(make_plan: Callable[..., Plan], more: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="does not read pieces sold alone"):
        read_released(release(make_plan(**more)))
