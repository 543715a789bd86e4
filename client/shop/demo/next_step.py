"""What to try on the demo shop: the commands that this version has, each as it can be typed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from client.shop.demo.good import GOODS, NEW, SHIFTED

PRODUCT = GOODS[0].code
BEGUN_WITH = ("init", "import", "demo", "adapt")  # done already, or of a federation
STEPS: dict[str, tuple[str, str]] = {  # command → what follows it, and what it answers
    "serve": ("", "all of it on a page"),
    "check": ("", "what is odd in the history"),
    "forecast": ("--by week", "what will sell"),
    "explain": (SHIFTED, "why so much of one product"),
    "order": ("", "what to order, when, and from whom"),
    "customers": ("", "who will buy, and who is leaving"),
    "recommend": ("", "what to offer to whom"),
    "whatif": ("", "what another price would do"),
    "trends": ("", "what turned, and since when"),
    "reviews": ("", "what customers write, and whether sales follow"),
    "watch": ("", "whether forecasts are still as good as they were"),
    "score": ("", "how good forecasts were"),
    "history": ("", "what was imported"),
}
FILLED: Mapping[str, str] = {"product": PRODUCT, "products": PRODUCT, "sku": NEW}


def list_steps(commands: click.Group, folder: Path) -> Iterator[tuple[str, str]]:
    """Give each command line and what it answers, those that are known here first."""
    others = sorted(name for name in commands.commands if name not in STEPS and name not in BEGUN_WITH)
    for name in (*STEPS, *others):
        command = commands.commands.get(name)
        if command is None or not _is_of_shop(command):
            continue
        words, answers = STEPS.get(name, ("", ""))
        missing = [each for each in command.params if isinstance(each, click.Argument) and each.required]
        filled = [FILLED.get((each.name or "").removesuffix("_name"), "") for each in missing]
        if not words and all(filled):
            words = " ".join(filled)
        if len([word for word in words.split() if not word.startswith("-")]) < len(missing):
            continue  # nobody here knows what it asks for
        line = " ".join(filter(None, ("hansa-client", name, words, f"--folder {shlex.quote(str(folder))}")))
        yield line, answers or (command.get_short_help_str(60)[:1].lower() + command.get_short_help_str(60)[1:])


def _is_of_shop(command: click.Command) -> bool:
    """Whether it reads a shop's folder; those of a federation have a folder of their own."""
    names = ("check",) if command.name == "check" else ()
    for each in command.params:
        if "--folder" in each.opts and isinstance(each, click.Option):
            return "shop" in (each.help or "") or bool(names)
    return False
