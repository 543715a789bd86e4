"""Which export a table is: told by its header."""

from __future__ import annotations

from collections.abc import Iterable

from client.shop.export import amazon, ebay, jd, shopify, taobao, woocommerce
from client.shop.export.description import Export, find_columns, header_key
from client.shop.settings import Format

EXPORTS: tuple[Export, ...] = (
    *shopify.EXPORTS, *woocommerce.EXPORTS, *amazon.EXPORTS, *ebay.EXPORTS, *taobao.EXPORTS, *jd.EXPORTS,
)  # fmt: skip


def recognise(header: Iterable[str], only: Format | None = None) -> Export | None:
    """Tell which export has such a header; None where it is no known one.

    Parameters
    ----------
    only
        Look among the exports of this platform.
    """
    header = list(header)
    keys = {header_key(column) for column in header}
    likely: list[tuple[int, int, Export]] = []
    for place, export in enumerate(EXPORTS):
        num_marks = sum(header_key(mark) in keys for mark in export.marks)
        found = find_columns(export, header)
        if num_marks and found.keys() >= set(export.needed) and only in (None, export.format):
            likely.append((num_marks + len(found), -place, export))
    return max(likely, key=lambda each: each[:2])[2] if likely else None
