"""Make this folder, once, with the code of commit 18a5e86; nothing in it is ever made again.

    git worktree add /tmp/18a5e86 18a5e86
    cd /tmp/18a5e86 && PYTHONPATH=$PWD python …/tests/vectors/0.1/make.py …/tests/vectors/0.1

Keys and noise are drawn anew at every run, so a second run gives another folder that is as good; the tests know none
of its numbers but by reading them. Private keys stay in a temporary folder.
"""

from __future__ import annotations

import csv
import json
import lzma
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from client.card import make_card
from client.desk import Desk
from client.guard import Agreement, LedgerBook
from client.health import Health, LatestRound
from client.ledger.ledger import Ledger, create_ledger, now_utc
from client.membership import accept_welcome, ask_to_join
from client.place import Place
from client.policy import read_policy
from client.signature import sign_card
from common.signature import name_key, public_bytes, sign
from common.warm.start import start_without_data
from common.wire import to_wire
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import ConfigRecord, RecordDict
from pydantic_core import to_jsonable_python
from safetensors import safe_open
from safetensors.torch import save
from server.checkpoint import save_checkpoint
from server.journal import Journal
from server.optimizer import start_state

from certs.authority import fingerprint, make_authority, read_certificate
from certs.request import Welcome, write_document
from common import plan as plans
from common.message import proposal, release
from common.message.proposal import Proposal, decode_terms, encode_signed
from common.message.record import hash_vector
from common.message.release import Release, ReleaseMember, ReleaseNote, encode_release
from common.message.round import RoundRequest, encode_request
from common.model import get_vector
from common.plan import Plan, Section, read_plan
from server.registry import Registry

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))  # of a coordinator that nobody trusts
COMMIT = "18a5e86"
PLAN = """\
name = "vector"

[data]
path = "rows.csv"
rows = "events"
entity = "customer"
time = "time"
target = { aggregate = "rows" }
start = 2024-01-01
end = 2024-03-31

[model]
step = "day"
horizon_days = 4
likelihood = "negative_binomial"
hidden_size = 3
decoder_size = 4
window_steps = 12
positions = 3

[privacy]
unit = "customer"
training = { num_rounds = 3 }

[evaluation]
origins = [2024-03-01]
methods = ["anchor", "federated"]
"""
POLICY = """\
dataset = "shop"
unit = "customer"
size_class = 32

[budget]
epsilon = 16.0
period_epsilon = 16.0
period_days = 365
delta = 1e-5

[plan]
epsilon = 4.0
smallest_noise_multiplier = 0.1
largest_num_rounds = 50
smallest_cohort = 1

[approval]
coordinators = ["{coordinator}"]

[approval.automatic]
largest_num_rounds = 50
smallest_cohort = 1
"""
SETTINGS = """\
# What `hansa-server up` serves; read when it starts.
name = "hanse"
hosts = ["localhost"]               # under which merchants reach the gateway; the certificate names them
bind = "127.0.0.1"
gateway_port = 8443
superlink_port = 8444                # loopback alone
status_port = 8445                   # loopback alone
requests_per_second = 200              # of one merchant, on average
"""


def main(out: Path) -> None:
    """Write every format that outlives a process, good and bad."""
    repository = Path(plans.__file__).parents[1]
    write_code(repository, out / "code.tar.xz")
    write_plans(repository, out / "plans")
    with tempfile.TemporaryDirectory() as folder:
        write_federation(Path(folder), out)
    write_run(out / "run")
    write_bad(out, out / "bad")


def write_code(repository: Path, path: Path) -> None:
    """Pack what ran beside a merchant's data."""
    command = ["git", "archive", COMMIT, "certs", "client", "common"]
    archive = subprocess.run(command, cwd=repository, check=True, stdout=subprocess.PIPE).stdout
    path.write_bytes(lzma.compress(archive, preset=9))


def write_plans(repository: Path, out: Path) -> None:
    """Copy the plans, with the hashes that merchants approved, and every key with its default."""
    out.mkdir()
    (out / "vector.toml").write_text(PLAN)
    for file in (repository / "plans").glob("*.toml"):
        shutil.copy(file, out)
    shutil.copy(repository / "simulation" / "starter.toml", out)
    hashes = {
        file.name: {
            "plan_hash": (plan := read_plan(file)).hash,
            "private": plan.run_hash(private=True),
            "without_noise": plan.run_hash(private=False),
        }
        for file in sorted(out.glob("*.toml"))
    }
    write_json(out / "hashes.json", hashes)
    sections = [found for found in vars(plans).values() if isinstance(found, type) and issubclass(found, Section)]
    keys = {
        section.__name__: {
            name: "required"
            if field.is_required()
            else to_jsonable_python(field.get_default(call_default_factory=True))
            for name, field in section.model_fields.items()
        }
        for section in sections
        if section is not Section
    }
    write_json(out / "keys.json", keys)


def write_federation(folder: Path, out: Path) -> None:
    """Let a merchant join, answer one round, be killed in the second, and take a model; keep both ends' files."""
    merchant, coordinator = folder / "merchant", folder / "coordinator"
    plan = plans.parse_plan(PLAN)
    place = join(merchant, coordinator)
    messages = hold_rounds(place, plan, merchant, coordinator)
    for name, record in messages.items():
        (out / "messages").mkdir(exist_ok=True)
        (out / "messages" / f"{name}.bin").write_bytes(to_wire(record))
    for file in [*merchant.glob("*.key"), *coordinator.rglob("*.key")]:
        file.unlink()
    shutil.copytree(merchant, out / "merchant")
    shutil.copytree(coordinator, out / "coordinator")


def join(merchant: Path, coordinator: Path) -> Place:
    """Exchange a request and a welcome."""
    merchant.mkdir()
    coordinator.mkdir()
    place = Place(merchant)
    place.policy.write_text(POLICY.replace("{coordinator}", name_key(public_bytes(KEY))))
    write_rows(merchant / "rows.csv")
    create_ledger(place.ledger)
    with closing(Ledger(place.ledger)) as ledger:
        ledger.open_account("shop", "customer", delta=1e-5, at=now_utc())
    request = ask_to_join(place, "north", read_policy(place.policy))
    (coordinator / "certs").mkdir()
    authority = make_authority(coordinator / "certs", "hanse")
    pem = authority.sign_merchant(request)
    welcome = Welcome(
        federation="hanse",
        name="north",
        address="localhost:8443",
        authority=authority.pem.decode(),
        certificate=pem.decode(),
        coordinator=public_bytes(KEY).hex(),
    )
    write_document(welcome, merchant / "north.welcome.json")
    accept_welcome(place, merchant / "north.welcome.json")
    (coordinator / "federation.toml").write_text(SETTINGS)
    with closing(Registry(coordinator / "registry.sqlite")) as registry:
        registry.enroll(request, certificate=fingerprint(read_certificate(pem, origin="")))
        registry.note_node("north", 2**64 - 3)
    return place


def hold_rounds(place: Place, plan: Plan, merchant: Path, coordinator: Path) -> dict[str, RecordDict]:
    """Speak for both ends; return what was said."""
    offered = Proposal(plan=plan, private=True, cohort_size=1)
    signed = sign(offered.to_bytes(), KEY, purpose=proposal.PURPOSE)
    start = start_state(get_vector(start_without_data(plan, private=True)))
    messages = {"proposal": encode_signed(signed)}
    federation = plans_federation(place)
    with closing(Ledger(place.ledger)) as ledger:
        desk = Desk(place, federation, ledger, data_root=merchant, device=torch.device("cpu"))
        messages["terms"] = desk.consider(messages["proposal"])
        messages["request"] = encode_request(ask(plan, start.parameters, 1))
        messages["reply"] = desk.answer(messages["request"])
        second = ask(plan, start.parameters + 0.01, 2)
        messages["second_request"] = encode_request(second)
        agreement: Agreement = desk._agreements[offered.run_hash]
        LedgerBook(ledger, agreement).reserve(second, agreement.mechanism)  # charged, and killed before its answer
        note, messages["release"] = make_release(plan, start.parameters)
        messages["receipt"] = desk.keep(messages["release"])
        card = make_card(ledger, read_policy(place.policy), "")
    (merchant / "card.json").write_text(json.dumps(sign_card(card, KEY), indent=2) + "\n")
    health = Health(place.health)
    health.change_state("connected", node_id=2**64 - 3)
    health.note_message(LatestRound(plan.name, offered.run_hash, 1, 3))
    keep_at_coordinator(coordinator, signed, offered, messages, note)
    return messages


def plans_federation(place: Place) -> Any:
    """Read which federation was joined."""
    from client.membership import read_federation

    return read_federation(place)


def ask(plan: Plan, parameters: torch.Tensor, number: int) -> RoundRequest:
    """Ask for a round at these parameters."""
    single = parameters.to(torch.float32)
    return RoundRequest(plan.run_hash(private=True), number, hash_vector(single), single)


def make_release(plan: Plan, parameters: torch.Tensor) -> tuple[ReleaseNote, RecordDict]:
    """Sign a model."""
    single = parameters.to(torch.float32)
    note = ReleaseNote(
        plan=plan,
        private=True,
        round_number=3,
        model_hash=hash_vector(single),
        num_parameters=len(single),
        released_at=datetime(2026, 11, 29, tzinfo=UTC),
        members=(ReleaseMember(size_class=32, noise_multiplier=2.0, num_rounds=3),),
        software="hansa 0.1.0",
    )
    return note, encode_release(Release(sign(note.to_bytes(), KEY, purpose=release.PURPOSE), single))


def keep_at_coordinator(
    coordinator: Path, signed: Any, offered: Proposal, messages: dict[str, RecordDict], note: ReleaseNote
) -> None:
    """Write registry, checkpoint, journal and model of a launch after its first round."""
    terms = decode_terms(messages["terms"])
    launch = coordinator / "launches" / "0001"
    launch.mkdir(parents=True)
    (coordinator / "models").mkdir()
    state = start_state(get_vector(start_without_data(offered.plan, private=True)))
    save_checkpoint(state, launch / "checkpoint.safetensors", plan_hash=offered.run_hash)
    Journal(launch / "journal.jsonl").write("begun", round=0)
    values = torch.frombuffer(bytearray(messages["release"]["vector"]["values"].data[-4 * note.num_parameters :]),
                              dtype=torch.float32)  # fmt: skip
    file = f"{note.run_hash}.safetensors"
    (coordinator / "models" / file).write_bytes(save({"parameters": values.clone()}))
    about = messages["release"]["about"]
    with closing(Registry(coordinator / "registry.sqlite")) as registry:
        number = registry.add_launch(
            signed, run_hash=offered.run_hash, plan="vector", num_rounds=3, quorum=1, round_seconds=60.0
        )
        registry.note_terms(number, "north", terms.size_class, terms.noise_multiplier)
        registry.note_answers(number, round_number=1, members=["north"])
        registry.note_launch(number, round_number=1)
        registry.add_model(
            type(signed)(about["content"], about["signature"]),
            model_hash=note.model_hash,
            launch=number,
            round_number=3,
            file=file,
            released_at=note.released_at,
        )
        registry.note_receipt(note.model_hash, "north")


def write_run(out: Path) -> None:
    """Run two small methods, and keep what `--resume` reads."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_rows(root / "rows.csv")
        text = PLAN.replace('time = "time"', 'time = "time"\nmerchant = "shop"')
        (root / "plan.toml").write_text(text)
        words = ["run", "plan.toml", "--out", "run", "--seed", "5"]
        code = "from simulation.cli import main; main()"
        subprocess.run([sys.executable, "-c", code, *words], cwd=root, check=True, stdout=subprocess.DEVNULL)
        out.mkdir()
        shutil.copy(root / "plan.toml", out / "plan.toml")
        for name in ("run.json", "plan.json", "summary.json", "history.json"):
            shutil.copy(root / "run" / name, out)
        for name in ("parts", "models"):
            shutil.copytree(root / "run" / name, out / name)


def write_bad(good: Path, out: Path) -> None:
    """Spoil one thing in each."""
    out.mkdir()
    spoil_text(good / "plans" / "vector.toml", out / "plan-unknown-key.toml", 'name = "vector"', 'nome = "vector"')
    spoil_text(good / "plans" / "vector.toml", out / "plan-later-schema.toml", 'name = "vector"',
               'name = "vector"\nschema = 99\nnovelty = 1')  # fmt: skip
    spoil_text(good / "merchant" / "policy.toml", out / "policy-unknown-key.toml", "size_class = 32",
               "size_class = 32\nsize = 3")  # fmt: skip
    spoil_text(good / "coordinator" / "federation.toml", out / "settings-unknown-key.toml", "bind", "bound")
    for name in ("request", "welcome"):
        document = json.loads((good / "merchant" / f"north.{name}.json").read_text())
        write_json(out / f"{name}-later-schema.json", document | {"schema": 99, "novelty": 1})
        write_json(out / f"{name}-unknown-key.json", document | {"novelty": 1})
    card = json.loads((good / "merchant" / "card.json").read_text())
    write_json(out / "card-changed.json", card | {"card": card["card"] | {"size_class": 64}})
    write_json(out / "card-later-schema.json", sign_card(card["card"] | {"schema": 99}, KEY))
    spoil_database(good / "merchant" / "ledger.sqlite", out / "ledger-changed-line.sqlite",
                   "DROP TRIGGER entry_stays", "UPDATE entry SET line = replace(line, '\"round_number\":1', "
                   "'\"round_number\":3') WHERE number = 2")  # fmt: skip
    spoil_database(good / "merchant" / "ledger.sqlite", out / "ledger-dropped-line.sqlite",
                   "DROP TRIGGER entry_remains", "PRAGMA foreign_keys = OFF",
                   "DELETE FROM entry WHERE number = 2")  # fmt: skip
    spoil_database(good / "merchant" / "ledger.sqlite", out / "ledger-later-version.sqlite", "PRAGMA user_version = 99")
    spoil_database(good / "coordinator" / "registry.sqlite", out / "registry-later-version.sqlite",
                   "PRAGMA user_version = 99")  # fmt: skip
    (model,) = (good / "merchant" / "models").glob("*.safetensors")
    flip_last_byte(model, out / "model-flipped.safetensors")
    checkpoint = good / "coordinator" / "launches" / "0001" / "checkpoint.safetensors"
    flip_last_byte(checkpoint, out / "checkpoint-flipped.safetensors")
    for name, file in (("model", model), ("checkpoint", checkpoint)):
        with safe_open(file, framework="pt") as opened:
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118  no mapping
            content = save(tensors, (opened.metadata() or {}) | {"schema": "99"})
        (out / f"{name}-later-schema.safetensors").write_bytes(content)
    (out / "ledger-empty.sqlite").touch()
    spoil_messages(good / "messages", out)


def spoil_messages(good: Path, out: Path) -> None:
    """Add a field to every message, and sign proposals and notes that say more than this version knows."""
    from common.wire import from_wire

    for file in sorted(good.glob("*.bin")):
        record = from_wire(file.read_bytes())
        record["about"] = ConfigRecord({**record["about"], "novelty": 1})
        (out / f"{file.stem}-additional-field.bin").write_bytes(to_wire(record))
    about = from_wire((good / "proposal.bin").read_bytes())["about"]
    for name, more in (("unknown-key", {"novelty": 1}), ("later-schema", {"schema": 99})):
        content = json.dumps(json.loads(about["content"]) | more, separators=(",", ":")).encode()
        record = encode_signed(sign(content, KEY, purpose=proposal.PURPOSE))
        (out / f"proposal-{name}.bin").write_bytes(to_wire(record))
    released = from_wire((good / "release.bin").read_bytes())
    note = json.dumps(json.loads(released["about"]["content"]) | {"novelty": 1}, separators=(",", ":")).encode()
    signed = sign(note, KEY, purpose=release.PURPOSE)
    released["about"] = ConfigRecord({"content": signed.content, "signature": signed.signature})
    (out / "release-unknown-key.bin").write_bytes(to_wire(released))
    record = encode_signed(sign(about["content"], KEY, purpose=release.PURPOSE))
    (out / "proposal-signed-as-release.bin").write_bytes(to_wire(record))


def spoil_text(good: Path, bad: Path, old: str, new: str) -> None:
    """Write a text with one place changed."""
    text = good.read_text()
    assert old in text
    bad.write_text(text.replace(old, new, 1))


def spoil_database(good: Path, bad: Path, *statements: str) -> None:
    """Write a database after some statements."""
    shutil.copy(good, bad)
    with closing(sqlite3.connect(bad, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def flip_last_byte(good: Path, bad: Path) -> None:
    """Write a file whose last byte has one bit changed."""
    content = bytearray(good.read_bytes())
    content[-1] ^= 1
    bad.write_bytes(content)


def write_rows(path: Path) -> None:
    """Invent visits of twelve customers of two shops."""
    generator = torch.Generator().manual_seed(0)
    days = torch.randint(0, 91, (240,), generator=generator).tolist()
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["customer", "time", "shop"])
        for number, day in enumerate(days):
            at = datetime.fromordinal(datetime(2024, 1, 1).toordinal() + day)
            rows.writerow([f"customer-{number % 12}", f"{at:%Y-%m-%d}", "north" if number % 2 else "south"])


def write_json(path: Path, value: Any) -> None:
    """Write JSON for people to read."""
    path.write_text(json.dumps(value, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
