"""A coordinator with a colluder that wants one merchant's sum, by every way that is known, and what it finds.

It holds everything that it ever received, and what the colluder holds. Each way goes on past a refusal: what a member
will not say is missing in the end. A way succeeds if the merchant's sum comes out to the last bit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from client.secure_sum.agreed import MemoryAgreements
from common.errors import HansaError
from common.message.signature import sign
from common.secure_sum.agreement import PURPOSE
from common.secure_sum.keys import RoundKeys, SignedKeys, commit, load_secret, public_of, sign_keys
from common.secure_sum.label import write_name, write_round
from common.secure_sum.mask import add_mask, pair_seed, pair_sign, self_seed
from common.secure_sum.sealing import ShareBundle, Way, open_share, seal_share
from common.secure_sum.shamir import SHARE_BYTES, combine, weigh
from sum_world import MODEL, OTHER_MODEL, identity, make_members, make_session, totals_of

SIZE = 4
OWN = bytes([77]) * 32  # the coordinator's own secret, where it poses as others
SHORT_BITS = 10  # of secrets that can be tried out

Total = np.ndarray  # of int64, shape (SIZE,)
Attack = Callable[["Coordinator"], Total | None]


class Coordinator:
    """What a coordinator and the last members of the roster know together; the first member is the one it wants."""

    def __init__(self, folder: Path, *, num_members: int = 5, terms: tuple[int, int] | None = None) -> None:
        self.folder = folder
        self.session = make_session(num_members, terms=terms)
        self.notes = {name: MemoryAgreements() for name in self.session.names}
        self.totals = totals_of(self.session, size=SIZE)
        self.honest = self.session.names[: num_members - self.session.colluders]
        self.colluders = self.session.names[len(self.honest) :]
        self.victim, self.others = self.honest[0], self.honest[1:]
        self.reopen()
        self.keys: dict[tuple[int, str], RoundKeys] = {}
        self.bundles: dict[tuple[int, str], dict[str, bytes]] = {}
        self.vectors: dict[tuple[int, str], np.ndarray] = {}
        self.mates: dict[tuple[int, str], tuple[str, ...]] = {}
        self.shares: defaultdict[tuple[int, str, str], dict[str, bytes]] = defaultdict(dict)

    def reopen(self) -> None:
        """Kill every member, and open it again on its files; what it agreed to outlives that in its ledger."""
        self.members = make_members(self.session, self.folder, agreements=self.notes)

    def but(self, *names: str) -> tuple[str, ...]:
        return tuple(name for name in self.session.names if name not in names)

    def open(self, number: int = 1) -> None:
        """Let everybody share its secrets with everybody; look at what the colluders were sent."""
        signed = {name: member.keys(number, 1) for name, member in self.members.items()}
        for name, member in self.members.items():
            self.keys[number, name] = signed[name].of(number)
            self.bundles[number, name] = member.shares(number, signed)
        for colluder in self.colluders:
            for owner in self.session.names:
                self._note(number, colluder, owner, self._open_at(number, colluder, owner))

    def _open_at(self, number: int, colluder: str, owner: str) -> ShareBundle:
        member = self.members[colluder]
        if owner == colluder:
            return member._own(number)
        return member._open_all(number, {owner: self.bundles[number, owner][colluder]})[owner]

    def _note(self, number: int, holder: str, owner: str, bundle: ShareBundle) -> None:
        self.shares[number, "self", owner][holder] = bundle.self_share
        self.shares[number, "key", owner][holder] = bundle.key_share

    def mask(self, name: str, mates: Iterable[str] | None = None, *, number: int = 1, model: str = MODEL) -> Total:
        """Ask a member for its masked vector, among some others."""
        mates = tuple(self.but(name) if mates is None else mates)
        incoming = {mate: self.bundles[number, mate][name] for mate in mates}
        vector = self.members[name].mask(number, self.totals[name], incoming, model_hash=model)
        self.vectors[number, name], self.mates[number, name] = vector, mates
        return vector

    def mask_all(self, number: int = 1) -> None:
        for name in self.session.names:
            self.mask(name, number=number)

    def agree(self, names: Iterable[str], survivors: Sequence[str], *, number: int = 1, model: str = MODEL) -> dict:
        """Collect signatures of a set; colluders sign whatever helps."""
        signatures = {}
        for name in names:
            with suppress(HansaError):
                signatures[name] = self.members[name].agree(number, model, survivors)
        for name in self.colluders:
            signatures[name] = sign(
                bytes.fromhex(self.session.hash)
                + write_round(number)
                + bytes.fromhex(model)
                + len(survivors).to_bytes(2)
                + b"".join(map(write_name, sorted(survivors))),
                identity(int(name[-3:])),
                purpose=PURPOSE,
            ).signature
        return signatures

    def reveal(self, names: Iterable[str], signatures: dict, *, number: int = 1) -> None:
        """Take what members reveal."""
        for name in names:
            with suppress(HansaError):
                reveal = self.members[name].reveal(number, signatures)
                for owner, share in reveal.self_shares.items():
                    self.shares[number, "self", owner][name] = share
                for owner, share in reveal.key_shares.items():
                    self.shares[number, "key", owner][name] = share

    def settle(self, names: Iterable[str], survivors: Sequence[str], *, number: int = 1, model: str = MODEL) -> None:
        """Let members sign a set and reveal for it."""
        names = tuple(names)
        self.reveal(names, self.agree(names, survivors, number=number, model=model), number=number)

    def seed(self, name: str, number: int = 1) -> bytes | None:
        """Put a self-mask seed together, if the shares are enough and give the one that its owner committed to."""
        found = self._put_together(number, "self", name)
        is_right = found and commit(self.session, name, round_number=number, seed=found) == (
            self.keys[number, name].commitment
        )
        return found if is_right else None

    def key(self, name: str, number: int = 1) -> bytes | None:
        """Put a mask key together, likewise; a colluder's is known."""
        if name in self.colluders:
            return self.members[name]._secrets(number).mask
        found = self._put_together(number, "key", name)
        return found if found and public_of(found) == self.keys[number, name].mask else None

    def _put_together(self, number: int, kind: str, owner: str) -> bytes | None:
        shares = self.shares[number, kind, owner]
        holders = sorted(shares, key=self.session.point)[: self.session.threshold]
        weights = weigh([self.session.point(holder) for holder in holders])
        with suppress(HansaError):
            return combine([shares[holder] for holder in holders], weights)
        return None

    def bare(self, name: str, *, number: int = 1, seed: bytes | None = None, key: bytes | None = None) -> Total | None:
        """Take every mask off one member's vector; None if one of them stays."""
        seed, key = seed or self.seed(name, number), key or self.key(name, number)
        if seed is None or (number, name) not in self.vectors:
            return None
        vector = self.vectors[number, name].copy()
        add_mask(vector, self_seed(seed, self.session, round_number=number, name=name), sign=-1)
        for mate in self.mates[number, name]:
            pair = self._pair(number, name, mate, key)
            if pair is None:
                return None
            add_mask(vector, pair, sign=-pair_sign(name, mate))
        return numbers_of(vector)

    def _pair(self, number: int, name: str, mate: str, key: bytes | None) -> bytes | None:
        where = {"round_number": number, "model_hash": MODEL, "names": (name, mate)}
        other = mate if key is not None else name
        secret = key if key is not None else self.key(mate, number)
        if secret is None:
            return None
        return pair_seed(load_secret(secret), self.keys[number, other].mask, self.session, **where)

    def sum_of(self, names: Iterable[str]) -> np.ndarray | None:
        """Add vectors up and take their self masks off; pair masks cancel where they do. Words, the last one too."""
        total = np.zeros(SIZE + 1, dtype=np.uint64)
        for name in names:
            seed = self.seed(name)
            if seed is None:
                return None
            total += self.vectors[1, name]
            add_mask(total, self_seed(seed, self.session, round_number=1, name=name), sign=-1)
        return total


def numbers_of(words: np.ndarray) -> Total:
    """Read words as numbers, without the last one, which counts members."""
    return words[:-1].view(np.int64)


def succeeds(attack: Attack, coordinator: Coordinator) -> bool:
    """Whether an attack gives the merchant's sum to the last bit; a member that breaks down says nothing either."""
    try:
        found = attack(coordinator)
    except (HansaError, KeyError):
        return False
    return found is not None and np.array_equal(found, coordinator.totals[coordinator.victim])


def keep_both_shares(c: Coordinator) -> Total | None:
    """Hold an honest round, and look whether members tell more than one share of each owner."""
    c.open()
    c.mask_all()
    c.settle(c.session.names, c.session.names)
    return c.bare(c.victim)


def ask_for_two_sets(c: Coordinator) -> Total | None:
    """Hold an honest round, and then once more without the one that is wanted."""
    c.open()
    c.mask_all()
    c.settle(c.session.names, c.session.names)
    c.settle(c.but(c.victim), c.but(c.victim))
    return c.bare(c.victim)


def ask_for_two_sets_after_a_kill(c: Coordinator) -> Total | None:
    """Kill everybody between the two sets."""
    c.open()
    c.mask_all()
    c.settle(c.session.names, c.session.names)
    c.reopen()
    c.settle(c.but(c.victim), c.but(c.victim))
    return c.bare(c.victim)


def mask_with_the_colluder_alone(c: Coordinator) -> Total | None:
    """Tell the one that is wanted that the colluder is the only other in the round, and the others nothing of it."""
    c.open()
    for name in c.but(c.victim):
        c.mask(name)
    c.mask(c.victim, c.colluders)
    c.settle(c.but(c.victim), c.session.names)
    return c.bare(c.victim)


def tell_each_of_other_survivors(c: Coordinator) -> Total | None:
    """Tell each of seven another set, under signatures of nobody, and add up two vectors: less noise than promised.

    The sum of the first and the last honest one; the latter's is known here, to have one measure for all.
    """
    first, *left, last = c.honest
    a, b, d = left
    told = {first: (a, b), last: (d,), a: (b, d), b: (a, d), d: (a, b)}
    c.open()
    c.mask_all()
    for name, lost in told.items():
        with suppress(HansaError):
            c.members[name].agree(1, MODEL, c.but(*lost))
        c.reveal([name], dict.fromkeys(c.but(*lost), bytes(64)))
    total = c.sum_of((first, last))
    if total is None:
        return None
    left_over = total.copy()
    for name in (first, last):
        for mate in c.but(first, last):
            pair = c._pair(1, name, mate, None)
            if pair is None:
                return None
            add_mask(left_over, pair, sign=-pair_sign(name, mate))
    return numbers_of(left_over) - c.totals[last]


def show_the_others_another_model(c: Coordinator) -> Total | None:
    """Show all others a model at which nothing comes of their data; they sign that, the one that is wanted need not."""
    c.open()
    for name in c.but(c.victim):
        c.totals[name] = np.zeros(SIZE, dtype=np.int64)
        c.mask(name, model=OTHER_MODEL)
    c.mask(c.victim, model=MODEL)
    c.settle(c.but(c.victim), c.session.names, model=OTHER_MODEL)
    total = c.sum_of(c.session.names)
    return None if total is None else numbers_of(total)


def pose_as_everybody_else(c: Coordinator) -> Total | None:
    """Send the one that is wanted the coordinator's own keys in all other names."""
    mine = RoundKeys(public_of(OWN), public_of(OWN), bytes(32))
    signed: dict[str, SignedKeys] = {
        name: sign_keys(c.session, name, first_round=1, keys=[mine], identity=identity(99)) for name in c.but(c.victim)
    }
    signed[c.victim] = c.members[c.victim].keys(1, 1)
    c.keys = {(1, name): keys.of(1) for name, keys in signed.items()}
    c.bundles[1, c.victim] = c.members[c.victim].shares(1, signed)
    own = load_secret(OWN)
    for name, sealed in c.bundles[1, c.victim].items():
        bundle = open_share(sealed, Way(c.session, 1, c.victim, name), secret=own, public=c.keys[1, c.victim].seal)
        c._note(1, name, c.victim, bundle)
        c.bundles[1, name] = {c.victim: _seal_as(c, name, bundle)}
    c.mask(c.victim)
    seed, key = c._put_together(1, "self", c.victim), c._put_together(1, "key", c.victim)
    return c.bare(c.victim, seed=seed, key=key)


def _seal_as(c: Coordinator, name: str, bundle: ShareBundle) -> bytes:
    return seal_share(
        bundle, Way(c.session, 1, name, c.victim), secret=load_secret(OWN), public=c.keys[1, c.victim].seal
    )


def take_two_for_enough(c: Coordinator) -> Total | None:
    """Launch a sum that two members make, one of them the colluder."""
    c.open()
    c.mask_all()
    c.settle([c.victim, *c.colluders], [c.victim, *c.colluders])
    return c.bare(c.victim)


def lose_one_in_the_next_round(c: Coordinator) -> Total | None:
    """Sum one with the others, and lose it in the next round, in which its mask key is revealed."""
    c.open(1)
    c.open(2)
    c.mask_all(1)
    c.settle(c.session.names, c.session.names)
    for name in c.but(c.victim):
        c.mask(name, number=2)
    c.settle(c.but(c.victim), c.but(c.victim), number=2)
    return c.bare(c.victim, key=c.key(c.victim, number=2))


def mask_again_for_others(c: Coordinator) -> Total | None:
    """Ask one for its vector again and again, each time without another of the rest: the masks come out one by one."""
    c.open()
    for name in c.but(c.victim):
        c.mask(name)
    whole = c.mask(c.victim, c.others + c.colluders).copy()
    parts = [c.mask(c.victim, c.but(c.victim, left)).copy() for left in c.others]  # the mask of each of the rest
    c.mask(c.victim)
    c.settle(c.but(c.victim), c.session.names)
    seed, vector = c.seed(c.victim), whole.copy()
    if seed is None:
        return None
    for part in parts:
        vector -= whole - part
    add_mask(vector, self_seed(seed, c.session, round_number=1, name=c.victim), sign=-1)
    for colluder in c.colluders:
        add_mask(vector, c._pair(1, c.victim, colluder, None), sign=-pair_sign(c.victim, colluder))
    return numbers_of(vector)


def try_out_every_secret(c: Coordinator) -> Total | None:
    """Try out secrets against what is published."""
    c.open()
    c.mask(c.victim)
    mine = c.keys[1, c.victim]
    every = [number.to_bytes(32) for number in range(1 << SHORT_BITS)]
    seed = next((s for s in every if commit(c.session, c.victim, round_number=1, seed=s) == mine.commitment), None)
    key = next((s for s in every if public_of(s) == mine.mask), None)
    return None if seed is None or key is None else c.bare(c.victim, seed=seed, key=key)


def drop_all_but_one(c: Coordinator) -> Total | None:
    """Say that everybody else is lost, and ask everybody to reveal for that."""
    c.open()
    c.mask_all()
    c.settle(c.session.names, [c.victim])
    c.reveal(c.session.names, {k: v for k, v in c.agree([c.victim], [c.victim]).items() if k == c.victim})
    return c.bare(c.victim)


def use_the_colluder_s_shares(c: Coordinator) -> Total | None:
    """Take what the colluder was sent for the secrets themselves."""
    c.open()
    c.mask(c.victim)
    seed, key = (c.shares[1, kind, c.victim][c.colluders[0]][-32:] for kind in ("self", "key"))
    return c.bare(c.victim, seed=seed, key=key)


def read_the_bundles(c: Coordinator) -> Total | None:
    """Look into the shares that the coordinator carries."""
    c.open()
    c.mask(c.victim)
    for name, sealed in c.bundles[1, c.victim].items():
        with suppress(HansaError):
            c._note(1, name, c.victim, ShareBundle(sealed[:SHARE_BYTES], sealed[SHARE_BYTES : 2 * SHARE_BYTES]))
    return c.bare(c.victim)


def call_a_vector_late(c: Coordinator) -> Total | None:
    """Say that a vector did not come, so that its owner's mask key is revealed; only the self mask stays on it then."""
    c.open()
    c.mask_all()
    c.settle(c.but(c.victim), c.but(c.victim))
    found = c.bare(c.victim, seed=OWN)
    if found is not None:  # nobody knows the seed: hope that there is none
        add_mask(found.view(np.uint64), self_seed(OWN, c.session, round_number=1, name=c.victim), sign=1)
    return found


def take_the_self_mask_for_all(c: Coordinator) -> Total | None:
    """Take the self mask off one vector of an honest sum, as if there were no other."""
    c.open()
    c.mask_all()
    c.settle(c.session.names, c.session.names)
    total = c.sum_of([c.victim])
    return None if total is None else numbers_of(total)


ATTACKS: tuple[Attack, ...] = (
    keep_both_shares,
    ask_for_two_sets,
    ask_for_two_sets_after_a_kill,
    mask_with_the_colluder_alone,
    show_the_others_another_model,
    pose_as_everybody_else,
    lose_one_in_the_next_round,
    mask_again_for_others,
    try_out_every_secret,
    drop_all_but_one,
    use_the_colluder_s_shares,
    read_the_bundles,
    call_a_vector_late,
    take_the_self_mask_for_all,
)
