"""Random schedules of a secure sum in one process: drop-outs, delays, repeats, forged and cut messages, and kills.

A kill throws a member's objects away before or after any write, and opens it again from its file; its ledger (here:
what was charged, and which set was agreed on) outlives it, as on a disk. The coordinator is honest, but it is killed
too and then knows nothing; one that attacks is in `sum_attack`.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from client.secure_sum.agreed import MemoryAgreements
from client.secure_sum.member import SumMember
from client.secure_sum.store import Kind, SumStore
from common.errors import HansaError
from common.secure_sum.keys import SignedKeys
from common.secure_sum.recovery import Reveal
from common.secure_sum.roster import Session, least_threshold, usual_terms
from server.secure_sum.round import SumRound
from sum_world import MODEL, OPEN, identity, make_session

SIZE = 3


class Killed(Exception):
    """The process is gone."""


@dataclass
class Fuse:
    """Kills at one of the next moments between two writes, if it is lit."""

    left: int | None = None

    def burn(self) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.left = None
            raise Killed


@dataclass
class Notes:
    """What of a member outlives every kill, and what has left it."""

    fuse: Fuse
    agreed: MemoryAgreements = field(default_factory=MemoryAgreements)
    charged: set[int] = field(default_factory=set)
    offered: np.ndarray | None = None
    masked: dict[int, np.ndarray] = field(default_factory=dict)  # the total under the vector that is kept
    left: defaultdict[tuple[str, int], set[bytes]] = field(default_factory=lambda: defaultdict(set))
    revealed: defaultdict[tuple[int, str], dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))

    def note(self, session_hash: str, round_number: int, model_hash: str, survivors: Sequence[str]) -> None:
        """As the ledger does: on the disk before the signature leaves."""
        self.fuse.burn()
        self.agreed.note(session_hash, round_number, model_hash, survivors)
        self.fuse.burn()


class FragileStore(SumStore):
    """A store whose process may die before or after each write."""

    def __init__(self, path: Path, notes: Notes) -> None:
        self._notes = notes
        super().__init__(path)

    def keep_all(self, session: str, kind: Kind, contents: Mapping[int, bytes]) -> dict[int, bytes]:
        self._notes.fuse.burn()
        kept = super().keep_all(session, kind, contents)
        if kind == Kind.MASKED and kept == contents:
            for number in contents:
                self._notes.masked.setdefault(number, self._notes.offered)
        self._notes.fuse.burn()
        return kept


class Actor:
    """One member that is killed now and then."""

    def __init__(self, session: Session, name: str, folder: Path, draw: random.Random) -> None:
        self.session, self.name, self._draw = session, name, draw
        self._path = folder / f"{name}.sqlite"
        self.notes = Notes(Fuse())
        self.kills = 0
        self._open()

    def _open(self) -> None:
        store = FragileStore(self._path, self.notes)
        OPEN.append(store)
        self._store = store
        key = identity(int(self.name[-3:]))
        self.member = SumMember(self.session, self.name, key, store, agreements=self.notes)

    def ask(self, step: Callable[[SumMember], object], *, kill: float) -> object | None:
        """Let the member take a step; None where it refuses or dies on the way."""
        if self._draw.random() < kill:
            self.notes.fuse.left = self._draw.randrange(5)
        try:
            return step(self.member)
        except Killed:
            self.kills += 1
            self._store.close()
            OPEN.remove(self._store)
            self._open()
            return None
        except HansaError:
            return None
        finally:
            self.notes.fuse.left = None

    def mask(self, number: int, incoming: Mapping[str, bytes], *, kill: float) -> np.ndarray | None:
        """Charge the round, then mask a total with fresh noise, as a daemon does."""
        self.notes.charged.add(number)
        self.notes.offered = np.array([self._draw.randrange(-(2**40), 2**40) for _ in range(SIZE)])
        vector = self.ask(lambda member: member.mask(number, self.notes.offered, incoming, model_hash=MODEL), kill=kill)
        if vector is not None:
            self.notes.left["masked", number].add(vector.tobytes())
        return vector

    def agree(self, number: int, model: str, survivors: Sequence[str], *, kill: float) -> bytes | None:
        signature = self.ask(lambda member: member.agree(number, model, survivors), kill=kill)
        if signature is not None:
            self.notes.left["agreed", number].add(signature)
        return signature

    def reveal(self, number: int, signatures: Mapping[str, bytes], *, kill: float) -> Reveal | None:
        reveal = self.ask(lambda member: member.reveal(number, signatures), kill=kill)
        if reveal is not None:
            for kind, shares in (("self", reveal.self_shares), ("key", reveal.key_shares)):
                for owner, share in shares.items():
                    self.notes.revealed[number, owner][kind] = share
        return reveal

    def require_promises(self) -> None:
        """One vector and one set a round, one kind of share of each owner, and nothing that was not charged."""
        for (kind, number), said in self.notes.left.items():
            assert len(said) == 1, f"{self.name}: two {kind} in round {number}"
            assert number in self.notes.charged
        for (number, owner), kinds in self.notes.revealed.items():
            assert len(kinds) == 1, f"{self.name}: both shares of {owner} in round {number}"
        assert not any("key" in kinds for (_, owner), kinds in self.notes.revealed.items() if owner == self.name)


def any_session(draw: random.Random) -> Session:
    num_members = draw.randrange(2, 7)
    colluders = draw.randrange(1, max(2, num_members // 2))
    least = least_threshold(num_members, colluders)
    legal = [threshold for threshold in range(least, num_members + 1) if threshold > colluders]
    terms = (draw.choice(legal), colluders) if legal and draw.random() < 0.5 else usual_terms(num_members)
    return make_session(num_members, terms=terms)


def spoil(draw: random.Random, content: bytes) -> bytes:
    """Cut, lengthen or change bytes."""
    place = draw.randrange(len(content))
    return draw.choice(
        [content[:place], content + b"\0", content[:place] + bytes([content[place] ^ (1 << draw.randrange(8))]) +
         content[place + 1 :]]
    )  # fmt: skip


def spoil_one(draw: random.Random, named: Mapping[str, bytes]) -> dict[str, bytes]:
    """Spoil one of several, leave it out, or give it another's."""
    spoilt, name = dict(named), draw.choice(sorted(named))
    other = draw.choice(sorted(named))
    change = draw.randrange(4)
    if change == 0:
        del spoilt[name]
    elif change == 1:
        spoilt[name] = named[other]
    elif change == 2:
        spoilt["stranger"] = named[name]
    else:
        spoilt[name] = spoil(draw, named[name])
    return spoilt


@dataclass
class Outcome:
    """What came of a schedule."""

    sums: int = 0
    counts: Counter[str] = field(default_factory=Counter)


class Honest:
    """A coordinator that follows the protocol over a network that does not, and dies now and then."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.draw = random.Random(seed)  # noqa: S311
        self.session = any_session(self.draw)
        self.actors = {name: Actor(self.session, name, folder, self.draw) for name in self.session.names}
        self.outcome = Outcome()
        self.kill = self.draw.choice([0.0, 0.05, 0.2])
        self.noise = self.draw.choice([0.0, 0.05, 0.2])
        self.crash = self.draw.choice([0.0, 0.0, 0.01])
        self.released: dict[int, tuple[tuple[str, ...], list[int]]] = {}

    def run(self) -> Outcome:
        for number in (1, 2):
            self._round(number)
        self.outcome.sums = len(self.released)
        for actor in self.actors.values():
            actor.require_promises()
            self.outcome.counts["killed"] += actor.kills
        return self.outcome

    def _round(self, number: int) -> None:
        gone = set(self.draw.sample(self.session.names, self.draw.randrange(len(self.session.names))))
        leaves = {name: self.draw.randrange(1, 200) for name in gone if self.draw.random() < 0.5}
        pool: list[tuple[str, str, object]] = []
        asked = SumRound(self.session, number, MODEL)
        for step in range(60 * len(self.session.names)):
            name = self.draw.choice(self.session.names)
            if self.draw.random() < self.crash:
                asked = SumRound(self.session, number, MODEL)  # knows nothing any more; late messages still come
                self.outcome.counts["crashed"] += 1
            if leaves.get(name, step + 1) > step:
                self._speak(asked, number, name, pool)
            self._deliver(asked, pool)
            if self.draw.random() < 0.15:
                self._advance(asked)
            if self._finish(asked, number):
                break

    def _speak(self, asked: SumRound, number: int, name: str, pool: list[tuple[str, str, object]]) -> None:
        """Ask a member for what the round takes at present."""
        actor, kill = self.actors[name], self.kill
        phase = asked.phase.name.lower()
        said: object | None = None
        if name in getattr(asked, f"_{phase}") and self.draw.random() < 0.8:
            return  # mostly the coordinator asks for what it lacks
        if phase == "keys":
            block = self.draw.choice([(1, 2), (number, 1)])
            said = actor.ask(lambda member: member.keys(*block), kill=kill)
        elif phase == "shares":
            said = actor.ask(lambda member: member.shares(number, self._forge_keys(asked.keys())), kill=kill)
        elif phase == "masked" and name in asked.participants():
            incoming = self._maybe(asked.shares_for(name), spoil_one)
            said = actor.mask(number, incoming, kill=kill)
        elif phase == "signatures" and name in asked.survivors():
            said = actor.agree(number, MODEL, asked.survivors(), kill=kill)
        elif phase == "reveals" and name in asked.survivors():
            said = actor.reveal(number, self._maybe(asked.signatures(), spoil_one), kill=kill)
        if said is not None:
            pool.append((phase, name, said))

    def _maybe(self, said, change):
        return change(self.draw, said) if self.draw.random() < self.noise else said

    def _forge_keys(self, keys: dict[str, SignedKeys]) -> dict[str, SignedKeys]:
        if self.draw.random() >= self.noise:
            return keys
        name, other = self.draw.choice(sorted(keys)), self.draw.choice(sorted(keys))
        return {**keys, name: replace(keys[name], signature=keys[other].signature, keys=keys[other].keys)}

    def _deliver(self, asked: SumRound, pool: list[tuple[str, str, object]]) -> None:
        """Hand over a message that is under way: late, twice, changed, or in another's name."""
        if not pool or self.draw.random() < 0.3:
            return
        place = self.draw.randrange(len(pool))
        phase, name, said = pool[place] if self.draw.random() < 0.2 else pool.pop(place)
        if self.draw.random() < self.noise:
            self.outcome.counts["forged"] += 1
            name, said = self._forge(asked, phase, name, said)
        try:
            self._hand_over(asked, phase, name, said)
        except HansaError:
            self.outcome.counts["refused"] += 1

    def _forge(self, asked: SumRound, phase: str, name: str, said):
        """Change a message; of a masked vector only what an honest member's line could not carry shows."""
        if phase == "masked":
            return name, said[:-1] if asked._masked or self.draw.random() < 0.5 else said
        if phase == "keys":
            return self.draw.choice(self.session.names), said
        if phase == "reveals":
            kind = "key_shares" if said.key_shares and self.draw.random() < 0.5 else "self_shares"
            return name, replace(said, **{kind: spoil_one(self.draw, getattr(said, kind))})
        if phase == "shares":
            return name, spoil_one(self.draw, said)
        return name, spoil(self.draw, said)

    def _hand_over(self, asked: SumRound, phase: str, name: str, said) -> None:
        if phase == "masked" and said.size != SIZE + 1 and asked._size is None:
            return  # the coordinator knows the model's size; here it takes the first vector's
        {
            "keys": asked.add_keys,
            "shares": asked.add_shares,
            "masked": asked.add_masked,
            "signatures": asked.add_signature,
            "reveals": asked.add_reveal,
        }[phase](name, said)

    def _advance(self, asked: SumRound) -> None:
        try:
            (asked.keys, asked.participants, asked.survivors, asked.signatures, asked.total)[asked.phase - 1]()
        except HansaError:
            self.outcome.counts["too early"] += 1

    def _finish(self, asked: SumRound, number: int) -> bool:
        try:
            total = asked.total().tolist()
        except HansaError:
            return False
        survivors = asked.survivors()
        assert len(survivors) >= self.session.threshold
        assert len(asked._reveals) >= self.session.threshold
        expected = sum(self.actors[name].notes.masked[number] for name in survivors)
        assert total == expected.tolist()
        assert self.released.setdefault(number, (survivors, total)) == (survivors, total)
        return self.draw.random() < 0.7  # else the round goes on, and may not give another sum
