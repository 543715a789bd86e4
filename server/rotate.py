"""`hansa-server rotate`: another signing key, or another authority, with every member connected."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from common.command.app import JsonOption, make_app
from common.command.output import say
from common.errors import ConfigError
from server.folder import CoordinatorFolder, PlaceOption
from server.registry.registry import Registry
from server.rotation import (
    AUTHORITY,
    SIGNING_KEY,
    begin_authority,
    begin_signing_key,
    find_locked_out,
    find_waiting,
    finish_authority,
    finish_signing_key,
    read_trust,
)

rotate_app = make_app("Rotate keys while members stay connected.")
FinishOption = Annotated[bool, typer.Option("--finish", help="End the overlap: the old one is gone then.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Finish although members would be locked out.")]


@rotate_app.command(SIGNING_KEY)
def rotate_signing_key(
    finish: FinishOption = False, yes: YesOption = False, folder: PlaceOption = Path(), as_json: JsonOption = False
) -> None:
    """Sign with another key.

    The old key names the new one, so that merchants have nothing to change; it signs until --finish.
    """
    home = CoordinatorFolder(folder)
    home.read_settings()
    with closing(Registry(home.registry)) as registry:
        if not finish:
            name = begin_signing_key(home, registry)
            said = (
                f"Made a new signing key: {name}\nThe old key vouches for it, and signs until the overlap ends. Keep "
                f"{home.next_signing_key} as safe as {home.signing_key}."
            )
        else:
            _require_reached(SIGNING_KEY, home, registry, yes=yes)
            name = finish_signing_key(home, registry)
            said = f"Everything is signed by {name} from now on; the old key is gone. Keep a copy of the folder."
    _say(SIGNING_KEY, said, finish=finish, as_json=as_json, coordinator=name)


@rotate_app.command(AUTHORITY)
def rotate_authority(
    finish: FinishOption = False, yes: YesOption = False, folder: PlaceOption = Path(), as_json: JsonOption = False
) -> None:
    """Sign certificates by another authority.

    Members are handed certificates of the new one at once; the gateway shows one of the old one until --finish.
    """
    home = CoordinatorFolder(folder)
    home.read_settings()
    with closing(Registry(home.registry)) as registry:
        if not finish:
            begin_authority(home, registry)
            said = f"Made a new authority in {home.next_authority}; both are trusted until the overlap ends."
        else:
            _require_reached(AUTHORITY, home, registry, yes=yes)
            finish_authority(home, registry)
            said = "Only the new authority is trusted from now on; the old one is gone. Keep a copy of the folder."
    _say(AUTHORITY, said, finish=finish, as_json=as_json)


def _require_reached(what: str, home: CoordinatorFolder, registry: Registry, *, yes: bool) -> None:
    """Refuse to lock members out unless that was said to be wanted."""
    path = home.next_signing_key if what == SIGNING_KEY else home.next_authority
    if not path.exists():
        return  # the finish says so
    lost = [member.name for member in find_locked_out(what, find_waiting(registry, read_trust(home, registry)))]
    if lost and not yes:
        raise ConfigError(
            f"Members that have not taken their new welcome yet would be locked out: {', '.join(lost)}; wait for them, "
            "or finish with --yes and hand each a new welcome file: hansa-server enroll"
        )


def _say(what: str, sentence: str, *, finish: bool, as_json: bool, **more: object) -> None:
    hint = "" if finish else f"\nSee who has it: hansa-server status. Then: hansa-server rotate {what} --finish"
    say({"rotated": what, "finished": finish, **more}, sentence + hint, as_json=as_json)
