"""One problem of a shop's history: the rows concerned, what it does to a forecast, how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from client.data.check.report import Severity
from client.language.speech import mark, tn
from client.shop.record import Kind

Ask = Callable[[str], pa.Table]  # answers SQL over the current records; each kind is a table of its name

SHOWN = 5  # examples that a problem names


@dataclass(frozen=True)
class Correction:
    """What the owner may accept: records that `client.shop.history` puts over those of the sources.

    Attributes
    ----------
    records
        A row each, as `client.shop.record` describes the kind.
    sentence
        What accepting it changes.
    """

    kind: Kind
    records: tuple[Mapping[str, object], ...]
    sentence: str


@dataclass(frozen=True)
class Problem:
    """Something about the history that a forecast would suffer from.

    Attributes
    ----------
    severity
        A fault makes forecasts wrong; a warning makes them doubtful; a note explains.
    key
        What it is about, for programs and for `--accept`.
    what
        One sentence: what, and where.
    rows
        How many records are concerned.
    effect
        What it does to a forecast; "" where `what` says so.
    advice
        How to mend it; "" where `what` says so.
    examples
        The first few, without anything personal.
    correction
        What `hansa-client check --accept KEY` would do about it; None where only the owner can.
    """

    severity: Severity
    key: str
    what: str
    rows: int
    effect: str
    advice: str
    examples: tuple[str, ...] = ()
    correction: Correction | None = field(default=None)

    def as_json(self) -> dict[str, Any]:
        """Write everything as JSON, with what a correction would change and not each of its records."""
        told = asdict(self)
        proposal = self.correction
        told["correction"] = proposal and {"records": len(proposal.records), "sentence": proposal.sentence}
        return told


COUNTED = (
    mark("{number:,} product"), mark("{number:,} day"), mark("{number:,} sale"), mark("{number:,} order line"),
    mark("{number:,} later line"), mark("{number:,} row"), mark("{number:,} visitor"),
)  # fmt: skip


def count_of(number: int, singular: str, plural: str = "") -> str:
    """Write a number of things, as "1 day" or "2,304 days"; a catalogue has those of `COUNTED`."""
    return tn(f"{{number:,}} {singular}", f"{{number:,}} {plural or singular + 's'}", number)
