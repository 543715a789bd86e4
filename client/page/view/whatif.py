"""What another price would bring, laid out as rows and a curve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from client.language.number import say_count, say_money
from client.language.speech import t
from client.page.view.cell import read_day

Document = Mapping[str, Any]


def show_answer(said: Document) -> dict[str, Any]:
    """Lay out an answer, as `hansa-client whatif --json` says it."""
    currency = said["currency"]
    return {
        "who": said["who"],
        "first": read_day(said["from"]),
        "last": read_day(said["until"]),
        "amounts": [_show_amount(name, said, currency) for name in said["before"]],
        "sentences": said["sentences"],
        "of": t("profit") if "profit" in said["before"] else t("revenue"),
        "curve": [_show_point(each, currency, single=len(said["rows"]) == 1) for each in said["curve"]],
    }


def _show_amount(name: str, said: Document, currency: str) -> dict[str, Any]:
    def write(value: float) -> str:
        return say_count(value) if name == "units" else say_money(value, currency, cents=False)

    words = {"units": t("pieces"), "revenue": t("revenue"), "profit": t("profit")}[name]
    after = said["after"].get(name)
    return {
        "words": words,
        "before": write(said["before"][name]),
        "after": write(after["middle"]) if after else "",
        "between": t("{low} to {high}", low=write(after["low"]), high=write(after["high"])) if after else "",
    }


def _show_point(each: Document, currency: str, *, single: bool) -> dict[str, Any]:
    money = each["money"]
    shown = say_money(each["price"], currency) if single else f"{each['price'] - 1:+.0%}"
    return {"price": each["price"], "shown": shown, **{name: money[name] for name in ("low", "middle", "high")}}
