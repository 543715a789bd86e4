"""What a view says after something was done: by a name in its address, so that nobody can put words there."""

from __future__ import annotations

from client.language.speech import mark, t

NOTICES = {
    "override": mark("What you expect is kept. New forecasts and orders are being made with it."),
    "removed": mark("It is taken back. New forecasts and orders are being made without it."),
    "kept": mark("These quantities are kept; the files and purchase orders have them."),
    "proposed": mark("The orders are as proposed again."),
    "accepted": mark("The proposal is taken up; it stands among the imports, and can be taken back there."),
    "undone": mark("The import is taken back."),
    "imported": mark("The import has begun."),
    "settings": mark("The settings are kept; the old ones stand beside them as shop.toml.old."),
    "policy": mark("The policy is written; look over what it says."),
    "asked": mark("The request is made."),
    "joined": mark("You have joined. Now compare the coordinator's key."),
    "coordinator": mark("The coordinator's plans are listened to from now on."),
    "approved": mark("The plan is approved, and the file that it reads is made of your history."),
    "begun": mark("Your shop takes part from now on, for as long as it is served."),
    "ended": mark("Your shop takes part no longer. What came stays, and so does what was spent."),
}


def say_notice(name: str) -> str:
    """Say what was done; "" where the name is none."""
    return t(NOTICES[name]) if name in NOTICES else ""
