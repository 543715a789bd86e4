"""`hansa-client predict`: a merchant's own forecasts from the newest model."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from client.place import JsonOption, Place, PlaceOption, print_json
from common.errors import ConfigError


def predict(
    out: Annotated[Path, typer.Option(help="File to write, .csv or .parquet; an older one is replaced.")],
    data_root: Annotated[Path, typer.Option(help="Folder that data.path starts from.")] = Path(),
    plan_hash: Annotated[str, typer.Option(help="First digits of a run's hash; the newest model if left out.")] = "",
    origin: Annotated[str, typer.Option(help="First day to forecast; the plan's last origin if left out.")] = "",
    personal: Annotated[bool, typer.Option("--personalise", help="Fit the model to your own rows first.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Forecast the horizon of every entity from the newest verified model; what it writes is never to be shared."""
    from client.archive import Archive  # these are heavy, and needed here alone
    from client.device import choose_device
    from client.membership import read_federation
    from client.prediction import Question, write_table
    from client.prediction import predict as forecast

    place = Place(folder)
    archive = Archive(place.plans, place.models, read_federation(place).coordinator)
    model = archive.newest_model(plan_hash)
    question = Question(
        origin=read_day(origin) if origin else model.note.plan.evaluation.origins[-1],
        personal=personal,
        device=choose_device(device),
    )
    table = forecast(model, data_root, question)
    write_table(table, out)
    said = {
        "file": str(out),
        "plan": model.note.plan.name,
        "run_hash": model.note.run_hash,
        "model_hash": model.note.model_hash,
        "round_number": model.note.round_number,
        "released_at": model.note.released_at.isoformat(),
        "origin": str(question.origin),
        "personalised": personal,
        "entities": int(table["entity"].nunique()),
        "rows": len(table),
        "private": False,
    }
    if as_json:
        print_json(said)
    else:
        typer.echo(
            f"Wrote {len(table)} forecasts of {said['entities']} entities to {out}. They are yours alone: nothing "
            "protects what they tell of your customers, so share them with nobody."
        )


def read_day(text: str) -> date:
    """Read the day of --origin."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--origin {text} is no day; write it as 2011-09-30.") from error
