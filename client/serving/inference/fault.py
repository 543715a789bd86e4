"""What can be wrong with a request, as one sentence and a kind; REST and gRPC each have a code for a kind."""

from __future__ import annotations

from enum import Enum


class Kind(Enum):
    """Why there is no answer."""

    INVALID = "invalid"
    UNKNOWN = "unknown"  # there is no such model, version or path
    TOO_LARGE = "too large"
    BUSY = "busy"
    LATE = "late"
    NOT_READY = "not ready"
    BROKEN = "broken"  # by a fault of ours


class InferenceFault(Exception):
    """Report why a request has no answer; the text is one sentence for whoever sent it."""

    def __init__(self, kind: Kind, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


def invalid(sentence: str) -> InferenceFault:
    """Say that a request cannot be answered as it is put."""
    return InferenceFault(Kind.INVALID, sentence)
