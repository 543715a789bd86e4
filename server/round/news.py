"""How to wait for replies: until the SuperLink tells of one or, where a Grid does not tell, for a while."""

from __future__ import annotations

import time
from typing import Protocol, runtime_checkable

from flwr.serverapp import Grid


@runtime_checkable
class NewsGrid(Protocol):
    """A Grid that knows when a reply comes."""

    num_replies: int  # that have come so far

    def await_news(self, seconds: float) -> None:
        """Wait until a reply comes, for so many seconds at most."""
        ...


def count_news(grid: Grid) -> int:
    """Count the replies that have come so far; 0 where a Grid does not tell."""
    return grid.num_replies if isinstance(grid, NewsGrid) else 0


def wait_for_news(grid: Grid, *, shortest: float, longest: float) -> None:
    """Wait until a reply comes, `longest` seconds at most; `shortest` seconds where nobody tells of one."""
    if isinstance(grid, NewsGrid):
        grid.await_news(longest)
    else:
        time.sleep(min(shortest, longest))
