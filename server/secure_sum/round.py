"""One round of a sum at the coordinator: which messages it has, who is in, and when it may go on.

    keys → shares → masked vectors → signatures → reveals → the sum

Each step takes messages until the next one begins, and then never again. A message that is repeated in the same bytes
changes nothing; anything else that is not as it should be is refused and leaves the round as it was. A round that is
not finished is lost: there is no second one with the same number. See docs/protocol.md §10.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import numpy as np
from jaxtyping import Int64, UInt64

from common.errors import MessageError
from common.secure_sum.agreement import check_signature, require_enough
from common.secure_sum.keys import RoundKeys, SignedKeys, verify_keys
from common.secure_sum.recovery import Recovered, Reveal, recover_secrets, take_off
from common.secure_sum.roster import Session
from common.secure_sum.sealing import SEALED_BYTES
from common.secure_sum.shamir import read_share
from server.secure_sum.blame import Blame, find_blame


class Phase(IntEnum):
    """What a round takes at present."""

    KEYS = 1
    SHARES = 2
    MASKED = 3
    SIGNATURES = 4
    REVEALS = 5


class SumRound:
    """The coordinator's side of one round.

    Parameters
    ----------
    size
        Coordinates of each total, one less than of a masked vector; None takes the first one's.
    """

    def __init__(self, session: Session, round_number: int, model_hash: str, *, size: int | None = None) -> None:
        self.session, self.round_number, self.model_hash = session, round_number, model_hash
        self.phase = Phase.KEYS
        self._size = size
        self._keys: dict[str, SignedKeys] = {}
        self._shares: dict[str, dict[str, bytes]] = {}
        self._masked: dict[str, UInt64[np.ndarray, " word"]] = {}
        self._signatures: dict[str, bytes] = {}
        self._reveals: dict[str, Reveal] = {}
        self._secrets: Recovered | None = None

    def add_keys(self, name: str, signed: SignedKeys) -> None:
        """Take a member's signed keys, which reach this round."""
        self.session.point(name)
        taken = {name: self._keys[name].of(self.round_number)} if name in self._keys else {}
        if self._is_new(Phase.KEYS, name, signed.of(self.round_number), taken):
            verify_keys(self.session, name, signed)
            self._keys[name] = signed

    def keys(self) -> dict[str, SignedKeys]:
        """Give everybody's keys, to make shares for; from now on no others are taken."""
        require_enough(self.session, self._keys)
        self._advance(Phase.SHARES)
        return dict(self._keys)

    def add_shares(self, name: str, shares: Mapping[str, bytes]) -> None:
        """Take a member's sealed bundles, one for each other member with keys."""
        self._require_among(name, self._keys)
        if self._is_new(Phase.SHARES, name, dict(shares), self._shares):
            if set(shares) != set(self._keys) - {name}:
                raise MessageError(f"The shares of {name!r} are not for each other member of the round.")
            if any(len(sealed) != SEALED_BYTES for sealed in shares.values()):
                raise MessageError(f"The shares of {name!r} are cut.")
            self._shares[name] = dict(shares)

    def participants(self) -> tuple[str, ...]:
        """Give who sent shares, sorted; from now on nobody else takes part."""
        require_enough(self.session, self._shares)
        self._advance(Phase.MASKED)
        return tuple(sorted(self._shares))

    def shares_for(self, name: str) -> dict[str, bytes]:
        """Give the bundles that every other participant sealed for a member; from now on no others are taken."""
        self._require_among(name, self.participants())
        return {sender: shares[name] for sender, shares in self._shares.items() if sender != name}

    def add_masked(self, name: str, vector: UInt64[np.ndarray, " word"]) -> None:
        """Take a participant's masked vector."""
        self._require_among(name, self._shares)
        taken = {name: self._masked[name].tobytes()} if name in self._masked else {}
        if self._is_new(Phase.MASKED, name, vector.tobytes(), taken):
            if self._size is None:
                self._size = vector.size - 1
            if vector.size != self._size + 1:
                raise MessageError(f"The masked vector of {name!r} has {vector.size} numbers, not {self._size + 1}.")
            self._masked[name] = vector.copy()

    def survivors(self) -> tuple[str, ...]:
        """Give whose masked vectors are in the sum, sorted; from now on no others are taken (check 8)."""
        require_enough(self.session, self._masked)
        self._advance(Phase.SIGNATURES)
        return tuple(sorted(self._masked))

    def add_signature(self, name: str, signature: bytes) -> None:
        """Take a survivor's signature of the set."""
        self._require_among(name, self._masked)
        if self._is_new(Phase.SIGNATURES, name, signature, self._signatures):
            check_signature(
                self.session,
                sorted(self._masked),
                round_number=self.round_number,
                model_hash=self.model_hash,
                name=name,
                signature=signature,
            )
            self._signatures[name] = signature

    def signatures(self) -> dict[str, bytes]:
        """Give at least t signatures, to reveal for; from now on no others are taken."""
        require_enough(self.session, self._signatures)
        self._advance(Phase.REVEALS)
        return dict(self._signatures)

    def add_reveal(self, name: str, reveal: Reveal) -> None:
        """Take what a survivor reveals."""
        self._require_among(name, self._masked)
        if self._is_new(Phase.REVEALS, name, reveal, self._reveals):
            self._require_whole(name, reveal)
            self._reveals[name] = reveal
            self._secrets = None

    def is_settled(self) -> bool:
        """Whether what was revealed is enough for the sum; some of it may be wrong, and then more is needed."""
        return len(self._reveals) >= self.session.threshold and not self._recover().unknown

    def blame(self) -> Blame:
        """Say who is to blame for what was revealed and does not fit; nobody before t have revealed."""
        if len(self._reveals) < self.session.threshold:
            return Blame()
        return find_blame(self.session, self._recover())

    def total(self) -> Int64[np.ndarray, " parameter"]:
        """Return the sum of the survivors' totals, in lattice steps.

        Raises
        ------
        MessageError
            Fewer than t have revealed, or what enough of them revealed does not fit what was published.
        """
        require_enough(self.session, self._reveals)
        return take_off(
            self.session,
            self._masked,
            self._recover(),
            round_number=self.round_number,
            model_hash=self.model_hash,
            keys=self._public(),
        )

    def _recover(self) -> Recovered:
        """Put the secrets together from what is revealed so far."""
        if self._secrets is None:
            self._secrets = recover_secrets(
                self.session,
                tuple(self._masked),
                round_number=self.round_number,
                keys=self._public(),
                reveals=self._reveals,
            )
        return self._secrets

    def _public(self) -> dict[str, RoundKeys]:
        return {name: self._keys[name].of(self.round_number) for name in self._shares}

    def _require_whole(self, name: str, reveal: Reveal) -> None:
        """Require at most one share of each owner, of the kind that the set asks for, and its own: that it has."""
        survivors, lost = set(self._masked), set(self._shares) - set(self._masked)
        if not {name} <= set(reveal.self_shares) <= survivors or not set(reveal.key_shares) <= lost:
            raise MessageError(f"{name!r} does not reveal one share of each member of the round.")
        for share in (*reveal.self_shares.values(), *reveal.key_shares.values()):
            read_share(share)

    def _require_among(self, name: str, members: Mapping[str, object] | tuple[str, ...]) -> None:
        if name not in members:
            raise MessageError(f"{name!r} is not in round {self.round_number} of this sum any more.")

    def _is_new(self, phase: Phase, name: str, given: object, taken: Mapping[str, object]) -> bool:
        """Tell a message from its repeat; refuse another one in its place, and one that is early or late (check 9)."""
        if name in taken:
            if taken[name] != given:
                raise MessageError(f"{name!r} repeats a message of round {self.round_number} in other bytes.")
            return False
        if self.phase != phase:
            when = "late" if self.phase > phase else "early"
            raise MessageError(f"A message of {name!r} is {when} in round {self.round_number} of this sum.")
        return True

    def _advance(self, phase: Phase) -> None:
        """Go on to the next step, or stay; never back, and never over one."""
        if phase > self.phase + 1:
            raise MessageError(f"Round {self.round_number} of this sum is not as far yet.")
        self.phase = max(self.phase, phase)
