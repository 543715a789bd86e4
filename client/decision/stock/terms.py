"""On what terms joining is judged as stock: as asked for, else as shop.toml says, else as is usual; and who said it.

Terms are of the whole shop: those of a supplier or product, which `hansa-client order` reckons with, are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from client.decision.stock.cost import HOLDING_SHARE, MARGIN_SHARE, SERVICE_LEVEL, StockCosts, cost_of_price
from client.decision.stock.walk import WEEK, Rhythm
from client.shop.settings import OrderSettings, Shop
from common.errors import ConfigError

ASKED: Final = "option"
SHOP: Final = "shop.toml"
USUAL: Final = "usual"


@dataclass(frozen=True)
class Asked:
    """What the command line says; None or "" where it says nothing."""

    service_level: float | None = None
    lead_days: int | None = None
    review_days: int | None = None
    holding_share: float | None = None
    margin_share: float | None = None
    price: float | None = None
    currency: str = ""


@dataclass(frozen=True)
class Term:
    """One term, and who said so: `ASKED`, `SHOP` or `USUAL`."""

    value: float
    source: str


@dataclass(frozen=True)
class StockTerms:
    """On what terms a shop keeps stock.

    Attributes
    ----------
    service_level
        Share of the pieces asked for that the shelf is to serve.
    out_cost, line_cost
        What a missing piece and what an order of one product costs, in money; None where nobody says it, or where no
        price makes money of pieces.
    price
        Of a piece; None where it is not known, and a piece then counts as one.
    notes
        What shop.toml says that cannot be followed here, in sentences.
    """

    service_level: Term
    lead_days: Term
    review_days: Term
    holding_share: Term
    margin_share: Term
    out_cost: Term | None = None
    line_cost: Term | None = None
    price: Term | None = None
    currency: str = ""
    notes: tuple[str, ...] = ()

    @property
    def rhythm(self) -> Rhythm:
        """How it orders."""
        return Rhythm(round(self.lead_days.value), round(self.review_days.value))

    @property
    def costs(self) -> StockCosts:
        """What stock costs it; pieces where there is no price."""
        costs = cost_of_price(
            np.array(1.0 if self.price is None else self.price.value),
            holding_share=self.holding_share.value,
            margin_share=self.margin_share.value,
            per_order=0.0 if self.line_cost is None else self.line_cost.value,
            service_level=self.service_level.value,
            currency=self.currency,
        )
        return costs if self.out_cost is None else replace(costs, lost_margin_per_unit=np.array(self.out_cost.value))


def choose_terms(asked: Asked, shop: Shop | None) -> StockTerms:
    """Take what is asked for, else what the shop wrote under `[order]`, else what is usual.

    Raises
    ------
    ConfigError
        There is a price without a currency or a currency without a price, or it is not the shop's.
    """
    order = OrderSettings() if shop is None else shop.order
    currency = _choose_currency(asked, shop)
    told = _Told(order)
    priced = bool(currency)
    return StockTerms(
        service_level=told.choose(asked.service_level, "service_level", SERVICE_LEVEL),
        lead_days=told.choose(_float(asked.lead_days), "lead_days", float(WEEK)),
        review_days=_review(asked, told, order),
        holding_share=told.choose(asked.holding_share, "holding_rate", HOLDING_SHARE),
        margin_share=_margin(asked, told),
        out_cost=told.find("out_cost") if priced and asked.margin_share is None else None,
        line_cost=told.find("line_cost") if priced else None,
        price=Term(asked.price, ASKED) if priced and asked.price else None,
        currency=currency,
        notes=tuple(_notes(order, told, priced=priced)),
    )


@dataclass(frozen=True)
class _Told:
    """What the shop wrote under `[order]`, apart from what stands there by default."""

    order: OrderSettings

    def find(self, key: str) -> Term | None:
        value = getattr(self.order, key)
        return Term(float(value), SHOP) if key in self.order.model_fields_set and value is not None else None

    def choose(self, asked: float | None, key: str, usual: float) -> Term:
        if asked is not None:
            return Term(asked, ASKED)
        return self.find(key) or Term(usual, USUAL)


def _float(days: int | None) -> float | None:
    return None if days is None else float(days)


def _choose_currency(asked: Asked, shop: Shop | None) -> str:
    """Give the currency of the price; "" where there is no price."""
    if not asked.price:
        if asked.currency:
            raise ConfigError("--currency is that of --price, as --price 4.50 --currency EUR; give both or neither.")
        return ""
    if shop is None:
        if not asked.currency:
            raise ConfigError("--price needs --currency, as --price 4.50 --currency EUR; give both or neither.")
        return asked.currency
    if asked.currency not in {"", shop.currency}:
        raise ConfigError(
            f"--currency {asked.currency} is not {shop.currency}, in which shop.toml counts its money; give the price "
            f"in {shop.currency}, or leave --currency out."
        )
    return shop.currency


def _review(asked: Asked, told: _Told, order: OrderSettings) -> Term:
    """Take so many weekdays a week for a review as often, where nothing else is said."""
    weekdays = told.choose(_float(asked.review_days), "review_days", float(WEEK))
    if weekdays.source == USUAL and order.order_weekdays:
        return Term(float(max(round(WEEK / len(order.order_weekdays)), 1)), SHOP)
    return weekdays


def _margin(asked: Asked, told: _Told) -> Term:
    cost = told.find("cost_share")
    if asked.margin_share is None and cost is not None:
        return Term(round(1 - cost.value, 6), SHOP)
    return Term(MARGIN_SHARE if asked.margin_share is None else asked.margin_share, _by(asked.margin_share))


def _by(asked: float | None) -> str:
    return USUAL if asked is None else ASKED


def _notes(order: OrderSettings, told: _Told, *, priced: bool) -> list[str]:
    notes = []
    if order.service == "cycles":
        notes.append(
            'shop.toml counts deliveries before which nothing ran out (service = "cycles"); here the same share is of '
            "the pieces asked for."
        )
    if order.aim == "cost":
        notes.append(
            'shop.toml orders by cost (aim = "cost"); here methods are compared where they serve one share of the '
            "pieces asked for."
        )
    money = [key for key in ("out_cost", "line_cost") if told.find(key) is not None]
    if money and not priced:
        notes.append(f"{' and '.join(money)} of shop.toml are money, and need --price to count.")
    return notes
