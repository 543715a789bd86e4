"""Look at everything that a shop gives, and propose what each table of it means."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from client.shop.export.guess import Guess
from client.shop.export.proposal import Proposal, propose
from client.shop.export.unfit import explain_unfit
from client.shop.record import COLUMNS
from client.shop.settings import SourceSettings
from client.shop.setup.naming import name_source
from client.shop.source.database import is_url
from client.shop.source.opening import look
from client.shop.source.source import Look
from common.errors import ConfigError, DataError


@dataclass(frozen=True)
class Surveyed:
    """A table that was looked at, and what it seems to mean."""

    look: Look
    proposal: Proposal

    @property
    def settings(self) -> SourceSettings:
        """How it is to be read."""
        return self.proposal.settings

    @property
    def sources(self) -> tuple[SourceSettings, ...]:
        """All that is read of it: stock levels beside sales, where one table holds both."""
        return (self.proposal.settings, *self.proposal.also)

    @property
    def where(self) -> str:
        """Say for a person which file or table it is."""
        location = self.settings.location
        return f"{location}, {self.settings.table}" if self.settings.table else location


@dataclass(frozen=True)
class Survey:
    """All tables that were looked at; `unknown` are those in which nothing of a shop can be seen.

    `refused` says of others, a sentence each, why they are not read.
    """

    found: tuple[Surveyed, ...]
    unknown: tuple[Look, ...]
    refused: tuple[str, ...] = ()


def survey(locations: Sequence[str], folder: Path, taken: Iterable[str] = ()) -> Survey:
    """Look at files, folders, patterns and databases.

    Parameters
    ----------
    locations
        As they were typed: paths are relative to the working directory.
    folder
        The shop's, which the settings' locations are relative to.
    taken
        Names that sources have already.

    Raises
    ------
    DataError
        One cannot be opened, or nothing of a shop can be seen in any.
    """
    names, found, unknown, refused = list(taken), list[Surveyed](), list[Look](), list[str]()
    for location in locations:
        for seen in look(as_location(location, folder), folder):
            name = name_source(seen.location, seen.table, names)
            try:
                proposal = propose(seen, name=name)
            except DataError as error:  # of a shape that is not read, as a column for each day
                refused.append(str(error))
                continue
            if proposal is None:
                unknown.append(seen)
                continue
            surveyed = Surveyed(seen, _follow_changes(proposal, seen))
            names += [source.name for source in surveyed.sources]
            found.append(surveyed)
    if not found:
        raise DataError(refused[0] if refused else _nothing(unknown))
    return Survey(tuple(found), tuple(unknown), tuple(refused))


def _follow_changes(proposal: Proposal, look: Look) -> Proposal:
    """Ask a database for what it changed since the last time, where a column of its own tells when that was."""
    updated = proposal.settings.columns.get("updated", "")
    if look.kind != "database" or not updated or proposal.settings.follow:
        return proposal
    return replace(proposal, settings=proposal.settings.model_copy(update={"follow": updated}))


def _nothing(unknown: Sequence[Look]) -> str:
    unfit = next(filter(None, map(explain_unfit, unknown)), "")
    if unfit:
        return unfit
    columns = ", ".join(list(unknown[0].sample)[:8]) if unknown else "none"
    where = unknown[0].location if unknown else "the sources"
    return (
        f"Nothing of a shop can be seen in {where}: its columns are {columns}; give a table with a day, a product and "
        "a quantity, or say which columns they are with --set NAME.day=COLUMN and so on."
    )


def as_location(location: str, folder: Path) -> str:
    """Write a path that was typed as one that is relative to the shop's folder; a URL stays as it is."""
    if is_url(location):
        return location
    path, base = Path(os.path.abspath(location)), Path(os.path.abspath(folder))
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)


def set_columns(surveyed: Sequence[Surveyed], wishes: Sequence[str]) -> tuple[Surveyed, ...]:
    """Lay over the proposals what a person said, as `orders.day=Created at`.

    Raises
    ------
    ConfigError
        A wish names no source, field or column.
    """
    changed = {each.settings.name: each for each in surveyed}
    for wish in wishes:
        place, is_one, column = wish.partition("=")
        name, _, field = place.rpartition(".")
        if not is_one or name not in changed:
            raise ConfigError(
                f"--set {wish!r} names no source; write it as {next(iter(changed))}.day=COLUMN, where the sources are "
                f"{', '.join(changed)}."
            )
        changed[name] = _set_column(changed[name], field, column)
    return tuple(changed.values())


def _set_column(surveyed: Surveyed, field: str, column: str) -> Surveyed:
    settings, look = surveyed.settings, surveyed.look
    if field == "kind":
        return replace(surveyed, proposal=replace(surveyed.proposal, settings=_with_kind(settings, column)))
    fields = list(dict.fromkeys([*COLUMNS[settings.kind], "updated", "price", *settings.columns]))
    if field not in fields:
        raise ConfigError(f"{field!r} is no field of {settings.kind}; there are {', '.join(fields)}.")
    if column and column not in look.sample:
        raise ConfigError(f"{surveyed.where} has no column {column!r}; it has {', '.join(look.sample)}.")
    columns = {**settings.columns, field: column} if column else _without(settings.columns, field)
    said = Guess(field, column, look.sample.get(column, ())[:3], "as you said", True)
    guesses = tuple(guess for guess in surveyed.proposal.guesses if guess.field != field)
    guesses = (*guesses, said) if column else guesses
    proposal = replace(surveyed.proposal, settings=settings.model_copy(update={"columns": columns}), guesses=guesses)
    return replace(surveyed, proposal=proposal)


def _with_kind(settings: SourceSettings, kind: str) -> SourceSettings:
    if kind not in COLUMNS:
        raise ConfigError(f"{kind!r} is no kind of record; there are {', '.join(COLUMNS)}.")
    return settings.model_copy(update={"kind": kind})


def _without(columns: dict[str, str], field: str) -> dict[str, str]:
    return {name: column for name, column in columns.items() if name != field}
