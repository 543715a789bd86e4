"""hansa-client: what a merchant allows, what it spent, what left, and what that promises."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from client.account.ledger.cli import ledger_app
from client.command.audit import audit
from client.command.check import check
from client.command.doctor import doctor
from client.command.join import join
from client.command.predict import predict
from client.command.prove import prove
from client.command.run import run
from client.folder import MerchantFolder, PlaceOption, write_new
from common.command.app import JsonOption, PlanArgument, VersionOption, make_app
from common.command.output import list_pairs, print_json, say
from common.command.program import EXIT_NO, run_program
from common.errors import ConfigError, DataError, PrivacyError

if TYPE_CHECKING:
    from client.transparency.card import PublicCohort

app = make_app("For a merchant: what it allows, spent and sent; take part, and forecast.", completion=True)
app.add_typer(ledger_app, name="ledger")
for command in (audit, join, run, check, doctor, predict, prove):
    app.command()(command)


@app.callback()
def _take_version(version: VersionOption = False) -> None:
    pass  # the option answers by itself


@app.command()
def policy(
    out: Annotated[Path | None, typer.Option(help="File to write; the terminal if left out.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a commented starter policy."""
    from importlib.resources import files

    text = files("client.account").joinpath("starter.toml").read_text()
    if out is not None:
        write_new(out, text)
    words = f"Wrote {out}; read every line of it, then: hansa-client ledger open" if out else text.rstrip("\n")
    say({"policy": text, "file": str(out) if out else None}, words, as_json=as_json)


@app.command()
def consider(
    plan_file: PlanArgument,
    coordinator: Annotated[str, typer.Option(help="SHA-256 of the coordinator's signing key.", show_default=False)],
    cohort: Annotated[int, typer.Option(min=1, help="Merchants that would take part.", show_default=False)],
    without_noise: Annotated[
        bool, typer.Option("--without-noise", help="Consider the plan's training without noise.")
    ] = False,
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say whether the policy allows PLAN.

    With which noise, and at what price. Nothing is sent or spent; exit code 1 says that it is not allowed.
    """
    from client.account.agreement import Offer, agree  # heavy, as is what follows
    from client.account.ledger.ledger import Ledger
    from client.account.policy import read_policy
    from client.daemon.handlers import count_parameters
    from client.daemon.membership import read_vouchers
    from common.plan.reading import read_plan
    from common.privacy.accounting import epsilon_of

    home = MerchantFolder(folder)
    own, plan = read_policy(home.policy), read_plan(plan_file)
    offer = Offer(plan, not without_noise, coordinator, cohort, read_vouchers(home, coordinator))
    said: dict[str, Any] = {"plan": plan.name, "hash": plan.hash, "run_hash": offer.run_hash}
    with closing(Ledger(home.ledger)) as ledger:
        try:
            size = count_parameters(plan, private=offer.private)
            mechanism = agree(own, offer, ledger, num_coordinates=size).mechanism
        except PrivacyError as error:
            said |= {"allowed": False, "reason": str(error)}
        else:
            mu = (offer.training.num_rounds * mechanism.mu_squared) ** 0.5
            said |= {
                "allowed": True,
                "num_rounds": offer.training.num_rounds,
                "noise_multiplier": mechanism.noise_multiplier,
                "epsilon": None if without_noise else epsilon_of(mu, own.budget.delta),
                "unit": own.unit,
            }
    say(said, list_pairs(said), as_json=as_json)
    if not said["allowed"]:
        raise typer.Exit(EXIT_NO)


@app.command()
def tap(
    line: Annotated[int | None, typer.Option(min=1, help="Line of one spend; every message if left out.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Show every byte, sixteen a row.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the bytes of one message to a file.")] = None,
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Show what left, byte for byte.

    And say what it means.
    """
    from client.account.ledger.ledger import Ledger  # heavy
    from client.transparency.sent_messages import departures_of, describe, explain, hex_lines

    with closing(Ledger(MerchantFolder(folder).ledger)) as ledger:
        departures = [found for found in departures_of(ledger) if line in (None, found.line)]
    if line is not None and not departures:
        raise DataError(f"Line {line} has no message; see: hansa-client tap")
    if out is not None:
        if line is None:
            raise ConfigError("--out writes one message; name it with --line.")
        write_new(out, departures[0].content)
    if as_json:
        print_json([describe(found) | ({"hex": found.content.hex()} if raw else {}) for found in departures])
        return
    for found in departures:
        typer.echo(explain(found))
        if raw:
            typer.echo(hex_lines(found.content))
    if not departures:
        typer.echo("Nothing has left.")


@app.command()
def card(
    release: Annotated[
        str, typer.Argument(help="First digits of a run's hash; may be left out for the only one.")
    ] = "",
    cohort: Annotated[Path | None, typer.Option(help="JSON with the public terms of all merchants.")] = None,
    audit: Annotated[Path | None, typer.Option(help="JSON that `hansa-client audit --json` printed.")] = None,
    check: Annotated[Path | None, typer.Option(help="Check a card's signature and ledger head instead.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write the page to; the JSON goes beside it.")] = None,
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Issue the privacy card of one release.

    Signed, as JSON and as a page. With --check: say whether a card is true; exit code 1 says that it is not.
    """
    from certs.key import read_or_make_signing_key
    from client.account.ledger.ledger import Ledger  # heavy
    from client.account.policy import read_policy
    from client.transparency.card import make_card
    from client.transparency.card_page import write_page
    from client.transparency.card_signature import sign_card

    home = MerchantFolder(folder)
    if check is not None:
        _check_card(home, check, as_json=as_json)
        return
    with closing(Ledger(home.ledger)) as ledger:
        issued = make_card(
            ledger,
            read_policy(home.policy),
            release,
            cohort=None if cohort is None else _read_cohort(cohort),
            audit=None if audit is None else _read_object(audit),
        )
    signed = sign_card(issued, read_or_make_signing_key(home.key))
    if out is not None:
        write_new(out, write_page(signed))
        write_new(out.with_suffix(".json"), json.dumps(signed, indent=2) + "\n")
    if as_json or out is None:
        print_json(signed)
    else:
        typer.echo(f"Wrote {out} and {out.with_suffix('.json')}.")


def _check_card(home: MerchantFolder, file: Path, *, as_json: bool) -> None:
    from client.account.ledger.ledger import Ledger
    from client.transparency.card_signature import verify_card

    try:
        checked = verify_card(_read_object(file))
        with closing(Ledger(home.ledger)) as ledger:
            if checked["ledger"]["head"] not in ledger.heads:
                raise PrivacyError(
                    f"{home.ledger} never had the head of {file}; it is another ledger or an older copy."
                )
    except PrivacyError as error:
        said: dict[str, Any] = {"true": False, "reason": str(error)}
    else:
        said = {
            "true": True,
            "reason": f"{file} is signed as it stands, and {home.ledger} has passed through its head.",
        }
    say(said, said["reason"], as_json=as_json)
    if not said["true"]:
        raise typer.Exit(EXIT_NO)


def _read_cohort(path: Path) -> PublicCohort:
    from pydantic import ValidationError

    from client.transparency.card import PublicCohort
    from common.plan.reading import explain_faults

    try:
        return PublicCohort.model_validate_json(json.dumps(_read_object(path)))
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain_faults(error, PublicCohort)}.") from error


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"Cannot read {path} as JSON; give the file that the command wrote.") from error
    if not isinstance(value, dict):
        raise DataError(f"{path} holds no JSON object; give the file that the command wrote.")
    return value


def main() -> None:
    """Run the command line where its commands are imported already."""
    run_program("hansa-client", "client.cli")


if __name__ == "__main__":
    main()
