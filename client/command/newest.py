"""What the commands that use a released model share: which model, which rows, and the day to start from."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from client.command.day import read_day
from client.folder import MerchantFolder

if TYPE_CHECKING:
    from client.daemon.store import Model

PlanHashOption = Annotated[
    str, typer.Option("--plan-hash", help="First digits of a run's hash; the newest model if left out.")
]
OriginOption = Annotated[
    str, typer.Option("--origin", help="First day to forecast; the plan's last origin if left out.")
]


def read_newest(home: MerchantFolder, plan_hash: str) -> tuple[Model, Model | None]:
    """Read the newest model of the federation that was joined, or of one run, and the one after its rehearsal if any.

    Raises
    ------
    HansaError
        None was joined, there is no model, or it is not what the coordinator signed.
    """
    from client.daemon.membership import read_federation
    from client.daemon.store import Store  # these are heavy, and needed here alone

    store = Store(home.models, *read_federation(home).lineage.keys)
    model = store.newest_model(plan_hash)
    return model, store.rehearsal_of(model)


def choose_origin(text: str, model: Model) -> date:
    """Read the day of --origin, or take the last one of the model's plan.

    Raises
    ------
    ConfigError
        The text is no day.
    """
    if not text:
        return model.note.plan.evaluation.origins[-1]
    return read_day("--origin", text)
