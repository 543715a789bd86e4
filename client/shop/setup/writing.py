"""Write shop.toml for people: commented, a section for each source, and read back as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from client.shop.settings import Dialect, OrderSettings, PlanSettings, Shop, SourceSettings, SupplierSettings

COMMENTS_AT = 36
_HEAD = """\
# What hansa knows of the shop and of where its data comes from. Change what is wrong, then: hansa-client import
"""


def write_shop(shop: Shop) -> str:
    """Write the settings of a shop, so that `parse_toml` gives them back."""
    parts = [_HEAD + _write_facts(shop)]
    parts += [write_source(source) for source in shop.sources]
    parts += [write_plan_settings(plan) for plan in shop.plans]
    parts += [_write_changed("[order]", shop.order)] if shop.order != OrderSettings() else []
    parts += [_write_changed("[[suppliers]]", supplier) for supplier in shop.suppliers]
    return "\n".join(parts)


def _write_facts(shop: Shop) -> str:
    dates = ", ".join(str(day) for day in shop.closed_dates)
    lines = [
        f"name = {quote(shop.name)}",
        _note(f"time_zone = {quote(shop.time_zone)}", "its days begin and end there"),
        _note(f"currency = {quote(shop.currency)}", "what it counts its money in"),
        _note(f"country = {quote(shop.country)}", "for public holidays"),
        _note(f"subdivision = {quote(shop.subdivision)}", "state or province, for public holidays"),
        _note(f"closed_weekdays = {_list(shop.closed_weekdays)}", "days without a sale that are no zero demand"),
        _note(f"closed_dates = [{dates}]", "and single ones, as 2026-12-24"),
        _note(f"closed_holidays = {str(shop.closed_holidays).lower()}", "closed on public holidays"),
    ]
    lines.append(
        _note(
            f"days = {{ closed = {quote(shop.days.closed)}, out = {quote(shop.days.out)} }}",
            "told alone, or guessed too",
        )
    )
    lines.append(_note(f"missing_ahead = {quote(shop.missing_ahead)}", "where prices end before the forecast does"))
    if shop.rates:
        pairs = ", ".join(f"{_key(name)} = {rate!r}" for name, rate in shop.rates.items())
        lines.append(_note(f"rates = {{ {pairs} }}", "what one unit of another currency is worth"))
    return "\n".join(lines) + "\n"


def write_source(source: SourceSettings) -> str:
    """Write one source, to stand anywhere behind the shop's own keys."""
    lines = ["[[sources]]", f"name = {quote(source.name)}"]
    lines.append(_note(f"location = {quote(source.location)}", "file or pattern beside this one, or a database"))
    if source.table:
        lines.append(_note(f"table = {quote(source.table)}", "sheet, table or view"))
    if source.format != "table":
        lines.append(_note(f"format = {quote(source.format)}", "whose export it is"))
    lines.append(_note(f"kind = {quote(source.kind)}", "what one row tells of"))
    if source.same_as:
        lines.append(_note(f"same_as = {quote(source.same_as)}", "tells of the same sales; an order of both is one"))
    if source.follow:
        lines.append(_note(f"follow = {quote(source.follow)}", "grows: only rows beyond the last are asked for"))
    if source.dialect is not None:
        lines += ["", *_write_dialect(source.dialect)]
    if source.columns:
        lines += ["", _note("[sources.columns]", "field = column of the source")]
        lines += _pairs(source.columns)
    if source.states:
        lines += ["", _note("[sources.states]", "what the source's words for an order's state mean")]
        lines += [f"{state} = {_list(words)}" for state, words in source.states.items()]
    return "\n".join(lines) + "\n"


def write_plan_settings(plan: PlanSettings) -> str:
    """Write one plan that is fed from the history."""
    lines = ["[[plans]]", _note(f"path = {quote(plan.path)}", "its file is made anew with every import")]
    lines.append(_note(f"data_root = {quote(plan.data_root)}", "where that file is put"))
    if plan.columns:
        lines += ["", _note("[plans.columns]", "column of the plan = what it is made of"), *_pairs(plan.columns)]
    return "\n".join(lines) + "\n"


def _write_changed(head: str, section: OrderSettings | SupplierSettings) -> str:
    """Write what differs from the defaults, each with its description."""
    lines = [head]
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if value != field.default:
            said = quote(value) if isinstance(value, str) else _list(value) if isinstance(value, tuple) else repr(value)
            line = f"{name} = {said}"
            lines.append(_note(line, field.description) if field.description else line)
    return "\n".join(lines) + "\n"


def _write_dialect(dialect: Dialect) -> list[str]:
    lines = [_note("[sources.dialect]", "how the file writes things down")]
    for name in Dialect.model_fields:
        value = getattr(dialect, name)
        lines.append(f"{name} = {quote(value) if isinstance(value, str) else value}")
    return lines


def _pairs(pairs: Mapping[str, str]) -> list[str]:
    width = max(len(_key(name)) for name in pairs)
    return [f"{_key(name).ljust(width)} = {quote(value)}" for name, value in pairs.items()]


def _list(words: Iterable[str]) -> str:
    return f"[{', '.join(map(quote, words))}]"


def quote(text: str) -> str:
    """Write a text as TOML does."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else quote(name)


def _note(line: str, comment: str) -> str:
    return f"{line.ljust(COMMENTS_AT - 2)}  # {comment}"
