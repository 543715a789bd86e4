"""`hansa-client audit`: a merchant's own raw data, under the noise that its own policy would choose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.place import JsonOption, Place, PlaceOption, print_json
from client.policy import Policy, read_policy
from common.plan import Plan, read_plan
from common.privacy.accounting import noise_multiplier_for
from common.privacy.mechanism import Mechanism

if TYPE_CHECKING:
    from client.audit.subject import Subject

EXIT_VIOLATION = 1


def audit(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a TOML file.")],
    data_root: Annotated[Path, typer.Option(help="Folder that data.path starts from.")] = Path(),
    level: Annotated[
        str, typer.Option(help="Out of l0, l1, independence, accounting, separated by commas; all if left out.")
    ] = "",
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Look for a broken promise on copies of your own data; nothing is sent or spent."""
    import torch

    from client.audit.level import LEVELS, audit_merchant  # heavy, and no other command should wait for it

    torch.set_num_threads(1)
    subject = make_subject(read_plan(plan_file), data_root, read_policy(Place(folder).policy))
    levels = tuple(name.strip() for name in level.split(",")) if level else LEVELS
    report = audit_merchant(subject, levels=levels)
    if as_json:
        print_json(report.as_json())
    else:
        typer.echo(report.as_text())
    if not report.clean:
        raise typer.Exit(EXIT_VIOLATION)


def make_subject(plan: Plan, data_root: Path, policy: Policy) -> Subject:
    """Copy the merchant's rows, and take the noise that spends the policy's epsilon on the whole plan."""
    from client.audit.subject import Subject, sample_entities
    from client.data import read_rows

    epsilon, delta = policy.plan.epsilon, policy.budget.delta
    num_rounds = plan.privacy.training.num_rounds
    sigma = noise_multiplier_for(epsilon=epsilon, delta=delta, num_rounds=num_rounds)
    return Subject(
        plan,
        sample_entities(read_rows(plan.data, data_root), plan),
        plan.evaluation.origins[0],
        Mechanism(plan.privacy.clipping_norm, sigma),
        num_rounds,
        epsilon,
        delta,
    )
