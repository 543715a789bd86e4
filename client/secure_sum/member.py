"""One member of a sum: keys, shares, a masked vector, an agreement, a reveal; each once a round, in this order.

Everything is on disk before it is returned, and asked for again the same bytes are returned: a kill between any two
steps (check 15) loses no round and makes no second one. The member trusts nobody who asks: neither the coordinator nor
any other member. See docs/protocol.md §10.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jaxtyping import Int64, UInt64

from client.secure_sum.agreed import Agreements
from client.secure_sum.entropy import draw_coefficients, draw_secret
from client.secure_sum.packing import pack, unpack
from client.secure_sum.store import Kind, SumStore
from common.errors import MessageError, PrivacyError
from common.message.signature import public_bytes
from common.secure_sum.agreement import check_agreement, require_enough, require_survivors, sign_agreement
from common.secure_sum.keys import RoundKeys, SignedKeys, commit, load_secret, public_of, sign_keys, verify_keys
from common.secure_sum.mask import add_mask, as_words, pair_seed, pair_sign, require_room, self_seed
from common.secure_sum.recovery import Reveal
from common.secure_sum.roster import Session
from common.secure_sum.sealing import ShareBundle, Way, open_share, seal_share
from common.secure_sum.shamir import SHARE_BYTES, split


@dataclass(frozen=True)
class RoundSecrets:
    """A member's three secrets of one round, 32 bytes each, used in no other (check 7)."""

    mask: bytes
    seal: bytes
    seed: bytes

    def to_bytes(self) -> bytes:
        """Write them, 96 bytes."""
        return self.mask + self.seal + self.seed

    @staticmethod
    def from_bytes(written: bytes) -> RoundSecrets:
        """Read what `to_bytes` wrote."""
        return RoundSecrets(written[:32], written[32:64], written[64:])


class SumMember:
    """A merchant's part in the sums of one session.

    Parameters
    ----------
    name
        Its own, in the roster.
    identity
        The key whose public half stands in the roster.
    store, agreements
        What it holds on disk; several members, one after the other, may be opened on the same.

    Raises
    ------
    PrivacyError
        The roster gives this member another key.
    """

    def __init__(
        self, session: Session, name: str, identity: Ed25519PrivateKey, store: SumStore, *, agreements: Agreements
    ) -> None:
        if session.peer(name).key != public_bytes(identity).hex():
            raise PrivacyError(f"The roster of this sum gives {name!r} a key that is not this merchant's; refuse it.")
        self.session, self.name = session, name
        self._identity, self._store, self._agreements = identity, store, agreements

    def keys(self, first_round: int, num_rounds: int) -> SignedKeys:
        """Give this member's one-time public keys of a block of rounds, signed.

        Raises
        ------
        PrivacyError
            One of the rounds is closed.
        """
        rounds = range(first_round, first_round + num_rounds)
        drawn = {number: RoundSecrets(draw_secret(), draw_secret(), draw_secret()).to_bytes() for number in rounds}
        kept = self._store.keep_all(self.session.hash, Kind.SECRETS, drawn)
        keys = [self._publish(number, RoundSecrets.from_bytes(kept[number])) for number in rounds]
        return sign_keys(self.session, self.name, first_round=first_round, keys=keys, identity=self._identity)

    def shares(self, round_number: int, keys: Mapping[str, SignedKeys]) -> dict[str, bytes]:
        """Share this member's two secrets among those whose keys are given, one sealed bundle for each other one.

        Parameters
        ----------
        keys
            Of everybody who takes part, at least t, this member included; the first that are given are those of the
            round.

        Raises
        ------
        MessageError
            Keys are not signed by the roster's identities, are too few, or are others than before.
        PrivacyError
            The round's secrets are not here.
        """
        secrets = self._secrets(round_number)
        public = self._verified(round_number, keys, secrets)
        drawn = self._share_out(round_number, public, secrets)
        packed = self._store.keep(self.session.hash, round_number, Kind.SHARES, pack(drawn))
        kept = _Shared.of(unpack(packed))
        if kept.public != public:
            raise MessageError(f"Shares of round {round_number} were made for other keys; there is no second set.")
        return kept.sealed

    def mask(
        self, round_number: int, total: Int64[np.ndarray, " parameter"], incoming: Mapping[str, bytes]
    ) -> UInt64[np.ndarray, " parameter"]:
        """Hide this member's total behind its masks; asked again, the first masked vector is returned.

        Parameters
        ----------
        total
            In lattice steps, with this member's part of the noise.
        incoming
            The sealed bundles for this member, by sender: with it, they are the round's participants.

        Raises
        ------
        MessageError
            A bundle does not open, they are too few, or others than before.
        PrivacyError
            The total has no room in the modulus, or the round's secrets are not here.
        """
        secrets, shared = self._secrets(round_number), self._shared(round_number)
        participants = {*incoming, self.name}
        require_survivors(self.session, sorted(participants), among=sorted(shared.public))
        require_others(incoming, name=self.name)
        self._open_all(round_number, incoming, shared, secrets)
        kept = self._store.keep(self.session.hash, round_number, Kind.INCOMING, pack(incoming))
        require_same(unpack(kept), incoming, round_number=round_number)
        sealed = self._store.find(self.session.hash, round_number, Kind.MASKED)
        if sealed is None:
            require_room(total, num_members=len(self.session.roster))
            vector = self._hide(round_number, total, sorted(participants), shared, secrets)
            sealed = self._store.keep(self.session.hash, round_number, Kind.MASKED, vector.tobytes())
        return np.frombuffer(sealed, dtype=np.uint64)

    def agree(self, round_number: int, model_hash: str, survivors: Sequence[str]) -> bytes:
        """Sign the one set of survivors of a round, this member among them.

        Parameters
        ----------
        model_hash
            Of the model that this member computed its total for.

        Raises
        ------
        MessageError
            The set is none that may be summed, or this member is not in it.
        PrivacyError
            Another set is agreed on, or this member has sent nothing in this round.
        """
        incoming = self._incoming(round_number)
        if self._store.find(self.session.hash, round_number, Kind.MASKED) is None:
            raise PrivacyError(f"This merchant has sent nothing in round {round_number}; it agrees to no sum of it.")
        require_survivors(self.session, survivors, among=[*incoming, self.name])
        require_self(survivors, name=self.name)
        agreed = sorted(survivors)
        self._agreements.note(self.session.hash, round_number, model_hash, agreed)
        content = pack({"model": bytes.fromhex(model_hash), **{f"={name}": b"" for name in agreed}})
        kept = self._store.keep(self.session.hash, round_number, Kind.AGREED, content)
        if kept != content:
            raise PrivacyError(f"Round {round_number} of this sum is agreed on with another set or another model.")
        return sign_agreement(
            self.session, agreed, round_number=round_number, model_hash=model_hash, identity=self._identity
        )

    def reveal(self, round_number: int, signatures: Mapping[str, bytes]) -> Reveal:
        """Reveal one share of each owner, once t survivors have signed the set that this member signed.

        Raises
        ------
        MessageError
            The signatures are too few, or not valid over the same bytes.
        PrivacyError
            This member has agreed to nothing in this round.
        """
        content = self._store.find(self.session.hash, round_number, Kind.AGREED)
        if content is None:
            raise PrivacyError(f"This merchant has agreed to no set in round {round_number}; it reveals nothing.")
        agreed = unpack(content)
        model_hash = agreed.pop("model").hex()
        survivors = sorted(name[1:] for name in agreed)
        check_agreement(
            self.session, survivors, round_number=round_number, model_hash=model_hash, signatures=signatures
        )
        return reveal_one_each(self._bundles(round_number), survivors)

    def close_before(self, round_number: int) -> None:
        """Close every round before one that were ever begun."""
        self._store.forget_before(self.session.hash, round_number)

    def forget(self, round_number: int) -> None:
        """Close a round: its secrets are removed, and nothing more is said about it."""
        self._store.forget(self.session.hash, round_number)

    def _publish(self, round_number: int, secrets: RoundSecrets) -> RoundKeys:
        commitment = commit(self.session, self.name, round_number=round_number, seed=secrets.seed)
        return RoundKeys(public_of(secrets.mask), public_of(secrets.seal), commitment)

    def _verified(
        self, round_number: int, keys: Mapping[str, SignedKeys], secrets: RoundSecrets
    ) -> dict[str, RoundKeys]:
        require_enough(self.session, keys)
        for name, signed in keys.items():
            verify_keys(self.session, name, signed)
        public = {name: signed.of(round_number) for name, signed in keys.items()}
        if public.get(self.name) != self._publish(round_number, secrets):
            raise MessageError(f"The keys of round {round_number} lack this merchant's own.")
        return public

    def _share_out(self, round_number: int, public: Mapping[str, RoundKeys], secrets: RoundSecrets) -> dict[str, bytes]:
        names = sorted(public)
        points = [self.session.point(name) for name in names]
        degree = self.session.threshold - 1
        self_shares = split(secrets.seed, points, coefficients=draw_coefficients(degree))
        key_shares = split(secrets.mask, points, coefficients=draw_coefficients(degree))
        seal = load_secret(secrets.seal)
        written = {f"public {name}": keys.to_bytes() for name, keys in public.items()}
        for name, self_share, key_share in zip(names, self_shares, key_shares, strict=True):
            if name == self.name:
                written["own"] = self_share + key_share
                continue
            way = Way(self.session, round_number, self.name, name)
            bundle = ShareBundle(self_share, key_share)
            written[f"sealed {name}"] = seal_share(bundle, way, secret=seal, public=public[name].seal)
        return written

    def _hide(
        self,
        round_number: int,
        total: Int64[np.ndarray, " parameter"],
        participants: Sequence[str],
        shared: _Shared,
        secrets: RoundSecrets,
    ) -> UInt64[np.ndarray, " parameter"]:
        vector, key = as_words(total), load_secret(secrets.mask)
        own = self_seed(secrets.seed, self.session, round_number=round_number, name=self.name)
        add_mask(vector, own, sign=1)
        for name in participants:
            if name != self.name:
                public = shared.public[name].mask
                pair = pair_seed(key, public, self.session, round_number=round_number, names=(self.name, name))
                add_mask(vector, pair, sign=pair_sign(self.name, name))
        return vector

    def _bundles(self, round_number: int) -> dict[str, ShareBundle]:
        """Every bundle that this member holds, its own included."""
        secrets, shared = self._secrets(round_number), self._shared(round_number)
        opened = self._open_all(round_number, self._incoming(round_number), shared, secrets)
        return {**opened, self.name: shared.own}

    def _open_all(
        self, round_number: int, incoming: Mapping[str, bytes], shared: _Shared, secrets: RoundSecrets
    ) -> dict[str, ShareBundle]:
        seal = load_secret(secrets.seal)
        return {
            name: open_share(
                sealed,
                Way(self.session, round_number, name, self.name),
                secret=seal,
                public=shared.public[name].seal,
            )
            for name, sealed in incoming.items()
        }

    def _secrets(self, round_number: int) -> RoundSecrets:
        return RoundSecrets.from_bytes(self._need(round_number, Kind.SECRETS))

    def _shared(self, round_number: int) -> _Shared:
        return _Shared.of(unpack(self._need(round_number, Kind.SHARES)))

    def _incoming(self, round_number: int) -> dict[str, bytes]:
        return unpack(self._need(round_number, Kind.INCOMING))

    def _need(self, round_number: int, kind: Kind) -> bytes:
        """Give what an earlier step kept; what is missing is never made anew."""
        content = self._store.find(self.session.hash, round_number, kind)
        if content is None:
            raise PrivacyError(f"This merchant holds no {kind} of round {round_number} of this sum; it says nothing.")
        return content


@dataclass(frozen=True)
class _Shared:
    """What `shares` kept: whose keys, the member's own bundle, and the sealed ones."""

    public: dict[str, RoundKeys]
    own: ShareBundle
    sealed: dict[str, bytes]

    @staticmethod
    def of(kept: Mapping[str, bytes]) -> _Shared:
        public = {name.removeprefix("public "): RoundKeys.from_bytes(content) for name, content in kept.items()
                  if name.startswith("public ")}  # fmt: skip
        sealed = {name.removeprefix("sealed "): content for name, content in kept.items()
                  if name.startswith("sealed ")}  # fmt: skip
        own = kept["own"]
        return _Shared(public, ShareBundle(own[:SHARE_BYTES], own[SHARE_BYTES:]), sealed)


def reveal_one_each(bundles: Mapping[str, ShareBundle], survivors: Sequence[str]) -> Reveal:
    """Choose which share of each owner is revealed: a function of the agreed set alone, never both (check 1)."""
    return Reveal(
        self_shares={name: bundles[name].self_share for name in survivors},
        key_shares={name: bundle.key_share for name, bundle in bundles.items() if name not in survivors},
    )


def require_self(survivors: Sequence[str], *, name: str) -> None:
    """Refuse a set without this member: a share of its own mask key would leave (check 14).

    Raises
    ------
    MessageError
        It is not in the set.
    """
    if name not in survivors:
        raise MessageError("This merchant is not in the set of survivors; it signs no other.")


def require_others(incoming: Mapping[str, bytes], *, name: str) -> None:
    """Refuse a bundle that claims to come from this member itself: its own share never left (check 14).

    Raises
    ------
    MessageError
        There is one.
    """
    if name in incoming:
        raise MessageError("A bundle of shares claims to come from this merchant itself.")


def require_same(kept: Mapping[str, bytes], given: Mapping[str, bytes], *, round_number: int) -> None:
    """Refuse a second set of participants in a round: what was sent in it stays spent (check 8).

    Raises
    ------
    MessageError
        It is another.
    """
    if dict(kept) != dict(given):
        raise MessageError(f"Round {round_number} was masked for other participants; there is no second sum of it.")
