"""`hansa-client card --check`: whether a card is true, for its merchant and for whoever was handed it."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import typer

from client.folder import MerchantFolder
from common.command.output import say
from common.command.program import EXIT_NO
from common.errors import ConfigError, PrivacyError


def say_whether_true(signed: Any, home: MerchantFolder, *, file: Path, key: str | None, as_json: bool) -> None:
    """Check a card by itself, and against the folder's ledger where the card may be its own.

    Raises
    ------
    ConfigError
        The key is none.
    DataError
        A later version of hansa wrote the card.
    """
    from client.transparency.card_check import check_card  # heavy

    if key is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", key):
        raise ConfigError("--key is a public key of 64 hex digits, as it stands under public_key in a card.")
    verdict = check_card(signed, key=key)
    said: dict[str, Any] = {"true": False, "outcome": verdict.outcome, "public_key": verdict.public_key}
    if verdict.outcome != "true" or verdict.card is None:
        reason = f"{file} is not to be believed: {verdict.reason}; ask its merchant for it again."
        said |= {"ledger": "not looked at", "reason": reason}
    else:
        said |= _hold_against_ledger(verdict.card, str(verdict.public_key), home, file=file, is_known=key is not None)
    say(said, said["reason"], as_json=as_json)
    if not said["true"]:
        raise typer.Exit(EXIT_NO)


def _hold_against_ledger(
    card: Any, public_key: str, home: MerchantFolder, *, file: Path, is_known: bool
) -> dict[str, Any]:
    """Look for the card's head in the ledger; a reader without one, or with another's card, has none to look in."""
    from client.account.ledger.ledger import Ledger

    good = f"{file} is signed as it stands by the key {public_key}, and its numbers follow from each other"
    whose = "" if is_known else "; whether that is its merchant's key, ask the merchant another way"
    if not home.ledger.exists():
        return {"true": True, "ledger": "none here", "reason": f"{good}; no ledger is here to hold it against{whose}."}
    if not _may_be_own(public_key, home):
        reason = f"{good}; it is another merchant's, so it was not held against {home.ledger}{whose}."
        return {"true": True, "ledger": "another merchant's", "reason": reason}
    try:
        with closing(Ledger(home.ledger)) as ledger:
            has_passed = card["ledger"]["head"] in ledger.heads
    except PrivacyError as error:
        return {"true": False, "outcome": "ledger", "ledger": "cannot be used", "reason": str(error)}
    if not has_passed:
        reason = f"{home.ledger} never had the head of {file}; it is another ledger or an older copy."
        return {"true": False, "outcome": "other ledger", "ledger": "never had its head", "reason": reason}
    return {"true": True, "ledger": "passed its head", "reason": f"{good}; {home.ledger} has passed through its head."}


def _may_be_own(public_key: str, home: MerchantFolder) -> bool:
    """Whether the folder's own key signed a card, as far as the folder has one."""
    from certs.key import read_or_make_signing_key
    from common.message.signature import public_bytes

    return not home.key.is_file() or public_bytes(read_or_make_signing_key(home.key)).hex() == public_key
