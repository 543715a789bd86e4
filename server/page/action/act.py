"""Invite, launch, revoke: what the page does is what the commands do, by the same functions."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import TypeAdapter, ValidationError

from certs.request import JoinRequest, Name, read_document
from common.disk.file import write_whole
from common.errors import ConfigError
from common.plan.reading import parse_toml
from common.plan.schema import Plan
from server.admission import admit
from server.folder import CoordinatorFolder
from server.launching import Launched, launch_plan
from server.modes import owner_only
from server.opening import open_registry


def read_request(text: str) -> JoinRequest:
    """Read a request to join, as the command reads its file.

    Raises
    ------
    HansaError
        It is none.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "request.json"
        write_whole(path, text.encode("utf-8", "replace"))
        return read_document(path, JoinRequest)


def invite(home: CoordinatorFolder, request: JoinRequest) -> None:
    """Let a merchant in; what is handed back to it is written among the welcomes."""
    with owner_only():
        home.welcomes.mkdir(exist_ok=True)
        admit(home, request, welcome_path(home, request.name))


def welcome_path(home: CoordinatorFolder, name: str) -> Path:
    """Say where the page writes what is handed back to a member.

    Raises
    ------
    ConfigError
        It is no member's name.
    """
    try:
        return home.welcomes / f"{TypeAdapter(Name).validate_python(name)}.welcome.json"
    except ValidationError as error:
        raise ConfigError("This is no member's name.") from error


def read_launch(text: str, quorum: str) -> tuple[Plan, int | None]:
    """Read a plan, and a quorum where one was given.

    Raises
    ------
    ConfigError
        One of them is not legal.
    """
    said = quorum.strip()
    if said and not (said.isdecimal() and int(said[:7]) > 0 and len(said) < 7):
        raise ConfigError("A quorum is a whole number from 1 on.")
    return parse_toml(text, Plan, origin="The plan"), int(said) if said else None


def launch(home: CoordinatorFolder, plan: Plan, *, quorum: int | None, private: bool) -> Launched:
    """Sign a plan and have it run."""
    return launch_plan(home, plan, private=private, quorum=quorum)


def revoke(home: CoordinatorFolder, name: str) -> None:
    """Close the gateway to a member."""
    with closing(open_registry(home)) as registry:
        registry.revoke(name)
