"""Notice when two sources tell of the same sales, as a shop's export and its database do: demand would count double."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from client.shop.export.conversion import Converter
from client.shop.settings import Shop, SourceSettings
from client.shop.setup.importing import split_files
from client.shop.source.opening import open_source

SAME_SHARE = 0.6  # of days and products that both sell, with the same quantity
FEWEST = 20  # days of products that must be told by both, or it may be chance
_DAILY = pa.schema({"day": pa.date32(), "product": pa.string(), "quantity": pa.float64()})


@dataclass(frozen=True)
class Overlap:
    """Two sources that tell of the same sales; `share` of the days of products, where both tell of any, agree."""

    kept: str
    left_out: str
    share: float

    def say(self) -> str:
        """Say what was found and what to do if it is not so."""
        return (
            f"{self.left_out} tells of the same sales as {self.kept} ({self.share:.0%} of the days of products agree), "
            f"so it is left out, or demand would count double; if they are different sales, add --also {self.left_out}."
        )


def find_overlaps(shop: Shop, folder: Path, also: Sequence[str] = ()) -> tuple[Overlap, ...]:
    """Compare the daily sales of all sources of sales; the first of those that agree is kept.

    Parameters
    ----------
    also
        Names of sources that are kept whatever they tell.
    """
    sources = [source for source in shop.sources if source.kind == "sales"]
    if len(sources) < 2:
        return ()
    kept: dict[str, pa.Table] = {}
    found = []
    for source in sources:
        daily = read_daily(source, shop, folder)
        shares = {name: agreement(other, daily) for name, other in kept.items()}
        name = max(shares, key=lambda each: shares[each], default="")
        if name and shares[name] >= SAME_SHARE and source.name not in also:
            found.append(Overlap(name, source.name, shares[name]))
        else:
            kept[source.name] = daily
    return tuple(found)


def read_daily(source: SourceSettings, shop: Shop, folder: Path) -> pa.Table:
    """Read what a source sells by day and product: `day`, `product`, `quantity`."""
    parts = [part for file in split_files(source, folder) for part in _read_parts(file, shop, folder)]
    return _total(pa.concat_tables([_DAILY.empty_table(), *(part for part in parts if part is not None)]))


def _read_parts(source: SourceSettings, shop: Shop, folder: Path) -> Iterator[pa.Table | None]:
    converter = Converter(source, shop)
    for batch in open_source(source, folder).batches():
        yield _by_day(converter.convert(batch).records.get("sales"))
    yield _by_day(converter.finish().records.get("sales"))


def agreement(first: pa.Table, second: pa.Table) -> float:
    """Give the share of the days of products that agree, of all that either tells within the days that both tell of."""
    if first.num_rows == 0 or second.num_rows == 0:
        return 0.0
    since = max(pc.min(first["day"]).as_py(), pc.min(second["day"]).as_py())
    until = min(pc.max(first["day"]).as_py(), pc.max(second["day"]).as_py())
    between = (pc.field("day") >= pc.scalar(since)) & (pc.field("day") <= pc.scalar(until))
    first, second = first.filter(between), second.filter(between)
    both = first.join(second, ["day", "product"], join_type="full outer", right_suffix="_other")
    agrees = pc.sum(pc.equal(both["quantity"], both["quantity_other"])).as_py() or 0
    return agrees / both.num_rows if agrees >= FEWEST else 0.0


def _by_day(sales: pa.Table | None) -> pa.Table | None:
    if sales is None or sales.num_rows == 0:
        return None
    return _total(sales.filter(pc.equal(sales["state"], "sold")).select(["day", "product", "quantity"]))


def _total(rows: pa.Table) -> pa.Table:
    grouped = rows.group_by(["day", "product"]).aggregate([("quantity", "sum")])
    return grouped.rename_columns({"quantity_sum": "quantity"}).select(_DAILY.names).cast(_DAILY)
