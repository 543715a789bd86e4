"""`hansa-server backup` and `hansa-server restore`: the federation's folder in one file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from common.command.app import JsonOption
from common.command.output import say
from server.backup.backup import make_backup, restore_backup
from server.folder import PlaceOption

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The backup, a tar file.", show_default=False)]


def backup(file: FileArgument, folder: PlaceOption = Path(), as_json: JsonOption = False) -> None:
    """Copy the whole federation into one file.

    Keys, registry, launches and models, of one moment, also while everything runs. The file is for its owner's eyes:
    it holds the keys. Every byte is read back before it is done.
    """
    manifest = make_backup(folder, file)
    say(
        {"file": str(file), "manifest": manifest.describe()},
        f"Wrote {file} and read it back: {len(manifest.files)} files, {manifest.num_bytes / 1e6:,.1f} MB.\n"
        "It holds the keys of the authority and of the coordinator: who has it can let merchants in and sign plans. "
        "Keep it as you keep them.",
        as_json=as_json,
    )


def restore(
    file: FileArgument,
    folder: Annotated[Path, typer.Option("--folder", help="A new or empty folder.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Make a new folder of a backup.

    Every byte is checked first. Rounds held after the backup are not held again: merchants have charged and closed
    them, so a launch that went on since then is best launched anew.
    """
    manifest = restore_backup(file, folder)
    say(
        {"folder": str(folder), "manifest": manifest.describe()},
        f"Made {folder} of the backup of {manifest.made_at[:16].replace('T', ' ')} UTC; never use the old one again.\n"
        f"Whom you revoked since then is welcome again: revoke it again. Then: hansa-server up --folder {folder}",
        as_json=as_json,
    )
