"""The form in which a member keeps named bytes: JSON of names and hex, sorted by name."""

from __future__ import annotations

import json
from collections.abc import Mapping


def pack(named: Mapping[str, bytes]) -> bytes:
    """Write named bytes; equal ones give equal bytes."""
    return json.dumps({name: named[name].hex() for name in sorted(named)}, separators=(",", ":")).encode()


def unpack(content: bytes) -> dict[str, bytes]:
    """Read what `pack` wrote."""
    return {name: bytes.fromhex(written) for name, written in json.loads(content).items()}
