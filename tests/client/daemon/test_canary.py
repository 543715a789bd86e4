"""A whole run at a merchant whose raw rows hold canaries: in ids, in product names and in amounts.

What may hold them: the merchant's own table and the forecasts, which stay. Everything else is searched.
"""

import json
import logging
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from flwr.app import Message

from certs.key import read_or_make_signing_key
from client.account.agreement import Offer, agree
from client.account.ledger.answer_log import LedgerAnswerLog
from client.account.ledger.ledger import Ledger, create_ledger, now_utc
from client.account.policy import Policy
from client.data.rows import read
from client.round.answers import Answers, Merchant, make_client_app
from client.transparency.card import make_card
from client.transparency.card_page import write_page
from client.transparency.card_signature import sign_card
from client.transparency.sent_messages import departures_of, describe, explain, hex_lines
from common.errors import HansaError
from common.message.wire import to_wire
from common.model.demand_gru import get_vector, make_model
from common.model.features import Series, build_series
from common.plan.schema import Plan
from common.privacy.noise import SecureNoise
from server.round.aggregation import Terms
from server.round.federation import Federation
from server.round.optimizer import start_state
from simulation.engine.grid import InProcessGrid, make_context
from simulation.engine.rounds import run_rounds

NODE_ID = 10
CUSTOMER, PRODUCT, AMOUNT = "canary-customer-7391", "canary-product-7391", 73917.390625
NEEDLES = (
    CUSTOMER.encode(),
    PRODUCT.encode(),
    repr(AMOUNT).encode(),
    b"73917.39",
    struct.pack("<f", AMOUNT),
    struct.pack("<d", AMOUNT),
)
DATA = {
    "path": "rows.csv",
    "rows": "events",
    "entity": "customer",
    "time": "time",
    "target": {"aggregate": "sum", "column": "amount"},
    "observed": {"spend": {"aggregate": "sum", "column": "amount"}},
    "static": [{"column": "product", "categories": ["tea", "ink"]}],
}

ALONE = {"plan": {"smallest_cohort": 1}, "approval": {"automatic": {"smallest_cohort": 1}}}  # nobody signs a call here


def found_in(everything: Iterable[bytes]) -> list[bytes]:
    return [needle for place in everything for needle in NEEDLES if needle in place]


class ListeningGrid(InProcessGrid):
    """A grid that keeps every message that comes back."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.wire: list[bytes] = []

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        replies = super().pull_messages(message_ids)
        self.wire += [reply.metadata.__repr__().encode() for reply in replies]
        self.wire += [
            to_wire(reply.content) if reply.has_content() else repr(reply.error).encode() for reply in replies
        ]
        return replies


@pytest.fixture
def plan(make_plan: Callable[..., Plan]) -> Plan:
    training = {"num_rounds": 3}
    return make_plan(
        data=DATA,
        model={"likelihood": "log_normal"},
        privacy={"training": training},
        federation={"training": training},
    )


@pytest.fixture
def series(plan: Plan, tmp_path: Path) -> Series:
    """Read the merchant's rows as it does, canaries and all."""
    generator = np.random.default_rng(0)
    rows = [
        {"customer": f"c{number}", "time": datetime(2024, 1, 1) + timedelta(days=day), "product": "tea", "amount": 5.25}
        for number in range(6)
        for day in range(80)
        if generator.random() < 0.3
    ]
    canary = [
        {"customer": CUSTOMER, "time": datetime(2024, 1, 3 + day), "product": PRODUCT, "amount": AMOUNT}
        for day in range(20)
    ]
    folder = tmp_path / "data"
    folder.mkdir()
    pd.DataFrame(rows + canary).to_csv(folder / "rows.csv", index=False)
    panel = read(plan.data, folder).panel
    assert CUSTOMER in panel.entities.tolist()
    assert (panel.target == np.float32(AMOUNT)).any()
    return build_series(panel, plan.model, 60)


class Run:
    """One merchant, its ledger and a coordinator with a checkpoint."""

    def __init__(self, plan: Plan, series: Series, policy: Policy, folder: Path, noise: SecureNoise) -> None:
        self.folder, self.policy = folder, policy
        create_ledger(folder / "ledger.sqlite")
        self.ledger = Ledger(folder / "ledger.sqlite")
        self.ledger.open_account("shop", "customer", delta=1e-5, at=now_utc())
        model = make_model(plan.model, num_features=series.num_features, num_future=series.num_future, seed=0)
        start = get_vector(model)
        self.agreement = agree(policy, Offer(plan, True, "c" * 64, 3), self.ledger, num_coordinates=len(start))
        mechanism, device = self.agreement.mechanism, torch.device("cpu")
        answer_log = LedgerAnswerLog(self.ledger, self.agreement)
        merchant = Merchant(plan, 3, series, mechanism, noise, device, answer_log)
        self.grid = ListeningGrid({"m": (make_client_app(Answers(merchant).answer), make_context(NODE_ID))})
        self.federation = Federation(
            plan, plan.privacy.training, {NODE_ID: Terms(32, mechanism)}, 1, 60.0, folder / "state.safetensors"
        )
        self.start = start_state(start)

    def go(self) -> None:
        run_rounds(self.grid, self.federation, self.start)

    def left_behind(self) -> list[bytes]:
        """Return every file but the data, every message, and everything that the merchant's commands show."""
        departures = departures_of(self.ledger)
        shown = [json.dumps(describe(found)) + explain(found) + hex_lines(found.content) for found in departures]
        if departures:
            signed = sign_card(
                make_card(self.ledger, self.policy, ""), read_or_make_signing_key(self.folder / "card.key")
            )
            shown += [json.dumps(signed), write_page(signed)]
        files = [file.read_bytes() for file in self.folder.iterdir() if file.is_file()]
        return [*files, *self.grid.wire, *(text.encode() for text in shown)]


@pytest.fixture
def make_run(
    plan: Plan, series: Series, make_policy: Callable[..., Policy], tmp_path: Path
) -> Iterator[Callable[..., Run]]:
    opened = ExitStack()

    def make(noise: SecureNoise) -> Run:
        folder = tmp_path / "own"
        folder.mkdir()
        readable = {"rows.csv": ["customer", "time", "amount", "product"]}
        run = Run(plan, series, make_policy(**ALONE | {"data": {"files": readable}}), folder, noise)
        opened.callback(run.ledger.close)
        return run

    with opened:
        yield make


# False alarm below 1e-6: each of 6 needles is at least 4 bytes; a few hundred kilobytes of noise are searched.
def test_a_canary_in_ids_names_and_amounts_is_in_nothing_that_a_run_leaves(
    make_run: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    run = make_run(SecureNoise())
    run.go()
    left = run.left_behind()
    assert len(departures_of(run.ledger)) == 3
    assert (run.folder / "state.safetensors").exists()
    assert any(run.agreement.offer.run_hash.encode() in place for place in left)  # text would be found
    assert found_in([*left, caplog.text.encode()]) == []


class BrokenNoise(SecureNoise):
    """Fails as a library would that prints what it was given."""

    def integers(self, size: int, std: float) -> torch.Tensor:
        raise ValueError(f"cannot convert {CUSTOMER} {PRODUCT} {AMOUNT}")


def test_no_error_carries_a_canary_to_the_coordinator_or_into_a_log(
    make_run: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    run = make_run(BrokenNoise())
    with pytest.raises(HansaError) as caught:
        run.go()
    with closing(run.ledger):
        left = run.left_behind()
    assert str(run.grid.failures[NODE_ID]) == "declined"
    assert found_in([*left, caplog.text.encode(), str(caught.value).encode()]) == []


def test_the_search_finds_a_canary_where_there_is_one() -> None:
    for needle in NEEDLES:
        assert found_in([b"before" + needle + b"after"])
