from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from client.audit.subject import AuditSubject
from client.audit.way.charges import find_spends, propose
from client.audit.way.level import walk_the_way
from client.audit.way.merchant import LEAST_ROUNDS, lay_out


def test_a_scratch_merchant_agrees_charges_and_seals_like_a_real_one(
    make_subject: Callable[..., AuditSubject], tmp_path: Path
) -> None:
    merchant = lay_out(make_subject(num_customers=3), tmp_path / "shop")
    assert merchant.subject.num_rounds == LEAST_ROUNDS
    with merchant.opened() as shop:
        walk = propose(merchant, shop)
        request = walk.request(5)
        wire = shop.round(request)
        ((line, spend),) = find_spends(shop.ledger, request)
        assert shop.ledger.message(line) == wire
        assert spend.noise_multiplier == walk.terms.noise_multiplier
        walk.note_noise(request, wire)
    assert walk.found == []
    scale = walk.terms.noise_multiplier * 2**24
    assert walk.noises[5].double().std() / scale == pytest.approx(1, abs=0.1)


# False alarm 1e-4; two fresh interpreters answer too.
@pytest.mark.slow
def test_the_whole_way_is_clean_with_fresh_processes_and_leaves_nothing_behind(
    make_subject: Callable[..., AuditSubject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for path in ("sales.csv", "../sales.parquet"):
        report = walk_the_way(make_subject(num_customers=6, path=path), generator=np.random.default_rng(0))
        assert report.violations == ()
    assert list(tmp_path.iterdir()) == []
