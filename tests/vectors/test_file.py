"""Every other file of the first version is still read, and one of a later version is refused in one sentence."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from certs.request import JoinRequest, Welcome, read_document
from client.account.policy import read_policy
from client.daemon.health import Health, read_node_id
from client.daemon.membership import read_federation
from client.daemon.proposal_store import ProposalStore
from client.daemon.store import Store
from client.folder import MerchantFolder
from client.transparency.card_signature import verify_card
from common.errors import DataError, HansaError
from common.forecast.method import Method
from common.model.warm import start
from common.model.warm.start import save_warm, start_model, warm_path
from common.plan.reading import read_plan
from server.coordinator.delivery import read_parameters
from server.coordinator.journal import Journal
from server.folder import CoordinatorFolder
from server.page.status import gather_status
from server.registry.registry import Registry
from server.round.checkpoint import load_checkpoint, save_checkpoint
from simulation.evaluation.comparison import compare_runs
from simulation.evaluation.results import read_results
from simulation.experiment.folder import Part, RunFolder
from simulation.report.learning import say_added, say_controls
from simulation.report.markdown import make_markdown
from simulation.report.wording import verdict

FIRST = Path(__file__).parent / "0.1"
NEWER = "was written by a newer version of hansa; install that version to read it"
SIZE = 634


def read_card(path: Path) -> Any:
    return verify_card(json.loads(path.read_text()))


def read_checkpoint(path: Path) -> Any:
    return load_checkpoint(path, plan_hash=run_hash(), size=SIZE)


def read_model(path: Path) -> Any:
    home = MerchantFolder(FIRST / "merchant")
    return Store(home.models, read_federation(home).coordinator).read_model(path)


def read_settings(path: Path) -> Any:
    folder = CoordinatorFolder(path.parent)
    (path.parent / "federation.toml").write_text(path.read_text())
    return folder.read_settings()


def run_hash() -> str:
    return read_plan(FIRST / "plans" / "vector.toml").run_hash(private=True)


def test_a_policy(vectors: Path) -> None:
    old = read_policy(vectors / "merchant" / "policy.toml")
    assert (old.size_class, old.data) == (32, None)


def test_a_policy_that_says_what_the_data_is() -> None:
    scope = read_policy(FIRST.parent / "0.2" / "merchant" / "policy.toml").data
    assert scope is not None
    assert scope.model_dump() == {
        "entity": "product",
        "files": {
            "year/sales.csv": ("shop", "product", "date", "units"),
            "kinds.csv": ("kind", "margin"),
            "makers.csv": ("Product", "maker"),
        },
        "lookups": {"makers.csv": "Product"},
        "merchant": "shop",
        "never": ("email",),
        "public": ("kinds.csv",),
    }


def test_a_request_and_its_welcome(vectors: Path) -> None:
    with pytest.raises(DataError, match=r"is a request of an older version of hansa, .* make a new one with"):
        read_document(vectors / "merchant" / "north.request.json", JoinRequest)
    welcome = read_document(vectors / "merchant" / "north.welcome.json", Welcome)
    assert (welcome.name, welcome.federation) == ("north", "hanse")


def test_a_merchants_folder(copied: Path) -> None:
    home = MerchantFolder(copied / "merchant")
    federation = read_federation(home)
    store = Store(home.models, federation.coordinator)
    proposals = ProposalStore(home.plans, federation.coordinator)
    (accepted,) = [proposals.read_proposal(path) for path in proposals.proposals]
    assert accepted.proposal.run_hash == run_hash()
    assert accepted.noise_multiplier > 0
    model = store.newest_model()
    assert (model.note.run_hash, model.parameters.numel()) == (run_hash(), SIZE)
    assert model.note.warm_hash is None
    assert read_node_id(home.health) == 2**64 - 3


def test_a_card(vectors: Path) -> None:
    assert read_card(vectors / "merchant" / "card.json")["unit"] == "customer"


def test_a_coordinators_folder(copied: Path) -> None:
    home = CoordinatorFolder(copied / "coordinator")
    assert home.read_settings().address == "localhost:8443"
    state = read_checkpoint(home.launch(1) / "checkpoint.safetensors")
    assert state.parameters.numel() == SIZE
    assert [line["event"] for line in Journal(home.launch(1) / "journal.jsonl").read()] == ["begun"]
    registry = Registry(home.registry)
    assert read_parameters(home, registry.models()[0]).numel() == SIZE
    registry.close()


def test_a_journal_that_counts_what_went_out_and_came_back_and_one_that_does_not(copied: Path) -> None:
    home = CoordinatorFolder(copied / "coordinator")
    journal = home.launch(1) / "journal.jsonl"
    journal.write_bytes((Path(__file__).parent / "0.2" / "coordinator" / "journal.jsonl").read_bytes())
    with closing(Registry(home.registry)) as registry:
        (launch,) = gather_status(home, registry)["launches"]
        assert [line["event"] for line in launch["last_rounds"]] == ["missed", "round"]
        counted = {"seconds": 3.75, "missed_seconds": 2.5, "sent_bytes": 8000, "received_bytes": 8000}
        assert launch["totals"] == counted
        older = {"round": 2, "answered": ["north"], "refused": {}, "seconds": 1.0}  # as the version before wrote it
        Journal(journal).write("round", **older)
        (launch,) = gather_status(home, registry)["launches"]
        assert launch["totals"] == {"seconds": 4.75, "missed_seconds": 2.5, "sent_bytes": None, "received_bytes": None}


def test_a_run_is_known_by_its_plan_and_seed_and_says_that_it_did_not_note_its_data(copied: Path) -> None:
    folder, plan = RunFolder(copied / "run"), read_plan(copied / "run" / "plan.toml")
    for changed, seed in ((plan, 6), (plan.model_copy(update={"name": "other"}), 5)):
        with pytest.raises(HansaError, match="another plan, seed or version"):
            folder.open(changed, seed=seed, data="d", command="", resume=True)
    with pytest.raises(HansaError, match="holds a run that did not note which data it read"):
        folder.open(plan, seed=5, data="d", command="hansa-sim run", resume=True)
    scores = folder.read_part(Part(Method.parse("federated"), plan.evaluation.origins[0], 5))
    assert scores is not None
    assert scores["method"] == "federated"


def test_an_answer_of_the_first_version_is_still_said(vectors: Path) -> None:
    run = read_results(vectors / "run")
    found, headline = run.summary["answer"], run.metrics[0]
    assert verdict(run.plan, found, headline).word in {"Yes.", "No.", "Undecided."}
    assert "**Worth joining? " in make_markdown([run])
    assert say_added(found, headline) == say_controls(found, headline) == []
    assert compare_runs([run, run])["methods"]["anchor"]["wql"]["differences"] == [0.0, 0.0]


def test_what_this_version_writes_says_its_schema(tmp_path: Path, vectors: Path) -> None:
    state = read_checkpoint(vectors / "coordinator" / "launches" / "0001" / "checkpoint.safetensors")
    save_checkpoint(state, tmp_path / "checkpoint.safetensors", plan_hash=run_hash())
    with safe_open(tmp_path / "checkpoint.safetensors", framework="pt") as file:
        assert file.metadata()["schema"] == "1"
    again = read_checkpoint(tmp_path / "checkpoint.safetensors")
    assert torch.equal(again.average, state.average)
    assert Health(tmp_path / "health.json").as_json()["schema"] == 1


def test_a_warm_model_of_a_later_schema_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_series: Callable[..., Any],
    make_awake_model: Callable[..., Any],
) -> None:
    monkeypatch.setattr(start, "FOLDER", tmp_path)
    series = make_series()
    path = warm_path(series.plan)
    save_warm(make_awake_model(series).float(), series, path)
    assert start_model(series.plan, series, seed=0, warm=True) is not None
    path.write_bytes(path.read_bytes().replace(b'"schema":"1"', b'"schema":"7"'))
    with pytest.raises(DataError, match=NEWER):
        start_model(series.plan, series, seed=0, warm=True)


@pytest.mark.parametrize(
    ("name", "read", "sentence"),
    [
        ("policy-unknown-key.toml", read_policy, "unknown key size$"),
        ("settings-unknown-key.toml", read_settings, "unknown key bound"),
        ("request-later-schema.json", lambda path: read_document(path, JoinRequest), NEWER),
        ("request-unknown-key.json", lambda path: read_document(path, JoinRequest), NEWER),
        ("welcome-later-schema.json", lambda path: read_document(path, Welcome), NEWER),
        ("welcome-unknown-key.json", lambda path: read_document(path, Welcome), NEWER),
        ("card-changed.json", read_card, "signature does not fit the card"),
        ("card-later-schema.json", read_card, "The card " + NEWER),
        ("checkpoint-flipped.safetensors", read_checkpoint, "is damaged or no checkpoint"),
        ("checkpoint-later-schema.safetensors", read_checkpoint, NEWER),
        ("model-flipped.safetensors", read_model, "does not match its model_hash"),
        ("model-later-schema.safetensors", read_model, NEWER),
    ],
)
def test_a_bad_file_is_one_sentence(copied: Path, name: str, read: Callable[[Path], Any], sentence: str) -> None:
    with pytest.raises(HansaError, match=sentence) as caught:
        read(copied / "bad" / name)
    assert "\n" not in str(caught.value)
