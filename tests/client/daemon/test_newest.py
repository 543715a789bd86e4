"""Which model is the newest, by the handlers themselves: no wrong clock stops a later model, no old one comes back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from safetensors import safe_open
from safetensors.torch import save_file

from client.daemon.handlers import Handlers, count_parameters
from client.daemon.store import ARRIVED
from common.errors import MessageError
from common.message import release
from common.message.receipt import decode_receipt
from common.message.release import Release, ReleaseNote, encode_release
from common.message.signature import sign
from common.message.vector import hash_vector
from common.plan.schema import Plan
from fleet.merchant import open_merchant

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
AHEAD = datetime(2099, 1, 1, tzinfo=UTC)
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def handlers(tmp_path: Path) -> Iterator[Handlers]:
    with open_merchant(tmp_path / "shop", "shop", key=KEY) as opened:
        yield opened


@pytest.fixture
def plan(make_plan: Callable[..., Plan]) -> Plan:
    return make_plan(privacy={"unit": "customer", "training": {"num_rounds": 4}})


def named(plan: Plan, name: str) -> Plan:
    return plan.model_copy(update={"name": name})


def hand(handlers: Handlers, plan: Plan, value: float, at: datetime, *, round_number: int = 4) -> str:
    """Hand a model to a merchant, and have its receipt."""
    parameters = torch.full((count_parameters(plan, private=True),), value)
    note = ReleaseNote(
        plan=plan,
        private=True,
        round_number=round_number,
        model_hash=hash_vector(parameters),
        num_parameters=len(parameters),
        released_at=at,
        members=(),
        software="test",
    )
    signed = sign(note.to_bytes(), KEY, purpose=release.PURPOSE)
    return decode_receipt(handlers.keep(encode_release(Release(signed, parameters))))


def newest(handlers: Handlers) -> str:
    return handlers._models.newest_model().note.model_hash


def test_a_model_dated_far_ahead_gives_way_to_the_next_run_and_does_not_come_back(
    handlers: Handlers, plan: Plan
) -> None:
    ahead = hand(handlers, named(plan, "ahead"), 0.1, AHEAD)
    assert newest(handlers) == ahead
    later = hand(handlers, named(plan, "later"), 0.2, datetime.now(UTC))
    assert newest(handlers) == later
    assert hand(handlers, named(plan, "ahead"), 0.1, AHEAD) == ahead, "sent again it is received"
    assert newest(handlers) == later


def test_a_model_dated_far_ahead_gives_way_to_another_of_its_own_run_and_does_not_come_back(
    handlers: Handlers, plan: Plan
) -> None:
    hand(handlers, plan, 0.1, AHEAD)
    right = hand(handlers, plan, 0.2, datetime.now(UTC))
    assert newest(handlers) == right
    with pytest.raises(MessageError, match="the newer one is kept"):
        hand(handlers, plan, 0.1, AHEAD)
    assert newest(handlers) == right


def test_of_one_run_the_later_round_counts_whatever_the_dates_say(handlers: Handlers, plan: Plan) -> None:
    hand(handlers, plan, 0.1, AHEAD, round_number=3)
    right = hand(handlers, plan, 0.2, LONG_AGO, round_number=4)
    assert newest(handlers) == right
    with pytest.raises(MessageError, match="the newer one is kept"):
        hand(handlers, plan, 0.3, datetime.now(UTC), round_number=3)


def test_an_old_model_that_comes_late_is_not_the_newest(handlers: Handlers, plan: Plan) -> None:
    right = hand(handlers, named(plan, "right"), 0.1, datetime.now(UTC) - timedelta(days=1))
    hand(handlers, named(plan, "old"), 0.2, LONG_AGO)
    assert newest(handlers) == right
    with pytest.raises(MessageError, match="the newer one is kept"):
        hand(handlers, named(plan, "right"), 0.3, LONG_AGO)


def test_a_date_without_a_time_zone_is_read_as_utc(handlers: Handlers, plan: Plan) -> None:
    hand(handlers, named(plan, "old"), 0.1, LONG_AGO)
    later = hand(handlers, named(plan, "later"), 0.2, datetime(2025, 1, 1))
    assert newest(handlers) == later


def test_a_model_dated_ahead_that_an_earlier_version_kept_gives_way_too(handlers: Handlers, plan: Plan) -> None:
    hand(handlers, named(plan, "ahead"), 0.1, AHEAD)
    (path,) = handlers._home.models.glob("*.safetensors")
    with safe_open(path, framework="pt") as file:
        about = {key: text for key, text in file.metadata().items() if key != ARRIVED}
        parameters = file.get_tensor("parameters")
    save_file({"parameters": parameters}, path.with_suffix(".tmp"), metadata=about)
    shutil.move(path.with_suffix(".tmp"), path)
    later = hand(handlers, named(plan, "later"), 0.2, datetime.now(UTC) + timedelta(seconds=60))
    assert newest(handlers) == later
