"""The one word that leaves a merchant in the place of an answer, whatever was refused or went wrong inside."""

from __future__ import annotations

from flwr.app import Error, Message

DECLINED = "declined"  # all that a coordinator learns of a refusal or a failure
CLIENT_RAISED = 2  # Flower's ErrorCode.CLIENT_APP_RAISED_EXCEPTION


def decline(message: Message) -> Message:
    """Reply to a message with that word."""
    return Message(Error(CLIENT_RAISED, DECLINED), reply_to=message)


def is_declined(error: Error) -> bool:
    """Whether an error is that word, and not one of Flower's own."""
    return bool(error.code == CLIENT_RAISED and error.reason == DECLINED)
