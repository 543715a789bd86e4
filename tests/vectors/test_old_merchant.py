"""A merchant that still runs the first version takes part in rounds of this one: its very code, frozen, answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import RecordDict

from common.message import proposal, release
from common.message.proposal import Proposal, decode_terms, encode_signed, proposal_in
from common.message.receipt import decode_receipt
from common.message.release import Release, ReleaseNote, encode_release, note_in
from common.message.round import RoundRequest, decode_reply, encode_request
from common.message.signature import Signed, sign
from common.message.vector import hash_vector
from common.message.wire import from_wire, to_wire
from common.model.demand_gru import get_vector
from common.model.warm.start import hash_warm, start_without_data
from common.plan.reading import parse_plan
from common.plan.schema import Plan
from network.federation import READABLE, await_launch, journal, launch, name_of, plan_text, write_sales
from server.registry.registry import Registry
from simulation.localhost.processes import Processes, free_port

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
HERE = Path(__file__).parent
WARM = """
start = "warm"
training = { num_rounds = 3 }
"""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code")
    with tarfile.open(HERE / "0.1" / "code.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@dataclass
class OldMerchant:
    """The first version in a process of its own."""

    process: subprocess.Popen[str]

    def ask(self, kind: str, content: RecordDict) -> RecordDict | str:
        """Give what it answers, or why it refuses."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{kind} {to_wire(content).hex()}\n")
        stdin.flush()
        answer = stdout.readline().strip()
        return answer if answer.startswith("refused: ") else from_wire(bytes.fromhex(answer))


@pytest.fixture
def merchant(code: Path, copied: Path) -> Iterator[OldMerchant]:
    command = [sys.executable, str(HERE / "old_merchant.py"), str(code), str(copied / "merchant")]
    process = subprocess.Popen(
        command,
        cwd=code,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    yield OldMerchant(process)
    process.kill()
    process.communicate()


def warm_plan(copied: Path) -> Plan:
    text = (copied / "plans" / "vector.toml").read_text()
    for old, new in {
        'name = "vector"': 'name = "warm"',
        'step = "day"': 'step = "week"\nrhythm = true\ndirect = true',
        "horizon_days = 4": "horizon_days = 7",
        "hidden_size = 3": "hidden_size = 12",
        "decoder_size = 4": "decoder_size = 12",
        "window_steps = 12": "window_steps = 8",
        "training = { num_rounds = 3 }": WARM,
    }.items():
        text = text.replace(old, new)
    return parse_plan(text)


def propose(plan: Plan) -> Signed:
    warm_hash = hash_warm(plan, private=True)
    assert warm_hash is not None
    offered = Proposal(plan=plan, private=True, cohort_size=2, warm_hash=warm_hash)
    return sign(offered.to_bytes(), KEY, purpose=proposal.PURPOSE)


def ask_round(plan: Plan, parameters: torch.Tensor, number: int) -> RecordDict:
    return encode_request(RoundRequest(plan.run_hash(private=True), number, hash_vector(parameters), parameters))


def release_note(plan: Plan, parameters: torch.Tensor) -> ReleaseNote:
    return ReleaseNote(
        plan=plan,
        private=True,
        round_number=3,
        model_hash=hash_vector(parameters),
        num_parameters=len(parameters),
        released_at=datetime(2027, 1, 1, tzinfo=UTC),
        members=(),
        software="hansa",
        warm_hash=hash_warm(plan, private=True),
    )


def test_it_takes_part_from_proposal_to_model_in_protocol_1(merchant: OldMerchant, copied: Path) -> None:
    plan = warm_plan(copied)
    signed, parameters = propose(plan), get_vector(start_without_data(plan, private=True))
    accepted = merchant.ask("proposal", encode_signed(proposal_in(1, signed, KEY)))
    assert isinstance(accepted, RecordDict), accepted
    terms = decode_terms(accepted)
    assert (terms.plan_hash, terms.size_class) == (plan.run_hash(private=True), 32)
    for number in (1, 2):
        answer = merchant.ask("train", ask_round(plan, parameters, number))
        assert isinstance(answer, RecordDict), answer
        reply = decode_reply(answer, size=len(parameters))
        assert (reply.plan_hash, reply.round_number) == (terms.plan_hash, number)
        assert reply.total.abs().sum() > 0
    note = release_note(plan, parameters)
    content = encode_release(Release(note_in(1, sign(note.to_bytes(), KEY, purpose=release.PURPOSE), KEY), parameters))
    receipt = merchant.ask("release", content)
    assert isinstance(receipt, RecordDict), receipt
    assert decode_receipt(receipt) == note.model_hash


def test_it_goes_on_with_a_round_that_it_was_killed_in(merchant: OldMerchant, copied: Path) -> None:
    first = merchant.ask("train", from_wire((copied / "messages" / "request.bin").read_bytes()))
    assert isinstance(first, RecordDict), first
    assert to_wire(first) == (copied / "messages" / "reply.bin").read_bytes()
    second = merchant.ask("train", from_wire((copied / "messages" / "second_request.bin").read_bytes()))
    assert isinstance(second, RecordDict), second


def test_in_protocol_2_it_refuses_with_a_sentence(merchant: OldMerchant, copied: Path) -> None:
    refused = merchant.ask("proposal", encode_signed(propose(warm_plan(copied))))
    assert refused == "refused: A signed proposal cannot be read; use the same version of hansa at both ends."


def test_a_gateway_that_no_longer_speaks_protocol_1_gives_it_one_sentence(code: Path) -> None:
    ask = "import httpx; from client.fleet import _explain_status; print(_explain_status(httpx.Response(426)))"
    done = subprocess.run(
        [sys.executable, "-c", ask],
        cwd=code,
        env=os.environ | {"PYTHONPATH": str(code)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "The gateway refuses a request with status 426; it is left.\n"


@dataclass
class Mixed(Processes):
    """A federation in which one merchant runs the first version; enrolled when requests were as it makes them."""

    old: str = ""
    code: Path = field(default_factory=Path)

    def client(self, merchant: str, *words: str) -> dict[str, Any]:
        if merchant != self.old or words[0] == "join":
            said_now = super().client(merchant, *words)
            if merchant == self.old and "--welcome" in words:
                self._write_as_then(self.folder / merchant / "federation.json")
            return said_now
        done = subprocess.run(
            self._words(*words, "--folder", str(self.folder / merchant), "--json"),
            capture_output=True,
            text=True,
            env=self._environment(),
            cwd=self.code,
            check=True,
        )
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    def _write_as_then(self, file: Path) -> None:
        joined = json.loads(file.read_text())
        del joined["welcome"]["request"], joined["welcome"]["signature"]
        file.write_text(json.dumps(joined))

    def start_merchant(self, merchant: str) -> None:
        if merchant != self.old:
            super().start_merchant(merchant)
            return
        folder = str(self.folder / merchant)
        words = ("run", "--folder", folder, "--data-root", folder, "--device", "cpu")
        with (self.folder / merchant / "process.log").open("ab") as log:
            self.processes[merchant] = subprocess.Popen(
                self._words(*words), stdout=log, stderr=log, env=self._environment(), cwd=self.code
            )

    def _words(self, *words: str) -> list[str]:
        return [sys.executable, "-c", "from client.cli import main; main()", *words]

    def _environment(self) -> dict[str, str]:
        return os.environ | {"PYTHONPATH": str(self.code), "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_it_holds_rounds_over_the_network_beside_a_merchant_of_this_version(code: Path, tmp_path: Path) -> None:
    names = [name_of(number) for number in range(2)]
    with Mixed(tmp_path, free_port(), old=names[0], code=code) as network:
        for number, name in enumerate(names):
            write_sales(network.folder / name, number)
            readable = "" if name == network.old else READABLE  # a section that the first version does not know
            network.let_in(name, unit="product", size_class=32, epsilon=8.0, data=readable)
        network.start_coordinator()
        for name in names:
            network.start_merchant(name)
        number = launch(network, warm_sales_plan(), "--quorum", "2")
        await_launch(network, number, received_by=names)
        rounds = [line for line in journal(network, number) if line["event"] == "round"]
        assert [line["answered"] for line in rounds] == [names] * 3
        registry = Registry(network.coordinator / "registry.sqlite")
        assert {member.name: member.protocol for member in registry.members()} == {names[0]: 1, names[1]: 2}
        registry.close()
        for name in names:
            (kept,) = (network.folder / name / "models").glob("*.json")
            assert ("warm_hash" in json.loads(kept.read_text())["note"]) == (name == names[1])
            assert "Traceback" not in (network.folder / name / "process.log").read_text()
            assert network.stop(name) == 0


def warm_sales_plan() -> str:
    text = plan_text("warm", rounds=3)
    for old, new in {
        'step = "day"': 'step = "week"\nrhythm = true\ndirect = true',
        "hidden_size = 8": "hidden_size = 12",
        "decoder_size = 8": "decoder_size = 12",
        "window_steps = 30": "window_steps = 10",
        'unit = "product"': 'unit = "product"\nstart = "warm"',
        "by_weekday = true, ": "",
    }.items():
        assert old in text
        text = text.replace(old, new)
    return text
