"""Make the settings of a shop from what was seen, what was said and what was guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from client.shop.settings import Shop, SourceSettings
from client.shop.setup.surmise import Fact, Facts, follow, surmise
from client.shop.setup.survey import Surveyed
from common.errors import ConfigError
from common.plan.reading import explain_faults
from common.plan.schema import WEEKDAYS, Weekday

FLAGS = {"time_zone": "--time-zone", "currency": "--currency", "country": "--country"}


@dataclass(frozen=True)
class Said:
    """What a person said of the shop; "" and None where nothing was said."""

    name: str = ""
    time_zone: str = ""
    country: str = ""
    currency: str = ""
    closed: tuple[Weekday, ...] | None = None
    rates: Mapping[str, float] = field(default_factory=dict)


def choose_facts(surveyed: Sequence[Surveyed], said: Said) -> Facts:
    """Take what was said, and guess the rest from what was seen."""
    facts = surmise(surveyed)
    if said.country:
        followed = follow(said.country, surveyed)
        seen = facts.currency if facts.currency.reason == "most sales are in it" else followed.currency
        facts = Facts(followed.time_zone, seen, followed.country)
    for name in ("time_zone", "currency"):
        value = getattr(said, name)
        if value:
            facts = replace(facts, **{name: Fact(value, "as you said", certain=True)})
    return facts


def open_questions(facts: Facts) -> dict[str, Fact]:
    """Give by name what nobody said."""
    return {name: fact for name in FLAGS if not (fact := getattr(facts, name)).certain}


def make_shop(said: Said, facts: Facts, sources: Sequence[SourceSettings]) -> Shop:
    """Put the settings together.

    Raises
    ------
    ConfigError
        A value is not legal.
    """
    try:
        return Shop(
            name=said.name or "shop",
            time_zone=facts.time_zone.value,
            currency=facts.currency.value,
            country=facts.country.value,
            rates=dict(said.rates),
            closed_weekdays=said.closed or (),
            sources=tuple(sources),
        )
    except ValidationError as error:
        raise ConfigError(f"These settings make no shop: {explain_faults(error, Shop)}.") from error


def read_weekdays(text: str) -> tuple[Weekday, ...] | None:
    """Read `sunday,monday`; "none" is no day, and "" says nothing.

    Raises
    ------
    ConfigError
        It is no list of weekdays.
    """
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    if not words:
        return None
    if words == ["none"]:
        return ()
    unknown = [word for word in words if word not in WEEKDAYS]
    if unknown:
        raise ConfigError(f"--closed {unknown[0]!r} is no weekday; write them as --closed sunday,monday or none.")
    return tuple(day for day in WEEKDAYS if day in words)


def read_rates(wishes: Sequence[str]) -> dict[str, float]:
    """Read rates as `CHF=1.05`.

    Raises
    ------
    ConfigError
        One is none.
    """
    rates = {}
    for wish in wishes:
        code, _, number = wish.partition("=")
        try:
            rates[code.strip().upper()] = float(number)
        except ValueError as error:
            raise ConfigError(f"--rate {wish!r} is no rate; write it as --rate CHF=1.05.") from error
    return rates
