"""`hansa-client upgrade`: a newer hansa in place of this one, or everything as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from client.folder import PlaceOption
from common.command.app import JsonOption
from common.command.output import say


def upgrade(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE", help="Wheel of the new version, folder of wheels, or its source.", show_default=False
        ),
    ],
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Put a newer version in this one's place.

    Backs the shop up, installs with pip, and lets the new version verify the ledger and open the history of a copy.
    Where it cannot, the old version is put back. Stop run and serve before.
    """
    from client.upgrade.upgrade import upgrade_hansa  # heavy

    done = upgrade_hansa(source, folder)
    said = {
        "before": done.before,
        "after": done.after,
        "backup": str(done.backup),
        "wheels": str(done.wheels),
        "changed": done.changed,
    }
    words = (
        f"hansa {done.after} is in place of {done.before}; it verified a copy of the ledger and read a copy of the "
        f"history.\nThe shop as it was: {done.backup}\nThe packages as they were: {done.wheels}"
    )
    say(said, words, as_json=as_json)
