"""Which recommendations come true: methods side by side on days that none of them has seen.

At each origin everything is learned from the days before. Who buys something in the days from it on is offered ten
products by each method, and counts as hit where one of them is among what she buys.

    all     every buyer, cold ones too, who are offered what is wanted now, whatever the method
    cold    buyers without any past
    new     buyers with a past, ten products that they never had, held against what they bought of those
    again   buyers with a past, ten products that they had

For baskets the first half of each order's lines in a random order, five at most, is shown and the rest is to be found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from jaxtyping import Bool, Float
from scipy import sparse

from client.decision.recommendation.feature import describe
from client.decision.recommendation.past import Past, make_past
from client.decision.recommendation.purchase import NOBODY, Purchases
from client.decision.recommendation.ranking import bought_by, learn_ranking, score
from client.decision.recommendation.shelf import AMPLE, SHORT
from client.decision.recommendation.taste import Taste, learn_taste, learn_together
from simulation.evaluation.bootstrap import draw_counts, interval

NUM_OFFERED = 10
RESAMPLES = 2000
LAMBDA = 200.0  # of EASE
MOST_BASKETS = 1500
SHOWN_LINES = 5
STOCKED = (0.1, 0.1)  # shares of products invented as short and as ample, for what the shelf's factors cost
HIDDEN = np.float32(-1e30)
Scores = Float[np.ndarray, "customer product"]
OnStep = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What came of each buyer's ten offers: a row for each buyer at each origin.

    Attributes
    ----------
    buyer
        Who it was; one who buys at several origins is drawn with all of them.
    hit
        Whether one of the ten was bought.
    gain
        Normalised discounted cumulative gain of the ten.
    """

    buyer: np.ndarray
    hit: Float[np.ndarray, " row"]
    gain: Float[np.ndarray, " row"]


@dataclass(frozen=True)
class Found:
    """A method on one kind of buyers.

    Attributes
    ----------
    hit_low, hit_high, gain_low, gain_high
        95 % interval over which buyers there might have been.
    """

    group: str
    method: str
    buyers: int
    hit: float
    hit_low: float
    hit_high: float
    gain: float
    gain_low: float
    gain_high: float


@dataclass(frozen=True)
class Ratio:
    """How many times as good the shop's own recommendations are as a method, on the same buyers."""

    group: str
    against: str
    hit: float
    hit_low: float
    hit_high: float
    gain: float
    gain_low: float
    gain_high: float


Outcomes = Mapping[tuple[str, str], Outcome]


def judge(purchases: Purchases, origins: Sequence[date], days: int, on_step: OnStep) -> Outcomes:
    """Judge every method at every origin."""
    parts: dict[tuple[str, str], list[Outcome]] = {}
    for origin in origins:
        on_step(f"{origin}: customers")
        for key, outcome in _judge_origin(purchases, origin, days):
            parts.setdefault(key, []).append(outcome)
        on_step(f"{origin}: baskets")
        for key, outcome in _judge_baskets(purchases, origin, days):
            parts.setdefault(key, []).append(outcome)
    return {key: _join(found) for key, found in parts.items()}


def _join(parts: Sequence[Outcome]) -> Outcome:
    return Outcome(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("buyer", "hit", "gain")))


def _judge_origin(purchases: Purchases, origin: date, days: int) -> Iterator[tuple[tuple[str, str], Outcome]]:
    past, after = make_past(purchases, origin), purchases.between(origin, origin + timedelta(days))
    after = after.where(after.customer != NOBODY)
    buyers = np.unique(after.customer)
    if not len(buyers) or past.bought.nnz == 0:
        return
    bought = bought_by(after, buyers)
    had = past.bought[buyers].toarray() > 0
    cold = ~had.any(axis=1)
    warm = ~cold
    now = past.now.astype(np.float32)
    for method, scores in _all_scores(purchases, past, buyers, days):
        scores = scores + now * np.float32(1e-7) / max(float(now.max()), 1e-9)  # ties, by what is wanted now
        scores = scores if method in POPULARITY else np.where(cold[:, None], now, scores)
        yield ("all", method), _score_offers(buyers, scores, bought)
        yield ("cold", method), _score_offers(buyers[cold], scores[cold], bought[cold])
        yield ("new", method), _score_offers(buyers[warm], np.where(had, HIDDEN, scores)[warm], (bought & ~had)[warm])
        yield ("again", method), _score_offers(buyers[warm], np.where(had, scores, HIDDEN)[warm], (bought & had)[warm])


POPULARITY = ("popular ever", "popular 28 days", "popular 56 days")
OWN = "hansa"


def _all_scores(purchases: Purchases, past: Past, buyers: np.ndarray, days: int) -> Iterator[tuple[str, Scores]]:
    """Give what each method says, in float32."""
    number = len(buyers)
    ever = np.asarray(past.bought.sum(axis=0)).ravel()
    yield "popular ever", _of_all(ever, number)
    for back in (28, 56):
        recent = purchases.between(past.day - timedelta(back), past.day)
        yield f"popular {back} days", _of_all(_buyers_of(recent), number)
    bought, taste = past.bought[buyers], learn_taste(past)
    yield "item-item cosine", (bought @ taste.alike).toarray()
    yield "item-item BM25", _neighbours(past.bought, bought)
    yield "EASE", _ease(past.bought, bought)
    yield "BPR", _personal_ranking(past.bought, buyers)
    yield "ALS", taste.customers[buyers] @ taste.products.T
    yield "bought before", past.long[buyers].toarray()
    own = _own_scores(purchases, past, taste, buyers, days)
    yield OWN, own
    yield "hansa, 10 % short", own + _invent_shelf(len(purchases.products))


def _of_all(value: np.ndarray, number: int) -> Scores:
    return np.broadcast_to(value.astype(np.float32), (number, len(value)))


def _buyers_of(rows: Purchases) -> np.ndarray:
    known = rows.customer != NOBODY
    pairs = np.unique(rows.customer[known] * len(rows.products) + rows.product[known])
    return np.bincount(pairs % len(rows.products), minlength=len(rows.products))


def _own_scores(purchases: Purchases, past: Past, taste: Taste, buyers: np.ndarray, days: int) -> Scores:
    """As `hansa-client recommend` does it: weights of the horizon before, without any row of the days ahead."""
    ranking = learn_ranking(purchases, past.day, days)
    found = np.empty((len(buyers), len(purchases.products)), np.float32)
    for first in range(0, len(buyers), 250):
        some = slice(first, first + 250)
        found[some] = score(past, describe(past, taste, buyers[some]), ranking)
    return found


def _invent_shelf(number: int) -> np.ndarray:
    """Draw which products are short and which are ample, and give what is added to the log-odds."""
    drawn = np.random.default_rng(0).random(number)
    short, ample = STOCKED
    factor = np.where(drawn < short, SHORT, np.where(drawn > 1 - ample, AMPLE, 1.0))
    return np.log(factor).astype(np.float32)


def _neighbours(bought: sparse.csr_matrix, of: sparse.csr_matrix) -> Scores:
    from implicit.nearest_neighbours import BM25Recommender

    return (of @ _fit_quietly(BM25Recommender(K=200, num_threads=1), bought).similarity).toarray().astype(np.float32)


def _personal_ranking(bought: sparse.csr_matrix, buyers: np.ndarray) -> Scores:
    """Bayesian personalised ranking; one thread, since more of them give another answer each time."""
    from implicit.bpr import BayesianPersonalizedRanking

    model = BayesianPersonalizedRanking(
        factors=64,
        learning_rate=0.05,
        regularization=0.01,
        iterations=100,
        random_state=0,
        num_threads=1,
        use_gpu=False,
    )
    _fit_quietly(model, bought)
    return model.user_factors[buyers] @ model.item_factors.T


def _fit_quietly(model, matrix: sparse.csr_matrix):  # type: ignore[no-untyped-def]
    import warnings

    from implicit.utils import ParameterWarning
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ParameterWarning)
        model.fit(matrix.astype(np.float32), show_progress=False)
    return model


def _ease(bought: sparse.csr_matrix, of: sparse.csr_matrix) -> Scores:
    """Linear autoencoder without a diagonal (H. Steck, "Embarrassingly Shallow Autoencoders", WWW 2019, equation 8)."""
    from scipy.linalg import inv

    gram = (bought.T @ bought).toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] += LAMBDA
    inverse = inv(gram, overwrite_a=True, check_finite=False)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return (of @ weights).astype(np.float32)


def _judge_baskets(purchases: Purchases, origin: date, days: int) -> Iterator[tuple[tuple[str, str], Outcome]]:
    before = purchases.where(purchases.day < purchases.between(origin, origin + timedelta(days)).day.min(initial=2**40))
    shown, rest = _split_baskets(purchases.between(origin, origin + timedelta(days)))
    known = before.baskets()
    number = shown.shape[0]
    recent = purchases.between(origin - timedelta(28), origin)
    popular = np.bincount(recent.product, minlength=known.shape[1]).astype(np.float32)
    methods = {
        "popular 28 days": _of_all(popular, number),
        "item-item cosine": _basket_cosine(known, shown),
        "item-item BM25": _neighbours(known, shown),
        OWN: (shown @ learn_together(known)).toarray(),
    }
    hidden, truth = shown.toarray() > 0, rest.toarray() > 0
    for method, scores in methods.items():
        ranked = np.where(hidden, HIDDEN, scores + popular * np.float32(1e-9))
        yield ("basket", method), _score_offers(np.arange(number), ranked, truth)


def _basket_cosine(known: sparse.csr_matrix, shown: sparse.csr_matrix) -> Scores:
    from implicit.nearest_neighbours import CosineRecommender

    return (
        (shown @ _fit_quietly(CosineRecommender(K=200, num_threads=1), known).similarity).toarray().astype(np.float32)
    )


def _split_baskets(rows: Purchases) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Show the first half of each basket's products in a drawn order, and hide the rest."""
    generator = np.random.default_rng(0)
    baskets = rows.baskets()
    baskets = baskets[np.flatnonzero(np.diff(baskets.indptr) >= 2)]
    baskets = baskets[generator.permutation(baskets.shape[0])[:MOST_BASKETS]]
    shown, rest = sparse.lil_matrix(baskets.shape, dtype=np.float32), sparse.lil_matrix(baskets.shape, dtype=np.float32)
    for row in range(baskets.shape[0]):
        products = generator.permutation(baskets[row].indices)
        cut = min(len(products) // 2, SHOWN_LINES)
        shown[row, products[:cut]] = 1
        rest[row, products[cut:]] = 1
    return shown.tocsr(), rest.tocsr()


def _score_offers(buyers: np.ndarray, scores: Scores, bought: Bool[np.ndarray, "customer product"]) -> Outcome:
    """Hold the best ten against what was bought; who bought none that counts is left out."""
    counted = bought.any(axis=1)
    scores, bought = scores[counted], bought[counted]
    number = min(NUM_OFFERED, scores.shape[1])
    best = np.argsort(-scores, axis=1, kind="stable")[:, :number]
    rows = np.arange(len(best))[:, None]
    hit = bought[rows, best] & (scores[rows, best] > HIDDEN / 2)
    discount = 1 / np.log2(np.arange(2, number + 2))
    ideal = np.cumsum(discount)[np.minimum(bought.sum(axis=1), number) - 1]
    return Outcome(buyers[counted], hit.any(axis=1).astype(float), (hit * discount).sum(axis=1) / ideal)


def sum_up(outcomes: Outcomes) -> list[Found]:
    """Give each method's share of hits and gain, with intervals."""
    return [_sum_up(group, method, outcome) for (group, method), outcome in outcomes.items() if len(outcome.hit)]


def _sum_up(group: str, method: str, outcome: Outcome) -> Found:
    hits, gains = (np.concatenate(list(_resample(outcome, value))) for value in (outcome.hit, outcome.gain))
    spans = (*interval(hits), outcome.gain.mean(), *interval(gains))
    return Found(group, method, len(outcome.hit), float(outcome.hit.mean()), *(float(value) for value in spans))


def compare(outcomes: Outcomes) -> list[Ratio]:
    """Hold our own against every other method, buyer by buyer."""
    return [
        _compare(group, method, outcomes[group, OWN], outcome)
        for (group, method), outcome in outcomes.items()
        if not method.startswith(OWN) and len(outcome.hit) and outcome.hit.any()
    ]


def _compare(group: str, method: str, own: Outcome, other: Outcome) -> Ratio:
    said: list[float] = []
    for name in ("hit", "gain"):
        mine, theirs = getattr(own, name), getattr(other, name)
        drawn = np.concatenate(list(_resample(own, mine, theirs)))
        said += [float(mine.mean() / theirs.mean()), *interval(drawn)]
    return Ratio(group, method, *said)


def _resample(
    outcome: Outcome, value: np.ndarray, against: np.ndarray | None = None
) -> Iterator[Float[np.ndarray, " draw"]]:
    """Draw buyers with all they did: the mean of `value`, or its ratio to that of another."""
    _, buyer = np.unique(outcome.buyer, return_inverse=True)
    sums = np.bincount(buyer, value)
    weight = np.bincount(buyer, against).astype(float)
    for counts in draw_counts(len(sums), RESAMPLES, np.random.default_rng(0)):
        below = counts @ weight
        yield (counts @ sums) / np.where(below > 0, below, np.nan)


def latest_origins(purchases: Purchases, days: int, number: int) -> list[date]:
    """Give the first days of the last horizons that are past, the earliest first."""
    last = purchases.last
    if last is None:
        return []
    return sorted(last + timedelta(1) - timedelta(days * back) for back in range(1, number + 1))


def without_customers(purchases: Purchases) -> Purchases:
    """Forget who bought: a shop of guests."""
    return replace(purchases, customers=(), customer=np.full_like(purchases.customer, NOBODY))
