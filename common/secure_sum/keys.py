"""One-time public keys of a member, signed by its identity for a block of rounds.

| per round    | bytes | what it is                                                                       |
|--------------|-------|----------------------------------------------------------------------------------|
| `mask`       | 32    | X25519: with each other member's it gives the mask that the two share            |
| `seal`       | 32    | X25519: with each other member's it gives the key that seals shares between them |
| `commitment` | 32    | SHA-256 over label and self-mask seed: a seed that is put together again is the one |

See docs/protocol.md §10.3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from common.errors import MessageError
from common.message.signature import SIGNATURE_BYTES, Signed, is_signed, sign
from common.secure_sum.label import label, write_name, write_round
from common.secure_sum.roster import Session

PURPOSE = "sum keys"
SECRET_BYTES = 32
ROUND_BYTES = 3 * 32
MOST_BLOCK_ROUNDS = 10_000
ANY_SECRET = X25519PrivateKey.from_private_bytes(bytes(range(32)))  # every scalar is a multiple of 8, and none gives 0


@dataclass(frozen=True)
class RoundKeys:
    """What a member publishes for one round.

    Raises
    ------
    MessageError
        If a key has not 32 bytes.
    """

    mask: bytes
    seal: bytes
    commitment: bytes

    def __post_init__(self) -> None:
        if {len(self.mask), len(self.seal), len(self.commitment)} != {32}:
            raise MessageError("A member's keys for a round of a sum have 32 bytes each.")

    def to_bytes(self) -> bytes:
        """Write mask key, seal key and commitment, 96 bytes."""
        return self.mask + self.seal + self.commitment

    @staticmethod
    def from_bytes(written: bytes) -> RoundKeys:
        """Read what `to_bytes` wrote."""
        return RoundKeys(written[:32], written[32:64], written[64:])


@dataclass(frozen=True)
class SignedKeys:
    """A member's keys for a block of rounds under one signature, which nobody has checked yet."""

    first_round: int
    keys: tuple[RoundKeys, ...]
    signature: bytes

    def of(self, round_number: int) -> RoundKeys:
        """Give the keys of one round.

        Raises
        ------
        MessageError
            The block does not reach it.
        """
        place = round_number - self.first_round
        if not 0 <= place < len(self.keys):
            raise MessageError(f"A member's keys do not reach round {round_number}.")
        return self.keys[place]

    def to_bytes(self) -> bytes:
        """Write 8 bytes of the first round, 64 of the signature, and 96 for each round."""
        return write_round(self.first_round) + self.signature + b"".join(keys.to_bytes() for keys in self.keys)

    @staticmethod
    def from_bytes(written: bytes) -> SignedKeys:
        """Read what `to_bytes` wrote; the signature is not checked.

        Raises
        ------
        MessageError
            It is cut, or longer than any block.
        """
        head = 8 + SIGNATURE_BYTES
        count, rest = divmod(len(written) - head, ROUND_BYTES)
        if rest or not 1 <= count <= MOST_BLOCK_ROUNDS:
            raise MessageError("A member's keys for a sum are cut, or too many.")
        blocks = (written[start : start + ROUND_BYTES] for start in range(head, len(written), ROUND_BYTES))
        return SignedKeys(
            int.from_bytes(written[:8]), tuple(RoundKeys.from_bytes(block) for block in blocks), written[8:head]
        )


def sign_keys(
    session: Session, name: str, *, first_round: int, keys: Sequence[RoundKeys], identity: Ed25519PrivateKey
) -> SignedKeys:
    """Sign a member's keys for the rounds from `first_round` on."""
    content = _content(session, name, first_round, keys)
    return SignedKeys(first_round, tuple(keys), sign(content, identity, purpose=PURPOSE).signature)


def verify_keys(session: Session, name: str, signed: SignedKeys) -> None:
    """Require that the roster's identity of that name signed these keys for this session (check 5).

    Raises
    ------
    MessageError
        It did not.
    """
    if not 1 <= len(signed.keys) <= MOST_BLOCK_ROUNDS:
        raise MessageError(f"The keys of {name!r} are none, or too many.")
    content = Signed(_content(session, name, signed.first_round, signed.keys), signed.signature)
    if not is_signed(content, bytes.fromhex(session.peer(name).key), purpose=PURPOSE):
        raise MessageError(f"The keys of {name!r} are not signed by its identity in the roster for this sum.")
    for keys in signed.keys:
        require_order(keys.mask, name=name)
        require_order(keys.seal, name=name)


def require_order(public: bytes, *, name: str) -> None:
    """Refuse a public key of small order: whatever it is agreed on with, the result is known to everybody (check 5).

    Raises
    ------
    MessageError
        It is one.

    References
    ----------
    RFC 7748, section 6.1: whoever multiplies such a point by any scalar gets zero, which `cryptography` refuses.
    """
    try:
        ANY_SECRET.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise MessageError(f"A one-time key of {name!r} is none: what it agrees on is known to everybody.") from None


def commit(session: Session, name: str, *, round_number: int, seed: bytes) -> bytes:
    """Commit to a self-mask seed: SHA-256 over label and seed; 256 random bits hide behind it."""
    return hashlib.sha256(label("seed", session, round_number=round_number, names=(name,)) + seed).digest()


def agree_key(secret: X25519PrivateKey, public: bytes, *, info: bytes) -> bytes:
    """Derive 32 bytes that two holders share: HKDF-SHA256, without salt, of X25519.

    Raises
    ------
    MessageError
        If the public key is of small order: the result would be known to everybody.
    """
    try:
        shared = secret.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise MessageError("A member's one-time key is none.") from None
    return derive(shared, info=info)


def derive(secret: bytes, *, info: bytes) -> bytes:
    """Derive 32 bytes from a secret for one purpose: HKDF-SHA256 without salt (RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)


def load_secret(secret: bytes) -> X25519PrivateKey:
    """Load an X25519 key from its 32 secret bytes."""
    return X25519PrivateKey.from_private_bytes(require_secret(secret))


def public_of(secret: bytes) -> bytes:
    """Return the 32 public bytes that belong to 32 secret ones."""
    return load_secret(secret).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def require_secret(secret: bytes) -> bytes:
    """Refuse a secret that has not the full 256 bits (check 10).

    Raises
    ------
    MessageError
        It has not.
    """
    if len(secret) != SECRET_BYTES:
        raise MessageError(f"A secret of a sum has {SECRET_BYTES} bytes, not {len(secret)}.")
    return secret


def _content(session: Session, name: str, first_round: int, keys: Sequence[RoundKeys]) -> bytes:
    return (
        bytes.fromhex(session.hash)
        + write_round(first_round)
        + write_name(name)
        + len(keys).to_bytes(4)
        + b"".join(one.to_bytes() for one in keys)
    )
