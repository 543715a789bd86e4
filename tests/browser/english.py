"""English sentences in a page that speaks another language."""

import re
from collections.abc import Sequence

RUN = re.compile(r"(?:[A-Za-z][A-Za-z'’]*[,;:]? ){3,}[A-Za-z'’]+")
LITTLE = re.compile(  # no sentence is without one, and hardly a product has two in its name
    r"\b(the|an?|is|are|was|were|of|to|and|or|not?|in|its?|for|with|from|that|this|be|has|have|by|on|as|at|you)\b", re.I
)


def find_english(text: str, *, allowed: Sequence[str] = ()) -> list[str]:
    """Find runs of four English words or more that have two of the little ones; what is allowed is left out first."""
    for each in allowed:
        text = text.replace(each, "")
    found = [run[0] for run in RUN.finditer(text)]
    return [run for run in found if len(LITTLE.findall(run)) >= 2]
