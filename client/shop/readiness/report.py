"""The readiness report: what a shop's history holds, and what is wrong with it, the worst first."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

from client.shop.readiness.problem import Problem
from common.command.page import allow, meta

ORDER = ("fault", "warning", "note")
STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 54rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse } td, th { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top }
section { border-left: .3rem solid #999; padding: .1rem 1rem; margin: 1.2rem 0 }
.fault { border-color: #b3261e } .warning { border-color: #b26a00 } .note { border-color: #1f5fa8 }
h2 { font-size: 1.1rem; margin: .4rem 0 } dt { font-weight: bold } dd { margin: 0 0 .4rem 0 }
"""
WIDTH = 110


@dataclass(frozen=True)
class Readiness:
    """Facts about a history by name, and its problems.

    Attributes
    ----------
    shop
        Its name.
    facts
        In the order to show them.
    """

    shop: str
    facts: dict[str, int | float | str]
    problems: tuple[Problem, ...]

    @classmethod
    def of(cls, shop: str, facts: dict[str, int | float | str], problems: Iterable[Problem]) -> Readiness:
        """Put the worst first; of equal severity the one that concerns most rows."""
        return cls(shop, facts, tuple(sorted(problems, key=lambda each: (ORDER.index(each.severity), -each.rows))))

    @property
    def fails(self) -> bool:
        """Whether a forecast from this history would be wrong."""
        return any(problem.severity == "fault" for problem in self.problems)

    def as_json(self) -> dict[str, Any]:
        """Write everything as JSON."""
        problems = [problem.as_json() for problem in self.problems]
        return {"shop": self.shop, "facts": self.facts, "problems": problems, "fails": self.fails}

    def as_text(self) -> str:
        """Write facts and problems for a terminal."""
        width = max((len(name) for name in self.facts), default=0)
        facts = [f"{name:{width}}  {_show(value)}" for name, value in self.facts.items()]
        blocks = [_block(problem) for problem in self.problems]
        return "\n".join([*facts, "", *(blocks or ["Nothing to complain of."])])

    def as_page(self) -> str:
        """Write a page in HTML that needs no other file; every value is escaped."""
        rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(_show(v))}</td></tr>" for name, v in self.facts.items())
        problems = "\n".join(map(_section, self.problems)) or "<p>Nothing to complain of.</p>"
        title = f"Readiness of {escape(self.shop)}"
        head = f"{meta(allow(styles=[STYLE]))}<title>{title}</title><style>{STYLE}</style>"
        return f"<!doctype html>\n<html lang=en>{head}\n<h1>{title}</h1>\n<table>{rows}</table>\n{problems}\n</html>\n"


def _lines_of(problem: Problem) -> list[tuple[str, str]]:
    said = (("What it does to a forecast", problem.effect), ("How to mend it", problem.advice))
    lines = [(name, text) for name, text in said if text]
    if problem.correction is not None:
        accepted = f"hansa-client check --accept {problem.key}"
        lines.append(("Proposal", f"{accepted} {problem.correction.sentence}."))
    if problem.examples:
        lines.append(("For instance", "; ".join(problem.examples)))
    return lines


def _block(problem: Problem) -> str:
    head = textwrap.fill(f"{problem.severity}: {problem.what}", WIDTH, subsequent_indent="  ")
    rest = [
        textwrap.fill(f"{name}: {text}", WIDTH, initial_indent="  ", subsequent_indent="    ")
        for name, text in _lines_of(problem)
    ]
    return "\n".join([head, *rest])


def _section(problem: Problem) -> str:
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in _lines_of(problem))
    return (
        f'<section class="{problem.severity}"><h2>{problem.severity}: {escape(problem.what)}</h2>'
        f"<dl>{lines}</dl></section>"
    )


def _show(value: int | float | str) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
