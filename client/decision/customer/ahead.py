"""What is expected of every customer within a horizon: the chance to buy, purchases and money, with ranges.

The candidates are weighed by what they would have said at past days (`weight`). How many purchases come of a customer
who buys at all is a Poisson regression over past buyers; what each is worth is Gamma-Gamma, times how far that was off
in all at past days. Ranges are drawn: the season's surprise is common to all customers of a draw, so that sums have the
width that sums had.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logit

from client.decision.customer.candidate import FIRST_DAY, SIMPLE_ONES, SNAPSHOTS, Book, Pasts, Served, ask_candidates
from client.decision.customer.order_value import OrderValue, fit_order_value
from client.decision.customer.past import Past, look_back, see
from client.decision.customer.purchase import Purchases
from client.decision.customer.weight import Weighed, weigh

JUDGED = 4  # past horizons
MOST_LEARNING = 10_000  # customers that are learned from
LEAST_BUYERS = 50
USUAL_MONEY_ERROR = 0.1
PRIOR_BUYERS = 30.0  # whose money was as it was foreseen
DRAWS, CHUNK = 200, 4_000
EDGE = 1e-4

Progress = Callable[[str, float], None]
Some = Float[np.ndarray, " some"]


@dataclass(frozen=True)
class Judged:
    """What would have been said at one past day, and who then bought."""

    day: int
    said: Some
    bought: np.ndarray


@dataclass(frozen=True)
class Ahead:
    """What is expected of the customers of a past.

    Attributes
    ----------
    served, weighed
        What each candidate says, and what is served of them.
    chance
        Of at least one purchase.
    orders, money
        Purchases (days with one) and money that are expected.
    order_value
        What one purchase is worth.
    values
        The law of it.
    factor, factor_error
        Money that came at past days over money that the law had foreseen, and how far its logarithm varied.
    judged
        What was foreseen at past days by shares that other days gave.
    """

    past: Past
    horizon_days: int
    served: Served
    weighed: Weighed
    chance: Some
    orders: Some
    order_value: Some
    money: Some
    values: OrderValue
    factor: float
    factor_error: float
    judged: tuple[Judged, ...]

    def mean_order(self) -> Some:
        """Give what the customer's purchases were worth so far."""
        return _mean_order(self.past)


def look_ahead(
    purchases: Purchases,
    horizon_days: int,
    *,
    pasts: Pasts | None = None,
    on_step: Progress = lambda what, share: None,
) -> Ahead:
    """Say what is expected of every customer after the last day of the purchases."""
    day = purchases.num_days
    book = Book(pasts or learn_from(purchases), horizon_days)
    days = [each for each in book.snapshots(day, JUDGED) if each >= FIRST_DAY and book.snapshots(each, 1)]
    past_said = []
    for place, each in enumerate(days):
        on_step("looking back", place / max(len(days), 1))
        past_said.append(ask_candidates(book, each, book.past(each)).said)
    names = tuple(past_said[0]) if past_said else ()
    seen = [book.bought(each) for each in days]
    told = {name: [said[name] for said in past_said] for name in names}
    past = look_back(purchases, day)
    served = ask_candidates(book, day, past)
    weighed = weigh(told, seen, SIMPLE_ONES) if days else weigh({name: [] for name in served.said}, [], ())
    judged = [Judged(each, told_then, came) for each, told_then, came in zip(days, weighed.held_out, seen, strict=True)]
    on_step("looking back", 1.0)
    chance = weighed.serve(served.said)
    values = fit_order_value(past.count.astype(np.float64), _mean_order(past))
    orders = chance * (1.0 + _expect_more(book, day, served))
    factor, factor_error = _money_factor(book, day)
    order_value = values.expect(past.count.astype(np.float64), _mean_order(past)) * factor
    return Ahead(
        past, horizon_days, served, weighed, chance, orders, order_value, orders * order_value, values, factor,
        factor_error, tuple(judged),
    )  # fmt: skip


def learn_from(purchases: Purchases, most: int = MOST_LEARNING) -> Pasts:
    """Keep every so many-th customer to learn from; hashes are in no order of anything."""
    if len(purchases.customers) <= most:
        return Pasts(purchases)
    kept = np.linspace(0, len(purchases.customers) - 1, most).astype(np.int64)
    return Pasts(purchases.select(kept))


def draw_ahead(
    ahead: Ahead, generator: np.random.Generator
) -> tuple[Float[np.ndarray, "level some"], Float[np.ndarray, "level some"], Float[np.ndarray, "draw some"]]:
    """Draw the horizon: ranges of purchases and of money (levels 0.1 and 0.9), and the money of every draw."""
    moved = generator.standard_normal(DRAWS)[:, None] * ahead.served.level.error
    worth = ahead.factor * np.exp(generator.standard_normal(DRAWS)[:, None] * ahead.factor_error)
    number, count = len(ahead.chance), ahead.past.count.astype(np.float64)
    more = ahead.orders / np.maximum(ahead.chance, EDGE) - 1.0
    mean, money = ahead.mean_order(), np.zeros((DRAWS, number), dtype=np.float32)
    orders_range = np.zeros((2, number))
    for first in range(0, number, CHUNK):
        part = slice(first, first + CHUNK)
        odds = logit(np.clip(ahead.chance[part], EDGE, 1 - EDGE))
        bought = generator.random((DRAWS, len(odds))) < expit(odds + moved)
        orders = bought * (1.0 + generator.poisson(np.maximum(more[part], 0.0), bought.shape))
        orders_range[:, part] = np.quantile(orders, [0.1, 0.9], axis=0)
        money[:, part] = ahead.values.draw(count[part], mean[part], orders, generator) * worth
    return orders_range, np.quantile(money, [0.1, 0.9], axis=0), money


def _mean_order(past: Past) -> Some:
    return np.maximum(past.spend, 0.0) / past.count


def _expect_more(book: Book, day: int, served: Served) -> Some:
    """Say how many more purchases than one are expected of those who buy."""
    from sklearn.linear_model import PoissonRegressor  # heavy

    rows, more = [], []
    for each in book.snapshots(day, SNAPSHOTS):
        count = see(book.past(each), book.horizon_days).count
        rows.append(book.learning_rows(each)[count > 0])
        more.append(count[count > 0] - 1.0)
    buyers, extra = sum(map(len, more)), float(sum(map(np.sum, more)))
    if buyers < LEAST_BUYERS or extra == 0:
        model = book.model(day)
        usual = model.expect(*served.times, float(book.horizon_days))
        return np.maximum(usual / np.maximum(model.buys(*served.times, float(book.horizon_days)), EDGE) - 1.0, 0.0)
    features, counts = np.concatenate(rows), np.concatenate(more)
    center, spread = features.mean(axis=0), features.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    fitted = PoissonRegressor(alpha=0.01, max_iter=300).fit((features - center) / scale, counts)
    told: Some = fitted.predict((served.features - center) / scale)
    return np.minimum(told, float(counts.max()))


def _money_factor(book: Book, day: int) -> tuple[float, float]:
    """Give money that came at past days over what the law foresaw of those who came, and how far its logarithm varied.

    Near 1 where few tell.
    """
    came, foreseen, buyers = [], [], 0.0
    for each in book.snapshots(day, JUDGED):
        past = book.past(each)
        seen, count = see(past, book.horizon_days), past.count.astype(np.float64)
        told = fit_order_value(count, _mean_order(past)).expect(count, _mean_order(past)) * seen.count
        if seen.money.sum() > 0 and told.sum() > 0:
            came.append(float(seen.money.sum()))
            foreseen.append(float(told.sum()))
            buyers += float(seen.bought.sum())
    if not came:
        return 1.0, USUAL_MONEY_ERROR
    factor = (sum(came) / sum(foreseen) * buyers + PRIOR_BUYERS) / (buyers + PRIOR_BUYERS)
    missed = np.log(np.array(came) / np.array(foreseen)) - np.log(factor)
    return factor, float(np.sqrt(((missed**2).sum() + 2 * USUAL_MONEY_ERROR**2) / (len(came) + 2)))
