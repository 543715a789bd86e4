"""How the sum comes out of masked vectors and revealed shares: the coordinator's mathematics.

The pair masks of survivors cancel among themselves. What is left to take away are the survivors' self masks, and the
pair masks that they share with members who were lost. See docs/protocol.md §10.7.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from common.errors import MessageError
from common.secure_sum.decoding import Column, are_consistent, column_of, find_wrong, tells_wrong
from common.secure_sum.keys import SECRET_BYTES, RoundKeys, commit, load_secret, public_of
from common.secure_sum.mask import Vector, add_mask, as_integers, pair_seed, pair_sign, self_seed
from common.secure_sum.roster import Session
from common.secure_sum.shamir import read_share


@dataclass(frozen=True)
class Reveal:
    """What a member reveals once a set is agreed on: of each owner one share, never both; none that it could not open.

    Attributes
    ----------
    self_shares
        By owner: its shares of the self-mask seeds of those in the set.
    key_shares
        By owner: its shares of the mask keys of those who sent shares and are not in the set.
    """

    self_shares: Mapping[str, bytes]
    key_shares: Mapping[str, bytes]


@dataclass(frozen=True)
class Recovered:
    """The secrets that revealed shares give, and what does not fit them.

    Attributes
    ----------
    seeds, keys
        By owner: self-mask seeds of those in the set, and mask keys of those who were lost.
    wrong
        Holder and owner of each share that is not of the owner's secret.
    missing
        Holder and owner of each share that its holder has not.
    unknown
        Owners of whom no secret comes out that fits what they published.
    """

    seeds: Mapping[str, bytes]
    keys: Mapping[str, bytes]
    wrong: frozenset[tuple[str, str]] = frozenset()
    missing: frozenset[tuple[str, str]] = frozenset()
    unknown: tuple[str, ...] = ()

    def require_all(self) -> None:
        """Require the secret of every owner.

        Raises
        ------
        MessageError
            One is not known.
        """
        if self.unknown:
            raise MessageError(f"The shares of {_join(self.unknown)} do not give what was published.")


def recover_total(
    session: Session,
    masked: Mapping[str, Vector],
    *,
    round_number: int,
    model_hash: str,
    keys: Mapping[str, RoundKeys],
    reveals: Mapping[str, Reveal],
) -> Int64[np.ndarray, " parameter"]:
    """Take the masks off the sum of the survivors' masked vectors.

    Parameters
    ----------
    masked
        By survivor.
    model_hash
        Of the model that everybody masked under; under different ones no sum comes out.
    keys
        By participant: the round's public keys of everybody who sent shares.
    reveals
        By revealer, at least t.

    Raises
    ------
    MessageError
        If no secret comes out that is the one its owner committed to, or the masks do not cancel.
    """
    secrets = recover_secrets(session, tuple(masked), round_number=round_number, keys=keys, reveals=reveals)
    return take_off(session, masked, secrets, round_number=round_number, model_hash=model_hash, keys=keys)


def recover_secrets(
    session: Session,
    survivors: Collection[str],
    *,
    round_number: int,
    keys: Mapping[str, RoundKeys],
    reveals: Mapping[str, Reveal],
) -> Recovered:
    """Put the secrets together, whatever some tell: wrong shares are found and left out (`common.secure_sum.decoding`).

    Guarantee: every secret that comes out is the one that its owner published (check 13).
    """
    round_ = _Round(session, round_number, keys, frozenset(survivors))
    told = {name: round_.told_of(name, reveals) for name in sorted(keys)}
    holders = {session.point(holder): holder for holder in reveals}
    missing = {(holders[point], name) for name, shares in told.items() for point in holders.keys() - shares.keys()}
    if not missing and are_consistent(list(told.values()), session.threshold):  # then any t give all there is to know
        told = {name: dict(sorted(shares.items())[: session.threshold]) for name, shares in told.items()}
    columns = {name: round_.column_of(name, shares) for name, shares in told.items()}
    suspected = find_wrong(list(columns.values()))
    left = {name: column.without(suspected) for name, column in columns.items()}
    secrets = {name: one.moments[0].to_bytes(SECRET_BYTES) for name, one in left.items() if one.is_right}
    return Recovered(
        {name: secret for name, secret in secrets.items() if name in round_.survivors},
        {name: secret for name, secret in secrets.items() if name not in round_.survivors},
        frozenset(
            (holders[point], name)
            for name in secrets
            for point in suspected
            if tells_wrong(columns[name], point, suspected=suspected)
        ),
        frozenset(missing),
        tuple(name for name in columns if name not in secrets),
    )


@dataclass(frozen=True)
class _Round:
    """What of a round decides whether a secret is the one that its owner published."""

    session: Session
    number: int
    keys: Mapping[str, RoundKeys]
    survivors: frozenset[str]

    def told_of(self, owner: str, reveals: Mapping[str, Reveal]) -> dict[int, int]:
        """Give the shares of an owner's secret by point, of everybody who has one."""
        kind = "self_shares" if owner in self.survivors else "key_shares"
        told = {self.session.point(holder): getattr(reveal, kind).get(owner) for holder, reveal in reveals.items()}
        return {point: read_share(share) for point, share in sorted(told.items()) if share is not None}

    def column_of(self, owner: str, shares: Mapping[int, int]) -> Column:
        """Make the column of an owner's secret."""
        return column_of(shares, self.session.threshold, lambda value: self.is_secret(owner, value))

    def is_secret(self, owner: str, value: int) -> bool:
        """Whether a number is the secret that an owner published (check 13)."""
        if value >> (8 * SECRET_BYTES):
            return False
        secret, keys = value.to_bytes(SECRET_BYTES), self.keys[owner]
        try:
            if owner in self.survivors:
                require_committed(self.session, keys, round_number=self.number, name=owner, seed=secret)
            else:
                require_key(keys, name=owner, secret=secret)
        except MessageError:
            return False
        return True


def take_off(
    session: Session,
    masked: Mapping[str, Vector],
    secrets: Recovered,
    *,
    round_number: int,
    model_hash: str,
    keys: Mapping[str, RoundKeys],
) -> Int64[np.ndarray, " parameter"]:
    """Take the masks that secrets give off the sum of masked vectors.

    Raises
    ------
    MessageError
        A secret is missing, or the masks do not cancel.
    """
    secrets.require_all()
    total = add_vectors(masked)
    for name, seed in secrets.seeds.items():
        add_mask(total, self_seed(seed, session, round_number=round_number, name=name), sign=-1)
    for name, secret in secrets.keys.items():
        loaded = load_secret(secret)
        for left in masked:  # the masks that the survivors share with one who was lost
            seed = pair_seed(
                loaded, keys[left].mask, session, round_number=round_number, model_hash=model_hash, names=(left, name)
            )
            add_mask(total, seed, sign=pair_sign(name, left))
    return as_integers(total, num_members=len(masked))


def add_vectors(masked: Mapping[str, Vector]) -> Vector:
    """Add masked vectors modulo 2^64."""
    first, *others = masked.values()
    total = first.copy()
    for vector in others:
        np.add(total, vector, out=total)
    return total


def require_key(keys: RoundKeys, *, name: str, secret: bytes) -> None:
    """Require that a mask key that was put together is the one that its owner published (check 13).

    Raises
    ------
    MessageError
        It is another.
    """
    if public_of(secret) != keys.mask:
        raise MessageError(f"The shares of {name!r}'s mask key do not give the key that it published.")


def require_committed(session: Session, keys: RoundKeys, *, round_number: int, name: str, seed: bytes) -> None:
    """Require that a self-mask seed that was put together is the one that its owner committed to (check 13).

    Raises
    ------
    MessageError
        It is another.
    """
    if commit(session, name, round_number=round_number, seed=seed) != keys.commitment:
        raise MessageError(f"The shares of {name!r}'s self mask do not give the seed that it committed to.")


def _join(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
