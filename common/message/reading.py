"""Why a signed document cannot be read, in one sentence that quotes nothing of it."""

from __future__ import annotations

from pydantic import ValidationError

from common.errors import MessageError
from common.plan.reading import is_newer


def unreadable(what: str, error: ValidationError) -> MessageError:
    """Say why a signed document cannot be read, and quote nothing of it."""
    if is_newer(error):
        return MessageError(
            f"{what} says something that this version of hansa does not know; install the coordinator's version."
        )
    return MessageError(f"{what} cannot be read; use the same version of hansa at both ends.")
