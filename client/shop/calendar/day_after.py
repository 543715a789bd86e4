"""The day after the last sale, from which on everything looks ahead."""

from __future__ import annotations

from datetime import date, timedelta

from common.errors import DataError
from common.plan.schema import LAST_YEAR


def day_after(last_sale: date) -> date:
    """Give the first day that is not known.

    Raises
    ------
    DataError
        No calendar is left after it, so its year is a slip.
    """
    if last_sale.year >= LAST_YEAR:
        raise DataError(
            f"A sale is dated {last_sale}, after which there is no calendar to look ahead in. If its year is a slip, "
            "mend that row, undo the import (hansa-client history --undo) and import again."
        )
    return last_sale + timedelta(days=1)
