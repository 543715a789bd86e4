"""One member of a sum: keys, shares, a masked vector, an agreement, a reveal; each once a round, in this order.

Everything is on disk before it is returned, and asked for again the same bytes are returned: a kill between any two
steps (check 15) loses no round and makes no second one. The member trusts nobody who asks: neither the coordinator nor
any other member. See docs/protocol.md §10.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jaxtyping import Int64, UInt64

from client.secure_sum.agreed import Agreements
from client.secure_sum.entropy import derive_coefficients, draw_secret
from client.secure_sum.guard import (
    require_same_model,
    require_same_participants,
    require_same_set,
    require_same_shares,
    require_self,
    reveal_one_each,
    without_self,
)
from client.secure_sum.kept import Agreed, Masked, RoundSecrets, SharedOut, read_bundles, write_bundles
from client.secure_sum.store import Kind, SumStore
from common.errors import MessageError, PrivacyError
from common.message.signature import public_bytes
from common.secure_sum.agreement import (
    check_agreement,
    require_enough,
    require_open,
    require_survivors,
    sign_agreement,
    write_agreement,
)
from common.secure_sum.keys import RoundKeys, SignedKeys, commit, load_secret, public_of, sign_keys, verify_keys
from common.secure_sum.label import label
from common.secure_sum.mask import add_mask, as_words, pair_seed, pair_sign, require_room, self_seed
from common.secure_sum.recovery import Reveal
from common.secure_sum.roster import Session
from common.secure_sum.sealing import ShareBundle, Way, open_share, seal_share
from common.secure_sum.shamir import split

LOGGER = logging.getLogger(__name__)


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
        kept = SharedOut.from_bytes(self._keep(round_number, Kind.SHARES, drawn.to_bytes()))
        require_same_shares(kept.public, public, round_number=round_number)
        return dict(kept.sealed)

    def mask(
        self,
        round_number: int,
        total: Int64[np.ndarray, " parameter"],
        incoming: Mapping[str, bytes],
        *,
        model_hash: str,
    ) -> UInt64[np.ndarray, " word"]:
        """Hide this member's total behind its masks; asked again, the first masked vector is returned.

        It has one number more than the total: the last one counts the members in the sum.

        Parameters
        ----------
        total
            In lattice steps, with this member's part of the noise.
        incoming
            The sealed bundles for this member, by sender: with it, they are the round's participants.
        model_hash
            Of the model that the total was computed at; whoever masks under another is in no sum with this member.

        Raises
        ------
        MessageError
            They are too few, or others than before, or too few of their bundles open.
        PrivacyError
            The total has no room in the modulus, the round was masked under another model, or its secrets are not here.
        """
        secrets, shared = self._secrets(round_number), self._shared_out(round_number)
        require_survivors(self.session, [self.name, *incoming], among=list(shared.public))
        require_open(self.session, [self.name, *self._open_all(round_number, incoming)])
        asked = write_bundles(incoming)
        require_same_participants(self._keep(round_number, Kind.INCOMING, asked), asked, round_number=round_number)
        kept = self._find(round_number, Kind.MASKED)
        if kept is None:
            require_room(total, num_members=len(self.session.roster))
            others = {name: shared.public[name] for name in incoming}
            vector = self._hide(round_number, total, others, secrets, model_hash=model_hash)
            kept = self._keep(round_number, Kind.MASKED, Masked(model_hash, vector).to_bytes())
        masked = Masked.from_bytes(kept)
        require_same_model(masked.model_hash, model_hash, round_number=round_number)
        return masked.vector

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
            Another set is agreed on, or this member has sent nothing in this round, or under another model.
        """
        participants = [self.name, *self._incoming(round_number)]
        masked = Masked.from_bytes(self._need(round_number, Kind.MASKED))
        require_same_model(masked.model_hash, model_hash, round_number=round_number)
        require_survivors(self.session, survivors, among=participants)
        require_self(survivors, name=self.name)
        agreed = sorted(survivors)
        written = write_agreement(self.session, agreed, round_number=round_number, model_hash=model_hash)
        self._agreements.note(self.session.hash, round_number, model_hash, agreed)
        asked = Agreed(model_hash, agreed).to_bytes()
        require_same_set(self._keep(round_number, Kind.AGREED, asked), asked, round_number=round_number)
        return sign_agreement(written, self._identity)

    def reveal(self, round_number: int, signatures: Mapping[str, bytes]) -> Reveal:
        """Reveal one share of each owner, once t survivors have signed the set that this member signed.

        Raises
        ------
        MessageError
            The signatures are too few, or not valid over the same bytes.
        PrivacyError
            This member has agreed to nothing in this round.
        """
        agreed = Agreed.from_bytes(self._need(round_number, Kind.AGREED))
        check_agreement(
            self.session,
            agreed.survivors,
            round_number=round_number,
            model_hash=agreed.model_hash,
            signatures=signatures,
        )
        bundles = {**self._open_all(round_number, self._incoming(round_number)), self.name: self._own(round_number)}
        return reveal_one_each(bundles, agreed.survivors)

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

    def _share_out(self, round_number: int, public: Mapping[str, RoundKeys], secrets: RoundSecrets) -> SharedOut:
        bundles = self._split(round_number, sorted(public), secrets)
        seal = load_secret(secrets.seal)
        sealed = {
            name: seal_share(bundle, self._way(round_number, to=name), secret=seal, public=public[name].seal)
            for name, bundle in without_self(bundles, name=self.name).items()
        }
        return SharedOut(public, bundles[self.name], sealed)

    def _split(self, round_number: int, names: Sequence[str], secrets: RoundSecrets) -> dict[str, ShareBundle]:
        """Split both secrets; the coefficients follow from the seal key, which nobody else ever sees."""
        points, degree = [self.session.point(name) for name in names], self.session.threshold - 1
        shares = []
        for kind, secret in (("self", secrets.seed), ("key", secrets.mask)):
            info = label(f"split {kind}", self.session, round_number=round_number, names=(self.name,))
            coefficients = derive_coefficients(secrets.seal, degree, info=info)
            shares.append(split(secret, points, coefficients=coefficients))
        self_shares, key_shares = shares
        return {name: ShareBundle(*shares) for name, *shares in zip(names, self_shares, key_shares, strict=True)}

    def _hide(
        self,
        round_number: int,
        total: Int64[np.ndarray, " parameter"],
        others: Mapping[str, RoundKeys],
        secrets: RoundSecrets,
        *,
        model_hash: str,
    ) -> UInt64[np.ndarray, " word"]:
        vector, key = as_words(total), load_secret(secrets.mask)
        own = self_seed(secrets.seed, self.session, round_number=round_number, name=self.name)
        add_mask(vector, own, sign=1)
        for name, keys in others.items():
            pair = pair_seed(
                key,
                keys.mask,
                self.session,
                round_number=round_number,
                model_hash=model_hash,
                names=(self.name, name),
            )
            add_mask(vector, pair, sign=pair_sign(self.name, name))
        return vector

    def _open_all(self, round_number: int, incoming: Mapping[str, bytes]) -> dict[str, ShareBundle]:
        """Open what others sealed for this member; one that seals wrongly is left out, and stops nobody's round."""
        seal, public = load_secret(self._secrets(round_number).seal), self._shared_out(round_number).public
        opened = {}
        for name, sealed in incoming.items():
            try:
                way = self._way(round_number, by=name)
                opened[name] = open_share(sealed, way, secret=seal, public=public[name].seal)
            except MessageError as error:
                LOGGER.warning("Round %d of a sum: %s", round_number, error)
        return opened

    def _way(self, round_number: int, *, by: str | None = None, to: str | None = None) -> Way:
        return Way(self.session, round_number, by or self.name, to or self.name)

    def _secrets(self, round_number: int) -> RoundSecrets:
        return RoundSecrets.from_bytes(self._need(round_number, Kind.SECRETS))

    def _shared_out(self, round_number: int) -> SharedOut:
        return SharedOut.from_bytes(self._need(round_number, Kind.SHARES))

    def _own(self, round_number: int) -> ShareBundle:
        return self._shared_out(round_number).own

    def _incoming(self, round_number: int) -> dict[str, bytes]:
        return read_bundles(self._need(round_number, Kind.INCOMING))

    def _need(self, round_number: int, kind: Kind) -> bytes:
        """Give what an earlier step kept; what is missing is never made anew."""
        content = self._find(round_number, kind)
        if content is None:
            raise PrivacyError(f"This merchant holds no {kind} of round {round_number} of this sum; it says nothing.")
        return content

    def _find(self, round_number: int, kind: Kind) -> bytes | None:
        return self._store.find(self.session.hash, round_number, kind)

    def _keep(self, round_number: int, kind: Kind, content: bytes) -> bytes:
        return self._store.keep(self.session.hash, round_number, kind, content)
