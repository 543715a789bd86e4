"""kill -9 and a clock that is put back, around the one set that a merchant agrees to: what left is in the ledger, once.

The parent plays a coordinator that wants two sets of one round signed. Each attempt is a real process on the
merchant's real files, its ledger and its file of sums, and is really killed; the next attempt asks for the other set.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from client.account.ledger.agreements import LedgerAgreements
from client.account.ledger.entry import Agreed, Spend, digest_survivors
from client.account.ledger.ledger import Ledger, create_ledger
from client.account.ledger.verification import verify_ledger
from client.account.policy import Budget
from client.secure_sum.member import SumMember
from client.secure_sum.store import SumStore
from common.errors import PrivacyError
from common.message.signature import SIGNATURE_BYTES
from common.secure_sum.agreement import check_signature
from sum_world import MODEL, OTHER_MODEL, folder_in_memory, identity, make_members, make_session, totals_of

SESSION = make_session(5)
OWN = SESSION.names[0]
SETS = (SESSION.names, SESSION.names[:4])  # both legal: 4 of 5 are enough
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
READY, REFUSED = b"o", b"x"
BUDGETS = {"customer": Budget(epsilon=32.0, delta=1e-5, period_days=365, period_epsilon=32.0)}
CEILINGS = {"customer": 32.0}


def spend_of(round_number: int, *, at: datetime = NOON, model_hash: str = MODEL) -> Spend:
    return Spend(
        at=at,
        dataset="shop",
        unit="customer",
        units_per_customer=None,
        coordinator="ab" * 32,
        plan="small",
        plan_hash=SESSION.run_hash,
        round_number=round_number,
        model_hash=model_hash,
        clipping_norm=1.0,
        noise_multiplier=100.0,
        num_coordinates=5,
        noise_share=SESSION.noise_share,
        session=SESSION.hash,
        colluders=SESSION.colluders,
        num_members=len(SESSION.roster),
    )


@dataclass
class Siege:
    """What the parent saw leave one merchant."""

    folder: Path
    signed: dict[int, dict[tuple[str, ...], bytes]] = field(default_factory=lambda: defaultdict(dict))
    killed: Counter[str] = field(default_factory=Counter)
    took_seconds: float = 0.0  # of the latest process, from when it was ready to its answer

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.sqlite"

    def prepare(self, round_number: int) -> None:
        """Let a round be charged and masked, so that the set is all that is missing; the process is gone again."""
        with closing(Ledger(self.ledger)) as ledger:
            ledger.reserve(spend_of(round_number), BUDGETS, ceilings=CEILINGS)
        members = make_members(SESSION, self.folder)
        keys = {name: member.keys(round_number, 1) for name, member in members.items()}
        shares = {name: member.shares(round_number, keys) for name, member in members.items()}
        incoming = {name: sealed[OWN] for name, sealed in shares.items() if name != OWN}
        members[OWN].mask(round_number, totals_of(SESSION)[OWN], incoming, model_hash=MODEL)

    def ask(self, round_number: int, survivors: Sequence[str], *, kill_after_seconds: float | None) -> None:
        """Ask for a signature of a set in a process of its own, and note what left it."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                sign(self.folder, round_number, survivors, writing)
                code = 0
            finally:
                os._exit(code)
        os.close(writing)
        assert os.read(reading, 1) == READY
        began = time.perf_counter()
        if kill_after_seconds is not None:
            time.sleep(kill_after_seconds)
            os.kill(child, signal.SIGKILL)
        with os.fdopen(reading, "rb") as pipe:
            heard = pipe.read(SIGNATURE_BYTES)
        self.took_seconds = time.perf_counter() - began
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            self.killed["before it left" if not heard else "after it"] += 1
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        if len(heard) == SIGNATURE_BYTES:
            where = {"round_number": round_number, "model_hash": MODEL, "name": OWN}
            check_signature(SESSION, survivors, signature=heard, **where)
            self.signed[round_number][tuple(survivors)] = heard


def open_own(folder: Path, ledger: Ledger, clock: Callable[[], datetime]) -> Iterator[SumMember]:
    with closing(SumStore(folder / f"{OWN}.sqlite")) as store:
        yield SumMember(SESSION, OWN, identity(0), store, agreements=LedgerAgreements(ledger, clock=clock))


def sign(folder: Path, round_number: int, survivors: Sequence[str], writing: int) -> None:
    """Agree to a set as the merchant's daemon does, and send the signature."""
    with closing(Ledger(folder / "ledger.sqlite")) as ledger:
        for member in open_own(folder, ledger, lambda: datetime.now(UTC)):
            os.write(writing, READY)
            try:
                signature = member.agree(round_number, MODEL, survivors)
            except PrivacyError:
                signature = REFUSED
            os.write(writing, signature)


@pytest.fixture
def siege() -> Iterator[Siege]:
    with folder_in_memory() as folder:
        create_ledger(folder / "ledger.sqlite")
        with closing(Ledger(folder / "ledger.sqlite")) as ledger:
            ledger.open_account("shop", "customer", delta=1e-5, at=NOON)
        yield Siege(folder)


def sets_of(ledger: Path) -> Mapping[int, list[str]]:
    """Give the digests of the sets that a ledger has, by round."""
    found: dict[int, list[str]] = defaultdict(list)
    with closing(Ledger(ledger)) as opened:
        for entry in opened.entries:
            if isinstance(entry, Agreed):
                found[entry.round_number].append(entry.survivors)
    return found


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize(("rounds", "seed"), [(3, 0), pytest.param(150, 1, marks=pytest.mark.slow)])
def test_killed_at_any_moment_a_merchant_signs_one_set_of_a_round_and_it_is_in_the_ledger(
    siege: Siege, rounds: int, seed: int
) -> None:
    draw = random.Random(seed)  # noqa: S311
    whole = []
    for number in (1, 2):
        siege.prepare(number)
        siege.ask(number, SETS[0], kill_after_seconds=None)
        whole.append(siege.took_seconds)
    for number in range(3, rounds + 1):
        siege.prepare(number)
        before, attempt = siege.killed.total(), number
        while siege.killed.total() < before + 1 + number % 2:  # one that was not killed has signed, and is asked again
            siege.ask(number, SETS[attempt % 2], kill_after_seconds=min(whole) * draw.random() ** 2)
            attempt += 1
        for survivors in SETS:  # and both once more, undisturbed
            siege.ask(number, survivors, kill_after_seconds=None)
    verify_ledger(siege.ledger)
    noted = sets_of(siege.ledger)
    for number in range(1, rounds + 1):
        signed = siege.signed[number]
        assert len(signed) == 1, f"round {number}: {sorted(signed)}"
        assert noted[number] == [digest_survivors(next(iter(signed)))]
    assert siege.killed.total() >= rounds - 2
    sizes = Counter(len(next(iter(signed))) for signed in siege.signed.values())
    print(f"{siege.killed}, sets signed by size {sizes}")  # noqa: T201


# The set is noted, and the process is killed before its file of sums knows of it: the ledger alone has to hold.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_killed_between_ledger_and_file_of_sums_the_ledger_s_set_is_the_one(siege: Siege) -> None:
    siege.prepare(1)
    child = os.fork()
    if child == 0:
        with closing(Ledger(siege.ledger)) as ledger:
            LedgerAgreements(ledger).note(SESSION.hash, 1, MODEL, sorted(SETS[1]))
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    siege.ask(1, SETS[0], kill_after_seconds=None)
    assert siege.signed[1] == {}
    siege.ask(1, SETS[1], kill_after_seconds=None)
    assert list(siege.signed[1]) == [tuple(SETS[1])]
    assert sets_of(siege.ledger) == {1: [digest_survivors(SETS[1])]}


@pytest.mark.parametrize("put_back", [timedelta(seconds=1), timedelta(days=400), timedelta(days=365 * 30)])
def test_a_clock_that_is_put_back_brings_no_second_set_and_forgets_no_charge(siege: Siege, put_back: timedelta) -> None:
    siege.prepare(1)
    earlier = NOON - put_back
    with closing(Ledger(siege.ledger)) as ledger:
        for member in open_own(siege.folder, ledger, lambda: NOON):
            first = member.agree(1, MODEL, SETS[0])
        before = ledger.account("shop", "customer").mu_squared()
        lines = len(ledger.entries)
    with closing(Ledger(siege.ledger)) as ledger:
        for member in open_own(siege.folder, ledger, lambda: earlier):
            assert member.agree(1, MODEL, SETS[0]) == first
            for model, survivors in ((MODEL, SETS[1]), (OTHER_MODEL, SETS[0])):
                with pytest.raises(PrivacyError):
                    member.agree(1, model, survivors)
        with pytest.raises(PrivacyError, match="second sum"):  # the ledger by itself, without what the file remembers
            LedgerAgreements(ledger, clock=lambda: earlier).note(SESSION.hash, 1, MODEL, sorted(SETS[1]))
        ledger.reserve(spend_of(1, at=earlier), BUDGETS, ceilings=CEILINGS)  # asked again: charged once
        assert len(ledger.entries) == lines
        assert ledger.account("shop", "customer").mu_squared() == before
    siege.prepare(2)
    with closing(Ledger(siege.ledger)) as ledger:  # a set of a day before the line above it is a line like any other
        for member in open_own(siege.folder, ledger, lambda: earlier):
            member.agree(2, MODEL, SETS[1])
        assert [entry.at for entry in ledger.entries if isinstance(entry, Agreed)] == [NOON, earlier]
    verify_ledger(siege.ledger)
    assert {number: len(sets) for number, sets in sets_of(siege.ledger).items()} == {1: 1, 2: 1}


def test_a_set_of_a_round_that_was_never_charged_is_not_agreed_on_whatever_the_clock_says(siege: Siege) -> None:
    siege.prepare(1)
    with closing(Ledger(siege.ledger)) as ledger:
        for at in (NOON, NOON - timedelta(days=400), NOON + timedelta(days=400)):
            with pytest.raises(PrivacyError, match="not charged in the ledger"):
                LedgerAgreements(ledger, clock=lambda at=at: at).note(SESSION.hash, 2, MODEL, sorted(SETS[0]))
    assert sets_of(siege.ledger) == {}
