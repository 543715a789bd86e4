"""Read what people write in TOML, plans above all, and say of each fault where it stands and what would be legal."""

from __future__ import annotations

import difflib
import json
import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from common.disk.reading import read_file_text
from common.errors import ConfigError
from common.plan.place import fault_of_places
from common.plan.schema import NEWER, Document, Plan
from common.schema import newer_file

Form = TypeVar("Form", bound=Document)


def read_plan(path: Path) -> Plan:
    """Read and check a plan (docs/protocol.md §2.1).

    Raises
    ------
    ConfigError
        The file is missing, is no TOML, a key or value is not legal, or a path leads out of the data root.
    """
    try:
        text = read_file_text(path)
    except OSError as error:
        raise ConfigError(f"Cannot read the plan {path}: {error.strerror}. Give the path of a TOML file.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text in UTF-8. Give the path of a TOML file.") from error
    return parse_plan(text, origin=str(path))


def parse_plan(text: str, *, origin: str = "plan") -> Plan:
    """Check the text of a plan, and that its paths stay below the data root; `origin` names it in errors."""
    plan = parse_toml(text, Plan, origin=origin)
    fault = fault_of_places(plan.data) or _fault_of_near(plan)
    if fault:
        raise ConfigError(f"{origin}: {fault}")
    return plan


def _fault_of_near(plan: Plan) -> str:
    """Say which holiday of `data.holidays.near` the place does not have; "" where there is none."""
    holidays = plan.data.holidays
    if holidays is None or not holidays.near:
        return ""
    from common.calendar.nearness import fault_of_name  # most plans do without the library

    faults = (fault_of_name(holidays.country, holidays.subdivision, name) for name in holidays.near)
    return next((f"data.holidays.near: {fault}" for fault in faults if fault), "")


def parse_toml(text: str, form: type[Form], *, origin: str) -> Form:
    """Check the text of a TOML file that a person writes.

    Raises
    ------
    ConfigError
        It is no TOML, or a key or value is not legal; `origin` names the file.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin} is no TOML: {error}.") from error
    except RecursionError as error:
        raise ConfigError(f"{origin} is no TOML that can be read: its brackets are nested too deep.") from error
    try:
        return form.model_validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        raise ConfigError(f"{origin}: {explain_faults(error, form)}") from error


def is_newer(error: ValidationError) -> bool:
    """Whether a later version would have understood: a schema is unknown here, or a key is and none is missing."""
    faults = {fault["type"] for fault in error.errors()}
    return NEWER in faults or ("extra_forbidden" in faults and "missing" not in faults)


def refuse_newer(error: ValidationError, path: Path) -> None:
    """Raise where a file that hansa itself wrote cannot be read because a later version wrote it.

    Raises
    ------
    DataError
        It did.
    """
    if is_newer(error):
        raise newer_file(path) from error


def explain_faults(error: ValidationError, root: type[BaseModel]) -> str:
    """Say of every fault in a file that is checked as `root` which key it is, its value and what is legal.

    In a file of a later schema every other fault is a consequence, and not said.
    """
    faults = error.errors()
    newer = [fault for fault in faults if fault["type"] == NEWER]
    return "; ".join(_sentence(fault, root) for fault in newer or faults)


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
    known = [field.alias or name for name, field in section.model_fields.items()]
    names = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f" (did you mean {names[0]}?)" if names else ""


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """Find the section in `Section`, `Section | None`, `tuple[Section, ...]` or `dict[str, Section]`."""
    candidates = (annotation, *get_args(annotation))
    return next((found for found in candidates if hasattr(found, "model_fields")), None)
