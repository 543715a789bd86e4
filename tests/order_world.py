"""Worlds with a known law of demand, in which shops order for years and what came of it is counted."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from client.decision.order.lead import draw_leads
from client.decision.order.level import Aim
from client.decision.order.pipeline import OnOrder
from client.decision.order.proposal import Terms, propose

Law = Callable[
    [int, int, int, np.random.Generator], np.ndarray
]  # first day, days, products, generator → [product, day]


def poisson(mean: float) -> Law:
    return lambda first, days, products, g: g.poisson(mean, (products, days))


def negative_binomial(mean: float, dispersion: float) -> Law:
    size = mean / (dispersion - 1)  # variance is dispersion times the mean
    return lambda first, days, products, g: g.negative_binomial(size, 1 / dispersion, (products, days))


def weekly(mean: float) -> Law:
    shape = np.array([0.5, 0.7, 0.8, 1.0, 1.5, 2.0, 0.5])

    def draw(first: int, days: int, products: int, g: np.random.Generator) -> np.ndarray:
        return g.poisson(mean * shape[(first + np.arange(days)) % 7], (products, days))

    return draw


def intermittent(chance: float, size: float) -> Law:
    def draw(first: int, days: int, products: int, g: np.random.Generator) -> np.ndarray:
        return (g.random((products, days)) < chance) * (1 + g.poisson(size - 1, (products, days)))

    return draw


def with_huge(law: Law, chance: float, size: float) -> Law:
    """Let a customer come now and then who takes a huge number at once."""

    def draw(first: int, days: int, products: int, g: np.random.Generator) -> np.ndarray:
        return law(first, days, products, g) + size * (g.random((products, days)) < chance)

    return draw


@dataclass(frozen=True)
class World:
    law: Law
    review: int = 7
    lead: float = 5.0
    spread: float = 0.0
    waits: bool = False
    minimum: float = 1.0
    pack: float = 1.0
    held: float = 1.0
    out: float = 1.0
    line_cost: float = 0.0


@dataclass
class Seen:
    """What was counted, in all shops together."""

    asked: float = 0.0
    served: float = 0.0
    held: float = 0.0  # pieces, added up over nights
    lines: float = 0.0
    days: float = 0.0
    cycles: list[np.ndarray] = field(default_factory=list)

    @property
    def fill(self) -> float:
        return self.served / self.asked

    def cost(self, world: World) -> float:
        spent = world.held * self.held + world.out * (self.asked - self.served) + world.line_cost * self.lines
        return float(spent / self.days)


Planner = Callable[[int, np.ndarray, np.ndarray, np.random.Generator], np.ndarray]
# day, on hand, pieces still coming by reviews since their order [review, shop], generator → quantity


def our_planner(world: World, aim: Aim, level: float, *, num_draws: int = 200, forecast: Law | None = None) -> Planner:
    """Order as `propose` says, from draws of the true law or of a forecast."""
    law = forecast or world.law

    def plan(day: int, on_hand: np.ndarray, coming: np.ndarray, g: np.random.Generator) -> np.ndarray:
        shops = len(on_hand)

        def of(value: float) -> np.ndarray:
            return np.full(shops, float(value))

        terms = Terms(
            aim=aim, waits=world.waits, service_level=of(level), lead=of(world.lead), lead_spread=of(world.spread),
            wait=np.zeros(shops, int), review=np.full(shops, world.review), minimum=of(world.minimum),
            pack=of(world.pack), line_cost=of(world.line_cost), held=of(world.held), out=of(world.out),
            shelf_life=of(np.inf),
        )  # fmt: skip
        age, shop = np.nonzero(coming[::-1])  # the oldest first
        age = len(coming) - 1 - age
        orders = OnOrder(
            product=shop, quantity=coming[age, shop], mean=np.full(len(shop), world.lead),
            spread=np.full(len(shop), world.spread), elapsed=age * world.review,
        )  # fmt: skip
        days = terms.days()
        draws = law(day, days, num_draws * shops, g).reshape(num_draws, shops, days).astype(np.float32)
        return propose(draws, on_hand, orders, terms, g).quantity

    return plan


def level_planner(world: World, level: float, least: float = 0.0) -> Planner:
    """Order up to a level wherever stock and orders have come below `level - least`: base stock, or (s, S)."""

    def plan(day: int, on_hand: np.ndarray, coming: np.ndarray, g: np.random.Generator) -> np.ndarray:
        lacking = level - on_hand - coming.sum(axis=0)
        packs = np.ceil(lacking / world.pack) * world.pack
        return np.where(lacking > least, np.maximum(packs, world.minimum), 0.0)

    return plan


def live(world: World, planner: Planner, *, reviews: int, shops: int, seed: int, warm: int = 12) -> Seen:
    """Live in many shops at once; customers of one day come after what arrives on it."""
    g, lead_g, seen = np.random.default_rng(seed), np.random.default_rng(seed + 1), Seen()
    start = float(world.law(0, 70, shops, g).mean()) * (world.lead + world.review)
    on_hand = np.full(shops, np.ceil(start))
    kept = 24
    coming, due = np.zeros((kept, shops)), np.zeros((kept, shops), int)  # by reviews since the order
    demand = world.law(0, reviews * world.review, shops, g).astype(float)
    latest = np.zeros(shops, int)
    short = np.zeros(shops, bool)
    for day in range(reviews * world.review):
        review, counts = day // world.review, day // world.review >= warm
        if day % world.review == 0:
            coming[1:], due[1:], coming[0], due[0] = coming[:-1].copy(), due[:-1].copy(), 0.0, 0
            quantity = planner(day, on_hand, coming, g) if review else np.zeros(shops)
            lead = draw_leads(np.full(1, world.lead), np.full(1, world.spread), 1000, lead_g)[:, 0]
            latest = np.maximum(latest, day + lead_g.choice(lead, shops))
            coming[0], due[0] = quantity, latest
            seen.lines += float((quantity > 0).sum()) * counts
        here = (due <= day) & (coming > 0)
        arrived = (coming * here).sum(axis=0)
        if counts and here.any():
            came = here.any(axis=0)
            seen.cycles.append(short[came].copy())
            short[came] = False
        coming[here] = 0.0
        on_hand = on_hand + arrived
        served = np.minimum(np.maximum(on_hand, 0.0), demand[:, day])
        short |= served < demand[:, day]
        on_hand = on_hand - (demand[:, day] if world.waits else served)
        if counts:
            seen.asked += float(demand[:, day].sum())
            seen.served += float(served.sum())
            seen.held += float(np.maximum(on_hand, 0.0).sum())
            seen.days += shops
    return seen
