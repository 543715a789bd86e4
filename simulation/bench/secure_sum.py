"""CPU seconds and memory of a round of a secure sum in one process, by how many are members and how many are lost.

Members and coordinator do what they do over the network, without what carries messages: keys, shares, masked sums, one
agreed set, revealed shares, the sum. A member's steps are written to its file before they return, as ever. Those who
are lost go between their shares and their masked sums, which costs the coordinator most. What a round costs over
processes and TLS is measured by `make test-sum-cost`.
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.secure_sum.agreed import MemoryAgreements
from client.secure_sum.member import SumMember
from client.secure_sum.store import SumStore
from common.message.signature import public_bytes
from common.secure_sum.roster import Peer, Session, usual_terms
from server.secure_sum.round import SumRound
from simulation.bench.sum_traffic import count_bytes

MEMBERS, QUICK_MEMBERS = (20, 100), (5,)
PARAMETERS, QUICK_PARAMETERS = 30_000, 1_000
COORDINATOR = "coordinator"
RUN, MODEL, ROUND = "0" * 64, "1" * 64, 1
LARGEST_TOTAL = 2**40


class Watch:
    """CPU seconds by who used them and for what."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))

    @contextmanager
    def of(self, who: str, step: str) -> Iterator[None]:
        """Count the CPU seconds of what happens inside."""
        began = time.process_time()
        yield
        self.seconds[who][step] += time.process_time() - began


def time_sums(*, quick: bool) -> Iterator[dict[str, Any]]:
    """Time a round with nobody lost, and with as many as a round of the usual terms can lose."""
    for number in QUICK_MEMBERS if quick else MEMBERS:
        size = QUICK_PARAMETERS if quick else PARAMETERS
        most = number - usual_terms(number)[0]
        whole = measure_round(number, lost=0, size=size)
        yield describe(whole, size=size)
        yield describe(measure_round(number, lost=most, size=size), size=size)


def measure_round(number: int, *, lost: int, size: int) -> dict[str, Any]:
    """Hold one round, and check its sum.

    Returns
    -------
    dict
        `members`, `lost`, `threshold`, `cpu_seconds` of `member` (median over those who reveal) and `coordinator` by
        step, `peak_bytes` that taking the masks off takes at most beyond what is held, `held_bytes`, and `wire_bytes`
        of one member's messages.
    """
    watch, identities = Watch(), [Ed25519PrivateKey.generate() for _ in range(number)]
    roster = tuple(
        Peer(name=f"merchant-{place:03}", key=public_bytes(identity).hex(), size_class=1)
        for place, identity in enumerate(identities)
    )
    session = Session(RUN, roster, *usual_terms(number))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        members = {}
        for name, identity in zip(session.names, identities, strict=True):
            store = stack.enter_context(closing(SumStore(folder / f"{name}.sqlite")))
            members[name] = SumMember(session, name, identity, store, agreements=MemoryAgreements())
        sums = hold_round(session, members, watch, stay=session.names[lost:], size=size)
        tracemalloc.start()
        sums.total()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        first = session.names[lost]
        wire_bytes = count_bytes(sums, members[first], first, size=size)
    stay = session.names[lost:]
    own = [watch.seconds[name] for name in stay[: session.threshold]]  # who does all steps
    return {
        "members": number,
        "lost": lost,
        "threshold": session.threshold,
        "cpu_seconds": {
            "member": {step: statistics.median(each[step] for each in own) for step in own[0]},
            "coordinator": dict(watch.seconds[COORDINATOR]),
        },
        "held_bytes": 8 * (size + 1) * len(stay),
        "peak_bytes": peak,
        "wire_bytes": wire_bytes,
    }


def hold_round(
    session: Session, members: dict[str, SumMember], watch: Watch, *, stay: tuple[str, ...], size: int
) -> SumRound:
    """Do all steps of a round; the threshold signs and reveals, as over the network."""
    sums = SumRound(session, ROUND, MODEL, size=size)
    draw = np.random.default_rng(1)
    totals = {name: draw.integers(-LARGEST_TOTAL, LARGEST_TOTAL, size) for name in session.names}

    for name, member in members.items():
        with watch.of(name, "keys"):
            signed = member.keys(ROUND, 1)
        with watch.of(COORDINATOR, "keys"):
            sums.add_keys(name, signed)
    keys = sums.keys()
    for name, member in members.items():
        with watch.of(name, "shares"):
            shares = member.shares(ROUND, keys)
        with watch.of(COORDINATOR, "shares"):
            sums.add_shares(name, shares)
    for name in stay:
        incoming = sums.shares_for(name)
        with watch.of(name, "masked"):
            vector = members[name].mask(ROUND, totals[name], incoming, model_hash=MODEL)
        with watch.of(COORDINATOR, "masked"):
            sums.add_masked(name, vector)
    survivors = sums.survivors()
    for name in stay[: session.threshold]:
        with watch.of(name, "agree"):
            signature = members[name].agree(ROUND, MODEL, survivors)
        with watch.of(COORDINATOR, "agree"):
            sums.add_signature(name, signature)
    signatures = sums.signatures()
    for name in stay[: session.threshold]:
        with watch.of(name, "reveal"):
            reveal = members[name].reveal(ROUND, signatures)
        with watch.of(COORDINATOR, "reveal"):
            sums.add_reveal(name, reveal)
    with watch.of(COORDINATOR, "sum"):
        total = sums.total()
    if not np.array_equal(total, sum(totals[name] for name in stay)):
        raise AssertionError("the sum under masks is not the sum")
    return sums


def describe(measured: dict[str, Any], *, size: int) -> dict[str, Any]:
    """Set CPU beside a millisecond, memory beside the masked sums themselves, and messages beside those of no sum."""
    spent = {who: sum(steps.values()) for who, steps in measured["cpu_seconds"].items()}
    seconds = [{"of": who, "to": "a millisecond", "what": "CPU", "ratio": 1000 * each} for who, each in spent.items()]
    memory = {
        "of": COORDINATOR,
        "to": "the masked sums",
        "what": "peak_bytes",
        "ratio": measured["peak_bytes"] / measured["held_bytes"],
    }
    sent = measured["wire_bytes"]
    traffic = {"of": "sum", "to": "plain", "what": "bytes of a member's messages", "ratio": sent["sum"] / sent["plain"]}
    return {**measured, "parameters": size, "comparisons": [*seconds, memory, traffic]}
