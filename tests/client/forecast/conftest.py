"""A released model that multiplies the anchor, and a merchant whose demand turns on a day."""

import json
import math
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.cli import main
from client.daemon.store import Model, Store
from client.folder import MerchantFolder
from common.message import release
from common.message.release import Release, ReleaseNote
from common.message.signature import public_bytes, sign
from common.message.vector import hash_vector
from common.model.demand_gru import get_vector
from common.model.warm.start import start_without_data
from common.plan.schema import Plan

ORIGIN = date(2024, 3, 1)
CUSTOMERS = 12


@pytest.fixture
def make_model() -> Callable[..., Model]:
    """Make a released model that multiplies the anchor's mean; one that has learned nothing if the factor is None."""

    def make(plan: Plan, factor: float | None = 1.0, *, round_number: int | None = None) -> Model:
        network = start_without_data(plan, private=True)
        if factor is not None:
            network.output.bias.data[0] = math.log(factor)
        parameters = get_vector(network)
        note = ReleaseNote(
            plan=plan,
            private=True,
            round_number=round_number or plan.privacy.training.num_rounds,
            model_hash=hash_vector(parameters),
            num_parameters=len(parameters),
            released_at=datetime.now(UTC),
            members=(),
            software="test",
        )
        return Model(note, parameters, datetime.now(UTC))

    return make


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[..., Path]:
    """Write visits of a dozen customers, three a day, and `factor` times as many from a turn on."""

    def write(*, factor: int = 2, until: date = date(2024, 3, 31), turn: date = ORIGIN) -> Path:
        generator = np.random.default_rng(0)
        rows = []
        for day in pd.date_range("2024-01-01", until):
            mean = 3 * (factor if day.date() >= turn else 1)
            for customer in range(CUSTOMERS):
                rows += [(f"c{customer}", str(day.date()))] * int(generator.poisson(mean))
        pd.DataFrame(rows, columns=["customer", "time"]).to_csv(tmp_path / "rows.csv", index=False)
        return tmp_path

    return write


@pytest.fixture
def hansa(tmp_path, write_rows, make_plan, make_model, monkeypatch, capsys):
    """Run a command in the folder of a merchant that holds a signed model; give its code and what it said."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    write_rows()
    home = MerchantFolder(tmp_path)
    welcome = {"federation": "test", "name": "north", "address": "127.0.0.1:1", "authority": "", "certificate": ""}
    welcome["coordinator"] = public_bytes(key).hex()
    home.federation.write_text(json.dumps({"welcome": welcome, "size_class": 32}))
    model = make_model(make_plan(), 2.0)
    signed = sign(model.note.to_bytes(), key, purpose=release.PURPOSE)
    Store(home.models, public_bytes(key)).keep_model(Release(signed, model.parameters), model.note)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["hansa-client", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out + told.err

    return run
