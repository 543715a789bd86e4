"""Sample paths: what every product may sell on every day, drawn together, so that any sum of them can be asked for.

Quantiles of days do not add up to those of a lead time, nor those of products to those of a shop. Paths do: sum
them over whatever days and products, and take the quantiles of the sums. A path is drawn from the top down:

1. **what is shared** (`joint`): how far all products of the shop are above or below their means, over the horizon,
   week by week and day by day, as past horizons showed;
2. **each product's sum over the horizon** (`total`): evenly spaced levels of the distribution that `spread` measured,
   ordered by what is shared and by chance;
3. **its days** (`split`): the sum is split among weeks and days, as lumpily as such products were sold.

So over the horizon each product has the quantiles that `hansa-client forecast` reports for such a sum, and the mean
of its forecast; shorter sums follow from the split, which is measured and not assumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

import numpy as np
from jaxtyping import Float, Int

from client.shop.calendar.kept import Kept
from client.shop.forecast.candidate import Batch, Means
from client.shop.forecast.fit import Fitted, sum_up
from client.shop.forecast.joint import Joint, Open, Past, measure_joint
from client.shop.forecast.learnt import Learnt, learn_shop
from client.shop.forecast.question import Question
from client.shop.forecast.serving import Part, forecast_parts, places_of
from client.shop.forecast.setting import SEED, OnStep, Setting
from client.shop.forecast.split import Seen, nest, own_lumps, pool_lumps, see_lumps, split_totals
from client.shop.forecast.total import draw_levels, find_loading, round_keeping_sum, spaced_totals
from client.shop.settings import Shop

AT_ONCE = 4_000_000  # draws of days that are split together, which bounds the memory


@dataclass(frozen=True)
class Paths:
    """Sample paths: `draws[d, p, t]` is what draw d says that product p sells on day first + t.

    All products and days of one draw belong together, across batches too.

    Attributes
    ----------
    draws
        float32, never negative, whole numbers where the shop sells in pieces.
    mean
        Of the same days, and of those after them that were learned.
    """

    products: tuple[str, ...]
    first: date
    draws: Float[np.ndarray, "draw product day"]
    mean: Float[np.ndarray, "product ahead"]


def draw_paths(
    history: Kept,
    shop: Shop,
    *,
    days: int,
    num_draws: int = 200,
    origin: date | None = None,
    products: Sequence[str] = (),
    today: date,
    on_step: OnStep = lambda what, share: None,
) -> Iterator[Paths]:
    """Draw what every product may sell on the days ahead, in batches of up to a thousand products.

    Parameters
    ----------
    days
        How far ahead, from the first day that is forecast.
    origin
        That day; the day after the last sale if left out.
    products
        All that were ever sold if empty.

    Raises
    ------
    ConfigError
        The question cannot be answered as it is put.
    DataError
        There is nothing to forecast from.
    """
    question = Question(by="day", horizon=f"{days}d", origin=origin, products=tuple(products))
    learnt = learn_shop(history, shop, question, today=today, on_step=on_step)
    yield from draw_learnt_paths(learnt, days=days, num_draws=num_draws, products=products, on_step=on_step)


def draw_learnt_paths(
    learnt: Learnt,
    *,
    days: int,
    num_draws: int = 200,
    products: Sequence[str] = (),
    on_step: OnStep = lambda what, share: None,
) -> Iterator[Paths]:
    """Draw the same by what was learned for as many days, or more.

    Raises
    ------
    ConfigError
        It was learned for fewer.
    """
    learnt = learnt.asked(Question(by="day", horizon=f"{days}d", method=learnt.method)).measuring(days)
    setting, fitted = learnt.setting, learnt.fitted
    wanted = places_of(setting.sales, tuple(products))
    course = Course(setting, fitted, days, num_draws)
    yield from _draw_beside(course, forecast_parts(setting, fitted, wanted), on_step)


def _draw_beside(course: Course, parts: Iterator[Part], on_step: OnStep) -> Iterator[Paths]:
    """Draw each batch on another core while the next one is forecast."""
    with ThreadPoolExecutor(max_workers=1) as beside:
        waiting: tuple[Future[Paths], float] | None = None
        for number, part in enumerate(parts):
            drawn = beside.submit(course.draw, part.batch, part.served, generator_of(number))
            if waiting is not None:
                yield waiting[0].result()
                on_step("drawing", waiting[1])
            waiting = drawn, part.share
        if waiting is not None:
            yield waiting[0].result()
            on_step("drawing", waiting[1])


class Course:
    """What is the same for all batches of one call: what is shared in each draw, and how lumpily sums are split."""

    def __init__(self, setting: Setting, fitted: Fitted, days: int, num_draws: int) -> None:
        self.setting, self.fitted, self.days, self.num_draws = setting, fitted, days, num_draws
        self.first = (setting.periods[0].first - setting.known.origin).days
        self.categories, batch = setting.categories, fitted.batch
        past = _past(batch, fitted.served, self.categories.groups(batch.panel.entities))
        origin = setting.days.origin
        self.joint = measure_joint(past, Open(batch.panel.target[:, :origin], ~setting.days.closed[:origin]))
        mean = past.said.sum(axis=2).mean(axis=0) if len(past.said) else np.zeros(past.said.shape[1])
        self.lumps = [pool_lumps(seen, mean) for seen in self._see(past)]
        self.shared, self.tilt = _draw_shared(self.joint, days, num_draws)
        self.by_category = np.random.default_rng((SEED, 1)).standard_normal((num_draws, len(self.categories.names)))

    def draw(self, batch: Batch, served: Means, generator: np.random.Generator) -> Paths:
        """Draw the paths of a batch."""
        ahead, groups = served[-1, :, self.first : self.first + self.days], self.categories.groups(batch.panel.entities)
        mean, spread = ahead.sum(axis=1), self.fitted.spreads[self.days]
        factor = np.ones(len(mean))
        if len(batch.origins) > 1:
            factor = spread.own_factor(sum_up(served, batch, self.days))
        factor = factor * self.fitted.levels.widths_of(batch.states())
        rising = spaced_totals(spread, mean, factor, self.num_draws)
        counts, common = self.setting.sales.are_counts, self._common(groups)
        variance = self.joint.over(self.days) + self.joint.category * (groups >= 0)
        loading = find_loading(rising, mean, np.sqrt(variance))
        if counts:
            rising = round_keeping_sum(rising, generator)
        totals = np.take_along_axis(rising, draw_levels(common, loading, generator), axis=0)
        seen = self._see(_past(batch, served, groups))
        lumps = [own_lumps(pooled, mean, see) for pooled, see in zip(self.lumps, seen, strict=True)]
        draws = np.zeros((*totals.shape, self.days), np.float32)
        each = max(AT_ONCE // (self.num_draws * self.days), 1)
        for part in (slice(begin, begin + each) for begin in range(0, totals.shape[1], each)):
            weights, own = ahead[None, part] * self.tilt[:, None, :], [lump[part] for lump in lumps]
            draws[:, part] = split_totals(totals[:, part], weights, own, counts=counts, generator=generator)
        names, mean = tuple(map(str, batch.panel.entities)), served[-1, :, self.first :]
        return Paths(names, self.setting.periods[0].first, draws, mean)

    def _common(self, groups: Int[np.ndarray, " product"]) -> Float[np.ndarray, "draw product"]:
        """Give what each product shares with others, standard normal: with the shop and with its category."""
        shop, own = self.joint.over(self.days), self.joint.category * (groups >= 0)
        by_category = self.by_category[:, np.maximum(groups, 0)] if self.by_category.shape[1] else 0.0
        whole = np.sqrt(np.maximum(shop + own, 1e-12))
        return np.asarray((np.sqrt(shop) * self.shared[:, None] + np.sqrt(own) * by_category) / whole)

    def _see(self, past: Past) -> list[Seen]:
        """See how lumpily the sums of past horizons were split, for each size of blocks."""
        sizes, counts, found = nest(self.days), self.setting.sales.are_counts, []
        for above, size in zip((self.days, *sizes), sizes, strict=False):
            whole = max(past.said.shape[2] // above, 1)
            cut = [part[:, :, : whole * above] for part in (past.said, past.sold)]
            number, products, each = *cut[0].shape[:2], cut[0].shape[2] // whole  # told, for a young shop has none
            parts = [part.reshape(number, products, whole, each).transpose(0, 2, 1, 3) for part in cut]
            said, sold = (part.reshape(number * whole, products, each) for part in parts)
            found.append(see_lumps(said, sold, size, counts=counts))
        return found


def generator_of(number: int) -> np.random.Generator:
    """Make the generator of a batch; the first two seeds are those of what is shared."""
    return np.random.default_rng((SEED, number + 2))


def _past(batch: Batch, served: Means, groups: Int[np.ndarray, " product"]) -> Past:
    """Give what was said and what came on the counted days of past horizons."""
    counted = batch.counted()[:-1]
    return Past(served[:-1] * counted, batch.actual() * counted, groups)


def _draw_shared(joint: Joint, days: int, num_draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw what is shared: a place over the horizon for each draw, and how the draw's days are tilted."""
    generator = np.random.default_rng((SEED, 0))
    weeks = -(-days // 7)
    week = generator.standard_normal((num_draws, weeks)).repeat(7, axis=1)[:, :days] * np.sqrt(joint.weekly)
    day = generator.standard_normal((num_draws, days)) * np.sqrt(joint.daily)
    lasting = generator.standard_normal(num_draws) * np.sqrt(joint.lasting)
    tilt = np.exp(week + day - (joint.weekly + joint.daily) / 2)
    place = lasting + (week + day).mean(axis=1)
    spread = place.std()
    return (place - place.mean()) / (spread if spread > 0 else 1.0), tilt
