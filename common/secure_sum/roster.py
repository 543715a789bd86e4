"""Who takes part in a secure sum, and by which key each is known."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from common.plan.schema import Count, Section


class Peer(Section):
    """One merchant of a roster.

    Attributes
    ----------
    key
        The 32 bytes of its Ed25519 public key, in hex.
    """

    name: Annotated[str, Field(min_length=1)]
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size_class: Count
