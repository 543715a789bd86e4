"""What a check has found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

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
    panel
        What a round reads: entities, demand (the sum of the target), open_days, known (the sum of each covariate),
        rows_left_out (by reason); empty where no file could be read.
    """

    facts: dict[str, int | float | str]
    findings: tuple[Finding, ...]
    panel: dict[str, int | float | dict[str, float]] = field(default_factory=dict)

    @property
    def fails(self) -> bool:
        """Whether a run of the plan over these rows would fail."""
        return any(finding.severity == "fault" for finding in self.findings)

    def as_text(self) -> str:
        """Write facts and findings for a terminal."""
        width = max((len(name) for name in self.facts), default=0)
        facts = [f"{name:{width}}  {value}" for name, value in self.facts.items()]
        findings = [f"{finding.severity}: {finding.sentence}" for finding in self.findings]
        return "\n".join([*facts, "", *(findings or ["Nothing to complain of."])])

    def as_json(self) -> dict[str, Any]:
        """Write everything as JSON."""
        return {**asdict(self), "fails": self.fails}

    def describe(self, **facts: int | float | str) -> Report:
        """Add facts."""
        return replace(self, facts={**self.facts, **facts})

    def add(self, *findings: Finding) -> Report:
        """Add findings, and keep the worst first."""
        order = ("fault", "warning", "note")
        together = sorted((*self.findings, *findings), key=lambda finding: order.index(finding.severity))
        return replace(self, findings=tuple(together))
