"""Invented worlds whose response to prices is known, as histories in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
import pyarrow as pa

from client.shop.calendar.kept import Tables
from client.shop.record import Kind, schema_of
from client.shop.settings import Shop

FIRST = date(2022, 1, 3)  # a Monday
Manner = Literal["random", "demand", "season", "never", "offers"]
SHOP = Shop.model_validate({"schema": 1, "name": "corner", "time_zone": "Europe/Berlin", "currency": "EUR"})


@dataclass(frozen=True)
class World:
    history: Tables
    products: tuple[str, ...]
    categories: Mapping[str, str]
    elasticity: Mapping[str, float]
    promotion: float
    category_elasticity: Mapping[str, float]
    usual: tuple[float, ...]


def invent_world(
    seed: int,
    *,
    manner: Manner = "random",
    products: int = 24,
    categories: int = 3,
    weeks: int = 104,
    mean: float = 4.0,
    shop_elasticity: float = -1.6,
    promotion: float = 0.3,
    told: bool = False,
    out_share: float = 0.03,
    spread: float = 0.35,
    tail: np.ndarray | None = None,
) -> World:
    """Draw a shop.

    The logarithm of demand is level + weekday + season + trend + shocks of category and product that last some weeks
    + elasticity × log price + promotion; counts are negative binomial. Prices move every one to four weeks, at random;
    or down in weeks after weak ones ("demand", as an owner does who sells off what lies there, the shocks being
    unknown to us); or up in the season ("season"); or in promotions alone ("offers"), or "never".
    """
    draw = np.random.default_rng(seed)
    days = weeks * 7
    group = np.arange(products) % categories
    category_beta = shop_elasticity + 0.4 * draw.standard_normal(categories)
    beta = category_beta[group] + spread * draw.standard_normal(products)
    week = np.arange(days) // 7
    season = 0.35 * np.cos(2 * np.pi * (np.arange(days)[None] / 365.25 - draw.random((categories, 1))))
    weekday = np.log([1.0, 0.8, 0.9, 1.0, 1.4, 1.6, 0.6])[np.arange(days) % 7]
    shocks = 0.10 * _persistent(draw, categories, weeks)[group] + 0.15 * _persistent(draw, products, weeks)
    trend = draw.normal(0, 0.15, (products, 1)) * (np.arange(days)[None] / days - 0.5)
    level = np.log(mean) + draw.normal(0, 0.7, (products, 1))
    base = level + season[group] + weekday[None] + trend + shocks[:, week]
    offer = _offers(draw, products, weeks, often=0.0 if manner == "never" else 0.12)
    log_price = _prices(draw, manner, shocks, season[group][:, ::7], weeks)
    if tail is not None:  # what an experiment says of the last weeks
        log_price[:, -tail.shape[1] :], offer[:, -tail.shape[1] :] = tail, 0.0
    log_price = log_price + np.log(0.85) * offer
    moved = log_price[:, week]
    rate = np.exp(base + beta[:, None] * moved + promotion * offer[:, week])
    units = draw.poisson(rate * draw.gamma(4.0, 0.25, rate.shape)).astype(float)
    is_out = _outs(draw, products, weeks, out_share)[:, week]
    units = np.where(is_out, np.floor(units * draw.random(units.shape)), units)
    names = tuple(f"P{place:03d}" for place in range(products))
    usual = np.round(np.exp(draw.normal(2.3, 0.5, products)), 2)
    price = np.round(usual[:, None] * np.exp(moved), 2)
    of = {name: f"group {group[place]}" for place, name in enumerate(names)}
    history = _keep(names, of, units, price, offer, is_out, told=told)
    truth = {f"group {place}": float(value) for place, value in enumerate(category_beta)}
    return World(
        history, names, of, dict(zip(names, beta.tolist(), strict=True)), promotion, truth, tuple(usual.tolist())
    )


def _persistent(draw: np.random.Generator, number: int, weeks: int) -> np.ndarray:
    """Draw shocks of variance 1 that keep 0.6 of themselves from week to week."""
    found = draw.standard_normal((number, weeks))
    for week in range(1, weeks):
        found[:, week] = 0.6 * found[:, week - 1] + 0.8 * found[:, week]
    return found


def _offers(draw: np.random.Generator, products: int, weeks: int, *, often: float) -> np.ndarray:
    return (draw.random((products, weeks)) < often).astype(float)


def _outs(draw: np.random.Generator, products: int, weeks: int, share: float) -> np.ndarray:
    return draw.random((products, weeks)) < share


def _prices(
    draw: np.random.Generator, manner: Manner, shocks: np.ndarray, season: np.ndarray, weeks: int
) -> np.ndarray:
    number = len(shocks)
    if manner in ("never", "offers"):
        return np.zeros((number, weeks))
    steps = np.array([-0.15, -0.08, 0.0, 0.08, 0.15])
    price = np.zeros((number, weeks))
    for row in range(number):
        week = 0
        while week < weeks:
            length = int(draw.integers(1, 5))
            price[row, week : week + length] = draw.choice(steps)
            week += length
    if manner == "demand":
        before = np.concatenate([np.zeros((number, 1)), shocks[:, :-1]], axis=1)
        return 0.5 * price + 0.5 * np.clip(before / 0.18, -1, 1) * 0.15
    if manner == "season":
        return 0.5 * price + 0.3 * season[:, :weeks]
    return price


def _keep(
    names: tuple[str, ...],
    of: Mapping[str, str],
    units: np.ndarray,
    price: np.ndarray,
    offer: np.ndarray,
    is_out: np.ndarray,
    *,
    told: bool,
) -> Tables:
    row, day = np.nonzero((units > 0) | is_out)
    number, sold = len(row), units[row, day]
    dates = np.datetime64(FIRST, "D") + day
    nothing = pa.nulls(number, pa.float64())
    daily = pa.table(
        {
            "product": pa.array(np.array(names, object)[row], pa.string()),
            "day": pa.array(dates, pa.date32()),
            "units": pa.array(sold, pa.float64()),
            "lines": pa.array((sold > 0).astype(np.int64)),
            "customers": pa.array(np.zeros(number, np.int64)),
            "amount": pa.array(sold * price[row, day], pa.float64()),
            "views": nothing,
            "carts": nothing,
            "price": nothing,
            "out": pa.array(is_out[row, day]),
        }
    ).sort_by([("product", "ascending"), ("day", "ascending")])
    records: dict[Kind, pa.Table] = {kind: schema_of(kind).empty_table() for kind in ("prices", "promotions")}
    for kind in ("stock", "closures", "events", "reviews", "corrections", "aliases", "returns", "ignored"):
        records[kind] = schema_of(kind).empty_table()
    at, when = np.nonzero(offer)
    begins = np.datetime64(FIRST, "D") + 7 * when
    records["promotions"] = _table(
        "promotions",
        first_day=begins,
        last_day=begins + 6,
        product=np.array(names, object)[at],
        category=[""] * len(at),
        name=["offer"] * len(at),
        discount=np.full(len(at), 0.15),
        known_from=begins - 7,
    )
    if told:
        step = np.concatenate([np.ones((len(names), 1), bool), np.diff(price, axis=1) != 0], axis=1)
        at, when = np.nonzero(step)
        records["prices"] = _table(
            "prices",
            first_day=np.datetime64(FIRST, "D") + when,
            product=np.array(names, object)[at],
            price=price[at, when],
            currency=["EUR"] * len(at),
        )
    return Tables(daily, records, dict(of))


def _table(kind: Kind, **columns: object) -> pa.Table:
    number = len(columns["first_day"])  # type: ignore[arg-type]
    schema = schema_of(kind)
    return pa.table(
        {
            field.name: pa.array(columns[field.name], field.type)
            if field.name in columns
            else pa.nulls(number, field.type)
            for field in schema
        },
        schema=schema,
    )


def day_of(number: int) -> date:
    return FIRST + timedelta(days=number)
