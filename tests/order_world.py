"""Worlds with a known law of demand, in which shops order for years and what came of it is counted."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

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


def repeated(law: Law, times: int) -> Law:
    """Let so many groups of shops see the same customers, so that what they do can be compared."""
    return lambda first, days, products, g: np.tile(law(first, days, products // times, g), (times, 1))


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
    """What was counted, by shop: pieces held, added up over nights; in which cycles something ran out."""

    asked: np.ndarray
    served: np.ndarray
    held: np.ndarray
    lines: np.ndarray
    days: float = 0.0
    cycles: list[np.ndarray] = field(default_factory=list)  # NaN where no delivery came

    def of(self, shops: np.ndarray) -> "Seen":
        """Give what was counted in some shops."""
        parts = (self.asked, self.served, self.held, self.lines)
        return Seen(*(part[shops] for part in parts), self.days, [came[shops] for came in self.cycles])

    @property
    def fill(self) -> float:
        return float(self.served.sum() / self.asked.sum())

    @property
    def cycle_service(self) -> float:
        """Share of the deliveries after which nothing ran out until the next one."""
        return float(1.0 - np.nanmean(np.stack(self.cycles)))

    @property
    def error(self) -> float:
        """Standard error of `fill`, over shops."""
        own = self.served - self.fill * self.asked
        return float(own.std(ddof=1) * np.sqrt(len(own)) / self.asked.sum())

    def cost(self, world: World) -> float:
        """Give the cost of a shop's day."""
        spent = world.held * self.held + world.out * (self.asked - self.served) + world.line_cost * self.lines
        return float(spent.sum() / (self.days * len(spent)))


Planner = Callable[[int, np.ndarray, np.ndarray, np.random.Generator], np.ndarray]
# day, on hand, pieces still coming by reviews since their order [review, shop], generator → quantity


def our_planner(world: World, aim: Aim, level: float | np.ndarray, *, num_draws: int = 200) -> Planner:
    """Order as `propose` says from draws of the true law, each shop at a level of its own or all at one."""

    def plan(day: int, on_hand: np.ndarray, coming: np.ndarray, g: np.random.Generator) -> np.ndarray:
        shops = len(on_hand)

        def of(value: float | np.ndarray) -> np.ndarray:
            return np.full(shops, value, float)

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
        draws = world.law(day, days, num_draws * shops, g).reshape(num_draws, shops, days).astype(np.float32)
        return propose(draws, on_hand, orders, terms, g).quantity

    return plan


def level_planner(world: World, level: float | np.ndarray, least: float | np.ndarray = 0.0) -> Planner:
    """Order up to a level wherever stock and orders have come below `level - least`: base stock, or (s, S).

    Either may differ from shop to shop.
    """

    def plan(day: int, on_hand: np.ndarray, coming: np.ndarray, g: np.random.Generator) -> np.ndarray:
        lacking = level - on_hand - coming.sum(axis=0)
        packs = np.ceil(lacking / world.pack) * world.pack
        return np.where(lacking > least, np.maximum(packs, world.minimum), 0.0)

    return plan


def live(world: World, planner: Planner, *, reviews: int, shops: int, seed: int, warm: int = 12) -> Seen:
    """Live in many shops at once; customers of one day come after what arrives on it."""
    g, lead_g = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    seen = Seen(*np.zeros((4, shops)))
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
            seen.lines += (quantity > 0) * counts
        here = (due <= day) & (coming > 0)
        arrived = (coming * here).sum(axis=0)
        if counts and here.any():
            came = here.any(axis=0)
            seen.cycles.append(np.where(came, short, np.nan))
            short[came] = False
        coming[here] = 0.0
        on_hand = on_hand + arrived
        served = np.minimum(np.maximum(on_hand, 0.0), demand[:, day])
        short |= served < demand[:, day]
        on_hand = on_hand - (demand[:, day] if world.waits else served)
        if counts:
            seen.asked += demand[:, day]
            seen.served += served
            seen.held += np.maximum(on_hand, 0.0)
            seen.days += 1
    return seen


def fill_beside_twins(world: World, levels: np.ndarray, *, shops: int, reviews: int, seed: int) -> np.ndarray:
    """Give the share served at each asked level, and its standard error, with most of chance taken out.

    Each shop has a twin that lives through the same days, customers and lead times, and orders up to a fixed level that
    serves about as much. What the twins serve on average is known from thousands of other shops, so by how much they
    serve more or less here says how lucky these customers were: it is taken off (a control variate of weight 1).

    Returns
    -------
    numpy.ndarray
        A row for each level: share, standard error.
    """
    ups = _twin_levels(world, levels)
    warm, own = 9, np.repeat(levels, shops)
    ours = live(world, our_planner(world, "pieces", own), reviews=reviews, shops=len(own), seed=seed, warm=warm)
    twins = live(
        world, level_planner(world, np.repeat(ups, shops)), reviews=reviews, shops=len(own), seed=seed, warm=warm
    )
    found = []
    for level, up in zip(levels, ups, strict=True):
        known = live(world, level_planner(world, float(up)), reviews=reviews, shops=3000, seed=seed + 9, warm=warm)
        one, twin = ours.of(own == level), twins.of(own == level)
        luck = (one.served - one.fill * one.asked) - (twin.served - twin.fill * twin.asked)
        error = luck.std(ddof=1) * np.sqrt(shops) / one.asked.sum()
        found.append((one.fill - twin.fill + known.fill, np.hypot(error, known.error)))
    return np.array(found)


def _twin_levels(world: World, levels: np.ndarray) -> np.ndarray:
    """Find levels to order up to that serve about what is asked, among a hundred, each by sixty shops."""
    mean = float(world.law(0, 700, 10, np.random.default_rng(0)).mean()) * (world.lead + world.review)
    ups = np.unique(np.round(np.linspace(0.5, 2.6, 100) * mean))
    same = replace(world, law=repeated(world.law, len(ups)))
    seen = live(same, level_planner(world, np.repeat(ups, 60)), reviews=45, shops=60 * len(ups), seed=11, warm=9)
    fill = seen.served.reshape(len(ups), 60).sum(axis=1) / seen.asked.reshape(len(ups), 60).sum(axis=1)
    return np.array([ups[np.abs(fill - level).argmin()] for level in levels])


def cheapest_levels(world: World, *, shops: int, reviews: int, seed: int) -> tuple[float, float, float]:
    """Find S, S - s and their cost by living with all of a grid, and then with a finer one around the best of it."""
    scale = float(world.law(0, 700, 10, np.random.default_rng(0)).mean()) * (world.lead + world.review)
    up, least, _ = _cheapest_of(
        world, np.arange(1.0, 5.4, 0.16) * scale, np.arange(0, 4.0, 0.2) * scale, 20, reviews, seed
    )
    near = np.arange(-0.2, 0.21, 0.05) * scale
    return _cheapest_of(world, up + near, np.maximum(least + near, 0.0), shops, reviews, seed)


def _cheapest_of(
    world: World, ups: np.ndarray, leasts: np.ndarray, shops: int, reviews: int, seed: int
) -> tuple[float, float, float]:
    up, least = (np.round(part.ravel()) for part in np.meshgrid(ups, leasts))
    same = replace(world, law=repeated(world.law, len(up)))
    planner = level_planner(world, np.repeat(up, shops), np.repeat(least, shops))
    seen = live(same, planner, reviews=reviews, shops=shops * len(up), seed=seed)
    costs = [seen.of(np.arange(place * shops, (place + 1) * shops)).cost(world) for place in range(len(up))]
    best = int(np.argmin(costs))
    return float(up[best]), float(least[best]), costs[best]
