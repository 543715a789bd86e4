"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Severity = Literal["fault", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing to know.

    Attributes
    ----------
    severity
        A fault makes a run fail; a warning makes its results doubtful; a note explains.
    key
        What it is about, for programs.
    sentence
        What, where, what to do.
    """

    severity: Severity
    key: str
    sentence: str


@dataclass(frozen=True)
class Report:
    """Facts about the rows, and findings with the worst first.

    Attributes
    ----------
    facts
        By name, in the order to show them.
    """

    facts: dict[str, int | float | str]
    findings: tuple[Finding, ...]

    @property
    def fails(self) -> bool:
        """Whether a run of the plan over these rows would fail."""
        return any(finding.severity == "fault" for finding in self.findings)

    def add(self, *findings: Finding) -> Report:
        """Add findings, and keep the worst first."""
        order = ("fault", "warning", "note")
        together = sorted((*self.findings, *findings), key=lambda finding: order.index(finding.severity))
        return replace(self, findings=tuple(together))
