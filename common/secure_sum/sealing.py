"""Shares on their way from one member to another, which the coordinator carries and cannot open.

A bundle is the share of the owner's self-mask seed and the share of its mask key, under ChaCha20-Poly1305. The key is
for one sender, one recipient and one round, and seals one bundle; so the nonce is zero and a repeat gives the same
bytes. See docs/protocol.md §10.4.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from common.errors import MessageError
from common.secure_sum.keys import agree_key
from common.secure_sum.label import label
from common.secure_sum.roster import Session
from common.secure_sum.shamir import SHARE_BYTES, read_share

NONCE = bytes(12)
SEALED_BYTES = 2 * SHARE_BYTES + 16


@dataclass(frozen=True)
class ShareBundle:
    """One member's shares of another's two secrets; only one of the two ever leaves again.

    Raises
    ------
    MessageError
        If either is no share.
    """

    self_share: bytes
    key_share: bytes

    def __post_init__(self) -> None:
        read_share(self.self_share)
        read_share(self.key_share)


@dataclass(frozen=True)
class Way:
    """From whom to whom, in which round of which sum."""

    session: Session
    round_number: int
    sender: str
    recipient: str

    def label(self, purpose: str) -> bytes:
        """Name the way, direction included."""
        return label(purpose, self.session, round_number=self.round_number, names=(self.sender, self.recipient))


def seal_share(bundle: ShareBundle, way: Way, *, secret: X25519PrivateKey, public: bytes) -> bytes:
    """Seal a bundle with the sender's secret seal key for the recipient's public one; 82 bytes."""
    key = agree_key(secret, public, info=way.label("seal"))
    return ChaCha20Poly1305(key).encrypt(NONCE, bundle.self_share + bundle.key_share, way.label("share"))


def open_share(sealed: bytes, way: Way, *, secret: X25519PrivateKey, public: bytes) -> ShareBundle:
    """Open a bundle with the recipient's secret seal key and the sender's public one.

    Raises
    ------
    MessageError
        It was changed, cut, or sealed by somebody else, for somebody else, or for another round or sum.
    """
    key = agree_key(secret, public, info=way.label("seal"))
    try:
        content = ChaCha20Poly1305(key).decrypt(NONCE, sealed, way.label("share"))
    except InvalidTag:
        raise MessageError(
            f"The shares from {way.sender!r} for {way.recipient!r} were changed, or are not of this round."
        ) from None
    return ShareBundle(content[:SHARE_BYTES], content[SHARE_BYTES:])
