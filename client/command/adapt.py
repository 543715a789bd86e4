"""`hansa-client adapt`: the file that a federation's plan reads, made of the shop's history."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from client.command.import_history import ShopFolderOption
from client.folder import write_new
from common.command.app import JsonOption
from common.command.output import say
from common.errors import ConfigError

if TYPE_CHECKING:
    from client.shop.plan.adaptation import Adapted


def adapt(
    plan_file: Annotated[
        Path | None, typer.Argument(metavar="[PLAN]", help="The plan that you were sent, a TOML file.")
    ] = None,
    folder: ShopFolderOption = Path(),
    data_root: Annotated[Path | None, typer.Option("--data-root", help="Folder that data.path starts from.")] = None,
    wishes: Annotated[
        list[str] | None, typer.Option("--set", help="COLUMN=INGREDIENT, or 'COLUMN=constant VALUE'.")
    ] = None,
    new_plan: Annotated[
        Path | None, typer.Option("--new-plan", help="Write a plan for shops like yours to this file instead.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make the file that PLAN reads.

    Says what each of its columns is made of. shop.toml keeps it, and every import makes the file anew. Customers are
    in it as keyed hashes. Nothing leaves.
    """
    if (plan_file is None) == (new_plan is None):
        raise ConfigError("Give the PLAN that you were sent, or --new-plan FILE to write one.")
    if new_plan is not None:
        _write_plan(new_plan, folder, as_json=as_json)
    elif plan_file is not None:
        _adapt(plan_file, folder, data_root or folder / "data", wishes or [], as_json=as_json)


def _write_plan(path: Path, folder: Path, *, as_json: bool) -> None:
    from client.shop.history.history import History  # heavy, as is what follows
    from client.shop.plan.starter import write_plan
    from client.shop.settings import read_shop

    with History.open(folder) as history:
        text = write_plan(history, read_shop(folder))
    write_new(path, text)
    words = f"Wrote {path}; read every line of it, then make its file with: hansa-client adapt {path}"
    say({"plan": text, "file": str(path)}, words, as_json=as_json)


def _adapt(plan_file: Path, folder: Path, data_root: Path, wishes: list[str], *, as_json: bool) -> None:
    from client.shop.history.history import History  # heavy, as is what follows
    from client.shop.settings import PlanSettings, read_shop
    from client.shop.setup.refresh import adapt_to, keep_plan
    from client.shop.setup.survey import as_location

    shop = read_shop(folder)
    path, root = as_location(str(plan_file), folder), as_location(str(data_root), folder)
    before = next((plan.columns for plan in shop.plans if plan.path == path), {})
    settings = PlanSettings(path=path, data_root=root, columns=before | _read_wishes(wishes))
    with History.open(folder) as history:
        adapted = adapt_to(settings, history, shop, folder)
    keep_plan(settings, shop, folder)
    again = f"Next: hansa-client check {plan_file} --data-root {data_root}"
    words = [say_adapted(adapted), "Every `hansa-client import` makes it anew, as shop.toml says.", again]
    say(describe_adapted(adapted), "\n".join(words), as_json=as_json)


def _read_wishes(wishes: list[str]) -> dict[str, str]:
    pairs = dict(wish.partition("=")[::2] for wish in wishes)
    if not all(column and ingredient for column, ingredient in pairs.items()):
        raise ConfigError("--set says what a column is made of; write it as --set COLUMN=INGREDIENT.")
    return pairs


def say_adapted(adapted: Adapted) -> str:
    """Say for a person what was written and what each column is made of."""
    lines = [f"  {made.say()}" for made in adapted.made]
    entities = f"{adapted.num_entities:,} {'entity' if adapted.num_entities == 1 else 'entities'}"
    return "\n".join([f"Wrote {adapted.num_rows:,} rows of {entities} to {adapted.path}:", *lines, *adapted.remarks])


def describe_adapted(adapted: Adapted) -> dict[str, Any]:
    """Say it for machines."""
    return {
        "file": str(adapted.path),
        "rows": adapted.num_rows,
        "entities": adapted.num_entities,
        "columns": {made.column: made.ingredient for made in adapted.made},
        "remarks": list(adapted.remarks),
    }
