"""A policy to begin with: the commented starter, its `[data]` section filled in from a plan or from a table."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from importlib.resources import files

from client.data.root import DataRoot
from client.data.table import read_columns
from common.errors import ConfigError, DataError
from common.plan.reads import columns_in, shared_files
from common.plan.schema import DataPlan, Plan

COMMENTED = "# [data]"  # where the starter's own section begins, up to the next one
NEXT = "[budget]"
COMMENTS_AT = 34  # the column in which the starter's comments stand


def write_starter() -> str:
    """Write the starter with a section that is only mentioned."""
    return files("client.account").joinpath("starter.toml").read_text()


def start_from_plan(plan: Plan, root: DataRoot) -> str:
    """Write a starter that lets a plan read what this one reads, of the files that are there what they have of it."""
    section = write_section(plan.data, {file: columns_there(file, root) for file in columns_in(plan.data)})
    return _filled(section, unit=plan.privacy.unit)


def start_from_table(path: str, entity: str, root: DataRoot) -> str:
    """Write a starter that lets a plan read every column of a table.

    Raises
    ------
    ConfigError
        The table has no such column.
    DataError
        There is no such table below the data root.
    """
    columns = read_columns(root.find(path), [entity])
    if entity not in columns:
        raise ConfigError(f"{path} has no column {entity!r}; name one of {', '.join(columns)} with --entity.")
    return _filled(_write(entity, "", {path: columns}, {}), unit=None)


def write_section(data: DataPlan, there: Mapping[str, Collection[str] | None] | None = None) -> str:
    """Write the section `[data]` that lets a plan read what it names.

    Parameters
    ----------
    there
        The columns of each file, where they are known: which of a plan's files has a column, the plan does not say.
    """
    columns = {
        file: [column for column in named if (known := (there or {}).get(file)) is None or column in known]
        for file, named in columns_in(data).items()
    }
    joined = {lookup.path: lookup.column for lookup in data.lookups if lookup.column != data.entity}
    joined |= {table.path: table.entity for table in data.ahead if table.entity not in {"", data.entity}}
    return _write(data.entity, data.merchant, columns, joined, shared_files(data))


def _write(
    entity: str,
    merchant: str,
    columns: Mapping[str, Collection[str]],
    joined: Mapping[str, str],
    public: Collection[str] = (),
) -> str:
    lines = [_note("[data]", "what the data set is; a plan that reads anything else is refused")]
    lines.append(_note(f"entity = {_quote(entity)}", "the column whose value is one unit: is that what `unit` says?"))
    if merchant:
        lines.append(_note(f"merchant = {_quote(merchant)}", "names one unit together with it"))
    lines.append(_note("never = []", "columns that no plan ever reads, whoever approved it"))
    if public:
        named = ", ".join(map(_quote, public))
        lines.append(_note(f"public = [{named}]", "made of nobody's rows, as a calendar: is that so?"))
    lines += ["", _note("[data.files]", "below --data-root, and what a plan may read: take out what none shall have")]
    lines += [f"{_quote(file)} = [{', '.join(map(_quote, named))}]" for file, named in columns.items()]
    if joined:
        lines += ["", _note("[data.lookups]", "by which column a file is joined to each unit's own rows")]
        lines += [f"{_quote(file)} = {_quote(column)}" for file, column in joined.items()]
    return "\n".join(lines) + "\n"


def _note(line: str, comment: str) -> str:
    return f"{line.ljust(COMMENTS_AT - 2)}  # {comment}"


def _filled(section: str, *, unit: str | None) -> str:
    text = write_starter()
    before, rest = text.split(COMMENTED)
    after = rest[rest.index(NEXT) :]
    if unit is not None:
        old, new = (f"unit = {_quote(name)}".ljust(COMMENTS_AT) for name in ("customer", unit))
        before = before.replace(old, new)
    return f"{before}{section}\n{after}"


def columns_there(file: str, root: DataRoot) -> list[str] | None:
    """Name the columns of a file below the data root; None where it cannot be read."""
    try:
        return read_columns(root.find(file), [])
    except DataError:
        return None


def _quote(text: str) -> str:
    """Write a text as TOML does."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
