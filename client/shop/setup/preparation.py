"""The settings of a shop before its first import: put together, compared with each other, written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from client.shop.calendar.closed_day import ShopDays, guess_weekdays
from client.shop.calendar.sold import read_sold
from client.shop.history.history import History
from client.shop.settings import FILE_NAME, Shop, SourceSettings, read_shop
from client.shop.setup.founding import Said, make_shop
from client.shop.setup.overlap import Overlap, find_overlaps, join_sources
from client.shop.setup.surmise import Facts
from client.shop.setup.survey import Survey
from client.shop.setup.writing import write_shop, write_source
from common.disk.file import write_whole
from common.disk.reading import read_file_text
from common.errors import ConfigError
from common.plan.reading import parse_toml
from common.plan.schema import WEEKDAYS

CODE = re.compile("[A-Z]{3}")  # ISO 4217


@dataclass(frozen=True)
class Prepared:
    """What is about to be written and imported.

    Attributes
    ----------
    fresh
        Sources that are new in `shop`.
    kept_text
        shop.toml as it was, to which the fresh sources are added; "" where there was none.
    """

    survey: Survey
    shop: Shop
    fresh: tuple[SourceSettings, ...]
    overlaps: tuple[Overlap, ...]
    kept_text: str = ""

    def say_currencies(self) -> list[str]:
        """Ask what other currencies are worth that sales are in."""
        seen: set[str] = set()
        for each in self.survey.found:
            seen |= set(each.look.sample.get(each.settings.columns.get("currency", ""), ()))
        told = {code.strip().upper() for code in seen}  # a cell that has moved may be anything, and is not shown
        codes = sorted({code for code in told if CODE.fullmatch(code)} - {self.shop.currency, *self.shop.rates})
        if not codes:
            return []
        return [
            f"Sales in {', '.join(codes)} count as demand, but their money is not known in {self.shop.currency}: say "
            f"what one is worth with --rate {codes[0]}=1.05, or as rates in {FILE_NAME}."
        ]

    def write(self, folder: Path) -> None:
        """Write shop.toml; what a person wrote into one that was there stays.

        Raises
        ------
        ConfigError
            It cannot be written, or nothing can be added to what is there.
        """
        text = write_shop(self.shop)
        if self.kept_text:
            text = "\n".join([self.kept_text.rstrip("\n") + "\n", *map(write_source, self.fresh)])
            if parse_toml(text, Shop, origin=f"{folder / FILE_NAME} with what is added").sources != self.shop.sources:
                raise ConfigError(f"Nothing can be added to {folder / FILE_NAME}; write its sources as [[sources]].")
        write_whole(folder / FILE_NAME, text.encode())


def read_before(folder: Path, *, add: bool) -> Shop | None:
    """Read the shop that is there already.

    Raises
    ------
    ConfigError
        One is there and nothing is to be added, or the other way round.
    """
    is_there = (folder / FILE_NAME).exists()
    if is_there and not add:
        raise ConfigError(
            f"{folder / FILE_NAME} is there already; add a source to it with --add, or bring in what is new with: "
            "hansa-client import"
        )
    return read_shop(folder) if add else None


def prepare(
    survey: Survey, said: Said, facts: Facts, before: Shop | None, folder: Path, also: Sequence[str]
) -> Prepared:
    """Put the settings together, and leave out sources that tell of the same sales as another."""
    fresh = tuple(source for each in survey.found for source in each.sources)
    known = before.sources if before else ()
    shop = make_shop(said, facts, fresh) if before is None else _with_sources(before, (*known, *fresh))
    overlaps = find_overlaps(shop, folder, [*(source.name for source in known), *also])
    fresh = join_sources(fresh, overlaps)
    text = read_file_text(folder / FILE_NAME) if before else ""
    return Prepared(survey, _with_sources(shop, (*known, *fresh)), fresh, overlaps, text)


def _with_sources(shop: Shop, sources: tuple[SourceSettings, ...]) -> Shop:
    return shop.model_copy(update={"sources": sources})


def notice_closed(prepared: Prepared, history: History, said: Said) -> tuple[Prepared, list[str]]:
    """Take weekdays that hardly ever have a sale for closed, where nobody said which are, and say so."""
    if said.closed is not None or prepared.kept_text or history.span() is None:
        return prepared, []
    sold = read_sold(history)
    found = [guess for guess in guess_weekdays(ShopDays(sold.first, sold.lines_by_day, ())) if guess.goes_on]
    words = [
        f"Closed on {each.closure.why}, it seems: {each.closure.evidence.rstrip('.')} (--closed says otherwise)."
        for each in found
    ]
    weekdays = tuple(WEEKDAYS[each.weekday] for each in found)
    return replace(prepared, shop=prepared.shop.model_copy(update={"closed_weekdays": weekdays})), words
