"""One part of an edition: a document, and rows where it has them."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    spoken
        Language → the document with its sentences in that language; English is `document`. Of rows that have a reason
        it holds the reasons in their order, as `whys`.
    """

    document: dict[str, Any]
    table: pa.Table | None = None
    spoken: dict[str, dict[str, Any]] = field(default_factory=dict)
