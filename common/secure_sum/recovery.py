"""How the sum comes out of masked vectors and revealed shares: the coordinator's mathematics.

The pair masks of survivors cancel among themselves. What is left to take away are the survivors' self masks, and the
pair masks that they share with members who were lost. See docs/protocol.md §10.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from common.errors import MessageError
from common.secure_sum.keys import RoundKeys, commit, load_secret, public_of
from common.secure_sum.mask import Vector, add_mask, as_integers, pair_seed, pair_sign, self_seed
from common.secure_sum.roster import Session
from common.secure_sum.shamir import combine, weigh


@dataclass(frozen=True)
class Reveal:
    """What a member reveals once a set is agreed on: of each owner one share, never both.

    Attributes
    ----------
    self_shares
        By owner: its shares of the self-mask seeds of those in the set.
    key_shares
        By owner: its shares of the mask keys of those who sent shares and are not in the set.
    """

    self_shares: Mapping[str, bytes]
    key_shares: Mapping[str, bytes]


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
        If a secret that is put together is not the one its owner committed to, or the masks do not cancel.
    """
    lost = sorted(set(keys) - set(masked))
    holders = sorted(reveals, key=session.point)[: session.threshold]
    weights = weigh([session.point(holder) for holder in holders])
    seeds = {
        name: combine([reveals[holder].self_shares[name] for holder in holders], weights) for name in sorted(masked)
    }
    secrets = {name: combine([reveals[holder].key_shares[name] for holder in holders], weights) for name in lost}
    for name, seed in seeds.items():
        require_committed(session, keys[name], round_number=round_number, name=name, seed=seed)
    for name, secret in secrets.items():
        require_key(keys[name], name=name, secret=secret)
    total = add_vectors(masked)
    for name, seed in seeds.items():
        add_mask(total, self_seed(seed, session, round_number=round_number, name=name), sign=-1)
    for name, secret in secrets.items():
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
