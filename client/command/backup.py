"""`hansa-client backup` and `hansa-client restore`: the shop's folder in one file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from client.folder import PlaceOption
from common.command.app import JsonOption
from common.command.output import say

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The backup, a tar file.", show_default=False)]
MOST_NAMED = 8


def backup(file: FileArgument, folder: PlaceOption = Path(), as_json: JsonOption = False) -> None:
    """Copy the whole shop into one file.

    History, ledger, policy, settings, keys, plans, models and logs, while everything runs. The file is for its owner's
    eyes: it holds keys. Every byte is read back before it is done.
    """
    from client.backup.backup import make_backup  # heavy

    made = make_backup(folder, file)
    manifest = made.manifest
    lines = [f"Wrote {file} and read it back: {len(manifest.files)} files, {manifest.num_bytes / 1e6:,.1f} MB."]
    if made.keys:
        lines.append(
            f"It holds keys ({', '.join(made.keys)}): who has it can act as this shop. Keep it as you keep them."
        )
    if manifest.ledger is not None:
        lines.append(
            f"The ledger in it has {manifest.ledger.num_lines} lines. It forgets what is spent from now on, so its "
            "newest head is needed too; keep it on another disk: hansa-client ledger witness FILE"
        )
    if made.left:
        more = f" and {len(made.left) - MOST_NAMED} more" if len(made.left) > MOST_NAMED else ""
        lines.append(f"Not in it, since it is not hansa's: {', '.join(made.left[:MOST_NAMED])}{more}")
    said = {"file": str(file), "keys": made.keys, "left": made.left, "manifest": manifest.describe()}
    say(said, "\n".join(lines), as_json=as_json)


def restore(
    file: FileArgument,
    folder: Annotated[Path, typer.Option("--folder", help="A new or empty folder.", show_default=False)],
    head: Annotated[
        Path | None, typer.Option(help="The newest head file of the ledger: of the old disk or the second place.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new folder of a backup.

    Every byte is checked first. A ledger is used only where --head shows that it has forgotten nothing; else every
    command refuses it until `hansa-client ledger recover` has charged what it may have forgotten.
    """
    from client.backup.backup import restore_backup  # heavy

    restored = restore_backup(file, folder, head=head)
    manifest = restored.manifest
    lines = [f"Made {folder} of the backup of {manifest.made_at[:16].replace('T', ' ')} UTC."]
    if restored.why_not is not None:
        lines += [
            restored.why_not,
            "What was spent after the backup is spent all the same. Look what that costs, and decide: "
            f"hansa-client ledger recover --folder {folder}",
        ]
    elif manifest.ledger is not None:
        lines.append(f"Its ledger has passed through the head in {head}. Never use the old folder again.")
    said = {"folder": str(folder), "why_not": restored.why_not, "manifest": manifest.describe()}
    say(said, "\n".join(lines), as_json=as_json)
