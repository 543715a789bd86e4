"""A daemon in its own process, against a real SuperLink over real TLS."""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pandas as pd
import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import Array, Message, RecordDict

from client.daemon.handlers import count_parameters
from common.message import proposal, release
from common.message.proposal import PROPOSAL, Proposal, decode_terms, encode_signed
from common.message.receipt import RELEASE, decode_receipt
from common.message.release import Release, ReleaseNote, encode_release
from common.message.round import RoundRequest, decode_reply, encode_request
from common.message.signature import name_key, public_bytes, sign
from common.message.vector import hash_vector
from common.message.wire import to_wire
from common.plan.schema import Plan, PrivacyPlan, TrainingPlan
from fleet.shop import Shop, make_shop
from fleet.superlink import Coordinator, SuperLink, free_port, make_superlink

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern"),  # Flower packs a FAB by pathspec's old name of it
]
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32))
COORDINATOR = public_bytes(KEY)


@pytest.fixture(scope="module")
def superlink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SuperLink]:
    link = make_superlink(tmp_path_factory.mktemp("coordinator") / "folder")
    link.start()
    yield link
    link.stop()


@pytest.fixture
def shop(superlink: SuperLink, tmp_path: Path) -> Iterator[Shop]:
    """Make a merchant that has joined; its daemon is for the test to start."""
    merchant = make_shop(tmp_path / "shop", coordinator=name_key(COORDINATOR))
    join(merchant, superlink)
    yield merchant
    if merchant.process is not None:
        merchant.process.kill()
        merchant.process.wait()


def join(merchant: Shop, superlink: SuperLink) -> None:
    assert merchant.command("join", "shop-1").returncode == 0
    welcome = superlink.enroll_file(merchant.folder / "shop-1.request.json", key=KEY)
    done = merchant.command("join", "--welcome", welcome)
    assert done.returncode == 0, done.stderr
    assert name_key(COORDINATOR) in done.stdout


@pytest.fixture
def plan(make_plan: Callable[..., Plan]) -> Plan:
    return make_plan(privacy={"unit": "customer", "training": {"num_rounds": 4}})


def propose(plan: Plan, *, key: Ed25519PrivateKey = KEY, purpose: str = proposal.PURPOSE) -> RecordDict:
    offered = Proposal(plan=plan, private=True, cohort_size=3)
    return encode_signed(sign(offered.to_bytes(), key, purpose=purpose))


def ask_round(plan: Plan, round_number: int, *, value: float = 0.01) -> RecordDict:
    parameters = torch.full((count_parameters(plan, private=True),), value)
    return encode_request(RoundRequest(plan.run_hash(private=True), round_number, hash_vector(parameters), parameters))


def make_release(
    plan: Plan, *, key: Ed25519PrivateKey = KEY, at: datetime | None = None
) -> tuple[ReleaseNote, RecordDict]:
    parameters = torch.full((count_parameters(plan, private=True),), 0.02)
    note = ReleaseNote(
        plan=plan,
        private=True,
        round_number=4,
        model_hash=hash_vector(parameters),
        num_parameters=len(parameters),
        released_at=at or datetime.now(UTC),
        members=(),
        software="test",
    )
    return note, encode_release(Release(sign(note.to_bytes(), key, purpose=release.PURPOSE), parameters))


def is_declined(reply: Message) -> bool:
    return reply.has_error() and (reply.error.code, reply.error.reason) == (2, "declined")


def reach(superlink: SuperLink, coordinator: Coordinator, shop: Shop) -> int:
    shop.wait_for_state("connected")
    node_id: int = shop.health["node_id"]
    coordinator.wait_for(node_id)
    return node_id


def test_a_plan_is_proposed_run_and_released(superlink: SuperLink, shop: Shop, plan: Plan) -> None:
    shop.start()
    with superlink.run() as coordinator:
        node = reach(superlink, coordinator, shop)
        terms = decode_terms(coordinator.ask(node, PROPOSAL, propose(plan)).content)
        assert (terms.plan_hash, terms.size_class) == (plan.run_hash(private=True), 32)
        answers = [coordinator.ask(node, "train", ask_round(plan, number)).content for number in (1, 2, 2)]
        assert decode_reply(answers[0], size=count_parameters(plan, private=True)).round_number == 1
        assert to_wire(answers[1]) == to_wire(answers[2]), "a repeated round must give the very same bytes"
        note, released = make_release(plan)
        assert decode_receipt(coordinator.ask(node, RELEASE, released).content) == note.model_hash
    assert (shop.folder / "models" / f"{note.run_hash}.safetensors").is_file()
    assert shop.health["latest_round"]["round_number"] == 2
    assert shop.stop() == 0
    assert shop.health["state"] == "stopped"
    assert "Traceback" not in shop.log


def test_what_is_not_signed_or_not_approved_is_declined(superlink: SuperLink, shop: Shop, plan: Plan) -> None:
    """Nothing of these is charged, kept or answered with more than one word."""
    other = plan.model_copy(update={"privacy": plan.privacy.model_copy(update={"unit": "product"})})
    altered = propose(plan)
    altered["about"]["content"] = altered["about"]["content"].replace(b'"cohort_size":3', b'"cohort_size":9')
    _, changed = make_release(plan)
    changed["vector"] = make_release(plan)[1]["vector"]
    values = torch.full((count_parameters(plan, private=True),), 0.03).numpy()
    changed["vector"]["values"] = Array(values)
    unknown = plan.model_copy(update={"name": "unknown", "privacy": many_rounds(plan)})
    asked = {
        "altered proposal": (PROPOSAL, altered),
        "proposal of a stranger": (PROPOSAL, propose(plan, key=STRANGER)),
        "release's signature on a proposal": (PROPOSAL, propose(plan, purpose=release.PURPOSE)),
        "proposal about another unit": (PROPOSAL, propose(other)),
        "proposal of more rounds than allowed": (PROPOSAL, propose(unknown)),
        "round of a plan that nobody proposed": ("train", ask_round(plan, 1)),
        "release of a stranger": (RELEASE, make_release(plan, key=STRANGER)[1]),
        "release with other parameters": (RELEASE, changed),
        "release of a plan that is not approved": (RELEASE, make_release(unknown)[1]),
        "evaluation": ("evaluate", ask_round(plan, 1)),
        "query without a name": ("query", propose(plan)),
        "query by another name": ("query.data", propose(plan)),
        "training by another name": ("train.faster", ask_round(plan, 1)),
        "nothing": ("train", RecordDict({})),
    }
    shop.start()
    with superlink.run() as coordinator:
        node = reach(superlink, coordinator, shop)
        for what, (kind, content) in asked.items():
            assert is_declined(coordinator.ask(node, kind, content)), what
    assert shop.stop() == 0
    assert shop.log.count("Refused: ") == len(asked)
    assert "Traceback" not in shop.log
    for made in ("plans", "models"):
        assert not (shop.folder / made).exists()
    assert "0 rounds" in shop.command("doctor").stdout


def many_rounds(plan: Plan) -> PrivacyPlan:
    return plan.privacy.model_copy(update={"training": TrainingPlan(num_rounds=51)})


def test_a_restart_goes_on_without_a_new_proposal(superlink: SuperLink, shop: Shop, plan: Plan) -> None:
    shop.start()
    with superlink.run() as coordinator:
        node = reach(superlink, coordinator, shop)
        coordinator.ask(node, PROPOSAL, propose(plan))
        first = coordinator.ask(node, "train", ask_round(plan, 1)).content
        for number, code in ((signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 0)):
            assert shop.stop(number) == code
            shop.start()
            coordinator.wait_for(node)
            again = coordinator.ask(node, "train", ask_round(plan, 1)).content
            assert to_wire(again) == to_wire(first)
        assert coordinator.ask(node, "train", ask_round(plan, 2)).has_content()
        other = ask_round(plan, 1, value=0.5)
        assert is_declined(coordinator.ask(node, "train", other)), "a round is answered once, whatever its model"
    assert shop.stop() == 0
    assert len(json.loads(shop.command("tap", "--json").stdout)) == 2


def test_a_proposal_that_was_changed_on_the_disk_is_not_taken_up(superlink: SuperLink, shop: Shop, plan: Plan) -> None:
    shop.start()
    with superlink.run() as coordinator:
        node = reach(superlink, coordinator, shop)
        coordinator.ask(node, PROPOSAL, propose(plan))
    assert shop.stop() == 0
    (kept,) = (shop.folder / "plans").iterdir()
    kept.write_text(kept.read_text().replace('cohort_size\\":3', 'cohort_size\\":4'))
    shop.start()
    with superlink.run() as coordinator:
        node = reach(superlink, coordinator, shop)
        assert is_declined(coordinator.ask(node, "train", ask_round(plan, 1)))
    assert shop.stop() == 0
    assert "Not taken up again: A proposal is not signed" in shop.log


def test_the_gateway_may_be_away_and_come_back(superlink: SuperLink, shop: Shop, plan: Plan) -> None:
    shop.start()
    with superlink.run() as coordinator:
        node = reach(superlink, coordinator, shop)
        coordinator.ask(node, PROPOSAL, propose(plan))
    superlink.stop()
    shop.wait_for_state("unreachable")
    assert "Nobody answers" in shop.health["latest_error"]
    superlink.start()
    shop.wait_for_state("connected")
    with superlink.run() as coordinator:
        assert coordinator.ask(node, "train", ask_round(plan, 1)).has_content()
    assert shop.stop() == 0


def test_an_empty_data_set_and_unusable_rows_are_answered(superlink: SuperLink, shop: Shop, plan: Plan) -> None:
    shop.start()
    with superlink.run() as coordinator:
        node = reach(superlink, coordinator, shop)
        for number, rows in enumerate(("customer,time\n", "customer,time\nanna,never\n,2024-01-01\n"), start=1):
            (shop.folder / "rows.csv").write_text(rows)
            assert coordinator.ask(node, PROPOSAL, propose(plan)).has_content()
            assert coordinator.ask(node, "train", ask_round(plan, number)).has_content()
        (shop.folder / "rows.csv").unlink()
        assert is_declined(coordinator.ask(node, PROPOSAL, propose(plan)))
    assert shop.stop() == 0
    assert "hansa-client doctor PLAN" in shop.log


def test_forecasts_come_of_the_newest_model(superlink: SuperLink, shop: Shop, plan: Plan) -> None:
    shop.start("--health-port", str(port := free_port()))
    now = datetime.now(UTC)
    with superlink.run() as coordinator:
        node = reach(superlink, coordinator, shop)
        health = httpx.get(f"http://127.0.0.1:{port}/")
        assert (health.status_code, health.json()["state"]) == (200, "connected")
        for at in (now, now - timedelta(hours=1)):
            replies = coordinator.ask(node, RELEASE, make_release(plan, at=at)[1])
        assert is_declined(replies), "the older one does not replace the newer"
        refused = shop.command("run")
        assert refused.returncode == 2
        assert "Another hansa-client run" in refused.stderr
    assert shop.stop() == 0
    done = shop.command("predict", "--out", "forecasts.csv", "--json")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(shop.folder / "forecasts.csv")
    assert list(table.columns) == ["entity", "date", "mean", *(f"q{level}0" for level in range(1, 10)), "probability"]
    assert list(table["date"].unique()) == ["2024-03-01", "2024-03-02", "2024-03-03", "2024-03-04"]
    assert len(table) == 12 * 4
    assert (table["mean"] > 0).all()
    proved = shop.command("prove", "--json")
    assert proved.returncode == 0, proved.stderr
    said = json.loads(proved.stdout)
    assert (said["origin"], said["last"], said["entities"]) == ("2024-03-01", "2024-03-04", 12)
    assert set(said["gains"]) == {"federated", "personalised"}
    shown = shop.command("prove")
    assert "the model knew no day of these" in shown.stdout
    assert f"personalised against {said['best_own']}" in shown.stdout
    early = shop.command("prove", "--origin", "2024-02-01")
    assert (early.returncode, len(early.stderr.splitlines())) == (2, 1)
    (model,) = (shop.folder / "models").glob("*.safetensors")
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(bytes(content))
    altered = shop.command("predict", "--out", "again.csv")
    assert (altered.returncode, len(altered.stderr.splitlines())) == (2, 1)
    assert not (shop.folder / "again.csv").exists()


PLAN = """
name = "small"
privacy = { unit = "customer", training = { num_rounds = 4 } }
evaluation = { origins = [2024-03-01], methods = ["anchor"] }

[model]
step = "day"
horizon_days = 4
likelihood = "negative_binomial"
hidden_size = 3
window_steps = 12
positions = 3

[data]
path = "rows.csv"
rows = "events"
entity = "customer"
time = "time"
target = { aggregate = "rows" }
start = 2024-01-01
end = 2024-03-31
"""


def test_the_doctor_and_a_rehearsal_find_all_well_and_spend_nothing(superlink: SuperLink, shop: Shop) -> None:
    (shop.folder / "plan.toml").write_text(PLAN)
    before = shop.command("ledger", "export").stdout
    examined = shop.command("doctor", "plan.toml")
    assert examined.returncode == 0, examined.stdout
    for name in ("gateway", "clock", "enrolment", "certificate", "plan", "data"):
        assert f"ok     {name}: " in examined.stdout
    rehearsed = shop.command("join", "--dry-run", "--plan", "plan.toml", "--json")
    assert rehearsed.returncode == 0, rehearsed.stderr
    assert json.loads(rehearsed.stdout)["epsilon"] == pytest.approx(4.0, rel=1e-3)
    assert shop.command("ledger", "export").stdout == before
    assert not (shop.folder / "plans").exists()
    (shop.folder / "rows.csv").write_text("customer,time\nanna,never\n")
    ill = shop.command("doctor", "plan.toml")
    assert ill.returncode == 1
    assert "FAULT  data" in ill.stdout


def test_an_idle_daemon_takes_next_to_nothing(superlink: SuperLink, shop: Shop, plan: Plan) -> None:
    shop.start()
    with superlink.run() as coordinator:
        reach(superlink, coordinator, shop)
        time.sleep(10)  # until it polls at its slowest
        assert shop.process is not None
        before = cpu_seconds(shop.process.pid)
        time.sleep(20)
        assert (cpu_seconds(shop.process.pid) - before) / 20 < 0.01
        assert memory_mb(shop.process.pid) <= 200
    assert shop.stop() == 0


def test_a_daemon_without_a_plan_under_way_gives_its_memory_back(superlink: SuperLink, shop: Shop, plan: Plan) -> None:
    shop.start("--rest-after", "2")
    with superlink.run() as coordinator:
        node = reach(superlink, coordinator, shop)
        coordinator.ask(node, PROPOSAL, propose(plan))
        coordinator.ask(node, "train", ask_round(plan, 3))
        time.sleep(4)
        assert "Resting" not in shop.log, "round 4 is still to come"
        assert coordinator.ask(node, "train", ask_round(plan, 4)).has_content()
        shop.wait_until(lambda: shop.log.count("Connected") == 2)
        assert shop.process is not None
        assert "Resting" in shop.log
        assert memory_mb(shop.process.pid) <= 200
        again = ask_round(plan, 4)
        assert coordinator.ask(node, "train", again).has_content(), "the sealed answer is still there"
    assert shop.stop() == 0


def test_a_running_daemon_follows_its_policy_and_says_why_it_declines(
    superlink: SuperLink, shop: Shop, plan: Plan
) -> None:
    shop.start()
    policy = shop.folder / "policy.toml"
    text = policy.read_text()
    with superlink.run() as coordinator:
        node = reach(superlink, coordinator, shop)
        coordinator.ask(node, PROPOSAL, propose(plan))
        first = coordinator.ask(node, "train", ask_round(plan, 1)).content
        for changed, why in (
            (None, "There is no policy"),
            (text.replace("epsilon = 4.0", "epsilon = 3.0"), "other noise than the policy asks for now"),
            (text.replace("largest_num_rounds = 50", "largest_num_rounds = 3"), "largest_num_rounds is 3"),
        ):
            policy.unlink() if changed is None else policy.write_text(changed)
            for number in (1, 2):
                assert is_declined(coordinator.ask(node, "train", ask_round(plan, number)))
            shop.wait_until(lambda said=why: said in (shop.health["latest_error"] or ""))  # type: ignore[misc]
            assert why in shop.log
            policy.write_text(text)
        assert to_wire(coordinator.ask(node, "train", ask_round(plan, 1)).content) == to_wire(first)
        assert coordinator.ask(node, "train", ask_round(plan, 2)).has_content()
    assert shop.stop() == 0
    assert "Traceback" not in shop.log
    assert len(json.loads(shop.command("tap", "--json").stdout)) == 2


def test_a_ledger_that_is_deleted_or_put_back_under_a_running_daemon_answers_nothing(
    superlink: SuperLink, shop: Shop, plan: Plan
) -> None:
    shop.start()
    path = shop.folder / "ledger.sqlite"
    older = path.read_bytes()
    with superlink.run() as coordinator:
        node = reach(superlink, coordinator, shop)
        coordinator.ask(node, PROPOSAL, propose(plan))
        assert coordinator.ask(node, "train", ask_round(plan, 1)).has_content()
        path.rename(shop.folder / "away.sqlite")
        for _ in range(2):
            assert is_declined(coordinator.ask(node, "train", ask_round(plan, 2)))
            assert is_declined(coordinator.ask(node, "train", ask_round(plan, 1)))
            path.write_bytes(older)
        shop.wait_until(lambda: "was replaced while this process uses it" in (shop.health["latest_error"] or ""))
        assert "was deleted while this process uses it" in shop.log
        assert shop.stop() == 0
        for file in shop.folder.glob("ledger.sqlite*"):
            file.unlink()
        path.write_bytes(older)
        refused = shop.command("run")
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
        assert "an older copy" in refused.stderr
        assert shop.command("ledger", "recover", "--accept").returncode == 0
        shop.start()
        coordinator.wait_for(node)
        assert coordinator.ask(node, "train", ask_round(plan, 2)).has_content()
    assert shop.stop() == 0
    assert "Traceback" not in shop.log


def test_a_disk_that_is_full_for_a_while_costs_nothing_but_the_while(
    superlink: SuperLink, shop: Shop, plan: Plan
) -> None:
    shop.start()
    with superlink.run() as coordinator:
        node = reach(superlink, coordinator, shop)
        coordinator.ask(node, PROPOSAL, propose(plan))
        assert shop.process is not None
        _, most = resource.prlimit(shop.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(shop.process.pid, resource.RLIMIT_FSIZE, (10, most))
        assert is_declined(coordinator.ask(node, "train", ask_round(plan, 1)))
        assert is_declined(coordinator.ask(node, RELEASE, make_release(plan)[1]))
        resource.prlimit(shop.process.pid, resource.RLIMIT_FSIZE, (most, most))
        assert coordinator.ask(node, "train", ask_round(plan, 1)).has_content()
        assert coordinator.ask(node, RELEASE, make_release(plan)[1]).has_content()
    assert shop.stop() == 0
    assert "Traceback" not in shop.log
    assert shop.command("ledger", "verify").returncode == 0


def cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(process: int) -> float:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
