"""hansa-client: what a merchant allows, what it spent, what left, and what that promises."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from client.account.ledger.cli import ledger_app
from client.command.adapt import adapt
from client.command.audit import audit
from client.command.backup import backup, restore
from client.command.check import check
from client.command.customers import customers
from client.command.demo import demo
from client.command.doctor import doctor
from client.command.explain import explain
from client.command.forecast import forecast
from client.command.history import history
from client.command.import_history import import_history
from client.command.init import init
from client.command.join import join
from client.command.order import order
from client.command.override import override_app
from client.command.peers import peers
from client.command.predict import predict
from client.command.prove import prove
from client.command.recommend import recommend
from client.command.reviews import reviews
from client.command.run import run
from client.command.score import score
from client.command.serve import serve
from client.command.trends import trends
from client.command.upgrade import upgrade
from client.command.watch import watch
from client.command.whatif import whatif
from client.folder import MerchantFolder, PlaceOption, write_new
from common.command.app import DataRootOption, JsonOption, PlanArgument, VersionOption, make_app
from common.command.output import list_pairs, print_json, say
from common.command.program import EXIT_NO, run_program
from common.disk.reading import read_file_json
from common.errors import ConfigError, DataError, PrivacyError

if TYPE_CHECKING:
    from client.transparency.card import PublicCohort

app = make_app("For a merchant: what it allows, spent and sent; take part, and forecast.", completion=True)
app.add_typer(ledger_app, name="ledger")
app.add_typer(override_app, name="override")
for command in (
    init,
    serve,
    demo,
    history,
    forecast,
    explain,
    order,
    trends,
    score,
    watch,
    customers,
    recommend,
    adapt,
    audit,
    join,
    peers,
    run,
    check,
    doctor,
    predict,
    prove,
    whatif,
    reviews,
    backup,
    restore,
    upgrade,
):
    app.command()(command)
app.command("import")(import_history)


@app.callback()
def _take_version(version: VersionOption = False) -> None:
    pass  # the option answers by itself


@app.command()
def policy(
    out: Annotated[Path | None, typer.Option(help="File to write; the terminal if left out.")] = None,
    plan: Annotated[Path | None, typer.Option(help="Let plans read what this one reads; a TOML file.")] = None,
    table: Annotated[str, typer.Option(help="Let plans read this table; a path below --data-root.")] = "",
    entity: Annotated[str, typer.Option(help="With --table: the column whose value is one unit.")] = "",
    data_root: DataRootOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Write a commented starter policy.

    With --plan or --table its section [data] says which columns of which files a plan may read, and which column is
    the entity.
    """
    from client.account.starter import start_from_plan, start_from_table, write_starter  # heavy, as is what follows
    from client.data.root import DataRoot
    from common.plan.reading import read_plan

    if bool(table) != bool(entity) or (table and plan is not None):
        raise ConfigError("Give --plan FILE, or --table FILE with --entity COLUMN, or none of them.")
    if plan is not None:
        text = start_from_plan(read_plan(plan), DataRoot(data_root))
    elif table:
        text = start_from_table(table, entity, DataRoot(data_root))
    else:
        text = write_starter()
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

    What it would read, with which noise, and at what price. Nothing is sent or spent; exit code 1 says that it is not
    allowed.
    """
    from client.account.agreement import Offer, agree  # heavy, as is what follows
    from client.account.assumption import explain_sum
    from client.account.explanation import explain_reading
    from client.account.ledger.ledger import Ledger
    from client.account.policy import read_policy
    from client.daemon.handlers import count_parameters
    from client.daemon.membership import read_vouchers
    from common.plan.reading import read_plan
    from common.plan.reads import columns_in

    if not re.fullmatch(r"[0-9a-f]{64}", coordinator):
        raise ConfigError(
            f"--coordinator {coordinator[:80]!r} is no name of a key; give the 64 hexadecimal digits that the "
            "coordinator tells its merchants and `hansa-client join --welcome` prints."
        )
    home = MerchantFolder(folder)
    own, plan = read_policy(home.policy), read_plan(plan_file)
    offer = Offer(plan, not without_noise, coordinator, cohort, read_vouchers(home, coordinator))
    said: dict[str, Any] = {"plan": plan.name, "hash": plan.hash, "run_hash": offer.run_hash}
    summed: list[str] = []
    with closing(Ledger(home.ledger)) as ledger:
        try:
            size = count_parameters(plan, private=offer.private)
            agreement = agree(own, offer, ledger, num_coordinates=size)
        except PrivacyError as error:
            said |= {"allowed": False, "reason": str(error)}
        else:
            summed = explain_sum(agreement)
            said |= {
                "allowed": True,
                "num_rounds": offer.training.num_rounds,
                "noise_multiplier": agreement.mechanism.noise_multiplier,
                "epsilon": None if without_noise else agreement.epsilon,
                "unit": own.unit,
            }
            if summed:
                said["epsilon_if_all_collude"] = None if without_noise else agreement.epsilon_if_all_collude
    sentences = [*explain_reading(plan.data, own), *summed]
    shown = said | {"plan": plan.name if plan.name.isprintable() else repr(plan.name)}  # a stranger chose it
    words = "\n".join([*(f"- {sentence}" for sentence in sentences), list_pairs(shown)])
    reads = {"entity": plan.data.entity, "files": columns_in(plan.data), "words": sentences}
    say({**said, "reads": reads}, words, as_json=as_json)
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

    Sums of rounds, terms, receipts and refusals, and what Flower sends around them; and say what it means.
    """
    from client.account.ledger.ledger import Ledger  # heavy
    from client.transparency.sent_log import BY_FLOWER, SentLog, describe_other, explain_other
    from client.transparency.sent_messages import departures_of, describe, explain, hex_lines

    home = MerchantFolder(folder)
    with closing(Ledger(home.ledger)) as ledger:
        departures = [found for found in departures_of(ledger) if line in (None, found.line)]
    others, broken = SentLog(home.sent).read() if line is None else ([], 0)
    if broken:
        typer.echo(f"hansa-client: {broken} lines of {home.sent} cannot be read; a crash cut them short.", err=True)
    if line is not None and not departures:
        raise DataError(f"Line {line} has no message; see: hansa-client tap")
    if out is not None:
        if line is None:
            raise ConfigError("--out writes one message; name it with --line.")
        write_new(out, departures[0].content)
    if as_json:
        told = [(describe(found), found.content) for found in departures]
        told += [(describe_other(other), other.content) for other in others]
        print_json([said | ({"hex": content.hex()} if raw else {}) for said, content in told])
        return
    shown = [(explain(found), found.content) for found in departures]
    shown += [(explain_other(other), other.content) for other in others]
    for words, content in shown:
        typer.echo(words)
        if raw:
            typer.echo(hex_lines(content))
    if not shown:
        typer.echo("Nothing has left.")
    elif line is None:
        typer.echo(BY_FLOWER)


@app.command()
def card(
    release: Annotated[
        str, typer.Argument(help="First digits of a run's hash; may be left out for the only one.")
    ] = "",
    cohort: Annotated[Path | None, typer.Option(help="JSON with the public terms of all merchants.")] = None,
    audit: Annotated[Path | None, typer.Option(help="JSON that `hansa-client audit --json` printed.")] = None,
    check: Annotated[
        Path | None, typer.Option(help="Check a card that you were handed instead; needs no folder.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="With --check: the public key that must have signed it, 64 hex digits.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write the page to; the JSON goes beside it.")] = None,
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Issue the privacy card of one release.

    Signed, as JSON and as a page. With --check: say whether a card is true; exit code 1 says that it is not.
    """
    home = MerchantFolder(folder)
    if key is not None and check is None:
        raise ConfigError("--key says whose card --check must find; give both.")
    if check is not None:
        from client.command.card_check import say_whether_true

        say_whether_true(_read_object(check), home, file=check, key=key, as_json=as_json)
        return
    from certs.key import read_or_make_signing_key
    from client.account.ledger.ledger import Ledger  # heavy
    from client.account.policy import read_policy
    from client.transparency.card import make_card
    from client.transparency.card_page import write_page
    from client.transparency.card_signature import sign_card

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
        value = read_file_json(path)
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
