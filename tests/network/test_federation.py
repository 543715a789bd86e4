"""Three merchants and a coordinator, seven processes, real TLS: some rounds with noise, and as many without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from common.privacy.accounting import delta_for, epsilon_of
from fleet.typed import TypedFederation
from network.federation import (
    await_launch,
    canary,
    journal,
    launch,
    let_everyone_in,
    plan_text,
    redirect,
    released_model,
    report,
    run_in_process,
)
from network.recorder import Recorder, recording_gateway
from server.folder import CoordinatorFolder
from simulation.localhost.processes import Processes, free_port

MERCHANTS, ROUNDS = 3, 5
EPSILON = 8.0


@dataclass(frozen=True)
class PastFederation:
    """What is left when everything has stopped."""

    network: Processes
    names: list[str]
    plain: dict[str, Any]
    private: dict[str, Any]
    ledgers: dict[str, dict[str, Any]]
    exit_codes: dict[str, int]
    recorder: Recorder


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PastFederation]:
    with TypedFederation(tmp_path_factory.mktemp("federation"), free_port()) as network:
        names = let_everyone_in(network, MERCHANTS, epsilon=EPSILON)
        network.start_coordinator()
        with recording_gateway(CoordinatorFolder(network.coordinator), network.port + 3) as recorder:
            for name in names:
                redirect(network, name, network.port + 3)
                network.start_merchant(name)
            words = ("--quorum", str(MERCHANTS))
            private = await_launch(
                network, launch(network, plan_text("private", rounds=ROUNDS), *words), received_by=names
            )
            ledgers = {name: network.client(name, "ledger", "show") for name in names}
            # Last, since a release without noise leaves no ledger with anything to give.
            plain = await_launch(
                network,
                launch(network, plan_text("plain", rounds=ROUNDS), *words, "--without-noise"),
                received_by=names,
            )
            for name in names:
                out = network.folder / name / "forecasts.csv"
                network.client(name, "predict", "--data-root", str(network.folder / name), "--out", str(out))
            exit_codes = {name: network.stop(name) for name in names}
        exit_codes["coordinator"] = network.stop("coordinator")
        yield PastFederation(network, names, plain, private, ledgers, exit_codes, recorder)


def test_everybody_answers_every_round(federation: PastFederation) -> None:
    for number in (1, 2):
        rounds = [line for line in journal(federation.network, number) if line["event"] in ("round", "missed")]
        assert [(line["event"], line["round"]) for line in rounds] == [("round", r) for r in range(1, ROUNDS + 1)]
        assert all(line["answered"] == federation.names and not line["refused"] for line in rounds)
        size = len(released_model(federation.network, number))
        traffic = {(line["sent_bytes"], line["received_bytes"]) for line in rounds}
        assert traffic == {(MERCHANTS * size * 4, MERCHANTS * size * 8)}  # float32 out, int64 back


def test_without_noise_the_model_is_that_of_one_process(federation: PastFederation) -> None:
    expected = run_in_process(federation.network.folder, federation.names, plan_text("plain", rounds=ROUNDS))
    torch.testing.assert_close(released_model(federation.network, 2), expected, rtol=0, atol=1e-6)


def test_with_noise_every_ledger_says_the_plans_epsilon(federation: PastFederation) -> None:
    for name in federation.names:
        (account,) = federation.ledgers[name]["accounts"]
        assert (account["unit"], account["num_rounds"]) == ("product", ROUNDS)
        assert account["epsilon"] == pytest.approx(EPSILON, rel=1e-6)
    # The coordinator knows no merchant's delta; it states epsilon at the largest that the size class allows.
    mu = federation.ledgers[federation.names[0]]["accounts"][0]["mu"]
    spent = federation.private["epsilon_by_size_class"]
    assert spent == {"32": pytest.approx(epsilon_of(mu, delta_for(32)), abs=1e-3)}


def test_without_noise_no_epsilon_is_claimed(federation: PastFederation) -> None:
    assert federation.plain["epsilon_by_size_class"] == {"32": None}


def test_every_merchant_forecasts_its_own_products(federation: PastFederation) -> None:
    for merchant, name in enumerate(federation.names):
        forecast = pd.read_csv(federation.network.folder / name / "forecasts.csv")
        assert set(forecast["entity"]) == {canary(merchant, product) for product in range(6)}
        assert len(forecast) == 6 * 7
        assert (forecast["q10"] <= forecast["q90"]).all()
        assert forecast["mean"].between(0, 1e6).all()


def test_a_merchant_can_hold_the_model_against_its_own_on_days_that_nobody_trained_on(
    federation: PastFederation,
) -> None:
    name = federation.names[0]
    proof = federation.network.client(name, "prove", "--data-root", str(federation.network.folder / name))
    assert proof["entities"] == 6
    alone = min(scores["wql"] for method, scores in proof["scores"].items() if method not in proof["gains"])
    for method, gain in proof["gains"].items():
        # Scores are sums in single precision, so their quotient is known to 1.2e-7 of 1 however small the gain is.
        assert gain["gain"] == pytest.approx(1 - proof["scores"][method]["wql"] / alone, abs=1.5e-7)


def test_everything_ends_with_exit_code_0(federation: PastFederation) -> None:
    assert federation.exit_codes == dict.fromkeys([*federation.names, "coordinator"], 0), report(federation.network)


def test_no_name_of_a_product_is_in_anything_of_the_coordinators(federation: PastFederation) -> None:
    files = [file for file in federation.network.coordinator.rglob("*") if file.is_file()]
    assert {"registry.sqlite", "coordinator.log", "journal.jsonl"} <= {file.name for file in files}
    assert [file for file in files if b"CANARY" in file.read_bytes()] == []


def test_no_name_of_a_product_passes_the_gateway(federation: PastFederation) -> None:
    seen = bytes(federation.recorder.seen)
    assert federation.recorder.requests > 100
    assert b"/v1/hansa/push-parcel" in seen
    assert len(seen) > MERCHANTS * 2 * ROUNDS * 8 * 1000  # merchants, launches, rounds, bytes, about as many parameters
    assert b"CANARY" not in seen


def test_tap_shows_every_answer_that_passed_the_gateway(federation: PastFederation) -> None:
    """Two launches: their terms, a sum a round and the models' receipts; the bytes are those that passed."""
    seen = bytes(federation.recorder.seen)
    for name in federation.names:
        told = federation.network.client(name, "tap", "--raw")
        kinds = [said["kind"] for said in told]
        assert (set(kinds), kinds.count("sum")) == ({"peer key", "terms", "sum", "receipt"}, 2 * ROUNDS)
        assert min(kinds.count("terms"), kinds.count("receipt")) >= 2
        sent = [(said["kind"], part) for said in told for part in objects(bytes.fromhex(said["hex"]))]
        assert [kind for kind, part in sent if part not in seen] == []


def objects(wire: bytes) -> list[bytes]:
    """Cut what is shown into the objects that Flower sends (docs/protocol.md §5.6)."""
    found = []
    while wire:
        length = int.from_bytes(wire[:8], "big")
        found.append(wire[8 : 8 + length])
        wire = wire[8 + length :]
    return found


def test_no_name_of_a_product_is_in_a_merchants_log_or_ledger(federation: PastFederation) -> None:
    allowed = {"sales.csv", "forecasts.csv"}
    for name in federation.names:
        files = [file for file in (federation.network.folder / name).rglob("*") if file.is_file()]
        assert {file.name for file in files if b"CANARY" in file.read_bytes()} == allowed


def test_nothing_is_left_running(federation: PastFederation) -> None:
    folder = str(federation.network.folder)
    running = [file for file in Path("/proc").glob("[0-9]*/cmdline") if folder.encode() in _read(file)]
    assert running == []


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
