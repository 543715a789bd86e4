"""Signed plans at a merchant whose policy `make federation` wrote: what it may not read, it declines without a look."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import Message, RecordDict

from certs.request import Welcome
from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger, create_ledger, now_utc
from client.account.starter import write_section
from client.daemon.handlers import Handlers, make_handler_app
from client.daemon.membership import JoinedFederation
from client.folder import MerchantFolder
from common.message import proposal
from common.message.proposal import Proposal, decode_terms, encode_signed
from common.message.round import RoundRequest, decode_reply, encode_request
from common.message.signature import name_key, public_bytes, sign
from common.message.vector import hash_vector
from common.model.demand_gru import get_vector
from common.model.warm.start import hash_warm, start_without_data
from common.plan.reading import read_plan
from common.plan.reads import columns_in
from common.plan.schema import DataPlan, Plan
from simulation.engine.grid import InProcessGrid, make_context
from simulation.localhost.processes import write_policy

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NODE_ID = 10
PLAN = read_plan(Path(__file__).parents[3] / "plans" / "federation.toml")
POLICY = write_policy(
    name_key(public_bytes(KEY)), unit="product", size_class=32, epsilon=8.0, data=write_section(PLAN.data)
).replace("smallest_cohort = 2", "smallest_cohort = 1")  # what is said here of files must not hide behind company


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Lay out a merchant as `make federation` does; its table has a column more, the number of the row."""
    folder = tmp_path / "north"
    folder.mkdir()
    (folder / "policy.toml").write_text(POLICY)
    write_sales(folder / "sales.csv")
    create_ledger(folder / "ledger.sqlite")
    return folder


def write_sales(path: Path) -> None:
    generator, days = np.random.default_rng(0), pd.date_range("2024-06-01", "2025-02-03")
    rows = pd.DataFrame(
        [(f"p{product}", day.date()) for product in range(6) for day in days], columns=["product", "date"]
    )
    for column in ("units", "views", "carts"):
        rows[column] = generator.poisson(3.0, len(rows))
    rows["promotion"], rows["price"], rows["kind"] = generator.integers(0, 2, len(rows)), 4.0, "grocery"
    rows["row_id"] = [f"row-{number}" for number in range(len(rows))]
    rows.to_csv(path, index=False)


@pytest.fixture
def ledger(folder: Path) -> Iterator[Ledger]:
    with closing(Ledger(folder / "ledger.sqlite")) as opened:
        opened.open_account("shop", "product", delta=1e-6, at=now_utc())
        yield opened


@pytest.fixture
def ask(folder: Path, ledger: Ledger) -> Callable[[RecordDict, str], Message]:
    """Send the merchant a message, and give its answer as it would cross the wire."""
    words = {"federation": "hanse", "name": "north", "address": "localhost:1", "authority": "", "certificate": ""}
    federation = JoinedFederation(welcome=Welcome(coordinator=public_bytes(KEY).hex(), **words), size_class=32)
    handlers = Handlers(
        MerchantFolder(folder), federation, ledger, data_root=folder.resolve(), device=torch.device("cpu")
    )
    grid = InProcessGrid({"north": (make_handler_app(handlers), make_context(NODE_ID))})

    def send(content: RecordDict, kind: str) -> Message:
        (reply,) = grid.send_and_receive([Message(content, NODE_ID, kind)])
        return reply

    return send


def propose(plan: Plan) -> RecordDict:
    offered = Proposal(plan=plan, private=True, cohort_size=5, warm_hash=hash_warm(plan, private=True))
    return encode_signed(sign(offered.to_bytes(), KEY, purpose=proposal.PURPOSE))


def changed(**data: object) -> Plan:
    return PLAN.model_copy(update={"data": DataPlan.model_validate({**dict(PLAN.data), **data})})


def what_left(reply: Message) -> tuple[object, ...]:
    return (reply.has_content(), reply.error.code, reply.error.reason) if reply.has_error() else (True,)


def test_the_plan_that_counts_products_is_accepted_and_answered(
    ask: Callable[[RecordDict, str], Message], ledger: Ledger
) -> None:
    reply = ask(propose(PLAN), "query.proposal")
    assert decode_terms(reply.content).plan_hash == PLAN.run_hash(private=True)
    parameters = get_vector(start_without_data(PLAN, private=True))
    request = RoundRequest(PLAN.run_hash(private=True), 1, hash_vector(parameters), parameters)
    answer = decode_reply(ask(encode_request(request), "train").content, size=len(parameters))
    assert answer.total.abs().sum() > 0
    assert len([entry for entry in ledger.entries if isinstance(entry, Spend)]) == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"entity": "row_id"}, "counts every 'row_id' as one entity (data.entity), the policy's entity is 'product'"),
        ({"entity": "date"}, "counts every 'date' as one entity (data.entity), the policy's entity is 'product'"),
        ({"merchant": "date"}, "tells merchants apart by the column 'date'"),
        ({"derived": {"product": ("units", "price")}}, "would compute 'product'"),
        ({"filters": ({"column": "row_id", "equals": "row-7"},)}, "would read the column 'row_id' (data.filters)"),
    ],
)
def test_a_signed_plan_that_calls_something_else_a_product_is_declined_and_costs_nothing(
    data: dict[str, object],
    said: str,
    ask: Callable[[RecordDict, str], Message],
    folder: Path,
    ledger: Ledger,
    caplog: pytest.LogCaptureFixture,
) -> None:
    plan, before = changed(**data), ledger.entries
    with caplog.at_level(logging.WARNING):
        reply = ask(propose(plan), "query.proposal")
    assert reply.has_error()
    assert reply.error.reason == "declined"
    assert said in caplog.text
    parameters = get_vector(start_without_data(plan, private=True))
    request = RoundRequest(plan.run_hash(private=True), 1, hash_vector(parameters), parameters)
    assert ask(encode_request(request), "train").has_error()
    assert ledger.entries == before
    assert not (folder / "plans").exists() or not any((folder / "plans").iterdir())


@pytest.mark.parametrize("path", ["other.csv", "../other.csv", "{outside}", "link.csv", "inner/../../other.csv"])
@pytest.mark.parametrize("place", ["path", "lookup"])
def test_whether_a_file_that_the_policy_does_not_name_exists_makes_no_difference(
    path: str, place: str, ask: Callable[[RecordDict, str], Message], folder: Path, tmp_path: Path
) -> None:
    path = path.replace("{outside}", str(tmp_path / "other.csv"))
    (folder / "link.csv").symlink_to(tmp_path / "other.csv")
    (folder / "inner").mkdir()
    lookups = ({"path": path, "key": "product", "column": "product"},)
    plan = changed(path=path) if place == "path" else changed(lookups=lookups)
    answers = [what_left(ask(propose(plan), "query.proposal"))]
    for file in (folder / "other.csv", tmp_path / "other.csv"):
        if place == "path":
            write_sales(file)
        else:
            file.write_text("product,maker\np0,somebody\n")
    answers.append(what_left(ask(propose(plan), "query.proposal")))
    assert answers[0] == answers[1]
    assert answers[0][0] is False


def test_columns_that_the_policy_takes_back_are_not_used_from_memory(
    ask: Callable[[RecordDict, str], Message], folder: Path, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """The plan stays allowed, since another file may have a column of that name; what was read of the first goes."""
    (folder / "makers.csv").write_text("product,maker\np0,somebody\n")
    plan = changed(lookups=({"path": "makers.csv", "key": "product", "column": "product"},))
    own = ", ".join(f'"{column}"' for column in columns_in(PLAN.data)["sales.csv"])
    listed = f'"sales.csv" = [{own}]'
    text = POLICY.replace(
        next(line for line in POLICY.splitlines() if line.startswith('"sales.csv" = ')),
        f'{listed}\n"makers.csv" = ["product", "price"]',
    )
    (folder / "policy.toml").write_text(text)
    assert not ask(propose(plan), "query.proposal").has_error()
    start = get_vector(start_without_data(plan, private=True))

    def answer(round_number: int) -> Message:
        parameters = start + 0.01 * round_number
        request = RoundRequest(plan.run_hash(private=True), round_number, hash_vector(parameters), parameters)
        return ask(encode_request(request), "train")

    assert not answer(1).has_error()
    assert '"price"]' in text.replace(', "price"', "", 1)
    (folder / "policy.toml").write_text(text.replace(', "price"', "", 1))
    assert answer(2).has_error()
    assert len([entry for entry in ledger.entries if isinstance(entry, Spend)]) == 1
    (folder / "policy.toml").write_text(text)
    assert not answer(2).has_error()
