"""By which path a round is computed shows in the last digits of its sum, and in nothing else."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from client.account.answer_log import MemoryAnswerLog
from client.audit.subject import Reply, Silence, ask
from client.round.answers import Answers, Merchant
from client.round.fused import library
from client.round.fused.library import SWITCH, find_kernel
from client.round.leg import read_legs
from common.message.round import RoundRequest
from common.message.vector import hash_vector
from common.model.features import Series
from common.plan.schema import Plan
from common.privacy.mechanism import Mechanism
from common.privacy.noise import SecureNoise
from fleet.shop import write_rows

CPU, MECHANISM = torch.device("cpu"), Mechanism(0.5, 1.5)
pytestmark = pytest.mark.skipif(
    find_kernel() is None, reason="no kernel is compiled for this processor: run python -m client.round.fused.build"
)


@pytest.fixture
def plan(make_plan: Callable[..., Plan]) -> Plan:
    return make_plan(privacy={"unit": "customer", "training": {"num_rounds": 3}})


@pytest.fixture
def series(plan: Plan, tmp_path: Path) -> Series:
    write_rows(tmp_path / "rows.csv", num_customers=80)
    return read_legs(plan, tmp_path)[0]


def request_of(merchant: Merchant, size: int) -> RoundRequest:
    parameters = 0.2 * torch.randn(size, generator=torch.Generator().manual_seed(1))
    return RoundRequest(merchant.run_hash, 1, hash_vector(parameters), parameters)


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_both_paths_send_the_same_but_for_the_last_digits_of_the_sum(
    plan: Plan, series: Series, monkeypatch: pytest.MonkeyPatch, threads: Callable[[int], None]
) -> None:
    totals, rests, asked = dict[str, Tensor](), list[object](), list[object]()
    for path, count in (("kernel", 1), ("kernel, 3 threads", 3), ("torch", 1)):
        monkeypatch.setenv(SWITCH, path)
        threads(count)
        silence = Silence()
        merchant = Merchant(plan, 3, series, MECHANISM, silence, CPU)
        answers = Answers(merchant)
        reply = ask(answers, request_of(merchant, answers.size))
        totals[path] = reply.total
        rests.append(reply.rest)
        asked.append(tuple(silence.asked))
    assert torch.equal(totals["kernel"], totals["kernel, 3 threads"])
    assert rests == rests[:1] * 3
    assert asked == asked[:1] * 3
    assert float(totals["torch"].abs().max()) > 2**20
    moved = (totals["kernel"] - totals["torch"]).double().norm()
    assert 0 < float(moved) <= 1e-5 * float(totals["torch"].double().norm())


@pytest.mark.parametrize("paths", [("torch", "kernel"), ("kernel", "torch")])
def test_a_round_asked_again_gets_its_sealed_bytes_whichever_path_the_process_has_now(
    plan: Plan, series: Series, monkeypatch: pytest.MonkeyPatch, paths: tuple[str, str]
) -> None:
    log, sent = MemoryAnswerLog(), list[Reply]()
    for path in paths:
        monkeypatch.setenv(SWITCH, path)
        merchant = Merchant(plan, 3, series, MECHANISM, SecureNoise(), CPU, answer_log=log)
        answers = Answers(merchant)
        sent.append(ask(answers, request_of(merchant, answers.size)))
    first, again = sent
    assert torch.equal(first.total, again.total)
    assert first.rest == again.rest


def test_a_machine_without_a_kernel_says_so_once_and_computes_by_torch(
    plan: Plan, series: Series, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(library, "library_path", lambda registers: tmp_path / f"{registers}.so")
    library._load.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                merchant = Merchant(plan, 3, series, MECHANISM, Silence(), CPU)
                answers = Answers(merchant)
                assert ask(answers, request_of(merchant, answers.size)).total.any()
    finally:
        library._load.cache_clear()
    (record,) = caplog.records
    assert "computed by torch" in record.message
    assert "python -m client.round.fused.build" in record.message


def test_a_library_that_cannot_be_loaded_is_named_and_torch_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.so"
    damaged.write_bytes(b"not a library")
    monkeypatch.setattr(library, "library_path", lambda registers: damaged)
    library._load.cache_clear()
    try:
        assert find_kernel() is None
    finally:
        library._load.cache_clear()
    assert str(damaged) in caplog.text
