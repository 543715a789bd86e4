"""Read a plan from the text of a TOML file, and say of each fault where it stands and what would be legal."""

from __future__ import annotations

import difflib
import json
import tomllib
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from common.errors import ConfigError
from common.plan.schema import Plan


def read_plan(path: Path) -> Plan:
    """Read and check a plan.

    Raises
    ------
    ConfigError
        The file is missing, is no TOML, or a key or value is not legal.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise ConfigError(f"Cannot read the plan {path}: {error.strerror}. Give the path of a TOML file.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text in UTF-8. Give the path of a TOML file.") from error
    return parse_plan(text, origin=str(path))


def parse_plan(text: str, *, origin: str = "plan") -> Plan:
    """Check the text of a plan; `origin` names it in errors."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin} is no TOML: {error}.") from error
    try:
        return Plan.model_validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        raise ConfigError(f"{origin}: {explain_faults(error, Plan)}") from error


def explain_faults(error: ValidationError, root: type[BaseModel]) -> str:
    """Say of every fault in a file that is checked as `root` which key it is, its value and what is legal."""
    return "; ".join(_sentence(fault, root) for fault in error.errors())


def _sentence(fault: Any, root: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in fault["loc"]) or root.__name__.lower()
    if fault["type"] == "extra_forbidden":
        return f"unknown key {key}{_did_you_mean(fault['loc'], root)}"
    if fault["type"] == "missing":
        return f"key {key} is missing"
    legal = fault["msg"].removeprefix("Value error, ")
    if isinstance(fault["input"], dict | list):
        return f"{key}: {legal}"
    return f"{key} = {fault['input']!r}: {legal[0].lower() + legal[1:]}"


def _did_you_mean(location: tuple[str | int, ...], root: type[BaseModel]) -> str:
    section = root
    for part in location[:-1]:
        field = section.model_fields.get(str(part))
        if field is not None:  # else a place in a tuple, or a name that the plan gives
            section = _section_in(field.annotation) or section
    names = difflib.get_close_matches(str(location[-1]), section.model_fields, n=1)
    return f" (did you mean {names[0]}?)" if names else ""


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """Find the section in `Section`, `Section | None`, `tuple[Section, ...]` or `dict[str, Section]`."""
    candidates = (annotation, *get_args(annotation))
    return next((found for found in candidates if hasattr(found, "model_fields")), None)
