"""hansa-client ledger: open accounts, look at them, look ahead, look for tampering, take a copy away, go on."""

from __future__ import annotations

import json
import math
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from client.folder import MerchantFolder, PlaceOption, write_new
from common.command.app import JsonOption, make_app
from common.command.output import make_console, print_json, print_table, say
from common.command.program import EXIT_NO
from common.errors import ConfigError, PrivacyError

if TYPE_CHECKING:
    from client.account.ledger.balance import Account
    from client.account.ledger.recovery import Charge, Loss
    from client.account.policy import Budget, Policy
    from common.privacy.guarantee import Guarantee

ledger_app = make_app("The account of all that left.")


@ledger_app.command("open")
def open_accounts(folder: PlaceOption = Path(), as_json: JsonOption = False) -> None:
    """Open the accounts of the policy.

    Once, before the first release of a data set.
    """
    from client.account.ledger.opening import open_accounts as open_missing
    from client.account.policy import read_policy

    home = MerchantFolder(folder)
    policy = read_policy(home.policy)
    opened = [
        {"dataset": policy.dataset, "unit": unit, "delta": delta} for unit, delta in open_missing(home, policy).items()
    ]
    words = [
        f"Opened the account of {account['dataset']} per {account['unit']}, at delta {account['delta']} for good."
        for account in opened
    ]
    say({"opened": opened}, "\n".join(words) or "Every account of the policy is open already.", as_json=as_json)


@ledger_app.command()
def show(
    out: Annotated[
        Path | None, typer.Option(help="Also draw the account of the policy's unit to a file (SVG).")
    ] = None,
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Show what every account has spent."""
    from client.account.ledger.ledger import Ledger
    from client.account.ledger.picture import draw_curve, make_bars
    from client.account.policy import read_policy

    home = MerchantFolder(folder)
    policy = read_policy(home.policy)
    with closing(Ledger(home.ledger)) as ledger:
        accounts, head, num_lines = ledger.accounts, ledger.heads[-1], len(ledger.entries)
        own = ledger.account(policy.dataset, policy.unit)
    if out is not None:
        write_new(out, draw_curve(own, policy.budget))
    if as_json:
        print_json({"head": head, "num_lines": num_lines, "accounts": [_describe(account) for account in accounts]})
        return
    console = make_console()
    for account in accounts:
        print_table(console, make_bars(account, _budget_of(account, policy)))
        if account.is_shared:
            typer.echo(f"{_say_both(account)}.\n")
    typer.echo(f"{num_lines} lines, head {head}")


@ledger_app.command()
def forecast(
    noise_multiplier: Annotated[
        float | None, typer.Option(min=1e-3, help="Noise of the rounds to come; that of the latest if left out.")
    ] = None,
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say what the budget still buys.

    How many more rounds and plans, for life and in the present period.
    """
    from client.account.ledger.ledger import Ledger
    from client.account.policy import read_policy

    home = MerchantFolder(folder)
    policy = read_policy(home.policy)
    with closing(Ledger(home.ledger)) as ledger:
        account = ledger.account(policy.dataset, policy.unit)
    said = _look_ahead(account, policy, noise_multiplier)
    words = (
        f"{account.dataset} per {account.unit}: epsilon {said['epsilon_spent']} of {policy.budget.epsilon:g} spent for "
        f"life.\nAnother {said['plans_for_life']} plans of epsilon {policy.plan.epsilon:g} fit into life, "
        f"{said['plans_in_period']} into the present {policy.budget.period_days} days."
    )
    if said["noise_multiplier"] is not None:
        words += (
            f"\nOr {said['rounds_for_life']} rounds at noise {said['noise_multiplier']:.4g} for life, "
            f"{said['rounds_in_period']} in the present period."
        )
    say(said, words, as_json=as_json)


@ledger_app.command()
def verify(
    head: Annotated[
        str | None, typer.Option(help="A head noted earlier, as on a card: it must have been passed.")
    ] = None,
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Check that nothing was tampered with.

    No line and no message was changed, dropped, added or moved; exit code 1 says that one was.
    """
    from client.account.ledger.ledger import Ledger
    from client.account.ledger.verification import verify_ledger

    home = MerchantFolder(folder)
    try:
        verify_ledger(home.ledger, head=head)
    except PrivacyError as error:
        said: dict[str, Any] = {"true": False, "reason": str(error)}
    else:
        with closing(Ledger(home.ledger, trusts_head=False)) as ledger:
            reason = f"All {len(ledger.entries)} lines and {ledger.num_messages} messages are as they were written."
            said = {"true": True, "reason": reason, "head": ledger.heads[-1]}
    say(said, said["reason"], as_json=as_json)
    if not said["true"]:
        raise typer.Exit(EXIT_NO)


@ledger_app.command()
def export(
    out: Annotated[
        Path | None, typer.Option(help="File to write, one JSON object a line; the terminal if left out.")
    ] = None,
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Write every line with its head.

    Without the messages.
    """
    from client.account.ledger.ledger import Ledger

    with closing(Ledger(MerchantFolder(folder).ledger)) as ledger:
        lines = [
            {"number": number, "head": head, "line": json.loads(entry.model_dump_json())}
            for number, (entry, head) in enumerate(zip(ledger.entries, ledger.heads[1:], strict=True), start=1)
        ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    if out is not None:
        write_new(out, text)
    say(lines, text.rstrip("\n") if out is None else f"Wrote {len(lines)} lines to {out}.", as_json=as_json)


@ledger_app.command()
def witness(
    file: Annotated[
        Path | None, typer.Argument(help="File in another place, as on another disk; shown if left out.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Note the head beside the ledger alone from now on.")] = False,
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Note the head in another place too.

    So that a whole folder that was put back from a backup is noticed.
    """
    from client.account.ledger.head_file import require_place
    from client.account.ledger.ledger import Ledger

    if file is not None and none:
        raise ConfigError("Give a FILE to note the head in, or --none to note it nowhere else.")
    home = MerchantFolder(folder)
    with closing(Ledger(home.ledger)) as ledger:
        if file is not None or none:
            ledger.note_also(None if file is None else require_place(file, home.ledger.absolute()))
        place = ledger.head_files.second_place(strict=True)
    words = f"The head is noted beside the ledger and in {place}." if place else "The head is noted beside the ledger."
    say({"beside": str(ledger.head_files.beside), "also": place}, words, as_json=as_json)


@ledger_app.command()
def recover(
    accept: Annotated[
        bool, typer.Option("--accept", help="The newest ledger is gone: charge what is lost, and go on with this one.")
    ] = False,
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Go on with a ledger that lost lines.

    Says what that costs, and charges it with --accept; exit code 1 says that something is lost and nothing was done.
    """
    from client.account.ledger.ledger import now_utc
    from client.account.ledger.recovery import assess_loss, recover_ledger
    from client.account.policy import read_policy
    from client.command.run import holding

    home = MerchantFolder(folder)
    policy = read_policy(home.policy)
    budgets = {(policy.dataset, unit): budget for unit, budget in policy.budgets.items()}
    ceilings = {(policy.dataset, unit): ceiling for unit, ceiling in policy.ceilings.items()}
    with holding(home):
        if accept:
            loss = recover_ledger(home.ledger, budgets, ceilings, at=now_utc())
            if loss.reason is not None:
                _forget_secrets(home)
        else:
            loss = assess_loss(home.ledger, budgets, ceilings)
    is_done = accept or loss.reason is None
    said = {
        "lost": loss.reason is not None,
        "reason": loss.reason,
        "known": loss.is_known,
        "charged": accept and loss.reason is not None,
        "accounts": [_describe_charge(charge) for charge in loss.charges],
    }
    say(said, _say_loss(loss, accept=accept), as_json=as_json)
    if not is_done:
        raise typer.Exit(EXIT_NO)


def _forget_secrets(home: MerchantFolder) -> None:
    """Remove one-time secrets of sums: a ledger that lost lines does not know what was revealed with them."""
    for suffix in ("", "-wal", "-shm"):
        home.sums.with_name(f"{home.sums.name}{suffix}").unlink(missing_ok=True)


def _say_both(account: Account) -> str:
    from client.account.assumption import assumption_of, explain_assumption

    epsilons = account.guarantee().epsilon, account.guarantee_alone().epsilon
    said = str(explain_assumption(*epsilons, assumption_of(account.spends)))
    return said[0].upper() + said[1:]


def _describe_charge(charge: Charge) -> dict[str, Any]:
    return {
        "dataset": charge.dataset,
        "unit": charge.unit,
        "epsilon_before": charge.epsilon(charge.before),
        "epsilon_after": charge.epsilon(charge.after),
        "if_all_collude": {
            "epsilon_before": charge.epsilon(charge.before_alone),
            "epsilon_after": charge.epsilon(charge.after_alone),
        },
    }


def _say_loss(loss: Loss, *, accept: bool) -> str:
    if loss.reason is None:
        return "Nothing is lost: the ledger has passed through every head that was noted."
    lines = [loss.reason]
    if loss.is_known:
        lines.append("What it lacks follows from the heads that were noted; messages that are lost stay lost.")
    else:
        lines.append(
            "A head file is missing too, so what was spent after this copy is unknown: every account is charged up to "
            "its budget for life, and without bound where the policy has no budget for it."
        )
    did = "was" if accept else "would be"
    for charge in loss.charges:
        before, after = (f"{charge.epsilon(spent):.4g}" for spent in (charge.before, charge.after))
        lines.append(f"{charge.dataset} per {charge.unit}: epsilon {before} {did} charged to {after}.")
        if (charge.before_alone, charge.after_alone) != (charge.before, charge.after):
            before, after = (f"{charge.epsilon(spent):.4g}" for spent in (charge.before_alone, charge.after_alone))
            lines.append(f"  If all others put their heads together: epsilon {before} {did} charged to {after}.")
    if not accept:
        lines.append("Look for the newest ledger first. If it is gone for good: hansa-client ledger recover --accept")
    return "\n".join(lines)


def _describe(account: Account) -> dict[str, Any]:
    from client.account.assumption import assumption_of
    from client.account.ledger.picture import curve_of

    assumption = assumption_of(account.spends)
    guarantee, alone = account.guarantee(), account.guarantee_alone()
    return {
        "dataset": account.dataset,
        "unit": account.unit,
        "num_rounds": len(account.spends),
        **_finite(guarantee),
        "if_all_collude": _finite(alone),
        "assumption": None if assumption is None else vars(assumption),
        "curve": [
            {"at": point.at.isoformat(), "epsilon": point.epsilon if math.isfinite(point.epsilon) else None}
            for point in curve_of(account)
        ],
    }


def _finite(guarantee: Guarantee) -> dict[str, float | None]:
    """Write a guarantee in JSON, in which infinity is null: there is none."""
    return {name: value if math.isfinite(value) else None for name, value in vars(guarantee).items()}


def _budget_of(account: Account, policy: Policy) -> Budget | None:
    return policy.budgets.get(account.unit) if account.dataset == policy.dataset else None


def _look_ahead(account: Account, policy: Policy, noise_multiplier: float | None) -> dict[str, Any]:
    """Count what still fits; finite precision is counted as if all that is counted were released."""
    from client.account.ledger.balance import how_often, room_alone, room_of
    from client.account.ledger.ledger import now_utc
    from common.privacy.accounting import mu_of, round_mu_squared

    room = room_of(account, policy.budget, now=now_utc())
    share = 1
    if noise_multiplier is None and account.spends:
        noise_multiplier, share = account.spends[-1].noise_multiplier, account.spends[-1].noise_share or 1
    plan = mu_of(policy.plan.epsilon, account.delta) ** 2
    epsilon = account.guarantee().epsilon
    said: dict[str, Any] = {
        "dataset": account.dataset,
        "unit": account.unit,
        "epsilon_spent": round(epsilon, 6) if math.isfinite(epsilon) else None,
        "plans_for_life": how_often(plan, room.life),
        "plans_in_period": how_often(plan, room.least),
        "noise_multiplier": noise_multiplier or None,
    }
    if noise_multiplier:
        alone, ceiling = round_mu_squared(noise_multiplier), policy.ceilings.get(account.unit)
        together = math.inf if ceiling is None else how_often(alone, room_alone(account, ceiling))
        for key, left in (("rounds_for_life", room.life), ("rounds_in_period", room.least)):
            said[key] = int(min(how_often(alone / share, left), together))
    return said
