"""What a member keeps of each step of a round, and the bytes in which it keeps it.

JSON with sorted names and hex, except for secrets and the masked vector, which are bytes. See
docs/protocol.md §10.8.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt64

from common.secure_sum.keys import RoundKeys
from common.secure_sum.label import write_model
from common.secure_sum.sealing import ShareBundle
from common.secure_sum.shamir import SHARE_BYTES


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


@dataclass(frozen=True)
class SharedOut:
    """With whom a member shared its secrets of a round, its own share, and the sealed bundles for the others."""

    public: Mapping[str, RoundKeys]
    own: ShareBundle
    sealed: Mapping[str, bytes]

    def to_bytes(self) -> bytes:
        """Write it."""
        return _write(
            {
                "public": _hex({name: keys.to_bytes() for name, keys in self.public.items()}),
                "own": (self.own.self_share + self.own.key_share).hex(),
                "sealed": _hex(self.sealed),
            }
        )

    @staticmethod
    def from_bytes(written: bytes) -> SharedOut:
        """Read what `to_bytes` wrote."""
        said = json.loads(written)
        public = {name: RoundKeys.from_bytes(keys) for name, keys in _unhex(said["public"]).items()}
        own = bytes.fromhex(said["own"])
        return SharedOut(public, ShareBundle(own[:SHARE_BYTES], own[SHARE_BYTES:]), _unhex(said["sealed"]))


@dataclass(frozen=True, eq=False)
class Masked:
    """The masked vector that may leave, and the hash of the model that it is of."""

    model_hash: str
    vector: UInt64[np.ndarray, " word"]

    def to_bytes(self) -> bytes:
        """Write it: 32 bytes of the hash, then little-endian words."""
        return write_model(self.model_hash) + self.vector.astype("<u8").tobytes()

    @staticmethod
    def from_bytes(written: bytes) -> Masked:
        """Read what `to_bytes` wrote."""
        return Masked(written[:32].hex(), np.frombuffer(written, dtype="<u8", offset=32))


@dataclass(frozen=True)
class Agreed:
    """The set of survivors that a member signed, sorted, and the model that it is about."""

    model_hash: str
    survivors: Sequence[str]

    def to_bytes(self) -> bytes:
        """Write it."""
        return _write({"model_hash": self.model_hash, "survivors": list(self.survivors)})

    @staticmethod
    def from_bytes(written: bytes) -> Agreed:
        """Read what `to_bytes` wrote."""
        said = json.loads(written)
        return Agreed(said["model_hash"], tuple(said["survivors"]))


def write_bundles(sealed: Mapping[str, bytes]) -> bytes:
    """Write sealed bundles by sender; the same ones give the same bytes."""
    return _write(_hex(sealed))


def read_bundles(written: bytes) -> dict[str, bytes]:
    """Read what `write_bundles` wrote."""
    return _unhex(json.loads(written))


def _write(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, separators=(",", ":"), sort_keys=True).encode()


def _hex(named: Mapping[str, bytes]) -> dict[str, str]:
    return {name: content.hex() for name, content in named.items()}


def _unhex(named: Mapping[str, str]) -> dict[str, bytes]:
    return {name: bytes.fromhex(content) for name, content in named.items()}
