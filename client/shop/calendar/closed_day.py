"""Days on which the shop was closed: as the owner told, or as a day without any row in a busy shop suggests.

**For the shop alone**: a day is guessed to be closed from the rows of all products together. On the road of a
federation's plan that would let one product's rows decide about another's record, so nothing there asks here.

A guess is made only where silence is no chance. Lines come in orders, some of many lines, so they are counted in units
of their own spread: the variance over the mean, from a day to the same weekday a week later, so that growth and season
are no spread. In these units a day's lines are taken for a Poisson count, and a run of days for silent by chance where
more than `FALSE_ALARMS` such runs are expected in the whole history.

- **A weekday** is closed where it is silent on nine in ten of its days, or on all but one of few, as the others are
  not; or in a busy shop on every second one, while what was sold on the rest is too much for that to be chance: on
  those it was open all the same. It may also have begun lately.
- **A public holiday**, by its name, is closed where nothing was ever sold on it.
- **Other silent days** in a row are one closure, and may as well be rows that are missing: the sentence says both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import binom

from client.language.speech import join, t
from common.calendar.public_holiday import HolidayCalendar
from common.plan.schema import WEEKDAYS

Source = Literal["told", "guess"]

IMPROBABLE = 1e-4  # chance that a weekday is silent so often, were it as the others
FALSE_ALARMS = 0.05  # closures by chance in the whole history, from which on none is guessed
BUSY = 5.0  # units that are usual on other days, from which on a weekday may be closed
COMMON = 0.15  # share of other days without a line, from which on a day without any is nothing odd
WILDEST = 5.0  # times the median of the days with a line
FEWEST_PAIRS = 8  # of days a week apart, from which on they say what the spread is
MOSTLY = 0.9  # share of silent days from which on a weekday is closed, whatever it sells on the rest
OFTEN = 0.5  # share from which on it may be
TOO_BUSY = 3.0  # times as much on its open days as chance would leave on days that are not silent
LATELY = 6  # silent days of a weekday up to the last one, from which on it is closed since then
STILL = 8  # last days of a weekday that say whether it goes on
LONG_RUN = 14  # days of a closure, above which it is rather taken for rows that are missing
NEAR_WEEKS = 8  # on either side, whose days of the same weekday say what is usual
SHOWN = 6  # dates named in a sentence


@dataclass(frozen=True)
class Closure:
    """Days on which the shop was, or will be, closed, for one reason.

    Attributes
    ----------
    why
        "saturdays", "public holidays", "a closure", …
    evidence
        What it was seen from, a sentence.
    exceptions
        Days on which it was open all the same.
    setting
        What to write into shop.toml to make it so for good; "" where there is nothing to write.
    taken
        Whether it counts: a guess does unless the owner says otherwise.
    """

    why: str
    source: Source
    days: tuple[date, ...]
    evidence: str
    exceptions: tuple[date, ...] = ()
    setting: str = ""
    taken: bool = True


@dataclass(frozen=True)
class WeekdayGuess:
    """A weekday that is closed, and whether it goes on being so."""

    closure: Closure
    weekday: int
    goes_on: bool


class ShopDays:
    """Lines of a shop by day, and which of its silent days are explained already.

    Parameters
    ----------
    lines
        Order lines of all products on each day from `first` on.
    closed
        Days that are told to be closed.
    """

    def __init__(self, first: date, lines: Float[np.ndarray, " day"], closed: Iterable[date]) -> None:
        self.first, self.lines = first, lines
        self.weekday = (np.arange(len(lines)) + first.weekday()) % 7
        self.explained = np.isin(np.arange(len(lines)), [(day - first).days for day in closed])
        self.unit = _spread(lines)

    @property
    def silent(self) -> Bool[np.ndarray, " day"]:
        """Days without any row that nothing explains yet."""
        return (self.lines == 0) & ~self.explained

    def dates(self, chosen: Bool[np.ndarray, " day"]) -> tuple[date, ...]:
        """Give the dates of days."""
        return tuple(self.first + timedelta(days=int(day)) for day in np.flatnonzero(chosen))

    def explain(self, days: Iterable[date]) -> None:
        """Note that some days are explained."""
        for day in days:
            self.explained[(day - self.first).days] = True

    def usual(self, day: int) -> float:
        """Lines that are usual on a day: the median of open days of that weekday near it, of all where none is near."""
        same = (self.weekday == self.weekday[day]) & (self.lines > 0)
        near = same & (np.abs(np.arange(len(self.lines)) - day) <= 7 * NEAR_WEEKS)
        chosen = near if near.any() else same if same.any() else self.lines > 0
        return float(np.median(self.lines[chosen])) if chosen.any() else 0.0

    def is_chance(self, places: Sequence[int]) -> bool:
        """Whether it may be chance that nothing was sold on all of some days; by how common silence is where it is."""
        others = ~self.explained
        others[list(places)] = False
        common = float(self.silent[others].mean()) if others.any() else 1.0
        least = common if common > COMMON else 0.0
        chances = [max(np.exp(-self.usual(place) / self.unit), least) for place in places]
        return bool(len(self.lines) * np.prod(chances) >= FALSE_ALARMS)


def _spread(lines: Float[np.ndarray, " day"]) -> float:
    """Give the variance over the mean of days with a line, a week apart where there are enough; at least 1.

    One wild day, a slip of the pen or a wholesaler's order, does not make all silence chance: more than `WILDEST` times
    the usual is taken for that.
    """
    if (lines > 0).any():
        lines = np.minimum(lines, WILDEST * np.median(lines[lines > 0]))
    both = (lines[7:] > 0) & (lines[:-7] > 0)
    there = lines[lines > 0]
    if len(there) == 0:
        return 1.0
    variance = (lines[7:] - lines[:-7])[both].var() / 2 if both.sum() >= FEWEST_PAIRS else there.var()
    return max(float(variance / there.mean()), 1.0)


def guess_weekdays(days: ShopDays) -> Iterator[WeekdayGuess]:
    """Find weekdays on which the shop is closed, with the days of them on which it was not."""
    silent = days.silent
    shares = [(days.lines[days.weekday == number] > 0).mean() for number in set(days.weekday.tolist())]
    if not any(share >= OFTEN for share in shares):
        return  # a shop that sells now and then, on whatever day
    for number, name in enumerate(WEEKDAYS):
        mine, others = (days.weekday == number) & ~days.explained, (days.weekday != number) & ~days.explained
        if mine.sum() < LATELY or not (others & ~silent).any():
            continue
        is_busy = bool(np.median(days.lines[others & ~silent]) >= BUSY * days.unit)
        others_silent = float(silent[others].mean())
        closed = mine & silent
        if not (
            _is_mostly_silent(silent[mine], others_silent)
            or (is_busy and _is_often_closed(days.lines[mine] / days.unit, others_silent))
        ):
            closed = _closed_lately(closed, mine) if is_busy else np.zeros_like(closed)
        if closed.any():
            yield _describe_weekday(days, mine, closed, name)


def _is_mostly_silent(silent: Bool[np.ndarray, " day"], others_silent: float) -> bool:
    """Tell a weekday on which there is hardly ever a row, though the others would not be silent so often by chance."""
    by_chance = float(binom.sf(silent.sum() - 1, len(silent), others_silent))
    return bool(silent.sum() >= min(MOSTLY * len(silent), len(silent) - 1) and by_chance < IMPROBABLE)


def _is_often_closed(units: Float[np.ndarray, " day"], others_silent: float) -> bool:
    """Tell a weekday that is closed, with exceptions, from one on which little is sold; in a busy shop."""
    share = float((units == 0).mean())
    if not max(OFTEN, 2 * others_silent) <= share < 1:
        return False
    by_chance = -np.log(share) / (1 - share)  # mean of a Poisson count that is 0 so often, where it is not 0
    return bool(units[units > 0].mean() >= TOO_BUSY * by_chance)


def _closed_lately(closed: Bool[np.ndarray, " day"], mine: Bool[np.ndarray, " day"]) -> Bool[np.ndarray, " day"]:
    """Keep the silent days of a weekday that come without a gap up to its last one; none where they are few."""
    places = np.flatnonzero(mine)
    open_places = places[~closed[places]]
    last = int(open_places[-1]) if len(open_places) else -1
    lately = closed & (np.arange(len(closed)) > last)
    return lately if lately.sum() >= LATELY else np.zeros_like(closed)


def _describe_weekday(
    days: ShopDays, mine: Bool[np.ndarray, " day"], closed: Bool[np.ndarray, " day"], name: str
) -> WeekdayGuess:
    begins = int(np.flatnonzero(closed)[0])
    since = "" if closed.sum() >= OFTEN * mine.sum() else t(" since {day}", day=days.dates(closed)[0])
    counted = mine if not since else mine & (np.arange(len(mine)) >= begins)
    exceptions = days.dates(counted & ~closed)
    open_all_the_same = t("; open all the same on {days}", days=_named(exceptions)) if exceptions else ""
    goes_on = bool(closed[np.flatnonzero(mine)[-STILL:]].mean() >= 0.75)
    sentence = t(
        "{closed} of {all} {weekdays}{since} have no row of anything, while other days usually have many{exceptions}.",
        closed=int(closed.sum()),
        all=int(counted.sum()),
        weekdays=t(f"{name.capitalize()}s"),
        since=since,
        exceptions=open_all_the_same,
    )
    if not goes_on:
        sentence = join((sentence, t(" Lately it was open, so days ahead count as open.")))
    closure = Closure(
        f"{name.capitalize()}s",
        "guess",
        days.dates(closed),
        sentence,
        exceptions,
        f'closed_weekdays = ["{name}"]' if goes_on else "",
    )
    return WeekdayGuess(closure, WEEKDAYS.index(name), goes_on)


def guess_holidays(days: ShopDays, holidays: HolidayCalendar) -> tuple[Closure | None, frozenset[str]]:
    """Find the public holidays on which nothing is ever sold, by name."""
    silent, there = days.silent, dict[str, list[int]]()
    for day, name in holidays.names.items():
        place = (day - days.first).days
        if 0 <= place < len(days.lines) and not days.explained[place]:
            there.setdefault(name, []).append(place)
    always = {name: each for name, each in there.items() if silent[each].all() and not days.is_chance(each)}
    if not always:
        return None, frozenset()
    closed = np.isin(np.arange(len(silent)), [place for places in always.values() for place in places])
    total = sum(map(len, there.values()))
    sold = np.isin(np.arange(len(silent)), [place for places in there.values() for place in places]) & ~silent
    said = {"closed": int(closed.sum()), "all": total, "names": _named(tuple(always), SHOWN)}
    if sold.any():
        sentence = t(
            "On {closed} of {all} public holidays nothing was sold ({names}); it was on {sold}.",
            sold=_named(days.dates(sold)),
            **said,
        )
    else:
        sentence = t("On {closed} of {all} public holidays nothing was sold ({names}).", **said)
    setting = "closed_holidays = true" if len(always) == len(there) else ""
    return Closure("public holidays", "guess", days.dates(closed), sentence, days.dates(sold), setting), frozenset(
        always
    )


def guess_closures(days: ShopDays) -> Iterator[Closure]:
    """Find other days without any row; those in a row, with days that are closed anyhow between them, are one."""
    for run in _runs(days.silent, days.explained):
        usual = sum(days.usual(place) for place in run)
        if days.is_chance(run):
            continue
        first, last = (days.first + timedelta(days=place) for place in (run[0], run[-1]))
        when = t("on {first}", first=first) if first == last else t("from {first} to {last}", first=first, last=last)
        what = (
            t("rows are missing, or the shop was closed") if len(run) > LONG_RUN else t("closed, or rows are missing")
        )
        yield Closure(
            "a closure",
            "guess",
            tuple(days.first + timedelta(days=place) for place in run),
            t(
                "Nothing was sold {when}, where {usual:.0f} rows would be usual: {what}.",
                when=when,
                usual=usual,
                what=what,
            ),
            setting="closed_dates = [" + ", ".join(f'"{days.first + timedelta(days=place)}"' for place in run) + "]"
            if len(run) <= LONG_RUN
            else "",
        )


def _runs(silent: Bool[np.ndarray, " day"], explained: Bool[np.ndarray, " day"]) -> Iterator[list[int]]:
    """Give runs of silent days; days that are explained neither end a run nor belong to it."""
    run: list[int] = []
    for place in range(len(silent)):
        if silent[place]:
            run.append(place)
        elif run and not explained[place]:
            yield run
            run = []
    if run:
        yield run


def _named(what: Sequence[object], most: int = SHOWN) -> str:
    return ", ".join(map(str, what[:most])) + (", …" if len(what) > most else "")
