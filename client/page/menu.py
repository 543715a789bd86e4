"""What the page's menu leads to; in three groups: what to do, what to know, what to keep in order."""

from __future__ import annotations

from dataclasses import dataclass

from client.language.speech import mark


@dataclass(frozen=True)
class Entry:
    """One view of the menu.

    Attributes
    ----------
    name
        Of its template, and of itself in code.
    title
        A template of the catalogue.
    opens
        Whether a group begins with it.
    """

    name: str
    path: str
    title: str
    opens: bool = False


MENU = (
    Entry("today", "/", mark("Today")),
    Entry("order", "/orders", mark("Orders")),
    Entry("customer", "/customers", mark("Customers")),
    Entry("offer", "/offers", mark("Offers")),
    Entry("demand", "/demand", mark("Demand"), opens=True),
    Entry("whatif", "/what-if", mark("What if")),
    Entry("market", "/market", mark("Market")),
    Entry("data", "/data", mark("Data"), opens=True),
    Entry("federation", "/federation", mark("Federation")),
    Entry("privacy", "/privacy", mark("Privacy")),
    Entry("setting", "/settings", mark("Settings")),
)
