"""What a shop's own columns tell of its place and its money; the rest is guessed, and said to be a guess."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zoneinfo import TZPATH

from client.shop.setup.offset import find_offsets, find_zone, write_offsets
from client.shop.setup.survey import Surveyed
from common.plan.schema import is_time_zone

GERMAN = re.compile(r"bestell|menge|artikel|kunde|währung|preis|datum|auftrag", re.IGNORECASE)
CHINESE = re.compile(r"[\u4e00-\u9fff]")
COUNTRY_COLUMN = re.compile(r"country|land|国家", re.IGNORECASE)
CURRENCY_OF = {"CN": "CNY", "US": "USD", "GB": "GBP", "CH": "CHF", "JP": "JPY", "PL": "PLN", "SE": "SEK", "DK": "DKK"}
EURO = ("DE", "AT", "FR", "NL", "BE", "IT", "ES", "PT", "IE", "FI", "GR", "LU", "SI", "SK", "EE", "LV", "LT", "HR")
MAIN_ZONES = {"DE": "Europe/Berlin", "CN": "Asia/Shanghai"}  # the tables name a second, smaller zone


@dataclass(frozen=True)
class Fact:
    """Something that is known of the shop, or guessed, and from what."""

    value: str
    reason: str
    certain: bool = False


@dataclass(frozen=True)
class Facts:
    """Where the shop stands and what it counts its money in."""

    time_zone: Fact
    currency: Fact
    country: Fact


def surmise(surveyed: Sequence[Surveyed]) -> Facts:
    """Guess where the shop stands, from offsets, countries and languages in its tables, and from this machine."""
    country = _guess_country(surveyed)
    return Facts(_guess_time_zone(country, surveyed), _guess_currency(surveyed, country), country)


def follow(country: str, surveyed: Sequence[Surveyed] = ()) -> Facts:
    """Guess the rest from a country that somebody named."""
    known = Fact(country, "as you said", certain=True)
    return Facts(_guess_time_zone(known, surveyed), _guess_currency((), known), known)


def _guess_country(surveyed: Sequence[Surveyed]) -> Fact:
    codes: Counter[str] = Counter()
    for name, cells in _columns(surveyed):
        if COUNTRY_COLUMN.search(name):
            codes.update(cell.upper() for cell in cells if re.fullmatch(r"[A-Za-z]{2}", cell))
    if codes:
        return Fact(codes.most_common(1)[0][0], "most orders name it")
    names = " ".join(name for name, _ in _columns(surveyed))
    if CHINESE.search(names):
        return Fact("CN", "the columns have Chinese names")
    if len(GERMAN.findall(names)) >= 2:
        return Fact("DE", "the columns have German names")
    zone = _machine_zone()
    found = next((code for code, zones in _zones_by_country().items() if zone in zones), "")
    return Fact(found, f"this computer's clock is that of {zone}" if found else "nothing tells of it")


def _guess_time_zone(country: Fact, surveyed: Sequence[Surveyed]) -> Fact:
    machine, zones = _machine_zone(), _zones_by_country().get(country.value, ())
    told = find_offsets(surveyed)
    main = MAIN_ZONES.get(country.value)
    zone = find_zone(told, (*([main] if main else []), *zones, machine)) if told else ""
    if zone:
        return Fact(zone, f"its clock is that of the times, which say {write_offsets(told)}")
    if told:
        return Fact(machine, f"this computer's own; no known clock goes with {write_offsets(told)} of the times")
    if machine in zones:
        return Fact(machine, "this computer's own")
    zone = MAIN_ZONES.get(country.value, zones[0] if len(zones) == 1 else "")
    if zone:
        return Fact(zone, f"the clock of {country.value}")
    return Fact(machine, "this computer's own; nothing in the tables tells of it")


def _guess_currency(surveyed: Sequence[Surveyed], country: Fact) -> Fact:
    codes: Counter[str] = Counter()
    for each in surveyed:
        column = each.settings.columns.get("currency", "")
        codes.update(cell.strip().upper() for cell in each.look.sample.get(column, ()))
    codes = Counter({code: count for code, count in codes.items() if re.fullmatch("[A-Z]{3}", code)})
    if codes:
        return Fact(codes.most_common(1)[0][0], "most sales are in it")
    code = "EUR" if country.value in EURO else CURRENCY_OF.get(country.value, "")
    return Fact(code or "EUR", f"the money of {country.value}" if code else "nothing tells of it")


def _columns(surveyed: Sequence[Surveyed]) -> Iterable[tuple[str, tuple[str, ...]]]:
    return ((name, cells) for each in surveyed for name, cells in each.look.sample.items())


def _machine_zone() -> str:
    named = os.environ.get("TZ", "").removeprefix(":")
    if named and is_time_zone(named):
        return named
    link = str(Path("/etc/localtime").resolve())
    zone = link.split("zoneinfo/")[-1]
    return zone if "zoneinfo/" in link and is_time_zone(zone) and not zone.startswith("Etc/") else "UTC"


@cache
def _zones_by_country() -> dict[str, tuple[str, ...]]:
    for folder in TZPATH:
        table = Path(folder) / "zone.tab"
        if table.is_file():
            return _read_zones(table.read_text(encoding="utf-8"))
    return {code: (zone,) for code, zone in MAIN_ZONES.items()}


def _read_zones(text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            code, _, zone, *_ = line.split("\t")
            found.setdefault(code, []).append(zone)
    return {code: tuple(zones) for code, zones in found.items()}
