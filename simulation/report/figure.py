"""Pictures as inline SVG: text stays text, colours come from the page, so light, dark and print look right.

Every chart draws in the colours of `Ink`. They are placeholders: where the picture goes into the page, each becomes a
CSS variable of the same name.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH, HEIGHT = 7.2, 3.4  # inches of 72 CSS pixels
POINTS = 9.5


class Ink:
    """Placeholder colours, by what they mean on the page."""

    TEXT = "#010101"
    MUTED = "#020202"
    LINE = "#030303"
    MAIN = "#040404"
    OTHER = "#050505"
    GOOD = "#060606"
    BAD = "#070707"
    UNCLEAR = "#080808"
    PAPER = "#090909"


VARIABLES = {value: f"var(--{name.lower()})" for name, value in vars(Ink).items() if not name.startswith("_")}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "hansa",
    "font.size": POINTS,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": Ink.LINE,
    "axes.labelcolor": Ink.MUTED,
    "axes.titlesize": POINTS,
    "axes.titlelocation": "left",
    "axes.titlecolor": Ink.TEXT,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "text.color": Ink.TEXT,
    "xtick.color": Ink.LINE,
    "ytick.color": Ink.LINE,
    "xtick.labelcolor": Ink.MUTED,
    "ytick.labelcolor": Ink.MUTED,
    "legend.frameon": False,
    "legend.labelcolor": Ink.TEXT,
}


class Picture:
    """A figure in the page's style, with what a reader who does not see it is told."""

    def __init__(self, title: str, description: str, *, panels: int = 1, height: float = HEIGHT) -> None:
        self.title, self.description = title, description
        with rc_context(STYLE):
            self._figure = Figure(figsize=(WIDTH, height), layout="constrained")
            self.axes: Sequence[Axes] = list(self._figure.subplots(1, panels, squeeze=False)[0])

    def to_svg(self) -> Markup:
        """Draw it for the inside of a page; ids carry a digest of the title, so that pictures do not share them."""
        buffer = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        with rc_context(STYLE):
            self._figure.savefig(buffer, format="svg", metadata=nothing)
        return Markup(_adapt(buffer.getvalue(), self.title, self.description))  # noqa: S704, text is escaped


def _adapt(svg: str, title: str, description: str) -> str:
    """Take off what a picture inside a page needs not, and give colours and ids their names on the page."""
    prefix = re.sub(r"\W+", "-", title.lower()).strip("-")
    start = svg.index("<svg")
    inside = svg.index(">", start) + 1
    box = re.search(r'viewBox="[^"]+"', svg[start:inside])
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg[inside:], count=1, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"font-family: [^;]*; ?", "", body)
    body = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", body)
    body = re.sub(r"#0\d0\d0\d\b", lambda match: VARIABLES[match.group()], body)
    body = re.sub(r"\s*\n\s*", "\n", body)
    return (
        f'<svg {box.group() if box else ""} role="img" aria-labelledby="{prefix}-title {prefix}-text">'
        f'<title id="{prefix}-title">{escape(title)}</title><desc id="{prefix}-text">{escape(description)}</desc>{body}'
    )
