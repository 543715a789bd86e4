"""A document of the benchmark as Markdown, each ratio beside what was asked of it, so that misses are seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulation.bench.document import PARTS, say_machine, say_point

MANY_MERCHANTS = 1000
STEP_LIMITS = {32: 0.3, 64: 0.4, 128: 0.6}  # by hidden size, of the GRU alone
MODEL_LIMIT, MEMORY_LIMIT, OPACUS_LIMIT, ROUND_LIMIT = 0.5, 0.5, 10.0, 0.4
STEP_COLUMNS = (
    ("hansa", "nn_gru", "seconds"),
    ("opacus", "hansa", "seconds"),
    ("hansa_torch", "nn_gru", "seconds"),
    ("hansa", "nn_gru", "peak_bytes"),
)


@dataclass(frozen=True)
class Bound:
    """What is asked of a ratio: not above `limit`, or not below it."""

    limit: float
    above: bool = False

    def is_met(self, ratio: float) -> bool:
        """Compare as the table shows it, to two digits."""
        return round(ratio, 2) >= self.limit if self.above else round(ratio, 2) <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.above else '≤'} {self.limit:g}"


OTHER_BOUNDS = {
    ("flower_opacus", "hansa"): Bound(40.0, above=True),
    ("flower_opacus", "hansa_apart"): Bound(40.0, above=True),
    ("auto_ets", "hansa"): Bound(50.0, above=True),
    ("pandas", "hansa"): Bound(3.0, above=True),
    ("at_once", "hansa"): Bound(3.0, above=True),
}


def make_markdown(document: dict[str, Any]) -> str:
    """Write a table of the step and one of everything else; a miss stands in bold with the bound behind it."""
    return "\n".join([f"{say_machine(document['machine'])}.", "", *_step_table(document), *_other_table(document), ""])


def find_bound(part: str, entry: dict[str, Any], comparison: dict[str, Any]) -> Bound | None:
    """Give what is asked of a ratio; None where nothing is."""
    pair, what = (comparison["of"], comparison["to"]), comparison.get("what", "seconds")
    if part == "step" and "hansa_torch" not in pair:
        if what == "peak_bytes":
            return Bound(MEMORY_LIMIT)
        if pair == ("opacus", "hansa"):
            return Bound(OPACUS_LIMIT, above=True)
        return Bound(MODEL_LIMIT if "model" in entry else STEP_LIMITS[entry["hidden_size"]])
    if part == "federation":
        is_asked = entry["merchants"] >= MANY_MERCHANTS and what == "seconds"
        return Bound(ROUND_LIMIT) if is_asked else None
    return OTHER_BOUNDS.get(pair)


def _step_table(document: dict[str, Any]) -> list[str]:
    if "step" not in document:
        return []
    head = [
        "| model | hidden size | steps | entities | `hansa` to `nn_gru` | `opacus` to `hansa` | "
        "`hansa_torch` to `nn_gru` | memory to `nn_gru` |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    return [*head, *(_step_row(entry) for entry in document["step"]), ""]


def _step_row(entry: dict[str, Any]) -> str:
    found = {(each["of"], each["to"], each.get("what", "seconds")): each for each in entry["comparisons"]}
    point = [entry.get("model", "GRU"), *(str(entry[name]) for name in ("hidden_size", "steps", "entities"))]
    ratios = [_say_ratio("step", entry, found[column]) if column in found else "–" for column in STEP_COLUMNS]
    return f"| {' | '.join([*point, *ratios])} |"


def _other_table(document: dict[str, Any]) -> list[str]:
    rows = [
        f"| {part} | {say_point(entry)} | {comparison.get('what', 'seconds')} of `{comparison['of']}` to "
        f"`{comparison['to']}` | {_say_ratio(part, entry, comparison)} |"
        for part in PARTS
        if part != "step"
        for entry in _entries(document, part)
        for comparison in entry["comparisons"]
    ]
    return ["| part | at | what | ratio |", "|---|---|---|---:|", *rows] if rows else []


def _entries(document: dict[str, Any], part: str) -> list[dict[str, Any]]:
    found = document.get(part, [])
    return found if isinstance(found, list) else [found]


def _say_ratio(part: str, entry: dict[str, Any], comparison: dict[str, Any]) -> str:
    bound, ratio = find_bound(part, entry, comparison), comparison["ratio"]
    if bound is None or bound.is_met(ratio):
        return f"{ratio:.2f}"
    return f"**{ratio:.2f}**, not {bound}"
