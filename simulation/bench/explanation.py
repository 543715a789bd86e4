"""Seconds of an explanation of one forecast, beside what must be fitted before the first one.

The demo shop is made and fitted once; then one product after another is explained, and the same ones again all at once.
"""

from __future__ import annotations

import time
from datetime import date
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common.errors import ConfigError
from simulation.bench.clock import compare, describe_timings, time_side_by_side

LAST, DAYS, QUICK_DAYS = date(2026, 9, 30), 756, 120


def time_explanation(*, quick: bool, patience_seconds: float) -> dict[str, Any]:
    """Time it.

    Raises
    ------
    ConfigError
        The extra `forecast` is not installed.
    """
    try:
        import captum.attr  # type: ignore[import-untyped]  # noqa: F401  not part of what is timed
        import lightgbm  # noqa: F401
    except ImportError as error:
        raise ConfigError("bench explanation needs captum and lightgbm; pip install 'hansa[forecast]'.") from error
    from client.explanation.asked import read_asked
    from client.explanation.explaining import explain, get_ready
    from client.shop.demo.founding import found_demo
    from client.shop.history.history import History
    from client.shop.settings import read_shop

    with TemporaryDirectory() as place:
        folder = Path(place) / "shop"
        found_demo(folder, LAST, days=QUICK_DAYS if quick else DAYS)
        with History.open(folder) as history:
            began = time.perf_counter()
            ready = get_ready(history, read_shop(folder), read_asked("", None, LAST), today=LAST)
            fitting = time.perf_counter() - began
            products = ready.setting.sales.products
            turn = cycle(products)
            timings = time_side_by_side(
                {"one": lambda: explain(ready, (next(turn),)), "all": lambda: explain(ready, products)},
                patience_seconds=patience_seconds,
            )
    return {
        "products": len(products),
        "fitting_seconds": fitting,
        "timings": describe_timings(timings),
        "comparisons": [compare(timings, "all", "one")],
    }
