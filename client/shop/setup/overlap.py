"""Notice when two sources tell of the same sales, as a shop's export and its database do: demand would count double."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from client.shop.export.conversion import Converter
from client.shop.settings import Shop, SourceSettings
from client.shop.setup.importing import split_files
from client.shop.source.opening import open_source

SAME_SHARE = 0.6  # of days and products that both sell, with the same quantity
FEWEST = 20  # days of products within the days that both tell of, or it may be chance
_DAILY = pa.schema({"day": pa.date32(), "product": pa.string(), "quantity": pa.float64()})


@dataclass(frozen=True)
class Overlap:
    """Two sources that tell of the same sales.

    Attributes
    ----------
    kept, other
        Names of the sources, in the order in which they were given.
    share
        Of the days of products, where both tell of any, those that agree; None where there are too few.
    is_joined
        Whether both are read, an order or a row of both counted once: two exports of one program. Else `other` is left
        out.
    beyond
        First and last day that `other` tells of; None where they lie within those of `kept`.
    """

    kept: str
    other: str
    share: float | None
    is_joined: bool
    beyond: tuple[date, date] | None = None

    def say(self) -> str:
        """Say what was found and what to do if it is not so."""
        if self.is_joined:
            found = "hardly a day is in both" if self.share is None else f"{self.share:.0%} of it agrees"
            return (
                f"{self.other} is another export of what {self.kept} tells ({found}): what both have is counted once; "
                f"if they are different sales, as of two tills, add --also {self.other}."
            )
        lost = f" It tells of {self.beyond[0]} to {self.beyond[1]}, further than {self.kept}." if self.beyond else ""
        return (
            f"{self.other} tells of the same sales as {self.kept} ({self.share:.0%} of the days of products agree), "
            f"so it is left out, or demand would count double; if they are different sales, add --also {self.other}."
            f"{lost}"
        )


def find_overlaps(shop: Shop, folder: Path, also: Sequence[str] = ()) -> tuple[Overlap, ...]:
    """Compare the daily sales of all sources of sales.

    Of two that agree the first is kept, and so is the second where it is written alike: they are exports of one
    program, which know each other's orders. Exports written alike of different days belong together too.

    Parameters
    ----------
    also
        Names of sources that are kept whatever they tell.
    """
    sources = [source for source in shop.sources if source.kind == "sales"]
    if len(sources) < 2:
        return ()
    kept: dict[str, tuple[SourceSettings, pa.Table]] = {}
    found = []
    for source in sources:
        daily = read_daily(source, shop, folder)
        overlap = None if source.name in also else _find_overlap(kept, source, daily)
        if overlap is not None:
            found.append(overlap)
        if overlap is None or overlap.is_joined:
            kept[source.name] = source, daily
    return tuple(found)


def join_sources(sources: Sequence[SourceSettings], overlaps: Sequence[Overlap]) -> tuple[SourceSettings, ...]:
    """Take out what is left out, and note of what is joined with whom it tells of the same sales."""
    out = {overlap.other for overlap in overlaps if not overlap.is_joined}
    joined = {overlap.other: overlap.kept for overlap in overlaps if overlap.is_joined}
    return tuple(
        source.model_copy(update={"same_as": joined[source.name]}) if source.name in joined else source
        for source in sources
        if source.name not in out
    )


def _find_overlap(
    kept: dict[str, tuple[SourceSettings, pa.Table]], source: SourceSettings, daily: pa.Table
) -> Overlap | None:
    """Hold a source against those before it; the first that it belongs to counts, which itself is the same as none."""
    for name, (other, known) in kept.items():
        if other.same_as or daily.num_rows == 0 or known.num_rows == 0:
            continue
        share, alike = agreement(known, daily), _is_written_alike(other, source)
        if share is None and alike:
            return Overlap(name, source.name, None, is_joined=True)
        if share is not None and share >= SAME_SHARE:
            first, last = pc.min(daily["day"]).as_py(), pc.max(daily["day"]).as_py()
            inside = pc.min(known["day"]).as_py() <= first and last <= pc.max(known["day"]).as_py()
            return Overlap(name, source.name, share, is_joined=alike, beyond=None if inside else (first, last))
    return None


def _is_written_alike(one: SourceSettings, other: SourceSettings) -> bool:
    """Whether two files have the same columns that mean the same."""
    keys = ("format", "kind", "table", "dialect", "columns", "states")
    return "://" not in one.location and all(getattr(one, key) == getattr(other, key) for key in keys)


def read_daily(source: SourceSettings, shop: Shop, folder: Path) -> pa.Table:
    """Read what a source sells by day and product: `day`, `product`, `quantity`."""
    parts = [part for file in split_files(source, folder) for part in _read_parts(file, shop, folder)]
    return _total(pa.concat_tables([_DAILY.empty_table(), *(part for part in parts if part is not None)]))


def _read_parts(source: SourceSettings, shop: Shop, folder: Path) -> Iterator[pa.Table | None]:
    converter = Converter(source, shop)
    for batch in open_source(source, folder).batches():
        yield _by_day(converter.convert(batch).records.get("sales"))
    yield _by_day(converter.finish().records.get("sales"))


def agreement(first: pa.Table, second: pa.Table) -> float | None:
    """Give the share of the days of products that agree, of all that either tells within the days that both tell of.

    None where there are too few to tell.
    """
    if first.num_rows == 0 or second.num_rows == 0:
        return None
    since = max(pc.min(first["day"]).as_py(), pc.min(second["day"]).as_py())
    until = min(pc.max(first["day"]).as_py(), pc.max(second["day"]).as_py())
    between = (pc.field("day") >= pc.scalar(since)) & (pc.field("day") <= pc.scalar(until))
    first, second = first.filter(between), second.filter(between)
    both = first.join(second, ["day", "product"], join_type="full outer", right_suffix="_other")
    if both.num_rows < FEWEST:
        return None
    return (pc.sum(pc.equal(both["quantity"], both["quantity_other"])).as_py() or 0) / both.num_rows


def _by_day(sales: pa.Table | None) -> pa.Table | None:
    if sales is None or sales.num_rows == 0:
        return None
    return _total(sales.filter(pc.equal(sales["state"], "sold")).select(["day", "product", "quantity"]))


def _total(rows: pa.Table) -> pa.Table:
    grouped = rows.group_by(["day", "product"]).aggregate([("quantity", "sum")])
    return grouped.rename_columns({"quantity_sum": "quantity"}).select(_DAILY.names).cast(_DAILY)
