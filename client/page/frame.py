"""Write a view: its template within the frame that all share, in one language, every value escaped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from client.language import number
from client.language.speech import LANGUAGES, language, speaking, t, tn
from client.language.trouble import say_trouble
from client.page import asset
from client.page.menu import MENU, Entry

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Around:
    """What stands around a view.

    Attributes
    ----------
    here
        The menu's entry that it belongs to.
    path
        At which it was asked for, with its query: the language switch leads back to it.
    token
        What its forms carry, so that no other site can send them.
    until
        The last day that sales are known of; None before there is any.
    share
        Of a newer edition that is being made, how much is done; None where none is.
    """

    shop: str
    currency: str
    here: str
    path: str
    token: str
    today: date
    until: date | None
    entries: tuple[Entry, ...] = MENU
    notice: str = ""
    trouble: str = ""
    share: float | None = None
    edition: str = ""


def render(view: str, around: Around, values: Mapping[str, Any], *, spoken: str) -> str:
    """Write a view's page.

    Parameters
    ----------
    view
        Name of its template.
    spoken
        The language.
    """
    with speaking(spoken):
        return _environment().get_template(f"{view}.html").render(around=around, **values)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("client.page", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        t=t, tn=tn, say_trouble=say_trouble, language=language, languages=LANGUAGES, path_of=asset.path_of,
        say_count=number.say_count, say_day=number.say_day, say_weekday=number.say_weekday,
        say_money=number.say_money, say_share=number.say_share,
    )  # fmt: skip
    return made
