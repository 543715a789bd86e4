"""Faults of the secure sum: each switches off one of the fifteen checks, or spoils a mask, share, noise or charge."""

import os
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from torch import Tensor

from client.account import sum_terms
from client.account.ledger.entry import Spend
from client.account.policy import Policy, SumLimits
from client.secure_sum import member as module
from client.secure_sum.agreed import MemoryAgreements
from client.secure_sum.kept import Agreed, RoundSecrets
from client.secure_sum.member import SumMember
from client.secure_sum.store import Kind, SumStore
from common.plan.schema import Plan, Unit
from common.privacy import shared_noise
from common.privacy.mechanism import Mechanism
from common.privacy.noise import SecureNoise
from common.secure_sum import agreement, cohort, keys, mask, recovery, roster
from common.secure_sum.agreement import sign_agreement, write_agreement
from common.secure_sum.keys import RoundKeys
from common.secure_sum.mask import add_mask, pair_seed, self_seed
from common.secure_sum.recovery import Reveal
from common.secure_sum.roster import Peer, Session
from common.secure_sum.sealing import ShareBundle, Way
from common.secure_sum.shamir import SHARE_BYTES
from planted.fault import Fault

Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]
keep_all, keep, hide, mask_total = SumStore.keep_all, SumMember._keep, SumMember._hide, SumMember.mask
cost_alone = Spend.cost_alone
integers, release = SecureNoise.integers, Mechanism.release


def passes(*given: object, **named: object) -> None:
    """Check nothing."""


def off(*names: str) -> Plant:
    """Switch guards of a member off, by their names; wherever else they stand too."""

    def plant(patch: Patch) -> None:
        for name in names:
            for place in (module, agreement, cohort, roster, sum_terms, keys, mask, recovery):
                if hasattr(place, name):
                    patch.setattr(place, name, passes)

    return plant


def all_of(*plants: Plant) -> Plant:
    def plant(patch: Patch) -> None:
        for one in plants:
            one(patch)

    return plant


def both_shares(patch: Patch) -> None:
    """Reveal both shares of every owner."""

    def faulty(bundles: Mapping[str, ShareBundle], survivors: Sequence[str]) -> Reveal:
        return Reveal(
            {name: bundle.self_share for name, bundle in bundles.items()},
            {name: bundle.key_share for name, bundle in bundles.items()},
        )

    patch.setattr(module, "reveal_one_each", faulty)


def unnoted(patch: Patch) -> None:
    """Note no set in the ledger."""
    patch.setattr(MemoryAgreements, "note", passes)


def latest_set(patch: Patch) -> None:
    """Keep the set that was agreed on last, not the first."""

    def faulty(self: SumMember, round_number: int, kind: Kind, content: bytes) -> bytes:
        if kind is Kind.AGREED:
            _erase(self, round_number, kind)
        return keep(self, round_number, kind, content)

    patch.setattr(SumMember, "_keep", faulty)


def _erase(member: SumMember, round_number: int, kind: Kind) -> None:
    connection = member._store._connection
    connection.execute("DROP TRIGGER IF EXISTS kept_until_closed")
    connection.execute("DELETE FROM kept WHERE round = ? AND kind = ?", (round_number, kind))


def set_in_memory(patch: Patch) -> None:
    """Sign first, and note the set once the round is closed: until then it is in the process alone."""

    def agree(self: SumMember, round_number: int, model_hash: str, survivors: Sequence[str]) -> bytes:
        said = vars(self).setdefault("agreed", {}).setdefault(round_number, Agreed(model_hash, tuple(survivors)))
        written = write_agreement(self.session, said.survivors, round_number=round_number, model_hash=said.model_hash)
        return sign_agreement(written, self._identity)

    need = SumMember._need

    def faulty(self: SumMember, round_number: int, kind: Kind) -> bytes:
        if kind is Kind.AGREED:
            return bytes(vars(self)["agreed"][round_number].to_bytes())
        return need(self, round_number, kind)

    patch.setattr(SumMember, "agree", agree)
    patch.setattr(SumMember, "_need", faulty)


def any_model(patch: Patch) -> None:
    """Leave the model out of the masks, as the protocol did that signs it alone."""

    def faulty(secret: X25519PrivateKey, public: bytes, session: Session, *, model_hash: str, **where: Any) -> bytes:
        return pair_seed(secret, public, session, model_hash="cd" * 32, **where)

    patch.setattr(module, "pair_seed", faulty)


def peers_of_the_roster(patch: Patch) -> None:
    """Count verified peers in the whole roster, not in the own cohort."""
    require, join = sum_terms._require_verified, sum_terms.join_session

    def faulty(policy: Policy, plan: Plan, run_hash: str, roster: tuple[Peer, ...], *, own: Peer | None) -> Session:
        def require_anywhere(given: Policy, limits: SumLimits, mates: tuple[Peer, ...], *who: Any) -> None:
            require(given, limits, roster, *who)

        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(sum_terms, "_require_verified", require_anywhere)
            return join(policy, plan, run_hash, roster, own=own)

    patch.setattr(sum_terms, "join_session", faulty)


def one_mask_key(patch: Patch) -> None:
    """Use one mask key in all rounds."""

    def faulty(self: SumStore, session: str, kind: Kind, contents: Mapping[int, bytes]) -> dict[int, bytes]:
        if kind is Kind.SECRETS:
            key = vars(self).setdefault("mask_key", next(iter(contents.values()))[:32])
            contents = {number: key + content[32:] for number, content in contents.items()}
        return keep_all(self, session, kind, contents)

    patch.setattr(SumStore, "keep_all", faulty)


def unsealed(patch: Patch) -> None:
    """Mask anew whenever a round is asked for."""

    def faulty(self: SumMember, round_number: int, *given: Any, **named: Any) -> np.ndarray:
        _erase(self, round_number, Kind.MASKED)
        return mask_total(self, round_number, *given, **named)

    patch.setattr(SumMember, "mask", faulty)


def secrets_of(num_bits: int) -> Plant:
    """Draw fewer bits, and fill the secret up."""

    def faulty() -> bytes:
        return (int.from_bytes(os.urandom(32)) >> (256 - num_bits)).to_bytes(32)

    return lambda patch: patch.setattr(module, "draw_secret", faulty)


def seeds_folded_to_32_bits(patch: Patch) -> None:
    """Fold the seeds of masks, as Flower's SecAgg+ does."""
    expand = mask.expand

    def faulty(seed: bytes, size: int) -> np.ndarray:
        return expand(seed[:4] + bytes(28), size)

    patch.setattr(mask, "expand", faulty)


def uncounted(patch: Patch) -> None:
    """Read a sum whatever its last word says."""
    patch.setattr(recovery, "as_integers", lambda words, *, num_members: words[:-1].view(np.int64))


def own_share_too(patch: Patch) -> None:
    off("require_self")(patch)
    patch.setattr(module, "without_self", lambda bundles, *, name: dict(bundles))


def no_self_mask(patch: Patch) -> None:
    def faulty(self: SumMember, round_number: int, *given: Any, **named: Any) -> np.ndarray:
        vector, secrets = hide(self, round_number, *given, **named), given[2]
        own = self_seed(secrets.seed, self.session, round_number=round_number, name=self.name)
        add_mask(vector, own, sign=-1)
        return vector

    patch.setattr(SumMember, "_hide", faulty)


def no_pair_masks(patch: Patch) -> None:
    def faulty(
        self: SumMember,
        round_number: int,
        total: np.ndarray,
        others: Mapping[str, RoundKeys],
        secrets: RoundSecrets,
        *,
        model_hash: str,
    ) -> np.ndarray:
        return hide(self, round_number, total, {}, secrets, model_hash=model_hash)

    patch.setattr(SumMember, "_hide", faulty)


def half_masked(patch: Patch) -> None:
    """Mask the low half of each word alone."""
    expand = mask.expand
    patch.setattr(mask, "expand", lambda seed, size: expand(seed, size) & np.uint64(0xFFFFFFFF))


def shares_of_degree_none(patch: Patch) -> None:
    """Give every member the secret itself for its share."""
    patch.setattr(module, "derive_coefficients", lambda secret, count, *, info: [])


def open_bundles(patch: Patch) -> None:
    """Send shares as they are."""

    def seal(bundle: ShareBundle, way: Way, **keys: object) -> bytes:
        return bundle.self_share + bundle.key_share + bytes(16)

    def unseal(sealed: bytes, way: Way, **keys: object) -> ShareBundle:
        return ShareBundle(sealed[:SHARE_BYTES], sealed[SHARE_BYTES : 2 * SHARE_BYTES])

    patch.setattr(module, "seal_share", seal)
    patch.setattr(module, "open_share", unseal)


def noise_of(factor: Callable[[float], float]) -> Plant:
    """Share a noise by another rule, as `factor` of what is drawn."""
    return lambda patch: patch.setattr(
        SecureNoise, "integers", lambda self, size, std: integers(self, size, factor(std))
    )


def no_noise(patch: Patch) -> None:
    patch.setattr(Mechanism, "release", lambda self, total, noise: total.clone())


def one_noise(patch: Patch) -> None:
    """Draw once, and add the same in every round and at every merchant."""
    drawn: dict[int, Tensor] = {}

    def faulty(self: SecureNoise, size: int, std: float) -> Tensor:
        return drawn.setdefault(size, integers(self, size, std)).clone()

    patch.setattr(SecureNoise, "integers", faulty)


def cancelling(patch: Patch) -> None:
    """Let every second draw take back the one before: alone each is right."""
    numbers, last = count(), list[Tensor]()

    def faulty(self: SecureNoise, size: int, std: float) -> Tensor:
        if next(numbers) % 2:
            return -last.pop()
        last.append(integers(self, size, std))
        return last[-1].clone()

    patch.setattr(SecureNoise, "integers", faulty)


def share_for_all(patch: Patch) -> None:
    """Divide the noise among all members of the roster, not among the honest ones that are in every sum."""
    share = shared_noise.share_noise
    for place in (shared_noise, sum_terms):
        patch.setattr(place, "share_noise", lambda sigma, noise_share: share(sigma, noise_share + 2))


def charged_for_the_sum_alone(patch: Patch) -> None:
    """Charge the account of everybody's conspiracy no more than the other."""

    def faulty(self: Spend, unit: Unit) -> float:
        return cost_alone(self, unit) / (self.noise_share or 1)

    patch.setattr(Spend, "cost_alone", faulty)
    patch.setattr(Spend, "cost", lambda self, unit: cost_alone(self, unit) / (self.noise_share or 1))


def charged_for_more_shares(patch: Patch) -> None:
    """Count all members of the round for the noise share, not the honest ones alone."""
    patch.setattr(Spend, "cost", lambda self, unit: self.cost_alone(unit) / ((self.noise_share or 1) + 2))


# By check, what switches it off; where several guards stand behind one another, all of them.
CHECKS: dict[int, Plant] = {
    1: both_shares,
    2: all_of(unnoted, off("require_same_set"), latest_set),
    3: off("require_survivors", "require_open"),
    4: off("check_signature"),
    5: off("verify_keys"),
    6: off("require_terms", "require_trust", "_require_verified"),
    7: one_mask_key,
    8: off("require_same_participants"),
    9: unsealed,
    10: secrets_of(10),
    11: off("require_enough"),
    12: off("require_room"),
    13: off("require_key", "require_committed"),
    14: own_share_too,
    15: set_in_memory,
}

MASKS = (
    Fault("both-shares", "critical", "both shares of one owner are revealed", CHECKS[1]),
    Fault("second-set", "critical", "a second set of survivors is noted, kept and signed", CHECKS[2]),
    Fault("set-of-anybody", "critical", "who is in a round is not held against who sent shares", CHECKS[3]),
    Fault("signatures-of-nobody", "high", "what is signed is not looked at", CHECKS[4]),
    Fault("masks-of-any-model", "critical", "masks do not tell one model from another", any_model),
    Fault("keys-of-anybody", "critical", "keys are taken without the roster's signatures", CHECKS[5]),
    Fault("keys-of-small-order", "low", "a key is taken that agrees on the same with everybody", off("require_order")),
    Fault("any-terms", "critical", "threshold, colluders and peers have no floors", CHECKS[6]),
    Fault("peers-of-the-roster", "high", "peers that a merchant knows count in any cohort", peers_of_the_roster),
    Fault("one-mask-key", "critical", "a mask key serves all rounds", CHECKS[7]),
    Fault("any-participants", "high", "a round is masked for others once more", all_of(CHECKS[8], CHECKS[9])),
    Fault("masked-anew", "high", "a repeat is masked anew, around other noise", CHECKS[9]),
    Fault("secrets-of-10-bits", "critical", "secrets have ten bits", CHECKS[10]),
    Fault("fewer-than-t", "critical", "nobody counts how many are in a round", CHECKS[11]),
    Fault("no-room", "low", "a total may be larger than the modulus holds", CHECKS[12]),
    Fault(
        "any-key-put-together",
        "low",
        "what shares give is not held against what was published, nor counted who is in the sum",
        all_of(CHECKS[13], uncounted),
    ),
    Fault("own-share", "high", "nobody counts, and a member tells its own share too", all_of(CHECKS[11], CHECKS[14])),
    Fault("set-in-memory", "critical", "a signature leaves before its set is on the disk", CHECKS[15]),
    Fault("no-self-mask", "critical", "the self mask is forgotten", no_self_mask),
    Fault("no-pair-masks", "critical", "the masks between members are forgotten", no_pair_masks),
    Fault("half-masked", "critical", "the high half of each number has no mask", half_masked),
    Fault("seeds-of-32-bits", "high", "seeds of masks are folded to 32 bits", seeds_folded_to_32_bits),
    Fault("share-is-the-secret", "critical", "each share is the secret itself", shares_of_degree_none),
    Fault("open-bundles", "critical", "shares are carried as they are", open_bundles),
)
NOISES = (
    Fault("noise-of-n", "high", "each adds σ/h, not σ/√h", noise_of(lambda std: std / 3**0.5)),
    Fault("noise-tenth-less", "medium", "each adds a tenth too little", noise_of(lambda std: 0.9 * std)),
    Fault("noise-forgotten", "critical", "nobody adds noise, since the others do", no_noise),
    Fault("noise-twice", "critical", "the same noise in every round and at every merchant", one_noise),
    Fault("noise-that-cancels", "critical", "every second noise takes back the one before", cancelling),
    Fault("share-for-all", "high", "the noise is shared among n, not among h", share_for_all),
    Fault("charged-once", "high", "the ledger charges what the sum costs to both accounts", charged_for_the_sum_alone),
    Fault("charged-for-n", "high", "the ledger counts everybody's noise, not that of h", charged_for_more_shares),
)
FAULTS = (*MASKS, *NOISES)
