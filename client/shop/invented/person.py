"""Invented customers, whose names, addresses and numbers are found nowhere else: canaries of what is never stored."""

from __future__ import annotations

import numpy as np

from client.shop.invented.shop import Person

_FIRST = ("Abelina", "Borwin", "Cosima", "Dietfried", "Elvira", "Friedhelm", "Grietje", "Hinnerk", "Jördis", "Käthe")
_STARTS = ("Zwie", "Quol", "Mürf", "Xand", "Plö", "Vrunk", "Thyl", "Gneiß", "Knarf", "Wubb")
_ENDS = ("elkötter", "inghausen", "ebrandt", "omüller", "atzki", "esiek", "ubold", "ynchow")
_STREETS = ("Mondlaternenweg", "Am Krähenpfuhl", "Siebenschläferstraße", "Zur Wunderlinde")
_CITIES = (("24999", "Ebersrode"), ("17999", "Klein Zappel"), ("99999", "Übermoor"))


def invent_people(count: int, generator: np.random.Generator) -> tuple[Person, ...]:
    """Invent customers; no two share a last name, an e-mail, a telephone number or a street with its number."""
    return tuple(_invent(number, generator) for number in range(count))


def _invent(number: int, generator: np.random.Generator) -> Person:
    first = _FIRST[int(generator.integers(len(_FIRST)))]
    last = _last_name(number)
    postcode, city = _CITIES[int(generator.integers(len(_CITIES)))]
    return Person(
        first_name=first,
        last_name=last,
        email=f"{plain(first)}.{plain(last)}.{number}@post.example",
        telephone=f"+49 1555 {7300000 + number * 37:07d}",
        street=f"{_STREETS[number % len(_STREETS)]} {101 + number}",
        postcode=postcode,
        city=city,
    )


def _last_name(number: int) -> str:
    number, end = divmod(number, len(_ENDS))
    number, start = divmod(number, len(_STARTS))
    more = f"-{_last_name(number - 1)}" if number else ""
    return f"{_STARTS[start]}{_ENDS[end]}{more}"


def plain(text: str) -> str:
    """Write a German word in letters that every encoding has, and small."""
    plain = text.lower()
    for letter, letters in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        plain = plain.replace(letter, letters)
    return plain
