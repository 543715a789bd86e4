"""What a plan would read of a merchant's files, in words, for the person who approves it or lets a policy decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from client.account.policy import Policy
from client.language.speech import ENGLISH, language, t
from common.plan.reads import what_is_read
from common.plan.schema import Attribute, DataPlan, Filter, Lookup, Measure

SHOWN = 3  # closed dates that are named


def explain_reading(data: DataPlan, policy: Policy) -> list[str]:
    """Say what one record is, which columns are read, and which rows count, a sentence each.

    Names stand in quotes, as a stranger wrote them.
    """
    return [
        _say_record(data, policy),
        *_say_columns(data),
        *(_say_lookup(lookup, data) for lookup in data.lookups),
        *(
            t("It computes {name!r} as {one!r} times {other!r}.", name=name, one=one, other=other)
            for name, (one, other) in data.derived.items()
        ),
        *_say_demand(data),
        *_say_calendar(data),
        *_say_rows(data),
        *_say_days(data),
        *_say_entities(data),
    ]


def _say_record(data: DataPlan, policy: Policy) -> str:
    named = [repr(data.entity)]
    if data.merchant:
        named.append(repr(data.merchant))
    if data.deal is not None and data.deal.by == "group" and data.deal.column != data.entity:
        first = (
            t("the first {characters} characters of ", characters=data.deal.characters) if data.deal.characters else ""
        )
        named.append(f"{first}{data.deal.column!r}")
    computed = [name for name in (data.entity, data.merchant) if name in data.derived]
    how = t(" ({computed} computed, see below)", computed=_are(computed)) if computed else ""
    alike = t("the same {names}", names=_and(named))
    said = t("One record, which is what epsilon protects, is all rows with {alike}{how}", alike=alike, how=how)
    if policy.data is None:
        return t(
            "{said}; your policy has no [data] section, so you alone decide whether that is one {unit}.",
            said=said,
            unit=t(policy.unit),
        )
    return t(
        "{said}; in your policy one {unit} is all rows with the same {columns}.",
        said=said,
        unit=t(policy.unit),
        columns=_and(_units(policy)),
    )


def _units(policy: Policy) -> list[str]:
    assert policy.data is not None  # noqa: S101  for mypy: asked before
    return [repr(column) for column in (policy.data.entity, policy.data.merchant) if column]


def _say_columns(data: DataPlan) -> Iterator[str]:
    keys: dict[str, list[str]] = {}
    joined = {f"data.lookups.{number}.column" for number in range(len(data.lookups))}
    for use in what_is_read(data):
        if use.key not in joined and not use.key.startswith(("data.ahead.", "data.school_holidays.")):
            keys.setdefault(use.column, []).append(use.key)
    columns = ", ".join(f"{column!r} ({', '.join(dict.fromkeys(found))})" for column, found in keys.items())
    if data.source == "synthetic":
        yield t("It draws its data and reads no file, which is for simulations.")
        return
    own, *others = map(repr, dict.fromkeys([data.path, *(lookup.path for lookup in data.lookups)]))
    where = t("{own}, or of what is joined to it from {others}", own=own, others=_and(others)) if others else own
    yield t("It reads of {where}: {columns}.", where=where, columns=columns)


def _say_lookup(lookup: Lookup, data: DataPlan) -> str:
    said = t(
        "It joins {path!r}: to each row the first one there whose {column!r} is the row's {key!r}",
        path=lookup.path,
        column=lookup.column,
        key=lookup.key,
    )
    if lookup.key == data.entity:
        return t("{said}.", said=said)
    return t("{said}; where that row belongs to somebody, it becomes part of the record of others too.", said=said)


def _say_demand(data: DataPlan) -> Iterator[str]:
    yield t("What is forecast is {measure}.", measure=_say_measure(data.target))
    beside = [f"{name!r}, {_say_measure(measure)}" for name, measure in data.observed.items()]
    if beside:
        yield t("Beside it the model sees of each day gone by: {beside}.", beside="; ".join(beside))
    for key, attributes, when in (
        ("known", data.known, t("each day, of those ahead too")),
        ("static", data.static, t("its first row")),
    ):
        if attributes:
            yield t(
                "It takes of each record, of {when}: {columns} (data.{key}).",
                when=when,
                columns=_and(list(map(_say_attribute, attributes))),
                key=key,
            )


def _say_calendar(data: DataPlan) -> Iterator[str]:
    """Say what is known of each day beside the rows, and from where."""
    for table in data.ahead:
        by = [repr(column) for column in (table.merchant, table.entity) if column]
        whose = (
            t("of those rows whose {by} is the record's", by=_and(by))
            if by
            else t("the same for all records, of nobody's rows")
        )
        taken = _and(list(map(_say_attribute, table.known)))
        yield t(
            "It takes of {path!r}, by its {time!r}, {whose}: {taken} (data.ahead).",
            path=table.path,
            time=table.time,
            whose=whose,
            taken=taken,
        )
    if data.holidays is not None:
        place = " ".join(part for part in (data.holidays.subdivision, data.holidays.country) if part)
        yield t("It knows the public holidays of {place!r} (data.holidays), which are in no file.", place=place)
    if data.shopping_days:
        yield t(
            "It knows the days {days} (data.shopping_days), which are in no file.", days=_and(list(data.shopping_days))
        )
    if (school := data.school_holidays) is not None:
        columns = [repr(column) for column in (school.first_day, school.last_day, school.name) if column]
        named = t(" (those called {names})", names=_or(list(map(repr, school.names)))) if school.names else ""
        yield (
            t(
                "It takes of {path!r}, the same for all records, the spans of days in {columns}{named} "
                "(data.school_holidays).",
                path=school.path,
                columns=_and(columns),
                named=named,
            )
        )


def _say_attribute(attribute: Attribute) -> str:
    if not attribute.categories:
        return repr(attribute.column)
    return t(
        "{column!r} (whether {values})",
        column=attribute.column,
        values=_or([repr(value) for value in attribute.categories]),
    )


def _say_measure(measure: Measure) -> str:
    return {
        "rows": t("the number of a day's rows"),
        "sum": t("a day's sum of {column!r}", column=measure.column),
        "mean": t("a day's mean of {column!r}", column=measure.column),
        "distinct": t("the number of different values of {column!r} on a day", column=measure.column),
    }[measure.aggregate]


def _say_rows(data: DataPlan) -> Iterator[str]:
    if data.filters:
        yield t(
            "Only rows count in which {conditions}.",
            conditions=_and([_say_filter(condition) for condition in data.filters]),
        )
    if data.rows == "panel":
        yield t("Each record has one row a day; of a second one of the same day the first counts.")
    else:
        yield t("Each record may have any number of rows a day; they are taken together.")


def _say_filter(condition: Filter) -> str:
    said = []
    if condition.equals is not None:
        said.append(t("is {value!r}", value=condition.equals))
    if condition.above is not None:
        said.append(t("is above {value:g}", value=condition.above))
    if condition.at_least is not None:
        said.append(t("is at least {value:g}", value=condition.at_least))
    if condition.filled is not None:
        said.append(t("is not empty") if condition.filled else t("is empty"))
    return f"{condition.column!r} {_and(said)}"


def _say_days(data: DataPlan) -> Iterator[str]:
    zone = (
        t("counts on its day in {time_zone}", time_zone=data.time_zone)
        if data.time_zone
        else t("counts on the day that is written")
    )
    yield t(
        "Days of {time!r} from {start} to {end} count; a time with an offset {zone}.",
        time=data.time,
        start=data.start,
        end=data.end,
        zone=zone,
    )
    if data.out_of_stock:
        yield (
            t(
                "A day of which a row says yes in {out_of_stock!r} ran out of stock: demand was at least "
                "what was sold.",
                out_of_stock=data.out_of_stock,
            )
        )
    without = t("closed") if data.missing == "closed" else t("a day without demand")
    closed = [
        t("every {weekday}", weekday=t(weekday.capitalize()) if language() != ENGLISH else weekday)
        for weekday in data.closed_weekdays
    ]
    dates = [str(day) for day in data.closed_dates]
    closed += dates[:SHOWN] + ([t("{number} more dates", number=len(dates) - SHOWN)] if len(dates) > SHOWN else [])
    yield t("A day without a row is {without}", without=without) + (
        t("; closed is {closed}.", closed=_and(closed)) if closed else "."
    )


def _say_entities(data: DataPlan) -> Iterator[str]:
    if data.active is not None:
        yield (
            t(
                "Only those with demand on at least {days} of the {within_days} days before the origin take part.",
                days=data.active.days,
                within_days=data.active.within_days,
            )
        )
    if data.deal is not None and (data.deal.by != "group" or data.deal.column == data.entity):
        yield t("It deals entities out to merchants (data.deal), which is for simulations and changes nothing here.")


def _are(words: Sequence[str]) -> str:
    named = _and([repr(word) for word in words])
    return t("{names} is", names=named) if len(words) == 1 else t("{names} are", names=named)


def _and(words: Sequence[str]) -> str:
    return _list(words, t(" and "))


def _or(words: Sequence[str]) -> str:
    return _list(words, t(" or "))


def _list(words: Sequence[str], last: str) -> str:
    return last.join(words) if len(words) < 3 else f"{', '.join(words[:-1])}{last}{words[-1]}"
