"""`hansa-client join`: ask to join a federation, and keep the coordinator's answer."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from client.folder import MerchantFolder, PlaceOption
from common.command.app import JsonOption
from common.command.output import list_pairs, say
from common.errors import ConfigError

if TYPE_CHECKING:
    from client.daemon.membership import JoinedFederation


def join(
    name: Annotated[str, typer.Argument(help="The name to be known by; a-z, 0-9 and -.")] = "",
    welcome: Annotated[Path | None, typer.Option(help="The coordinator's answer, a file.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Compute a trial round of --plan; nothing is sent or spent.")
    ] = False,
    plan: Annotated[Path | None, typer.Option(help="With --dry-run: the plan, a TOML file.")] = None,
    data_root: Annotated[Path, typer.Option(help="With --dry-run: folder that data.path starts from.")] = Path(),
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Ask to join, or keep the answer.

    Give NAME to ask under it, --welcome with the coordinator's answer, or --dry-run to try a round.
    """
    from client.daemon.membership import accept_welcome  # heavy

    home = MerchantFolder(folder)
    if sum((bool(name), welcome is not None, dry_run)) != 1:
        raise ConfigError("Give one of NAME (to ask), --welcome FILE (to keep the answer) and --dry-run (to rehearse).")
    if name:
        said = _ask(home, name)
    elif welcome is not None:
        said = describe_federation(accept_welcome(home, welcome))
    else:
        said = _rehearse(home, plan, data_root)
    say(said, list_pairs(said), as_json=as_json)


def describe_federation(federation: JoinedFederation) -> dict[str, Any]:
    """Say which federation was joined, and what to put into the policy."""
    welcome = federation.welcome
    return {
        "federation": welcome.federation,
        "name": welcome.name,
        "address": welcome.address,
        "size_class": federation.size_class,
        "coordinator": federation.coordinator_name,
        "next": "compare the coordinator's hash with what it tells you another way, put it into approval.coordinators "
        "of policy.toml, then: hansa-client doctor",
    }


def _ask(home: MerchantFolder, name: str) -> dict[str, Any]:
    from client.account.policy import read_policy
    from client.daemon.membership import ask_to_join

    policy = read_policy(home.policy)
    request = ask_to_join(home, name, policy)
    return {
        "name": request.name,
        "size_class": request.size_class,
        "file": str(home.request(name)),
        "next": "send this file to the coordinator (it holds no secret), then: hansa-client join --welcome FILE",
    }


def _rehearse(home: MerchantFolder, plan_file: Path | None, data_root: Path) -> dict[str, Any]:
    if plan_file is None:
        raise ConfigError("--dry-run rehearses a round of a plan; name it with --plan FILE.")
    from client.account.ledger.ledger import Ledger
    from client.diagnosis.trial_round import try_round  # heavy, and needed here alone
    from common.plan.reading import read_plan

    with closing(Ledger(home.ledger)) as ledger:
        return try_round(home, read_plan(plan_file), ledger, data_root=data_root)
