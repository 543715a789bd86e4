"""`hansa-client predict`: a merchant's own forecasts, from the newest model and what the merchant can do alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from client.command.newest import OriginOption, PlanHashOption, choose_origin, read_newest
from client.folder import MerchantFolder, PlaceOption
from common.command.app import DataRootOption, DeviceOption, JsonOption
from common.command.output import print_json
from common.errors import ConfigError

if TYPE_CHECKING:
    from client.daemon.store import Model
    from client.forecast.prediction import Prediction, Question

MethodOption = Annotated[
    str,
    typer.Option(
        "--method", help="released, personalised, anchor, …; if left out routed, the average of what served you."
    ),
]
LEAST_SHARE = 0.0005  # less is not said


def predict(
    out: Annotated[
        Path, typer.Option(help="File to write, .csv or .parquet; an older one is replaced.", show_default=False)
    ],
    data_root: DataRootOption = Path(),
    plan_hash: PlanHashOption = "",
    origin: OriginOption = "",
    method: MethodOption = "",
    personal: Annotated[bool, typer.Option("--personalise", help="The same as --method personalised.")] = False,
    device: DeviceOption = "auto",
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Forecast the horizon of every entity.

    From the newest verified model and your own methods. What it writes is yours alone and never to be shared.
    """
    from client.forecast.candidate import read_method
    from client.forecast.prediction import Question
    from client.forecast.prediction import predict as forecast
    from common.disk.file import write_whole
    from common.forecast.table import require_suffix
    from common.machine.device import choose_device  # these are heavy, and needed here alone

    asked = read_method(_choose_name(method, personal=personal))
    require_suffix(out)
    model, rehearsal = read_newest(MerchantFolder(folder), plan_hash)
    question = Question(origin=choose_origin(origin, model), method=asked, device=choose_device(device))
    found = forecast(model, data_root, question, rehearsal=rehearsal)
    found.write(out)
    said = describe(found, model, question, out)
    write_whole(out.with_suffix(".methods.json"), (json.dumps(said, indent=2) + "\n").encode())
    for sentence in found.warnings:
        typer.echo(f"hansa-client: {sentence}", err=True)
    if as_json:
        print_json(said)
    else:
        _say(found, out)


def _choose_name(method: str, *, personal: bool) -> str:
    if personal and method not in {"", "personalised"}:
        raise ConfigError(f"--personalise and --method {method} ask for two methods; leave one of them out.")
    return "personalised" if personal else method or "routed"


def describe(found: Prediction, model: Model, question: Question, out: Path) -> dict[str, Any]:
    """Say what was written, from which model and by which methods, for machines."""
    served = found.served
    return {
        "file": str(out),
        "plan": model.note.plan.name,
        "run_hash": model.note.run_hash,
        "model_hash": model.note.model_hash,
        "round_number": model.note.round_number,
        "released_at": model.note.released_at.isoformat(),
        "origin": str(question.origin),
        "asked_for": question.method.name,
        "methods": served.weights,
        "weighed_on": None if served.weighed_on is None else [str(day) for day in served.weighed_on],
        "not_weighed_because": served.reason,
        "left_out": served.left_out,
        "warnings": list(found.warnings),
        "personalised": set(served.weights) == {"personalised"},
        "entities": len(found.entities),
        "rows": found.num_rows,
        "private": False,
    }


def _say(found: Prediction, out: Path) -> None:
    served = found.served
    typer.echo(
        f"Wrote {found.num_rows} forecasts of {len(found.entities)} entities to {out}. They are yours alone: nothing "
        "protects what they tell of your customers, so share them with nobody."
    )
    if served.weighed_on is not None:
        first, last = served.weighed_on
        typer.echo(
            f"They are {say_weights(served.weights)}, weighed by what each would have forecast of your {first} to "
            f"{last}, days that none of them had learned from."
        )
    else:
        because = f", since {served.reason}" if served.reason else ""
        typer.echo(f"They are {say_weights(served.weights)} alone{because}.")
    for method, reason in served.left_out.items():
        typer.echo(f"{method} has no part: it {reason}.")


def say_weights(weights: dict[str, float]) -> str:
    """Name the methods of an average with their shares, the largest first."""
    if len(weights) == 1:
        return next(iter(weights))
    shares = sorted(weights.items(), key=lambda share: -share[1])
    return ", ".join(f"{share:.1%} {method}" for method, share in shares if share >= LEAST_SHARE)
