"""What an audit found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NO_PROOF = "An absent violation is no proof: an audit finds faults that it looks for, and only on this data."


@dataclass(frozen=True)
class LevelReport:
    """What one level found.

    Attributes
    ----------
    level
        Its name.
    violations
        One sentence each; none where nothing was found.
    measured
        Figures, by name.
    false_alarm
        The probability that this level, as it stands, finds a violation where there is none.
    """

    level: str
    violations: tuple[str, ...]
    measured: dict[str, float | int]
    false_alarm: float


@dataclass(frozen=True)
class AuditReport:
    """What all levels found."""

    levels: tuple[LevelReport, ...]

    @property
    def clean(self) -> bool:
        """Whether no level found a violation."""
        return not any(level.violations for level in self.levels)

    def as_json(self) -> dict[str, Any]:
        """Write the report as plain values."""
        return {
            "schema": 1,
            "clean": self.clean,
            "levels": {
                report.level: {
                    "violations": list(report.violations),
                    "measured": report.measured,
                    "false_alarm": report.false_alarm,
                }
                for report in self.levels
            },
            "note": NO_PROOF,
        }

    def as_text(self) -> str:
        """Write the report for a person: one line per level, its violations under it, and what it does not say."""
        lines = []
        for report in self.levels:
            verdict = "VIOLATION" if report.violations else "clean"
            figures = "  ".join(f"{name} {_show(value)}" for name, value in report.measured.items())
            lines.append(f"{report.level:<13} {verdict:<10} {figures}  (false alarm {report.false_alarm:.0e})")
            lines += [f"    {sentence}" for sentence in report.violations]
        return "\n".join([*lines, NO_PROOF])


def _show(value: float | int) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
