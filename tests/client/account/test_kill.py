"""kill -9 at random moments around reserve, seal and send; each round is a real process that is really killed.

The parent plays the coordinator: it asks for a round until the round is answered, and notes every message that
reached it. The child is the merchant: it charges, draws its noise, seals and sends. No page of a file is lost when a
process is killed; that SQLite also outlives a power cut (synchronous=FULL) is SQLite's own claim and tests.
"""

import hashlib
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from flwr.app import RecordDict

from client.account.agreement import Agreement, Offer, agree
from client.account.ledger.answer_log import LedgerAnswerLog
from client.account.ledger.entry import Seal, Spend
from client.account.ledger.head_file import HeadFiles, read_noted
from client.account.ledger.ledger import Ledger, create_ledger, now_utc
from client.account.ledger.verification import verify_ledger
from client.account.policy import Policy
from common.message.round import RoundReply, RoundRequest, encode_reply
from common.message.vector import hash_vector
from common.message.wire import to_wire
from common.privacy.noise import SecureNoise

SIZE = 500
READY, RESERVED, SENT = b"o", b"r", b"s"
MODEL = torch.linspace(-1, 1, SIZE)


@dataclass
class Siege:
    """What the parent saw of one merchant's life."""

    path: Path
    agreement: Agreement
    reserved: set[int] = field(default_factory=set)
    arrived: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    killed: Counter[str] = field(default_factory=Counter)

    def request(self, round_number: int) -> RoundRequest:
        parameters = MODEL + round_number
        return RoundRequest(self.agreement.offer.run_hash, round_number, hash_vector(parameters), parameters)

    def hear(self, round_number: int, heard: bytes) -> bool:
        """Note what a child said before its end; whether its message arrived whole."""
        if heard.startswith(RESERVED):
            self.reserved.add(round_number)
            (account,) = read_noted(HeadFiles(self.path).beside).accounts
            least = len(self.reserved) * self.agreement.mechanism.mu_squared
            assert (account.mu_squared or 0.0) >= least * (1 - 1e-12), "noted before anything was computed"
        message = heard[2:]
        if heard[1:2] == SENT and len(message) == 64:
            self.arrived[round_number].add(message.decode())
            return True
        return False


def answer(siege: Siege, round_number: int, writing: int) -> None:
    """Answer one round as the merchant does, and tell the parent how far it came."""
    request, mechanism = siege.request(round_number), siege.agreement.mechanism
    with closing(Ledger(siege.path)) as ledger:
        answer_log = LedgerAnswerLog(ledger, siege.agreement)
        os.write(writing, READY)
        sealed: RecordDict | None = answer_log.reserve(request, mechanism)
        os.write(writing, RESERVED)
        if sealed is None:
            total = mechanism.release(torch.zeros(SIZE, dtype=torch.int64), SecureNoise())
            sealed = answer_log.seal(request, encode_reply(RoundReply(request.plan_hash, round_number, total)))
        os.write(writing, SENT + hashlib.sha256(to_wire(sealed)).hexdigest().encode())


def run_child(siege: Siege, round_number: int, *, kill_after_seconds: float | None) -> bytes:
    """Run one answer in a process of its own, kill it a while after it is ready, and return what it said since."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            answer(siege, round_number, writing)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    assert os.read(reading, 1) == READY
    if kill_after_seconds is not None:
        time.sleep(kill_after_seconds)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading, "rb") as pipe:
        heard = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        siege.killed["before the charge" if not heard else "before the message" if len(heard) < 66 else "after it"] += 1
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return heard


def time_whole(siege: Siege, round_number: int) -> float:
    """Let one child live, and return the seconds that it takes."""
    started = time.perf_counter()
    assert siege.hear(round_number, run_child(siege, round_number, kill_after_seconds=None))
    return time.perf_counter() - started


def besiege(siege: Siege, *, kills: int, seed: int) -> None:
    """Ask for round after round, killing, until as many processes have died."""
    generator = random.Random(seed)  # noqa: S311
    whole_seconds, round_number = min(time_whole(siege, number) for number in range(1, 6)), 6
    while siege.killed.total() < kills:
        moment = whole_seconds * generator.random() ** 2  # a part of the whole passes before the child is ready
        if siege.hear(round_number, run_child(siege, round_number, kill_after_seconds=moment)):
            if generator.random() < 0.5:  # the answer is lost on its way, and asked for again
                siege.hear(round_number, run_child(siege, round_number, kill_after_seconds=moment))
            round_number += 1


def judge(siege: Siege) -> None:
    """Hold the ledger against everything that the parent saw."""
    verify_ledger(siege.path)
    with closing(Ledger(siege.path)) as ledger:
        spends = {number: entry for number, entry in enumerate(ledger.entries, start=1) if isinstance(entry, Spend)}
        seals = [entry for entry in ledger.entries if isinstance(entry, Seal)]
        account = ledger.account("shop", "customer")
        messages = {entry.round_number: ledger.message(number) for number, entry in spends.items()}
    charged = [spend.round_number for spend in spends.values()]
    assert len(charged) == len(set(charged))
    assert siege.reserved <= set(charged)
    assert set(siege.arrived) <= set(charged)
    assert account.mu_squared() >= len(siege.reserved) * siege.agreement.mechanism.mu_squared * (1 - 1e-12)
    assert len({seal.spend for seal in seals}) == len(seals)
    for round_number, digests in siege.arrived.items():
        message = messages[round_number]
        assert message is not None
        assert digests == {hashlib.sha256(message).hexdigest()}


@pytest.fixture
def siege(tmp_path: Path, make_policy: Callable[..., Policy], make_offer: Callable[..., Offer]) -> Siege:
    path = tmp_path / "ledger.sqlite"
    create_ledger(path)
    num_rounds = 5000
    limits = {"largest_num_rounds": num_rounds}
    policy = make_policy(
        plan={**limits, "smallest_cohort": 1}, approval={"automatic": {**limits, "smallest_cohort": 1}}
    )
    with closing(Ledger(path)) as ledger:
        ledger.open_account("shop", "customer", delta=1e-5, at=now_utc())
        agreement = agree(policy, make_offer(num_rounds=num_rounds), ledger, num_coordinates=SIZE)
    return Siege(path, agreement)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize(("kills", "seed"), [(30, 0), pytest.param(1000, 1, marks=pytest.mark.slow)])
def test_killed_at_any_moment_no_spend_is_lost_and_no_spend_has_two_messages(
    siege: Siege, kills: int, seed: int
) -> None:
    besiege(siege, kills=kills, seed=seed)
    judge(siege)
    print(f"{siege.killed}, {len(siege.reserved)} rounds charged, {len(siege.arrived)} arrived")  # noqa: T201
