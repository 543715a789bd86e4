"""Times that cannot be the shop's own: sales in an hour that its clocks skipped, or mostly at night."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from client.language.speech import join, mark, t
from client.shop.readiness.problem import SHOWN, Ask, Problem, count_of
from client.shop.settings import Shop

NIGHT = 1, 5  # hours in which few shops sell
NIGHT_SHARE = 0.25
FEWEST_SALES = 200
HOURS = """
SELECT "second" // 3600 AS hour, count(*) AS n FROM sales
WHERE state = 'sold' AND "second" IS NOT NULL GROUP BY hour
"""
EFFECT = mark("Sales around midnight are counted on the day before or after, so weekdays and promotions blur.")
ADVICE = mark("Set time_zone in shop.toml to where the shop stands, and see in which zone the source writes its times.")


def find_other_clocks(ask: Ask, shop: Shop) -> Iterator[Problem]:
    """Hold the times of sales against the clocks of the shop's time zone."""
    yield from _find_skipped_hours(ask, shop)
    yield from _find_nights(ask, shop)


def _find_skipped_hours(ask: Ask, shop: Shop) -> Iterator[Problem]:
    """Look for sales in the hour that is skipped where summer time begins: on the shop's clocks there was none."""
    span = ask("SELECT min(day) AS first, max(day) AS last FROM sales").to_pylist()[0]
    if span["first"] is None:
        return
    found: list[tuple[date, int]] = []
    for day, begin, end in skipped_hours(span["first"], span["last"], ZoneInfo(shop.time_zone)):
        query = (
            f"""SELECT count(*) AS n FROM sales WHERE day = DATE '{day}' AND "second" >= {begin} AND "second" < {end}"""
        )
        count = ask(query).to_pylist()[0]["n"]
        if count:
            found.append((day, count))
    if found:
        total = sum(count for _, count in found)
        yield Problem(
            "warning",
            "skipped_hour",
            t(
                "{total} lie in an hour that the clocks of {time_zone} skipped when summer time began: these "
                "times are of another clock.",
                total=count_of(total, "sale"),
                time_zone=shop.time_zone,
            ),
            total,
            t(EFFECT),
            t(ADVICE),
            tuple(t("{day}: {count}", day=day, count=count_of(count, "sale")) for day, count in found[:SHOWN]),
        )


def _find_nights(ask: Ask, shop: Shop) -> Iterator[Problem]:
    hours = {int(row["hour"]): row["n"] for row in ask(HOURS).to_pylist()}
    total = sum(hours.values())
    night = sum(count for hour, count in hours.items() if NIGHT[0] <= hour < NIGHT[1])
    if total >= FEWEST_SALES and len(hours) > 1 and night > NIGHT_SHARE * total:
        yield Problem(
            "warning",
            "night_sales",
            t(
                "{night:.0%} of all sales lie between {begin} and {end} o'clock at night in {time_zone}.",
                night=night / total,
                begin=NIGHT[0],
                end=NIGHT[1],
                time_zone=shop.time_zone,
            ),
            night,
            t(EFFECT),
            join((t(ADVICE), t(" If customers do buy at night, all is well."))),
        )


def skipped_hours(first: date, last: date, zone: ZoneInfo) -> Iterator[tuple[date, int, int]]:
    """Give the days on which clocks are put forward, and from which second of the day to which they skip."""
    day = first
    while day <= min(last, date.max - timedelta(days=1)):  # no midnight follows the calendar's last day
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        before = midnight.utcoffset() or timedelta()
        after = (midnight + timedelta(days=1)).utcoffset() or timedelta()  # wall clock of the next midnight
        if after > before:
            yield day, *_skip_of(day, zone, before, after)
        day += timedelta(days=1)


def _skip_of(day: date, zone: ZoneInfo, before: timedelta, after: timedelta) -> tuple[int, int]:
    """Find the first quarter of an hour that does not exist; as much is skipped as the offset grows."""
    length = int((after - before).total_seconds())
    midnight = datetime(day.year, day.month, day.day)
    for minute in range(0, 24 * 60, 15):
        moment = (midnight + timedelta(minutes=minute)).replace(tzinfo=zone)
        there = moment.astimezone(ZoneInfo("UTC")).astimezone(zone).replace(tzinfo=None)
        if there != moment.replace(tzinfo=None):
            return minute * 60, minute * 60 + length
    return 0, 0
