"""A run that rehearses leaves two models; the one that serves is never taken for the other."""

from datetime import UTC, datetime, timedelta

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.daemon.store import Store
from common.errors import DataError
from common.message import release
from common.message.release import Release, ReleaseNote
from common.message.signature import public_bytes, sign
from common.message.vector import hash_vector
from common.plan.leg import legs_of

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "models", public_bytes(KEY))


def keep(store, plan, round_number, at):
    parameters = torch.full((5,), float(round_number))
    note = ReleaseNote(
        plan=plan,
        private=True,
        round_number=round_number,
        model_hash=hash_vector(parameters),
        num_parameters=5,
        released_at=at,
        members=(),
        software="test",
    )
    store.keep_model(Release(sign(note.to_bytes(), KEY, purpose=release.PURPOSE), parameters), note)


def test_the_model_after_the_rehearsal_is_kept_beside_the_one_that_serves_in_any_order(store, make_plan):
    plan = make_plan(federation={"rehearsal": True})
    rehearsal, served = legs_of(plan, private=True)
    for round_number, at in ((served.last_round, NOON), (rehearsal.last_round, NOON + timedelta(hours=1))):
        keep(store, plan, round_number, at)
    newest = store.newest_model()
    assert newest.note.round_number == served.last_round
    assert store.rehearsal_of(newest).note.round_number == rehearsal.last_round


def test_a_rehearsals_model_alone_serves_nobody(store, make_plan):
    plan = make_plan(federation={"rehearsal": True})
    keep(store, plan, legs_of(plan, private=True)[0].last_round, NOON)
    with pytest.raises(DataError, match="There is no model"):
        store.newest_model()


def test_a_run_without_a_rehearsal_has_one_model(store, make_plan):
    keep(store, make_plan(), 4, NOON)
    assert store.rehearsal_of(store.newest_model()) is None


def test_the_note_for_people_is_written_again_where_a_full_disk_left_it_out(store, make_plan, tmp_path):
    keep(store, make_plan(), 4, NOON)
    (model,) = tmp_path.rglob("*.safetensors")
    before, readable = model.read_bytes(), model.with_suffix(".json")
    said = readable.read_text()
    for left in (
        None,
        said.replace('"round_number": 4', '"round_number": 3').replace('"model_hash": "', '"model_hash": "0'),
    ):
        readable.unlink()
        if left is not None:
            readable.write_text(left)
        keep(store, make_plan(), 4, NOON)
        assert readable.read_text() == said
    assert model.read_bytes() == before
