"""What a plan would read of a merchant's files, in words, for the person who approves it or lets a policy decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from client.account.policy import Policy
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
        *(f"It computes {name!r} as {one!r} times {other!r}." for name, (one, other) in data.derived.items()),
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
        first = f"the first {data.deal.characters} characters of " if data.deal.characters else ""
        named.append(f"{first}{data.deal.column!r}")
    computed = [name for name in (data.entity, data.merchant) if name in data.derived]
    how = f" ({_are(computed)} computed, see below)" if computed else ""
    alike = f"the same {named[0]}" if len(named) == 1 else f"the same {_and(named)}"
    said = f"One record, which is what epsilon protects, is all rows with {alike}{how}"
    if policy.data is None:
        return f"{said}; your policy has no [data] section, so you alone decide whether that is one {policy.unit}."
    return f"{said}; in your policy one {policy.unit} is all rows with the same {_and(_units(policy))}."


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
        yield "It draws its data and reads no file, which is for simulations."
        return
    own, *others = map(repr, dict.fromkeys([data.path, *(lookup.path for lookup in data.lookups)]))
    where = f"{own}, or of what is joined to it from {_and(others)}" if others else own
    yield f"It reads of {where}: {columns}."


def _say_lookup(lookup: Lookup, data: DataPlan) -> str:
    said = (
        f"It joins {lookup.path!r}: to each row the first one there whose {lookup.column!r} is the row's {lookup.key!r}"
    )
    if lookup.key == data.entity:
        return f"{said}."
    return f"{said}; where that row belongs to somebody, it becomes part of the record of others too."


def _say_demand(data: DataPlan) -> Iterator[str]:
    yield f"What is forecast is {_say_measure(data.target)}."
    beside = [f"{name!r}, {_say_measure(measure)}" for name, measure in data.observed.items()]
    if beside:
        yield f"Beside it the model sees of each day gone by: {'; '.join(beside)}."
    for key, attributes, when in (
        ("known", data.known, "each day, of those ahead too"),
        ("static", data.static, "its first row"),
    ):
        if attributes:
            yield f"It takes of each record, of {when}: {_and(list(map(_say_attribute, attributes)))} (data.{key})."


def _say_calendar(data: DataPlan) -> Iterator[str]:
    """Say what is known of each day beside the rows, and from where."""
    for table in data.ahead:
        by = [repr(column) for column in (table.merchant, table.entity) if column]
        whose = (
            f"of those rows whose {_and(by)} is the record's" if by else "the same for all records, of nobody's rows"
        )
        taken = _and(list(map(_say_attribute, table.known)))
        yield f"It takes of {table.path!r}, by its {table.time!r}, {whose}: {taken} (data.ahead)."
    if data.holidays is not None:
        place = " ".join(part for part in (data.holidays.subdivision, data.holidays.country) if part)
        yield f"It knows the public holidays of {place!r} (data.holidays), which are in no file."
    if data.shopping_days:
        yield f"It knows the days {_and(list(data.shopping_days))} (data.shopping_days), which are in no file."
    if (school := data.school_holidays) is not None:
        columns = [repr(column) for column in (school.first_day, school.last_day, school.name) if column]
        named = f" (those called {_or(list(map(repr, school.names)))})" if school.names else ""
        yield (
            f"It takes of {school.path!r}, the same for all records, the spans of days in {_and(columns)}{named} "
            "(data.school_holidays)."
        )


def _say_attribute(attribute: Attribute) -> str:
    if not attribute.categories:
        return repr(attribute.column)
    return f"{attribute.column!r} (whether {_or([repr(value) for value in attribute.categories])})"


def _say_measure(measure: Measure) -> str:
    return {
        "rows": "the number of a day's rows",
        "sum": f"a day's sum of {measure.column!r}",
        "mean": f"a day's mean of {measure.column!r}",
        "distinct": f"the number of different values of {measure.column!r} on a day",
    }[measure.aggregate]


def _say_rows(data: DataPlan) -> Iterator[str]:
    if data.filters:
        yield f"Only rows count in which {_and([_say_filter(condition) for condition in data.filters])}."
    if data.rows == "panel":
        yield "Each record has one row a day; of a second one of the same day the first counts."
    else:
        yield "Each record may have any number of rows a day; they are taken together."


def _say_filter(condition: Filter) -> str:
    said = []
    if condition.equals is not None:
        said.append(f"is {condition.equals!r}")
    if condition.above is not None:
        said.append(f"is above {condition.above:g}")
    if condition.at_least is not None:
        said.append(f"is at least {condition.at_least:g}")
    if condition.filled is not None:
        said.append("is not empty" if condition.filled else "is empty")
    return f"{condition.column!r} {_and(said)}"


def _say_days(data: DataPlan) -> Iterator[str]:
    zone = f"counts on its day in {data.time_zone}" if data.time_zone else "counts on the day that is written"
    yield f"Days of {data.time!r} from {data.start} to {data.end} count; a time with an offset {zone}."
    if data.out_of_stock:
        yield (
            f"A day of which a row says yes in {data.out_of_stock!r} ran out of stock: demand was at least what was "
            "sold."
        )
    without = "closed" if data.missing == "closed" else "a day without demand"
    closed = [f"every {weekday}" for weekday in data.closed_weekdays]
    dates = [str(day) for day in data.closed_dates]
    closed += dates[:SHOWN] + ([f"{len(dates) - SHOWN} more dates"] if len(dates) > SHOWN else [])
    yield f"A day without a row is {without}" + (f"; closed is {_and(closed)}." if closed else ".")


def _say_entities(data: DataPlan) -> Iterator[str]:
    if data.active is not None:
        yield (
            f"Only those with demand on at least {data.active.days} of the {data.active.within_days} days before the "
            "origin take part."
        )
    if data.deal is not None and (data.deal.by != "group" or data.deal.column == data.entity):
        yield "It deals entities out to merchants (data.deal), which is for simulations and changes nothing here."


def _are(words: Sequence[str]) -> str:
    return f"{_and([repr(word) for word in words])} {'is' if len(words) == 1 else 'are'}"


def _and(words: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def _or(words: Sequence[str]) -> str:
    return _and(words, "or")
