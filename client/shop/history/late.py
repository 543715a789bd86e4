"""Sales that came long after their day, though their source had been read meanwhile, as SQL.

An import of a source is held against what earlier ones of the same source, begun a day before it or more, had reached:
a sale within what those covered that none of them told of came late. What lies before all that they covered is a longer
past, and files that are read on one evening are one reading.
"""

from __future__ import annotations


def select_late(days: int) -> str:
    """Select for each source how many of its later lines came so many days after their own day, or more.

    Parameters
    ----------
    days
        From the sale to the last day that had been read when it was still missing.
    """
    return f"""
    WITH reached AS (
        SELECT import.source, import.began, min(day) AS first, max(day) FILTER (day <= import.began::DATE) AS last
        FROM now_sales JOIN import USING (number) WHERE day IS NOT NULL GROUP BY ALL
    ), covered AS (
        SELECT later.number, later.source, min(reached.first) AS first, max(reached.last) AS last
        FROM import later JOIN reached
            ON reached.source = later.source AND reached.began <= later.began - INTERVAL 1 DAY
        GROUP BY ALL
    ), fresh AS (
        SELECT source, last - day AS behind, day >= first AND last - day >= {days} AS is_late
        FROM now_sales said JOIN covered USING (number)
        WHERE state = 'sold' AND product <> '' AND NOT EXISTS (
            SELECT 1 FROM other_sales known
            WHERE known.key = said.key AND known.nth = said.nth AND known.number < said.number
        )
    )
    SELECT source, count(*) AS lines, count(*) FILTER (is_late) AS late, max(behind) FILTER (is_late) AS most_days
    FROM fresh GROUP BY source HAVING count(*) FILTER (is_late) > 0 ORDER BY late DESC, source
    """
