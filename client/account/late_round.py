"""What is said to a round that was answered, or left behind."""

from common.errors import MessageError


def round_is_over(round_number: int, latest: int) -> MessageError:
    """Say that a round comes too late, or in other words than before."""
    return MessageError(
        f"Round {round_number} was asked for after round {latest} was answered, and not in the same words; "
        "go on with the next round."
    )
