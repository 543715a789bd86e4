"""A grid over keys of a plan: which runs it has, on which origins, and what came of them.

sweep.json              plan, origins, seed, and per run its settings, metrics or why it failed
sweep.csv               the same as a table: one row per run and method
KEY=VALUE,KEY=VALUE/    the folder of each run, as `hansa-sim run` leaves it

Whoever chooses by the numbers of an origin has looked at it: what is forecast there afterwards is no test any more. So
a sweep leaves out the plan's last origin, and every one whose horizon reaches into the last one's.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pydantic import ValidationError

from common.errors import ConfigError
from common.plan.reading import explain_faults
from common.plan.schema import Plan

SCHEMA = 1
MOST_RUNS = 1000
FIXED = ("data", "evaluation.origins", "evaluation.methods", "evaluation.task", "model.horizon_days")
UNACCOUNTED = (
    "Choosing by these numbers looks at the data once more for every run, and no epsilon accounts for it: choose on "
    "public or synthetic data, or say beside a result how it was chosen."
)
USED_UP = "The plan's last origin was looked at too: it is no test of what is chosen here."

Setting = tuple[str, tuple[Any, ...]]  # a key of the plan, and its values


@dataclass(frozen=True)
class Point:
    """One run of a grid.

    Attributes
    ----------
    settings
        What differs from the plan, by dotted key.
    plan
        The plan with these settings, on the origins of the sweep.
    """

    settings: dict[str, Any]
    plan: Plan

    @property
    def name(self) -> str:
        """Name of the run, and of its folder."""
        named = (f"{key}={value}" for key, value in self.settings.items())
        return ",".join(named).replace("/", "_").replace(" ", "")


def parse_setting(text: str) -> Setting:
    """Read `KEY=VALUE,VALUE,…`; values are TOML, and words without quotes are text.

    Raises
    ------
    ConfigError
        There is no key or no value, or a sweep over the key would compare answers to different questions.
    """
    key, _, values = text.partition("=")
    key = key.strip()
    if not key or not values.strip():
        raise ConfigError(f"--set {text} is none; write a key of the plan and its values: privacy.clipping_norm=0.5,1")
    if any(f"{key}.".startswith(f"{fixed}.") for fixed in FIXED):
        raise ConfigError(
            f"--set {key}: a sweep keeps data, origins, task, methods and horizon, or its runs would answer different "
            "questions; write another plan, or choose methods with --only."
        )
    return key, tuple(_parse_values(values))


def _parse_values(text: str) -> list[Any]:
    try:
        return list(tomllib.loads(f"values = [{text}]")["values"])
    except tomllib.TOMLDecodeError:  # a word among them
        return [_parse_word(word.strip()) for word in text.split(",")]


def _parse_word(word: str) -> Any:
    try:
        return tomllib.loads(f"value = {word}")["value"]
    except tomllib.TOMLDecodeError:
        return word


def make_points(plan: Plan, settings: Sequence[Setting], origins: Sequence[date]) -> list[Point]:
    """Make the plan of every run, the last key varying fastest.

    Raises
    ------
    ConfigError
        A key comes twice, a value is not legal, two runs are the same, or there are too many.
    """
    keys = [key for key, _ in settings]
    if len(set(keys)) < len(keys) or not keys:
        raise ConfigError("A sweep needs --set KEY=VALUE,VALUE, once for each key.")
    grid = list(itertools.islice(itertools.product(*(values for _, values in settings)), MOST_RUNS + 1))
    if len(grid) > MOST_RUNS:
        raise ConfigError(f"The grid has more than {MOST_RUNS} runs; take fewer values.")
    points = [_make_point(plan, dict(zip(keys, values, strict=True)), origins) for values in grid]
    if len({point.plan.hash for point in points}) < len(points):
        raise ConfigError("Two runs of the grid are the same; name each value once.")
    return points


def _make_point(plan: Plan, settings: dict[str, Any], origins: Sequence[date]) -> Point:
    values = plan.model_dump(mode="json")
    values["evaluation"]["origins"] = [str(origin) for origin in origins]
    for key, value in settings.items():
        _put(values, key, value)
    try:
        return Point(settings, Plan.model_validate_json(json.dumps(values, default=str)))
    except ValidationError as error:
        raise ConfigError(f"--set: {explain_faults(error, Plan)}") from error


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    section = values
    for part in path:
        inner = section.get(part)
        if inner is None:
            inner = section[part] = {}
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {key}: {part} is no section of the plan.")
        section = inner
    section[last] = value


def choose_origins(plan: Plan, *, with_last: bool) -> tuple[date, ...]:
    """Give the origins that a sweep may look at: all, or those whose horizon is over when the last one's begins.

    Raises
    ------
    ConfigError
        There is none.
    """
    origins = sorted(plan.evaluation.origins)
    if with_last:
        return tuple(origins)
    early = tuple(day for day in origins if day + timedelta(days=plan.model.horizon_days) <= origins[-1])
    if not early:
        raise ConfigError(
            f"No origin of {plan.name} lies a whole horizon before its last one, {origins[-1]}, which a sweep leaves "
            "for the test; add an earlier one to evaluation.origins, or give --use-last-origin and have no test left."
        )
    return early


def describe_run(point: Point, *, summary: dict[str, Any] | None, failure: str | None) -> dict[str, Any]:
    """Say what came of one run."""
    return {
        "settings": point.settings,
        "folder": point.name,
        "failure": failure,
        "methods": {} if summary is None else summary["methods"],
        "seconds": None if summary is None else summary["timing_seconds"]["total"],
    }


def make_csv(runs: list[dict[str, Any]]) -> str:
    """Lay runs out as a table: one row per run and method, and one for a run that failed."""
    keys = list(runs[0]["settings"]) if runs else []
    metrics = list(dict.fromkeys(name for run in runs for scores in run["methods"].values() for name in scores))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*keys, "method", *metrics, "failure"])
    for run in runs:
        settings = [run["settings"][key] for key in keys]
        for method, scores in (run["methods"] or {"": {}}).items():
            writer.writerow([*settings, method, *(scores.get(metric) for metric in metrics), run["failure"]])
    return text.getvalue()
