"""A coordinator with colluders that asks anybody for anything in any order, and what it could work out in the end.

It holds every masked vector, every share that a colluder was sent or an honest member revealed, and the colluders'
keys. From these follow seeds and keys, t shares each; what is then known of the honest members' inputs are the
combinations of their vectors in which every unknown mask cancels. The promise: at most one, of h honest inputs or more.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.linalg import null_space

from common.errors import HansaError
from common.secure_sum.agreement import sign_agreement, write_agreement
from common.secure_sum.keys import RoundKeys, SignedKeys, public_of, sign_keys
from sum_schedule import Actor, Outcome, any_session, spoil_one
from sum_world import MODEL, OTHER_MODEL, identity


class Attacker:
    """One attack on one round.

    Half of them are wild: sets are drawn anew for each request. The others follow a plan: everybody is masked together,
    and each honest member is told of other survivors, so that all but a few keep no mask.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self.draw = random.Random(seed)  # noqa: S311
        self.session = any_session(self.draw)
        self.actors = {name: Actor(self.session, name, folder, self.draw) for name in self.session.names}
        self.colluders = self.draw.sample(self.session.names, self.session.colluders)
        self.honest = [name for name in self.session.names if name not in self.colluders]
        self.kept = self.draw.sample(self.honest, self.draw.randrange(1, max(2, self.session.noise_share)))
        self.is_wild = self.draw.random() < 0.5
        self.keys: dict[str, SignedKeys] = {}
        self.bundles: dict[str, dict[str, bytes]] = {}
        self.signatures: defaultdict[tuple[str, tuple[str, ...]], dict[str, bytes]] = defaultdict(dict)
        self.outcome = Outcome()

    def run(self) -> Outcome:
        for name, actor in self.actors.items():
            said = actor.ask(lambda member: member.keys(1, 1), kill=0.0)
            assert isinstance(said, SignedKeys)
            self.keys[name] = said
        steps = (self._pose, self._shares, self._shares, self._mask, self._agree, self._reveal)
        for _ in range(40 * len(self.actors)):
            self.draw.choice(steps)(self.draw.choice(self.session.names))
        for name in self.honest:
            self.actors[name].require_promises()
        require_one_sum(self.session.noise_share, self._known())
        return self.outcome

    def _members(self) -> list[str]:
        """Name mostly enough members, mostly distinct ones of the roster."""
        if not self.is_wild:
            return list(self.session.names)
        count = self.draw.choice([self.session.threshold, len(self.session.names), 1])
        chosen = self.draw.sample(self.session.names, max(1, count - self.draw.choice([0, 0, 0, 1])))
        return chosen + self.draw.choice([[], [], [], chosen[:1], ["stranger"]])

    def _survivors(self, name: str) -> list[str]:
        """Tell a member that as many others as may be are lost, but none of those whose sum is wanted."""
        if self.is_wild:
            return self._members()
        others = [other for other in self.honest if other not in self.kept and other != name]
        most = len(self.session.names) - self.session.threshold
        lost = self.draw.sample(others, min(len(others), most))
        if self.draw.random() < 0.2:
            lost = [name]  # itself
        return [other for other in self.session.names if other not in lost]

    def _pose(self, name: str) -> None:
        """Pose as everybody else, with keys of the attacker's own."""
        own = bytes([77]) * 32
        keys = [RoundKeys(public_of(own), public_of(own), own)]
        posed = {
            other: sign_keys(self.session, other, first_round=1, keys=keys, identity=identity(99))
            for other in self.session.names
            if other != name
        }
        said = self.actors[name].ask(lambda member: member.shares(1, {**posed, name: self.keys[name]}), kill=0.1)
        assert said is None, f"{name} shared its secrets with the attacker alone"

    def _shares(self, name: str) -> None:
        chosen = {other: self.keys[other] for other in {*self._members(), name} if other in self.keys}
        said = self.actors[name].ask(lambda member: member.shares(1, chosen), kill=0.1)
        if isinstance(said, dict):
            assert self.bundles.setdefault(name, said) == said, f"{name} shared its secrets twice"

    def _mask(self, name: str) -> None:
        senders = [other for other in self._members() if name in self.bundles.get(other, {})]
        incoming = {other: self.bundles[other][name] for other in senders}
        if self.actors[name].mask(1, incoming, kill=0.1) is not None:
            self.outcome.counts["masked"] += 1

    def _agree(self, name: str) -> None:
        survivors, model = self._survivors(name), self.draw.choice([MODEL, MODEL, OTHER_MODEL])
        signature = self.actors[name].agree(1, model, survivors, kill=0.1)
        if signature is not None:
            self.outcome.counts["agreed"] += 1
            self.signatures[model, tuple(sorted(survivors))][name] = signature

    def _reveal(self, name: str) -> None:
        if not self.signatures:
            return
        signed = sorted(key for key, signatures in self.signatures.items() if name in signatures)
        model, survivors = self.draw.choice(signed or sorted(self.signatures))
        signatures = dict(self.signatures[model, survivors])
        for colluder in self.colluders:  # signs whatever helps
            signatures[colluder] = self._sign(colluder, model, survivors)
        given = {other: signature for other, signature in signatures.items() if other in survivors}
        if given and self.draw.random() < 0.2:
            given = spoil_one(self.draw, given)
        if self.actors[name].reveal(1, given, kill=0.1) is not None:
            self.outcome.counts["revealed"] += 1

    def _sign(self, colluder: str, model: str, survivors: tuple[str, ...]) -> bytes:
        try:
            written = write_agreement(self.session, survivors, round_number=1, model_hash=model)
        except HansaError:
            return bytes(64)
        return sign_agreement(written, identity(int(colluder[-3:])))

    def _known(self) -> np.ndarray:
        """Return every combination of honest inputs that is known, one a column."""
        seeds, keys = (self._put_together(kind) for kind in ("self", "key"))
        senders = {name: self._participants(name) for name in self.honest if self.actors[name].notes.left["masked", 1]}
        unknown = [_row(name, others, hidden=set(self.honest) - keys, has_seed=name in seeds, names=self.honest)
                   for name, others in senders.items()]  # fmt: skip
        return null_space(np.array(unknown).T) if unknown else np.zeros((0, 0))

    def _participants(self, name: str) -> set[str]:
        return set(self.actors[name].member._incoming(1))

    def _put_together(self, kind: str) -> set[str]:
        """Tell of which honest members t shares of a secret are with the attacker."""
        told = Counter(
            owner
            for name in self.honest
            for (_, owner), kinds in self.actors[name].notes.revealed.items()
            if kind in kinds
        )
        held = {
            name: sum(colluder in self.bundles.get(name, {}) for colluder in self.colluders) for name in self.honest
        }
        return {name for name in self.honest if told[name] + held[name] >= self.session.threshold}


def _row(name: str, others: set[str], *, hidden: set[str], has_seed: bool, names: list[str]) -> list[int]:
    """Say which unknown masks are in a vector: the self masks of all, then those of each pair."""
    own = [int(other == name and not has_seed) for other in names]
    pairs = []
    for low, high in combinations(names, 2):
        other = high if name == low else low
        is_in = name in (low, high) and other in others and {low, high} <= hidden
        pairs.append((1 if name == low else -1) if is_in else 0)
    return own + pairs


def require_one_sum(noise_share: int, known: np.ndarray) -> None:
    """Require that at most one sum is known, of at least h honest inputs, each counted once."""
    assert known.shape[1] <= 1, "two sums of one round are known"
    for column in known.T:
        weights = column[np.abs(column) > 1e-9]
        assert len(weights) >= noise_share, f"the sum of only {len(weights)} honest members is known"
        assert np.allclose(weights, weights[0])
