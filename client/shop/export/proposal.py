"""What a table seems to be, with the evidence for each guess, and what only a person can know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from client.shop.export.description import IDENTIFYING, Export, find_columns
from client.shop.export.field import (
    WORDS,
)
from client.shop.export.guess import CLOSE, FITS, Column, Guess, explain, rank_columns
from client.shop.export.kind import find_kind
from client.shop.export.personal import show_samples
from client.shop.export.plain import NEEDED
from client.shop.export.recognition import recognise
from client.shop.export.text import fold_words
from client.shop.export.unfit import ask_counting, find_counting, refuse_doubled
from client.shop.export.wide import refuse_events, refuse_wide
from client.shop.export.word import STATES
from client.shop.record import Kind, State
from client.shop.settings import Dialect, SourceSettings
from client.shop.source.source import Look

MANY_UNPAID = 0.2  # of the orders


@dataclass(frozen=True)
class Proposal:
    """Settings for a source, what they were guessed from, and what to ask.

    Attributes
    ----------
    questions
        Sentences that name the best guess first; the settings hold it.
    also
        What else the same table holds, as settings of further sources: stock levels or prices beside sales.
    """

    settings: SourceSettings
    guesses: tuple[Guess, ...]
    questions: tuple[str, ...]
    also: tuple[SourceSettings, ...] = ()


def propose(look: Look, *, name: str) -> Proposal | None:
    """Propose what the columns of a table mean; None where no kind of record can be seen in it.

    Raises
    ------
    DataError
        The table has a column for each day or each product, or one that matters twice.
    """
    if not look.sample:
        return None
    export = recognise(look.sample)
    if export is not None:
        return _propose_export(look, export, name)
    columns = [Column(header, values, look.dialect or Dialect()) for header, values in look.sample.items()]
    refuse_wide(look, columns)
    refuse_doubled(look, columns)
    kind = find_kind(look, columns)
    if kind == "sales":
        refuse_events(look, columns)
    return None if kind is None else _propose_table(look, columns, kind, name)


def _propose_export(look: Look, export: Export, name: str) -> Proposal:
    found = find_columns(export, look.sample)
    identifying = next((each for each in IDENTIFYING if each in found), "")
    guesses = [
        Guess(
            field=field,
            column=column,
            samples=show_samples(column, look.sample[column], hide=_hidden(field)),
            reason=f"the header is that of {export.title}",
            certain=True,
        )
        for field, column in found.items()
        if field not in IDENTIFYING or field == identifying
    ]
    settings = SourceSettings(
        name=name,
        location=look.location,
        table=look.table,
        format=export.format,
        kind=export.kind,
        dialect=look.dialect,
        columns=found,
    )
    return Proposal(settings, tuple(guesses), tuple(_ask_export(look, export, found)))


def _hidden(field: str) -> str:
    return {"customer": "customer", "email": "e-mail", "phone": "telephone", "user": "user name"}.get(field, "")


def _ask_export(look: Look, export: Export, found: dict[str, str]) -> list[str]:
    questions = list(_ask_currencies(look, found))
    if export.kind == "sales" and not {"state", "paid"} & found.keys():
        questions.append("Which orders were cancelled? No column says so, and all count as sold.")
    if "net_quantity" in found and not {"quantity", "returned"} & found.keys():
        questions.append(
            f"Can the export also hold the quantity as ordered? From {found['net_quantity']!r} returns are taken off, "
            f"so what came back does not count as demand."
        )
    if export.format == "taobao" and "day" not in found and "*" not in look.location:
        questions.append(
            "On which day was each order? 宝贝报表 has none: read it together with 订单报表, as one pattern."
        )
    if export.format == "taobao" and "kinds" in found:
        questions.append(
            "Is there a 宝贝报表 too? 订单报表 alone tells no products apart in orders of several kinds, which are "
            "left out; read both as one pattern, and never as two sources, or units count twice."
        )
    if "parent" not in found and _has_free_lines(look, found):
        questions.append(
            "Are lines without a price parts of a bundle that has a line of its own? They count as sold, and so does "
            "the bundle: nothing in the export ties them together."
        )
    if found.get("state"):
        questions.extend(_ask_states(look.sample[found["state"]], export.states))
        questions.extend(_ask_unpaid(look.sample[found["state"]], export.states))
    return questions


def _ask_currencies(look: Look, found: dict[str, str]) -> list[str]:
    column = found.get("currency", "")
    codes = {value.strip().upper() for value in look.sample.get(column, ()) if value.strip()}
    seen = sorted(code for code in codes if len(code) == 3 and code.isalpha())
    if len(seen) < 2:
        return []
    return [
        f"What is one of each of {', '.join(seen)} worth in the shop's own money? Write it under rates in shop.toml."
    ]


def _has_free_lines(look: Look, found: dict[str, str]) -> bool:
    """Whether an order has a line that costs nothing beside one that costs something."""
    if not {"order", "price"} <= found.keys():
        return False
    prices = Column(found["price"], look.sample[found["price"]], look.dialect or Dialect())
    costs: dict[str, set[bool]] = {}
    orders = look.sample[found["order"]]
    filled = [(order, price) for order, price in zip(orders, prices.values, strict=True) if price.strip()]
    for (order, _), number in zip(filled, prices.numbers, strict=True):
        costs.setdefault(order, set()).add(bool(number == 0))
    return any(len(each) == 2 for each in costs.values())


def _ask_states(values: Sequence[str], states: dict[State, tuple[str, ...]]) -> list[str]:
    known = {word for words in states.values() for word in fold_words(words)}
    seen = Counter(value.strip() for value in values if value.strip())
    often = [word for word, count in seen.most_common() if count > 1]  # a word once may be a cell that has moved
    unknown = [word for word in often if not set(fold_words([word])) <= known][:5]
    return [f"What does the state {word!r} mean? It counts as sold." for word in unknown]


def _ask_unpaid(values: Sequence[str], states: dict[State, tuple[str, ...]]) -> list[str]:
    """Ask whether customers pay on delivery, where too many orders are not paid."""
    unpaid = set(fold_words(states.get("unpaid", ())))
    seen = [value.strip() for value in values if value.strip()]
    words = Counter(word for word in seen if fold_words([word])[0] in unpaid)
    if words.total() <= MANY_UNPAID * len(seen):
        return []
    often = words.most_common(1)[0][0]
    return [
        f"Do customers pay on delivery? {words.total() / len(seen):.0%} of the states say that an order was not paid, "
        f"which is no demand; if they do, say states = {{ sold = [{often!r}] }} in shop.toml."
    ]


def _propose_table(look: Look, columns: list[Column], kind: Kind, name: str) -> Proposal | None:
    chosen, guesses, questions = _choose(kind, columns)
    if any(field not in chosen for field in NEEDED[kind]):
        return None
    states = _propose_states(chosen.get("state"))
    questions.extend(_ask_table(look, kind, columns, chosen))
    settings = _settings(look, name, kind, {field: column.name for field, column in chosen.items()}, states)
    guesses = [_guess_kind(kind, chosen, look), *guesses]
    also = _also(look, columns, kind, name, chosen) if kind in ("sales", "terms") else ()
    return Proposal(settings, tuple(guesses), tuple(questions), also)


def _settings(
    look: Look, name: str, kind: Kind, columns: dict[str, str], states: dict[State, tuple[str, ...]] | None = None
) -> SourceSettings:
    return SourceSettings(
        name=name,
        location=look.location,
        table=look.table,
        kind=kind,
        dialect=look.dialect,
        columns=columns,
        states=states or {},
    )


def _choose(kind: Kind, columns: list[Column]) -> tuple[dict[str, Column], list[Guess], list[str]]:
    """Choose a column for each field; one column is one field."""
    chosen: dict[str, Column] = {}
    guesses, questions = [], []
    ranked = {field: rank_columns(field, words, columns) for field, words in WORDS[kind].items()}
    for field in _by_certainty(ranked):
        free = [each for each in ranked[field] if each[1] not in chosen.values()]
        if not free or (free[0][0] < FITS and field not in ("day", "first_day", "product", "quantity")):
            continue
        score, column = free[0]
        rivals = [other for other_score, other in free[1:] if other_score > score - CLOSE and _differ(column, other)]
        chosen[field] = column
        certain = score >= FITS and not rivals
        guesses.append(
            Guess(field, column.name, column.samples(_hide(field, column)), explain(field, column, score), certain)
        )
        questions.extend(_ask_rivals(field, column, rivals))
    questions.extend(_take_counting(kind, columns, chosen, guesses))
    _take_contact(kind, columns, chosen, guesses)
    day = "day" if "day" in WORDS[kind] else "first_day"
    if day in WORDS[kind] and day not in chosen:
        questions.extend(_take_only_days(day, columns, chosen, guesses))
    return chosen, _in_order(kind, guesses), questions


def _take_counting(kind: Kind, columns: list[Column], chosen: dict[str, Column], guesses: list[Guess]) -> list[str]:
    """Take a quantity that is called so and cannot be read: its rows are left out, and said to be."""
    free = [column for column in columns if column not in chosen.values()]
    column = None if "quantity" in chosen else find_counting(kind, free)
    if column is None:
        return []
    chosen["quantity"] = column
    guesses.append(Guess("quantity", column.name, column.samples(), "it is called so", certain=False))
    return [ask_counting(column)]


def _take_contact(kind: Kind, columns: list[Column], chosen: dict[str, Column], guesses: list[Guess]) -> None:
    """Tell customers apart by e-mail, else telephone, else user name, where nothing is called a customer."""
    if "customer" in chosen or "customer" not in WORDS[kind]:
        return
    for personal in ("e-mail", "telephone", "user name"):
        column = next((column for column in columns if column.personal == personal and column.filled), None)
        if column is not None:
            chosen["customer"] = column
            reason = f"it tells customers apart by {personal}; only a keyed hash of it is kept"
            guesses.append(Guess("customer", column.name, column.samples(), reason, True))
            return


def _hide(field: str, column: Column) -> str:
    return "text" if field == "text" else "customer" if field == "customer" and not column.personal else ""


def _by_certainty(ranked: dict[str, list[tuple[float, Column]]]) -> list[str]:
    return sorted((field for field in ranked if ranked[field]), key=lambda field: -ranked[field][0][0])


def _in_order(kind: Kind, guesses: list[Guess]) -> list[Guess]:
    order = list(WORDS[kind])
    return sorted(guesses, key=lambda guess: order.index(guess.field))


def _differ(one: Column, other: Column) -> bool:
    """Whether it matters which of two columns is taken: they do not name the same things in other words."""
    pairs = set(zip(one.values, other.values, strict=True))
    return not len({left for left, _ in pairs}) == len({right for _, right in pairs}) == len(pairs)


def _ask_rivals(field: str, column: Column, rivals: list[Column]) -> list[str]:
    if not rivals or field not in ("day", "first_day", "product", "quantity", "amount", "price", "order", "state"):
        return []
    others = " or ".join(repr(each.name) for each in rivals[:2])
    return [f"Is the {field.replace('_', ' ')} in {column.name!r} or in {others}? {column.name!r} is taken."]


def _take_only_days(day: str, columns: list[Column], chosen: dict[str, Column], guesses: list[Guess]) -> list[str]:
    """Take a column of days that is called something else, where there is one."""
    free = [column for column in columns if column.share_days == 1 and column.filled and column not in chosen.values()]
    if not free:
        return []
    column = free[0]
    chosen[day] = column
    reason = "all of its values are days, though its name does not say so"
    guesses.append(Guess(day, column.name, column.samples(), reason, len(free) == 1))
    return _ask_rivals(day, column, free[1:])


def _propose_states(column: Column | None) -> dict[State, tuple[str, ...]]:
    if column is None:
        return {}
    seen = dict.fromkeys(column.filled)
    known = {state: set(fold_words(words)) for state, words in STATES.items()}
    found = {state: tuple(word for word in seen if fold_words([word])[0] in words) for state, words in known.items()}
    return {state: words for state, words in found.items() if words}


def _ask_table(look: Look, kind: Kind, columns: list[Column], chosen: dict[str, Column]) -> list[str]:
    questions = []
    if kind == "sales" and "quantity" not in chosen:
        questions.append("How many were sold in each row? No column says so, and each row counts as one.")
    questions.extend(_ask_currencies(look, {field: column.name for field, column in chosen.items()}))
    if kind == "sales" and "state" in chosen:
        questions.extend(_ask_states(chosen["state"].values, STATES))
        questions.extend(_ask_unpaid(chosen["state"].values, STATES))
    return questions


def _guess_kind(kind: Kind, chosen: dict[str, Column], look: Look) -> Guess:
    reason = _KIND_REASONS[kind]
    if kind == "sales" and "order" not in chosen and _is_panel(chosen):
        reason = "a row for each product and day, with how many were sold"
    return Guess("kind", "", (), f"{reason}: {kind}", True)


_KIND_REASONS: dict[Kind, str] = {
    "sales": "a day and a product in each row, as in lines of orders",
    "returns": "columns say what came back",
    "views": "a product and how often it was looked at",
    "carts": "a product and how often it was put into a cart",
    "searches": "words that were searched for",
    "reviews": "a product and how it was rated",
    "stock": "a product and how many there were, or whether it ran out",
    "prices": "a product, what it costs, and from when on",
    "promotions": "a discount from a day to a day",
    "closures": "days on which the shop is closed",
    "events": "days with a name",
    "products": "a product and what it is called",
    "terms": "a product and on what terms it is ordered",
    "on_order": "a product, how many of it were ordered from a supplier, and for when",
}


def _is_panel(chosen: dict[str, Column]) -> bool:
    pairs = list(zip(chosen["day"].values, chosen["product"].values, strict=True))
    return len(pairs) == len(set(pairs)) and len(set(chosen["product"].filled)) < len(pairs)


def _also(
    look: Look, columns: list[Column], kind: Kind, name: str, chosen: dict[str, Column]
) -> tuple[SourceSettings, ...]:
    """Find what a table of sales or terms says besides: names of products, and of daily sales stock levels."""
    free = [column for column in columns if column not in chosen.values()]
    shared: dict[str, str] = {field: chosen[field].name for field in ("day", "product") if field in chosen}
    names = _likely(free, {field: WORDS["products"][field] for field in ("name", "category")})
    also = []
    if names:
        also.append(_settings(look, f"{name[:55]}-products", "products", {"product": shared["product"], **names}))
    stock = _likely(free, {field: WORDS["stock"][field] for field in ("on_hand", "out")})
    if kind == "sales" and stock and "order" not in chosen and _is_panel(chosen):
        also.append(_settings(look, f"{name[:57]}-stock", "stock", {**shared, **stock}))
    return tuple(also)


def _likely(columns: list[Column], words: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Name the likeliest column of each field, none twice."""
    found: dict[str, str] = {}
    for field, each in words.items():
        ranked = [column for score, column in rank_columns(field, each, columns) if score >= FITS]
        left = [column.name for column in ranked if column.name not in found.values()]
        if left:
            found[field] = left[0]
    return found
