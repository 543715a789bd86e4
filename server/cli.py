"""hansa-server: make a federation, let merchants in, hold rounds, hand models out.

What brings torch is imported by the commands that need it: letting a merchant in should not take seconds.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certs.authority import Authority
from certs.key import read_or_make_signing_key
from certs.request import JoinRequest, read_document
from common.command.app import JsonOption, PlanArgument, VersionOption, make_app
from common.command.output import list_pairs, make_console, print_json, say
from common.command.program import run_program
from common.disk.reading import read_file
from common.errors import ConfigError
from common.message.signature import name_key, public_bytes
from common.plan.reading import read_plan
from server.admission import admit
from server.backup.cli import backup, restore
from server.folder import CoordinatorFolder, PlaceOption
from server.founding import check_settings, make_federation, sign_server
from server.launching import ROUND_SECONDS, launch_plan
from server.modes import OTHERS, close_to_others, owner_only, tighten
from server.opening import open_registry
from server.registry.registry import Model, Registry, State
from server.rotate import rotate_app

if TYPE_CHECKING:
    from rich.console import Console

LIVE_SECONDS = 1.0
app = make_app("Make a federation, let merchants in, hold rounds, hand models out.", completion=True)
models_app = make_app("List, show and copy released models.")
app.add_typer(models_app, name="models")
app.add_typer(rotate_app, name="rotate")
app.command()(backup)
app.command()(restore)


@app.callback()
def _take_version(version: VersionOption = False) -> None:
    pass  # the option answers by itself


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The federation's name: lower-case letters, digits, hyphens.")],
    host: Annotated[
        list[str] | None,
        typer.Option(help="Name or address under which merchants reach this machine; may be repeated."),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65533, help="Port of the gateway; the next two are used too.")] = 8443,
    bind: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104  merchants are outside
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Make a federation's folder.

    Authority, server certificate, signing key, settings.
    """
    settings = check_settings(
        name=name,
        hosts=tuple(host or ["localhost"]),
        bind=bind,
        gateway_port=port,
        superlink_port=port + 1,
        status_port=port + 2,
    )
    home = CoordinatorFolder(folder)
    with owner_only():
        is_ignored = make_federation(home, settings)
    tighten(home)
    key = name_key(public_bytes(read_or_make_signing_key(home.signing_key)))
    say(
        {"federation": name, "address": settings.address, "coordinator": key, "folder": str(folder)},
        f"Made the federation {name} at {settings.address}.\nMerchants approve this coordinator as: {key}\n"
        f"Keep {home.authority / 'authority.key'} and {home.signing_key} safe, and a copy of the folder elsewhere."
        + ("" if is_ignored else f"\n{folder / '.gitignore'} stays as it is; see that it keeps these keys out of git."),
        as_json=as_json,
    )


@app.command()
def enroll(
    request_file: Annotated[Path, typer.Argument(metavar="REQUEST", help="What `hansa-client join NAME` wrote.")],
    out: Annotated[Path | None, typer.Option(help="File to hand back; NAME.welcome.json if left out.")] = None,
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Let a merchant in.

    With the size class that it declares; one file is handed back to it. A request is used once, within 30 days.
    """
    request = read_document(request_file, JoinRequest)
    target = out or Path(f"{request.name}.welcome.json")
    admit(CoordinatorFolder(folder), request, target)
    say(
        {"member": request.name, "size_class": request.size_class, "welcome": str(target)},
        f"Enrolled {request.name} with size class {request.size_class}; hand {target} back to it. It holds no secret.",
        as_json=as_json,
    )


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="The member's name, as status shows it.")],
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Close the gateway to a member.

    Within a second, also in the middle of a round: what it answers does not count any more.
    """
    with _registry(CoordinatorFolder(folder)) as registry:
        registry.revoke(name)
    say({"revoked": name}, f"Revoked {name}; to let it in again, enroll a new request of it.", as_json=as_json)


@app.command()
def renew(folder: PlaceOption = Path(), as_json: JsonOption = False) -> None:
    """Sign the server's certificate anew.

    For two years and for the hosts of federation.toml; what runs is started anew with it.
    """
    home = CoordinatorFolder(folder)
    hosts = home.read_settings().hosts
    with owner_only():
        sign_server(home, Authority(home.authority), hosts)
    say(
        {"renewed": list(hosts)},
        f"Renewed the certificate for {', '.join(hosts)}; what runs takes it up.",
        as_json=as_json,
    )


@app.command()
def up(
    folder: PlaceOption = Path(),
    page: Annotated[bool, typer.Option("--page/--no-page", help="Serve the page on loopback.")] = True,
    page_actions: Annotated[
        bool, typer.Option("--page-actions", help="Let the page invite, launch and revoke; else it only shows.")
    ] = False,
) -> None:
    """Start everything, and keep it running.

    SuperLink, gateway, coordinator and page, until Ctrl-C or SIGTERM; then exit code 0.
    """
    from server.page.action.office import make_office
    from server.page.dashboard import serve_dashboard  # heavy, and no other command needs them
    from server.process.supervisor import Supervisor, require_free

    logging.raiseExceptions = False  # a full disk under the log is no reason for a traceback
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    home = CoordinatorFolder(folder)
    settings = home.read_settings()
    os.umask(OTHERS)  # for good, and for every process that is started from here
    close_to_others(home)
    with _registry(home):  # what is damaged is said now, and not by processes that are started again and again
        read_or_make_signing_key(home.signing_key)
    supervisor = Supervisor(home, settings)
    if page_actions and not page:
        raise ConfigError("--page-actions is about the page; leave --no-page out.")
    if page:
        require_free("127.0.0.1", settings.status_port)
        office = make_office(settings.status_port) if page_actions else None
        serve_dashboard(home, settings.status_port, office)
        typer.echo(f"The page is at http://127.0.0.1:{settings.status_port}/")
        if office is not None:
            typer.echo(
                f"With actions, in one browser, once: http://127.0.0.1:{settings.status_port}{office.make_path()}"
            )
            typer.echo(f"Every action asks for this code, which is nowhere else: {office.code}")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, supervisor.stop)
    typer.echo(f"Merchants reach this federation at {settings.address}. Ctrl-C stops everything.")
    supervisor.run()
    typer.echo("Everything has stopped.")


@app.command()
def launch(
    plan_file: PlanArgument,
    quorum: Annotated[
        int | None, typer.Option(min=1, help="Fewest answers that make a round; two thirds of the members if left out.")
    ] = None,
    round_seconds: Annotated[float, typer.Option(min=1, help="How long a round waits for answers.")] = ROUND_SECONDS,
    without_noise: Annotated[
        bool, typer.Option("--without-noise", help="Run the plan's training without noise.")
    ] = False,
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Sign a plan and have it run.

    At once, or as soon as `hansa-server up` runs.
    """
    home = CoordinatorFolder(folder)
    home.read_settings()
    plan = read_plan(plan_file)
    done = launch_plan(home, plan, private=not without_noise, quorum=quorum, round_seconds=round_seconds)
    left_out = f"Not in its sums, without a peer key: {', '.join(done.without_key)}.\n" if done.without_key else ""
    said = {"launch": done.number, "plan_hash": plan.hash, "run_hash": done.run_hash, "quorum": done.quorum}
    cut = f", who are cut into {done.sums} sums with that quorum each" if done.sums > 1 else ""
    also = {"without_key": list(done.without_key)} if done.without_key else {}
    say(
        said | also | ({"sums": done.sums} if done.sums > 1 else {}),
        f"Launched {plan.name} as number {done.number}; quorum {done.quorum} of {done.members}{cut}. "
        f"Who asks for a smallest_cohort above {done.quorum} declines.\n{left_out}"
        f"Merchants approve it by its hash {plan.hash}\nWatch it with: hansa-server status --live",
        as_json=as_json,
    )


@app.command()
def status(
    live: Annotated[bool, typer.Option("--live", help="Look again every second until Ctrl-C, or all is done.")] = False,
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Show members, rounds and models.

    And what each size class has spent.
    """
    from server.page.status import draw_status, gather_status  # brings torch

    home = CoordinatorFolder(folder)
    home.read_settings()
    console = make_console()
    with _registry(home) as registry:
        if as_json:
            print_json(gather_status(home, registry))
        elif not live:
            console.print(draw_status(gather_status(home, registry)))
        else:
            _watch(home, registry, console)


@app.command()
def stop(
    number: Annotated[int, typer.Argument(help="The launch's number, as status shows it.")],
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Stop a launch after its present round.

    Nothing is lost.
    """
    with _registry(CoordinatorFolder(folder)) as registry:
        if registry.launch(number).state != State.RUNNING:
            raise ConfigError(f"Launch {number} does not run; it is {registry.launch(number).state}.")
        registry.note_launch(number, state=State.STOPPED, reason="stopped by hand")
    say(
        {"stopped": number}, f"Launch {number} stops after its present round; see: hansa-server resume", as_json=as_json
    )


@app.command()
def resume(
    number: Annotated[int, typer.Argument(help="The launch's number, as status shows it.")],
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Let a launch go on where it was.

    One that was stopped, or that failed.
    """
    with _registry(CoordinatorFolder(folder)) as registry:
        if registry.launch(number).state not in (State.STOPPED, State.FAILED):
            raise ConfigError(
                f"Launch {number} was not stopped and did not fail; it is {registry.launch(number).state}."
            )
        registry.note_launch(number, state=State.RUNNING, reason="")
    say({"resumed": number}, f"Launch {number} goes on.", as_json=as_json)


@models_app.command("list")
def list_models(folder: PlaceOption = Path(), as_json: JsonOption = False) -> None:
    """List every released model."""
    from server.page.status import describe_model  # brings torch

    with _registry(CoordinatorFolder(folder)) as registry:
        said = [describe_model(registry, model) for model in registry.models()]
    lines = [
        f"{model['model_hash'][:12]}  {model['plan']}  {model['rounds']} rounds  {model['released_at'][:16]}"
        for model in said
    ]
    say(said, "\n".join(lines), as_json=as_json)


@models_app.command("show")
def show_model(
    model_hash: Annotated[str, typer.Argument(metavar="HASH", help="First digits of the model's hash.")],
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Show where a model comes from.

    And what it cost, and who has it.
    """
    from server.page.status import describe_model  # brings torch

    with _registry(CoordinatorFolder(folder)) as registry:
        said = describe_model(registry, _find_model(registry, model_hash))
    say(said, list_pairs(said), as_json=as_json)


@models_app.command("pull")
def pull_model(
    model_hash: Annotated[str, typer.Argument(metavar="HASH", help="First digits of the model's hash.")],
    out: Annotated[Path, typer.Option(help="Folder for the model, its note and its card.", show_default=False)],
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Copy a model out.

    A safetensors file, its signed note and its card go into a folder.
    """
    from server.page.status import describe_model  # brings torch

    home = CoordinatorFolder(folder)
    with _registry(home) as registry:
        model = _find_model(registry, model_hash)
        card = describe_model(registry, model)
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / model.file).write_bytes(read_file(home.models / model.file))
        (out / "note.json").write_bytes(model.signed.content)
        (out / "note.signature").write_bytes(model.signed.signature)
        (out / "card.json").write_text(json.dumps(card, indent=2) + "\n")
    except OSError as error:
        raise ConfigError(f"Cannot copy the model to {out}: {error.strerror}; choose another --out.") from error
    say({"model_hash": model.model_hash, "folder": str(out)}, f"Wrote {out / model.file}.", as_json=as_json)


def _find_model(registry: Registry, first_digits: str) -> Model:
    found = [model for model in registry.models() if model.model_hash.startswith(first_digits)]
    if len(found) != 1:
        raise ConfigError(f"{len(found)} models begin with {first_digits!r}; see: hansa-server models list")
    return found[0]


def _watch(home: CoordinatorFolder, registry: Registry, console: Console) -> None:
    from rich.live import Live

    from server.page.status import draw_status, gather_status

    told = ""
    with Live(console=console, auto_refresh=False) as shown:
        while True:
            said = gather_status(home, registry)
            shown.update(draw_status(said), refresh=True)
            line = "; ".join(f"{found['plan']}: {found['state']}, round {found['round']}" for found in said["launches"])
            if not console.is_terminal and line != told:
                console.print(line, soft_wrap=True, markup=False)
            told = line
            if said["launches"] and all(found["state"] != State.RUNNING for found in said["launches"]):
                return
            time.sleep(LIVE_SECONDS)


@contextmanager
def _registry(home: CoordinatorFolder) -> Iterator[Registry]:
    with closing(open_registry(home)) as registry:
        yield registry


def main() -> None:
    """Run the command line where its commands are imported already."""
    run_program("hansa-server", "server.cli")


if __name__ == "__main__":
    main()
