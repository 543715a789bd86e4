"""Days that are not zero, as problems: closures that were guessed, stock-outs, products that are new or ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from client.data.check.report import Finding
from client.language.speech import mark, t, tn
from client.shop.calendar.day_kind import DayKinds
from client.shop.calendar.stock_out import StockOut
from client.shop.readiness.problem import SHOWN, Problem, count_of

CLOSURES = (
    mark("A closure"), mark("Public holidays"), mark("Mondays"), mark("Tuesdays"), mark("Wednesdays"),
    mark("Thursdays"), mark("Fridays"), mark("Saturdays"), mark("Sundays"),
)  # fmt: skip
NO_ROWS = "a closure"  # what a run of silent days is called that neither a weekday nor a holiday explains


def find_days(kinds: DayKinds) -> Iterator[Problem]:
    """Say which days do not count as ordinary ones, by whose word, and what that does."""
    for closure in kinds.closures:
        if closure.source == "guess" and closure.days:
            is_gap = closure.why == NO_ROWS
            yield Problem(
                "warning" if is_gap or not closure.taken else "note",
                "gaps" if is_gap else "closed_days",
                t("{why}: {evidence}", why=t(closure.why.capitalize()), evidence=closure.evidence),
                len(closure.days),
                t("They count as closed, which is no lack of demand.")
                if closure.taken
                else t("They count as days on which nobody wanted anything, and pull every forecast down."),
                _advise(closure.setting, is_gap=is_gap),
                _shown(closure.days),
            )
    yield from _find_stock_outs(kinds)
    yield from _find_ends(kinds)


def as_problems(findings: Sequence[Finding]) -> Iterator[Problem]:
    """Give what is not known ahead as problems, whose sentences say the effect and the advice already."""
    for found in findings:
        yield Problem(found.severity, found.key, found.sentence, 0, effect="", advice="")


def _advise(setting: str, *, is_gap: bool) -> str:
    if is_gap:
        return t(
            "If an export is missing, import it; if the shop was closed, import a table of closures or "
            "name the days in closed_dates of shop.toml."
        )
    return (
        t("If that is right, write {setting} into shop.toml.", setting=setting)
        if setting
        else t("If that is wrong, say so in shop.toml.")
    )


def _find_stock_outs(kinds: DayKinds) -> Iterator[Problem]:
    told = [each for each in kinds.stock_outs if each.source == "told"]
    if told:
        yield Problem(
            "note",
            "out_of_stock",
            t(
                "{products} ran out on {days}, as the stock levels say.",
                products=count_of(len({each.product for each in told}), "product"),
                days=count_of(_days(told), "day"),
            ),
            _days(told),
            t("On these days demand counts as at least what was sold, so forecasts are not pulled down."),
            t("Nothing has to be done."),
        )
    guessed = [each for each in kinds.stock_outs if each.source == "guess"]
    if guessed:
        taken = all(each.taken for each in guessed)
        yield Problem(
            "note" if taken else "warning",
            "seems_out_of_stock",
            t(
                "{products} seem to have been out of stock on {days}: fast sellers that stop for a while and "
                "come back.",
                products=count_of(len({each.product for each in guessed}), "product"),
                days=count_of(_days(guessed), "day"),
            ),
            _days(guessed),
            t("They count as out of stock.") if taken else t("They count as days on which nobody wanted them."),
            t('Import stock levels, which tell for sure; or, if you agree, write [days] out = "guess" into shop.toml.'),
            tuple(
                t(
                    "{product}, {first} to {last}: {evidence}",
                    product=each.product,
                    first=each.first,
                    last=each.last,
                    evidence=each.evidence,
                )
                for each in guessed[:SHOWN]
            ),
        )


def _find_ends(kinds: DayKinds) -> Iterator[Problem]:
    ended = [life for life in kinds.lives if life.is_ended]
    if ended:
        yield Problem(
            "note",
            "ended",
            tn(
                "{number:,} product seems to be sold no longer.",
                "{number:,} products seem to be sold no longer.",
                len(ended),
            ),
            len(ended),
            t("They are forecast as nothing, and neither ordered nor recommended."),
            t("If one was only out of stock, import its stock levels day by day; a single sale brings it back."),
            tuple(
                t("{product}, last sold on {last_sale}", product=life.product, last_sale=life.last_sale)
                for life in ended[:SHOWN]
            ),
        )


def _days(outs: Sequence[StockOut]) -> int:
    return sum((each.last - each.first).days + 1 for each in outs)


def _shown(days: Sequence[date]) -> tuple[str, ...]:
    return tuple(map(str, days[:SHOWN]))
