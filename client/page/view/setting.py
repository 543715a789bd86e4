"""Settings: shop.toml as a form, and a form read back into settings that are legal as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from client.language.speech import mark, t
from client.language.trouble import say_trouble
from client.shop.settings import Shop
from common.errors import ConfigError
from common.plan.reading import explain_faults
from common.plan.schema import WEEKDAYS

Fields = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Field:
    """One setting.

    Attributes
    ----------
    kind
        text, number, percent (a share as the file has it), choice or yes.
    choices
        The file's words and ours.
    """

    name: str
    words: str
    kind: str = "text"
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()


SHOP = (
    Field("name", mark("Name of the shop")),
    Field("time_zone", mark("Time zone"), hint=mark("as Europe/Berlin")),
    Field("currency", mark("Currency"), hint=mark("three letters, as EUR")),
    Field("country", mark("Country"), hint=mark("two letters, for public holidays")),
    Field("subdivision", mark("State or province"), hint=mark("for public holidays")),
    Field("closed_holidays", mark("Closed on public holidays"), "yes"),
    Field("closed_dates", mark("Closed on single days"), hint=mark("as 2026-12-24, with commas between")),
)
ORDER = (
    Field(
        "aim", mark("Order for"), "choice",
        choices=(("service", mark("a service level")), ("cost", mark("the least cost"))),
    ),
    Field("service_level", mark("Service level"), "percent", mark("how much of what is asked for is there")),
    Field(
        "missing", mark("A sale that cannot be served"), "choice",
        choices=(("lost", mark("is lost")), ("waits", mark("waits"))),
    ),
    Field("lead_days", mark("Days from order to shelf"), "number"),
    Field("lead_spread_days", mark("give or take, in days"), "number"),
    Field("review_days", mark("Days between two orders"), "number"),
    Field("minimum_quantity", mark("Least pieces of an order"), "number"),
    Field("pack_size", mark("Pieces in a pack"), "number"),
    Field("shelf_life_days", mark("Days that it keeps"), "number"),
    Field("holding_rate", mark("What lying a year costs"), "percent", mark("of its unit cost")),
    Field("cost_share", mark("Unit cost where it is not known"), "percent", mark("of its price")),
    Field("out_cost", mark("What a missing piece costs"), "number", mark("its margin if left out")),
    Field("budget", mark("Most money for one round of orders"), "number"),
    Field("dead_days", mark("Dead is what does not sell within, in days"), "number"),
)  # fmt: skip
SUPPLIER = (
    Field("lead_days", mark("Days from order to shelf"), "number"),
    Field("lead_spread_days", mark("give or take, in days"), "number"),
    Field("review_days", mark("Days between two orders"), "number"),
    Field("minimum_amount", mark("Least money of an order"), "number"),
)
DAYS = dict(
    zip(
        WEEKDAYS,
        (
            mark("Monday"), mark("Tuesday"), mark("Wednesday"), mark("Thursday"), mark("Friday"), mark("Saturday"),
            mark("Sunday"),
        ),
        strict=True,
    )
)  # fmt: skip


def show_settings(shop: Shop, suppliers: Sequence[str]) -> dict[str, Any]:
    """Lay settings out as fields of a form.

    Parameters
    ----------
    suppliers
        Names that products have; those that shop.toml has join them.
    """
    own = {each.name: each for each in shop.suppliers}
    names = [*own, *(name for name in suppliers if name and name not in own)]
    return {
        "version": version_of(shop),
        "shop_fields": [_show(each, getattr(shop, each.name), f"shop.{each.name}") for each in SHOP],
        "order_fields": [_show(each, getattr(shop.order, each.name), f"order.{each.name}") for each in ORDER],
        "closed": _show_days("closed_weekdays", shop.closed_weekdays),
        "ordered": _show_days("order_weekdays", shop.order.order_weekdays),
        "suppliers": [
            {
                "name": name,
                "fields": [
                    _show(each, getattr(own.get(name), each.name, None), f"supplier.{place}.{each.name}")
                    for each in SUPPLIER
                ],
            }
            for place, name in enumerate(names)
        ],
    }


def version_of(shop: Shop) -> str:
    """Name these settings, so that a form tells which it was made of."""
    return sha256(shop.model_dump_json().encode()).hexdigest()


def _show(each: Field, value: object, name: str) -> dict[str, Any]:
    choices = [{"value": word, "words": t(words), "is_chosen": word == value} for word, words in each.choices]
    return {
        "name": name,
        "words": t(each.words),
        "hint": t(each.hint) if each.hint else "",
        "kind": each.kind,
        "value": _write(each.kind, value),
        "is_on": value is True,
        "choices": choices,
    }


def _write(kind: str, value: object) -> str:
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if kind == "percent" and isinstance(value, float):
        return f"{100 * value:.6g}"
    return f"{value:.10g}" if isinstance(value, int | float) else str(value)


def _show_days(name: str, chosen: Sequence[str]) -> dict[str, Any]:
    return {"name": name, "days": [(day, t(words), day in chosen) for day, words in DAYS.items()]}


def read_settings(shop: Shop, fields: Fields) -> Shop:
    """Read a form into settings; what it does not show stays as it is.

    Raises
    ------
    ConfigError
        A field holds what it cannot; the sentence says which.
    """
    said = shop.model_dump(mode="python", exclude_none=True)
    said |= {each.name: _read(each, fields, f"shop.{each.name}") for each in SHOP}
    said["closed_dates"] = [part.strip() for part in str(said["closed_dates"]).split(",") if part.strip()]
    said["closed_weekdays"] = [day for day in DAYS if day in fields.get("closed_weekdays", ())]
    order = said.get("order", {}) | {each.name: _read(each, fields, f"order.{each.name}") for each in ORDER}
    order["order_weekdays"] = [day for day in DAYS if day in fields.get("order_weekdays", ())]
    said["order"] = _known(order)
    said["suppliers"] = [_known(each) for each in _read_suppliers(shop, fields)]
    try:
        return Shop.model_validate_json(_as_json(said))
    except ValidationError as error:
        raise ConfigError(t("This cannot be: {faults}.", faults=say_trouble(explain_faults(error, Shop)))) from error


def _read_suppliers(shop: Shop, fields: Fields) -> list[dict[str, Any]]:
    own = {each.name: each.model_dump(exclude_none=True) for each in shop.suppliers}
    found = []
    for place, name in enumerate(fields.get("supplier", ())):
        said = {each.name: _read(each, fields, f"supplier.{place}.{each.name}") for each in SUPPLIER}
        merged = {**own.get(name, {}), **said, "name": name}
        if name in own or any(value is not None for value in said.values()):
            found.append(merged)
    return found


def _known(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}


def _read(each: Field, fields: Fields, name: str) -> object:
    text = fields.get(name, [""])[0].strip()
    if each.kind == "yes":
        return name in fields
    if each.kind in ("text", "choice"):
        return text
    if not text:
        return None
    try:
        number = float(text.replace(",", "."))
    except ValueError as error:
        raise ConfigError(t("{field}: {text} is no number.", field=t(each.words), text=text[:40])) from error
    if each.kind == "percent":
        return round(number / 100, 12)
    return int(number) if number.is_integer() else number


def _as_json(said: Mapping[str, Any]) -> bytes:
    from pydantic_core import to_json

    return to_json(said)
