"""One part of an edition: a document, and rows where it has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import pyarrow as pa

Name = Literal[
    "products", "health", "day", "week", "orders", "customers", "recommendations", "market", "reviews", "score"
]
NAMES: Final[tuple[Name, ...]] = get_args(Name)


@dataclass(frozen=True)
class Part:
    """One part of an edition.

    Attributes
    ----------
    document
        What it says, but for its rows; JSON can say it.
    table
        Its rows; None where the document says all.
    """

    document: dict[str, Any]
    table: pa.Table | None = None
