"""What a member refuses by itself, whoever asks: each guard is one of the checks of docs/protocol.md §10.9."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from common.errors import MessageError, PrivacyError
from common.secure_sum.recovery import Reveal
from common.secure_sum.sealing import ShareBundle


def reveal_one_each(bundles: Mapping[str, ShareBundle], survivors: Sequence[str]) -> Reveal:
    """Choose which share of each owner is revealed: a function of the agreed set alone, never both (check 1).

    Of an owner whose bundle did not open nothing is revealed.
    """
    return Reveal(
        self_shares={name: bundles[name].self_share for name in survivors if name in bundles},
        key_shares={name: bundle.key_share for name, bundle in bundles.items() if name not in survivors},
    )


def require_same_set(kept: bytes, asked: bytes, *, round_number: int) -> None:
    """Refuse another set of survivors, or another model, than the round's one (check 2).

    Raises
    ------
    PrivacyError
        It is another.
    """
    if kept != asked:
        raise other_set(round_number)


def other_set(round_number: int) -> PrivacyError:
    """Say that a second set is asked for."""
    return PrivacyError(
        f"Round {round_number} of this sum is agreed on with another set of merchants or another model; a second sum "
        "of it would tell one merchant's part."
    )


def require_same_shares(kept: Mapping[str, object], asked: Mapping[str, object], *, round_number: int) -> None:
    """Refuse a second set of members, or other keys of theirs, to share a round's secrets with (check 7).

    Raises
    ------
    MessageError
        It is another.
    """
    if dict(kept) != dict(asked):
        raise MessageError(f"Shares of round {round_number} were made for other keys; there is no second set.")


def require_same_participants(kept: bytes, asked: bytes, *, round_number: int) -> None:
    """Refuse other participants in a round that was masked: what was sent in it stays spent (check 8).

    Raises
    ------
    MessageError
        They are others.
    """
    if kept != asked:
        raise MessageError(f"Round {round_number} was masked for other participants; there is no second sum of it.")


def require_same_model(masked: str, asked: str, *, round_number: int) -> None:
    """Refuse to say anything of a round about another model than the one that it was masked under (check 4).

    Raises
    ------
    PrivacyError
        It is another.
    """
    if masked != asked:
        raise other_set(round_number)


def require_self(survivors: Sequence[str], *, name: str) -> None:
    """Refuse a set without this member: a share of its own mask key would leave (check 14).

    Raises
    ------
    MessageError
        It is not in the set.
    """
    if name not in survivors:
        raise MessageError("This merchant is not in the set of survivors; it signs none without itself.")


def without_self(bundles: Mapping[str, ShareBundle], *, name: str) -> dict[str, ShareBundle]:
    """Leave out this member's own bundle: only others' are sealed and sent (check 14)."""
    return {other: bundle for other, bundle in bundles.items() if other != name}
