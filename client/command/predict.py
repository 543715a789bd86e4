"""`hansa-client predict`: a merchant's own forecasts from the newest model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from client.command.newest import OriginOption, PlanHashOption, choose_origin, read_newest
from client.folder import MerchantFolder, PlaceOption
from common.command.app import DataRootOption, DeviceOption, JsonOption
from common.command.output import say


def predict(
    out: Annotated[
        Path, typer.Option(help="File to write, .csv or .parquet; an older one is replaced.", show_default=False)
    ],
    data_root: DataRootOption = Path(),
    plan_hash: PlanHashOption = "",
    origin: OriginOption = "",
    personal: Annotated[bool, typer.Option("--personalise", help="Fit the model to your own rows first.")] = False,
    device: DeviceOption = "auto",
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Forecast the horizon of every entity.

    From the newest verified model. What it writes is yours alone and never to be shared.
    """
    from client.forecast.prediction import Question, write_table
    from client.forecast.prediction import predict as forecast
    from common.device import choose_device  # these are heavy, and needed here alone

    model = read_newest(MerchantFolder(folder), plan_hash)
    question = Question(
        origin=choose_origin(origin, model),
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
    words = (
        f"Wrote {len(table)} forecasts of {said['entities']} entities to {out}. They are yours alone: nothing "
        "protects what they tell of your customers, so share them with nobody."
    )
    say(said, words, as_json=as_json)
