"""When two records are the same one, as SQL: the key of a record, what it says, and which of two versions counts.

| records                          | are the same one where these are equal                                          |
|----------------------------------|---------------------------------------------------------------------------------|
| with a number of their own       | the fields of `client.shop.record.IDENTITY`                                     |
| with an order but without a line | order and product, and the how-manieth of them in one import                    |
| without an order                 | all that they say, and the how-manieth of them in one export                    |

So of two exports that overlap, each with two equal rows, two stay and not four: of how many equal ones there are the
largest count of any export is taken. An import that goes on where another ended (`after`) belongs to the same export.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from client.shop.history.table import HASHED
from client.shop.record import COLUMNS, DAY, IDENTITY, MOMENT, NUMBER, TEXT, Kind

# What counts where two versions are of the same moment: an order that was cancelled does not come back.
RANKS: dict[Kind, str] = {
    "sales": "CASE state WHEN 'cancelled' THEN 3 WHEN 'test' THEN 2 WHEN 'sold' THEN 1 ELSE 0 END",
    "stock": "CASE WHEN out THEN 1 ELSE 0 END",
}
HAPPENED: tuple[Kind, ...] = ("sales", "returns", "views", "carts", "searches", "reviews", "stock")  # never ahead
BY_SOURCE: tuple[Kind, ...] = ("sales", "returns", "views", "carts", "searches", "reviews")  # told by one channel each
_MICRO = 1_000_000  # numbers are kept to six decimals, so that sums do not depend on the order of the rows
_LARGEST = 9e12


def rank_of(kind: Kind) -> str:
    """Give SQL for which of two versions of one moment counts, the larger; their content decides where it is equal."""
    return RANKS.get(kind, "0")


def latest_moment(kind: Kind, records: pa.Table, *, before: datetime) -> datetime | None:
    """Give the latest moment in records, by change or by day; one that has not come is none, as a day mistyped."""
    moments = [records["updated"]]
    if kind in HAPPENED:
        midnights = pc.cast(records["day"], MOMENT)
        seconds = pc.fill_null(records["second"], 0) if kind == "sales" else pa.scalar(0)
        moments.append(pc.add(midnights, pc.cast(pc.multiply(seconds, 1_000_000), pa.duration("us"))))
    latest = [pc.max(moment.filter(pc.less(moment, pa.scalar(before, MOMENT)))).as_py() for moment in moments]
    return max((found for found in latest if found is not None), default=None)


def select_clean(kind: Kind, source: str) -> str:
    """Select the rows of an Arrow table as they are stored: numbers to six decimals, hashes as 128 bits."""
    fields = ", ".join(f'{_clean(field, kind)} AS "{field}"' for field in COLUMNS[kind])
    return f"SELECT row, updated, {fields} FROM {source}"


def key_of(kind: Kind, numbering: str = "") -> str:
    """Give SQL for the key of a clean record.

    Parameters
    ----------
    numbering
        Whose numbers and rows these are: two channels that both begin at order 1001 tell of different sales. What is
        true of the shop whoever tells it, as a price, is the same in every numbering.
    """
    of = f"/{numbering.replace(chr(39), chr(39) * 2)}" if numbering and kind in BY_SOURCE else ""
    if kind not in IDENTITY:
        return _hash(kind, f"all{of}", COLUMNS[kind])
    if "order" not in IDENTITY[kind]:
        return _hash(kind, "number", IDENTITY[kind])
    lineless = tuple("product" if field == "line" else field for field in IDENTITY[kind])
    return (
        f"CASE WHEN \"order\" = '' THEN {_hash(kind, f'all{of}', COLUMNS[kind])} "
        f"WHEN line = '' THEN {_hash(kind, f'order{of}', lineless)} "
        f"ELSE {_hash(kind, f'number{of}', IDENTITY[kind])} END"
    )


def repeats_in(kind: Kind) -> str:
    """Give SQL for where equal keys are counted: 'export', 'import', or null where the key tells records apart."""
    if kind not in IDENTITY:
        return "'export'"
    if "order" not in IDENTITY[kind]:
        return "NULL::VARCHAR"
    return "CASE WHEN \"order\" = '' THEN 'export' WHEN line = '' THEN 'import' END"


def content_of(kind: Kind) -> str:
    """Give SQL for a hash of all that a clean record says."""
    return f"md5_number_lower({_join(kind, COLUMNS[kind])})"


def _clean(field: str, kind: Kind) -> str:
    if field in HASHED:
        return f'"{field}"::UUID'
    if COLUMNS[kind][field] == TEXT:
        return f"coalesce(\"{field}\", '')"
    if COLUMNS[kind][field] == NUMBER:
        return f'CASE WHEN abs("{field}") < {_LARGEST} THEN CAST(round("{field}" * {_MICRO}) AS BIGINT) / {_MICRO} END'
    return f'"{field}"'


def _hash(kind: Kind, tag: str, fields: Iterable[str]) -> str:
    return f"md5_number('{kind}/{tag}/' || {_join(kind, fields)})"


def _join(kind: Kind, fields: Iterable[str]) -> str:
    """Join fields so that no two different rows give one text: text with its length before it, others with an end."""
    return " || ".join(_say(kind, field) for field in fields)


def _say(kind: Kind, field: str) -> str:
    column, sort = f'"{field}"', COLUMNS[kind][field]
    if field in HASHED:
        said = f"{column}::VARCHAR"
    elif sort == TEXT:
        return f"strlen({column}) || ':' || {column}"
    elif sort == NUMBER:
        said = f"CAST(round({column} * {_MICRO}) AS BIGINT)::VARCHAR"
    elif sort == DAY:
        said = f"({column} - DATE '1970-01-01')::VARCHAR"
    else:
        said = f"{column}::BIGINT::VARCHAR"
    return f"coalesce({said}, '') || '|'"
