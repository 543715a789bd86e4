"""Members of a secure sum and their coordinator in one process: what each says, handed over as it is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.secure_sum.agreed import Agreements, MemoryAgreements
from client.secure_sum.member import SumMember
from client.secure_sum.store import SumStore
from common.message.signature import public_bytes
from common.secure_sum.roster import Peer, Session, usual_terms
from server.secure_sum.round import SumRound

RUN, MODEL, OTHER_MODEL = "ab" * 32, "cd" * 32, "ef" * 32
OPEN: list[SumStore] = []  # closed with their folder


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """Give a folder in which nothing waits for a disk; every store that is opened in it is closed in the end."""
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        try:
            yield Path(folder)
        finally:
            while OPEN:
                OPEN.pop().close()


def identity(place: int) -> Ed25519PrivateKey:
    """The key of the member at a place, the same in every test."""
    return Ed25519PrivateKey.from_private_bytes(bytes([place + 1]) * 32)


def name_of(place: int) -> str:
    return f"shop-{place:03}"


def make_session(num_members: int, *, run_hash: str = RUN, terms: tuple[int, int] | None = None) -> Session:
    roster = tuple(
        Peer(name=name_of(place), key=public_bytes(identity(place)).hex(), size_class=4 + place)
        for place in range(num_members)
    )
    return Session(run_hash, roster, *(terms or usual_terms(num_members)))


def open_store(path: Path) -> SumStore:
    OPEN.append(SumStore(path))
    return OPEN[-1]


def make_members(
    session: Session, folder: Path, *, agreements: Mapping[str, Agreements] | None = None
) -> dict[str, SumMember]:
    return {
        name: SumMember(
            session,
            name,
            identity(int(name[-3:])),
            open_store(folder / f"{name}.sqlite"),
            agreements=(agreements or {}).get(name) or MemoryAgreements(),
        )
        for name in session.names
    }


def totals_of(session: Session, *, size: int = 5, seed: int = 1) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    return {name: draw.integers(-(2**50), 2**50, size) for name in session.names}


def to_masked(
    members: Mapping[str, SumMember], totals: Mapping[str, np.ndarray], *, lost: Sequence[str] = (), number: int = 1
) -> SumRound:
    """Run a round up to the masked vectors; those who are lost sent shares and no vector."""
    session = next(iter(members.values())).session
    asked = SumRound(session, number, MODEL)
    for name, member in members.items():
        asked.add_keys(name, member.keys(number, 1))
    for name, member in members.items():
        asked.add_shares(name, member.shares(number, asked.keys()))
    for name, member in members.items():
        if name not in lost:
            asked.add_masked(name, member.mask(number, totals[name], asked.shares_for(name), model_hash=MODEL))
    return asked


def to_agreed(members: Mapping[str, SumMember], asked: SumRound) -> dict[str, bytes]:
    """Let every survivor agree; give the signatures."""
    for name in asked.survivors():
        asked.add_signature(name, members[name].agree(asked.round_number, MODEL, asked.survivors()))
    return asked.signatures()


def to_total(members: Mapping[str, SumMember], asked: SumRound) -> np.ndarray:
    signatures = to_agreed(members, asked)
    for name in asked.survivors():
        asked.add_reveal(name, members[name].reveal(asked.round_number, signatures))
    return asked.total()
