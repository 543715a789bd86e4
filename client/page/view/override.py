"""What a person expects, read from a form and said in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from client.language.number import say_count, say_day
from client.language.speech import t
from client.shop.override.override import LARGEST_FACTOR, Override
from common.errors import ConfigError

LONGEST_TEXT = 200


def read_form(product: str, said: Mapping[str, str], today: date) -> Override:
    """Read a form.

    Raises
    ------
    ConfigError
        A field holds what it cannot; the sentence says which.
    """
    first, last = (_read_day(said.get(name, "")) for name in ("first", "last"))
    if last < first:
        raise ConfigError(t("It ends before it begins; give the later day second."))
    author, reason = (said.get(name, "").strip()[:LONGEST_TEXT] for name in ("author", "reason"))
    if not author or not reason:
        raise ConfigError(t("Say who expects it, and why: later it is looked at who was right."))
    factor = 1.0 + _read_number(said.get("change", "")) / 100.0
    if not 0.0 <= factor <= LARGEST_FACTOR:
        raise ConfigError(t("A change lies between −100 % and +9,900 %."))
    return Override(
        number=1, of="product", name=product, first=first, last=last, factor=factor, author=author, reason=reason,
        made=today,
    )  # fmt: skip


def _read_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(t("Write a day as 2026-12-24.")) from error


def _read_number(text: str) -> float:
    try:
        return float(text.replace(",", ".").replace("−", "-"))
    except ValueError as error:
        raise ConfigError(t("{text} is no number.", text=text[:40] or "–")) from error


def say_override(each: Override, today: date) -> dict[str, Any]:
    """Say an override, with what it changed."""
    span = t(
        "{first} to {last}",
        first=say_day(each.first, this_year=today.year),
        last=say_day(each.last, this_year=today.year),
    )
    if each.factor is not None:
        what = t("{change:+.0%} of the forecast", change=each.factor - 1)
    else:
        what = t("{pieces} pieces", pieces=say_count(each.total or 0.0))
    words = t("{span}: {what}, says {author}: {reason}.", span=span, what=what, author=each.author, reason=each.reason)
    effect = ""
    if each.without is not None and each.with_it is not None:
        effect = t(
            "{before} pieces were forecast, {after} with it.",
            before=say_count(each.without),
            after=say_count(each.with_it),
        )
    return {"number": each.number, "words": words, "effect": effect, "removed": each.removed is not None}
