"""`hansa-client whatif`: what another price or a promotion would bring."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from client.command.day import read_day_or_none
from client.command.progress import Progress
from common.command.app import JsonOption
from common.command.output import make_console, print_json, print_table
from common.errors import ConfigError

if TYPE_CHECKING:
    from client.decision.response.answer import Answer
    from client.decision.response.experiment import Experiment
    from client.decision.response.question import Ask
    from client.decision.response.scenario import Change
    from client.shop.calendar.kept import Kept
    from client.shop.settings import Shop

USUAL_WEEKS = 12
USUAL_CHANGE = -0.1  # of the price, in an experiment that names none
MOST_SHARE = 0.9  # of the price, that is taken off


def whatif(
    folder: Annotated[Path, typer.Option("--folder", help="Folder with shop.toml and the shop's history.")] = Path(),
    product: Annotated[list[str] | None, typer.Option("--product", help="Of this product; can be repeated.")] = None,
    category: Annotated[str, typer.Option("--category", help="Of all products of this category.")] = "",
    price: Annotated[float | None, typer.Option("--price", help="The new price of the one --product.")] = None,
    change: Annotated[str, typer.Option("--change", help="Change of the price for good, as -5% or +10%.")] = "",
    discount: Annotated[str, typer.Option("--discount", help="Promotion with so much off, as 20%.")] = "",
    begin: Annotated[str, typer.Option("--from", help="First day; the day after the last sale if left out.")] = "",
    end: Annotated[str, typer.Option("--to", help="Last day; four weeks if left out.")] = "",
    unit_cost: Annotated[
        str, typer.Option("--unit-cost", help="What a piece costs you, as 4.10, or as a share of its price, 45%.")
    ] = "",
    experiment: Annotated[
        Path | None, typer.Option("--experiment", help="Write a plan of prices set by chance into this .json file.")
    ] = None,
    weeks: Annotated[int, typer.Option("--weeks", help="With --experiment: how many weeks it takes.")] = USUAL_WEEKS,
    seed: Annotated[int, typer.Option("--seed", min=0, help="With --experiment: what chance begins with.")] = 1,
    schedule: Annotated[
        Path | None, typer.Option("--schedule", help="Plan that was followed: answer from its weeks alone.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write every product to: .csv, .parquet or .xlsx.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="File to draw units and money by price into: .svg or .html.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what another price would bring.

    Units, revenue and profit with an interval, from how the shop's own sales went with its prices; and a plan of prices
    set by chance, to know instead of guess. Nothing leaves.
    """
    from client.decision.response.answer import answer  # heavy, as is what follows
    from client.decision.response.experiment import read_experiment
    from client.decision.response.question import Ask
    from client.shop.forecast.picture import require_picture_file
    from client.shop.forecast.table import require_table_file
    from client.shop.history.history import History
    from client.shop.settings import read_shop
    from common.disk.file import require_place

    if product and category:
        raise ConfigError("--product and --category ask for different products; leave one of them out.")
    if experiment is not None and (schedule is not None or picture is not None):
        raise ConfigError("--experiment only writes a plan; leave --schedule and --picture out.")
    if experiment is not None:
        require_place(experiment)
    if out is not None:
        require_table_file(out)
    if picture is not None:
        require_picture_file(picture)
    cost, cost_share = _read_cost(unit_cost, single=len(product or ()) == 1)
    ask = Ask(
        products=tuple(dict.fromkeys(product or ())),
        category=category,
        change=_read_change(price, change, discount, single=len(product or ()) == 1),
        first=read_day_or_none("--from", begin),
        last=read_day_or_none("--to", end),
        cost=cost,
        cost_share=cost_share,
    )
    shop = read_shop(folder)
    with History.open(folder) as history:
        today = datetime.now(ZoneInfo(shop.time_zone)).date()
        if experiment is not None:
            _plan(history, shop, ask, experiment, weeks=weeks, seed=seed, today=today, out=out, as_json=as_json)
            return
        plan = None if schedule is None else read_experiment(_read_json(schedule), str(schedule))
        found = answer(history, shop, ask, today=today, plan=plan, on_step=Progress())
    _write(found, shop, out, picture)
    if as_json:
        _print_json(found, out, picture)
    else:
        _say(found, out, picture)


def _read_change(price: float | None, change: str, discount: str, *, single: bool) -> Change | None:
    from client.decision.response.scenario import Change

    if sum((price is not None, bool(change), bool(discount))) > 1:
        raise ConfigError("--price, --change and --discount ask for different things; give one of them.")
    if price is not None:
        if not single:
            raise ConfigError("--price is of one product; name it with --product, or give --change -5% for several.")
        if not 0 < price < 1e9:
            raise ConfigError(f"--price {price} is no price; give one from above 0 to a billion.")
        return Change(price=price)
    if discount:
        share = _read_share("--discount", discount)
        if not 0 < share <= MOST_SHARE:
            raise ConfigError(f"--discount {discount} is not between 1% and {MOST_SHARE:.0%}; write it as 20%.")
        return Change(factor=1.0 - share, promotion=True)
    if change:
        share = _read_share("--change", change)
        if not -MOST_SHARE <= share <= 4.0 or share == 0:
            raise ConfigError(f"--change {change} is no change of a price; write it as -5% or +10%.")
        return Change(factor=1.0 + share)
    return None


def _read_share(option: str, text: str) -> float:
    """Read a share, which must say that it is one: 20% and not 20."""
    digits = text.strip().replace("−", "-").replace(",", ".")
    try:
        if digits.endswith("%"):
            share = float(digits[:-1].strip()) / 100
            if abs(share) < 1e6:
                return share
    except ValueError:
        pass
    raise ConfigError(f"{option} {text!r} is no share; write it with its sign, as 20%.")


def _read_cost(text: str, *, single: bool) -> tuple[float | None, float | None]:
    if not text:
        return None, None
    if text.strip().endswith("%"):
        share = _read_share("--unit-cost", text)
        if not 0 <= share <= 2:
            raise ConfigError(f"--unit-cost {text} is not between 0% and 200% of the price.")
        return None, share
    try:
        cost = float(text)
    except ValueError as error:
        raise ConfigError(f"--unit-cost {text!r} is neither money, as 4.10, nor a share, as 45%.") from error
    if not 0 <= cost < 1e9:
        raise ConfigError(f"--unit-cost {text} is no cost; give one that is not negative.")
    if not single:
        raise ConfigError("--unit-cost as money is of one --product; give a share of the price for several, as 45%.")
    return cost, None


def _read_json(path: Path) -> dict[str, Any]:
    from common.disk.reading import read_file_json

    try:
        value = read_file_json(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"Cannot read {path} as a plan ({error}); give the file that --experiment wrote.") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path} holds no plan; give the file that --experiment wrote.")
    return value


def _plan(
    history: Kept,
    shop: Shop,
    ask: Ask,
    path: Path,
    *,
    weeks: int,
    seed: int,
    today: date,
    out: Path | None,
    as_json: bool,
) -> None:
    """Write a plan of prices set by chance."""
    from client.decision.response.experiment import plan_experiment, plan_prices
    from client.shop.forecast.table import write_rows
    from common.disk.file import write_whole

    if path.suffix != ".json":
        raise ConfigError(f"--experiment {path} is no .json file; the schedule as a table is --out FILE.")
    share = USUAL_CHANGE if ask.change is None else ask.change.factor - 1.0
    prices, last = plan_prices(history, shop, ask)
    if ask.change is not None and ask.change.price is not None:
        share = ask.change.price / prices[ask.products[0]] - 1.0
    after = max(last, today) if ask.first is None else ask.first - timedelta(days=1)
    plan = plan_experiment(prices, change=share, after=after, weeks=weeks, seed=seed)
    write_whole(path, (json.dumps(plan.describe(), indent=1) + "\n").encode())
    if out is not None:
        write_rows(plan.table(), out, sheet="schedule")
    if as_json:
        print_json({**plan.describe(), "file": str(path), "table": None if out is None else str(out)})
    else:
        _say_plan(plan, path, out)


def _say_plan(plan: Experiment, path: Path, out: Path | None) -> None:
    from client.language.count import count_products, count_weeks

    changes = ", ".join("the usual price" if factor == 1 else f"{factor - 1:+.0%}" for factor in plan.factors)
    typer.echo(
        f"Wrote {path}: {count_products(len(plan.products))} over {count_weeks(plan.weeks)}, {plan.first} to "
        f"{plan.last}. Each has each of these prices equally often, in an order drawn by chance (seed {plan.seed}): "
        f"{changes}."
    )
    if out is not None:
        typer.echo(f"Wrote the schedule to {out}.")
    typer.echo("Keep to it, also where you would rather not: a price that you choose yourself tells nothing of prices.")
    typer.echo(f"When its weeks have come and are imported: hansa-client whatif --schedule {path}")


def _write(found: Answer, shop: Shop, out: Path | None, picture: Path | None) -> None:
    from client.decision.response.picture import draw_answer
    from client.shop.forecast.table import write_rows
    from common.disk.file import write_whole

    if out is not None:
        write_rows(found.table, out, sheet="what-if")
    if picture is not None:
        page = picture.suffix == ".html"
        write_whole(picture, draw_answer(found, name=shop.name, currency=shop.currency, page=page).encode())


def _print_json(found: Answer, out: Path | None, picture: Path | None) -> None:
    from client.decision.response.wording import describe_answer

    files = {"file": None if out is None else str(out), "picture": None if picture is None else str(picture)}
    print_json({**describe_answer(found), **files, "rows": found.table.to_pylist()})


def _say(found: Answer, out: Path | None, picture: Path | None) -> None:
    from client.decision.response.wording import make_product_table, make_table, say_answer
    from client.language.count import count_rows

    console = make_console()
    print_table(console, make_table(found))
    if len(found.goods.products) > 1:
        print_table(console, make_product_table(found))
    for sentence in say_answer(found):
        typer.echo(sentence)
    if out is not None:
        typer.echo(f"Wrote {count_rows(found.table.num_rows)} to {out}; they are yours alone.")
    if picture is not None:
        typer.echo(f"Drew {picture}.")
