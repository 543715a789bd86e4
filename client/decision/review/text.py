"""Read the mood of a text by what the shop's own rated reviews taught, where they prove that it can be read.

A classifier of characters (runs of one to four of them, weighed by how rare they are, and a logistic regression on top)
needs no word list and no language: it is fitted on the reviews of this shop that have a rating. Before it says anything
of a review without one, it is asked about rated reviews that it was not fitted on. Where it agrees with their ratings
too rarely, texts are not used, and that is said.

Ready-made models were tried instead: VADER (English) and SnowNLP, cnsenti (Chinese). `docs/how-to/reviews.md` has the
figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import beta

from client.language.speech import t

LEAST_EACH = 20  # good and bad reviews with words, from which on anything is learned
LEAST_AGREEMENT = 0.75  # of good and of bad reviews alike; a coin has 0.5
CONFIDENCE = 0.95  # that it agrees at least so often
FOLDS = 5
MOST_LEARNED = 4_000  # reviews, the newest


@dataclass(frozen=True)
class Reader:
    """What reads texts, and how well it does.

    Attributes
    ----------
    rated
        Reviews with words and a good or a bad rating, that it was fitted and tried on.
    agreement
        Mean of the share of good and of the share of bad reviews that it took for what they are, none of which it had
        been fitted on; NaN where it was not tried.
    at_least
        What the agreement is at least, with 95 in 100.
    usable
        Whether texts may be used.
    reason
        Why, in a sentence.
    """

    rated: int
    agreement: float
    at_least: float
    usable: bool
    reason: str
    model: Any = field(default=None, repr=False, compare=False)

    def read(self, texts: Sequence[str]) -> Float[np.ndarray, " text"]:
        """Give the mood of texts, -1 to 1; 0 where there are no words."""
        if self.model is None or not len(texts):
            return np.zeros(len(texts))
        mood = 2.0 * self.model.predict_proba(list(texts))[:, 1] - 1.0
        return np.where([bool(text.strip()) for text in texts], mood, 0.0)


def make_classifier() -> Any:
    """Make the classifier, which is not fitted yet: good against bad, both of the same weight."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # heavy, as is what follows
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True, max_features=200_000)
    return make_pipeline(characters, LogisticRegression(C=10.0, class_weight="balanced", max_iter=2000))


def learn_to_read(texts: Sequence[str], is_good: Bool[np.ndarray, " text"]) -> Reader:
    """Fit a reader on reviews that are rated good or bad, and try it on those that it was not fitted on.

    Parameters
    ----------
    texts
        Oldest first. The same words twice are one text: a review that was copied proves nothing.
    """
    texts, is_good = _once(texts, is_good)
    good, bad = int(is_good.sum()), int((~is_good).sum())
    if min(good, bad) < LEAST_EACH:
        why = t(
            "Only {good} good and {bad} bad reviews have both words and a rating; from {least} of "
            "each on, words of reviews without a rating can be read by them.",
            good=good,
            bad=bad,
            least=LEAST_EACH,
        )
        return Reader(len(texts), float("nan"), float("nan"), usable=False, reason=why)
    right = _try_out(texts, is_good) == is_good
    agreement = float((right[is_good].mean() + right[~is_good].mean()) / 2)
    at_least = (_lower(right[is_good]) + _lower(right[~is_good])) / 2
    usable = at_least >= LEAST_AGREEMENT
    verdict = (
        t("so words count where there is no rating") if usable else t("which is too little, so words are not used")
    )
    reason = t(
        "Held against {number} rated reviews that it had not learned from, it tells good from bad "
        "right in {agreement:.0%} of cases (at least {at_least:.0%}; needed are "
        "{needed:.0%}), {verdict}.",
        number=len(texts),
        agreement=agreement,
        at_least=at_least,
        needed=LEAST_AGREEMENT,
        verdict=verdict,
    )
    model = make_classifier().fit(list(texts), is_good) if usable else None
    return Reader(len(texts), agreement, at_least, usable=usable, reason=reason, model=model)


def _once(texts: Sequence[str], is_good: Bool[np.ndarray, " text"]) -> tuple[list[str], Bool[np.ndarray, " kept"]]:
    """Keep each wording once, by its newest rating, and only so many."""
    kept = {text.strip(): bool(good) for text, good in zip(texts, is_good, strict=True) if text.strip()}
    newest = list(kept.items())[-MOST_LEARNED:]
    return [text for text, _ in newest], np.array([good for _, good in newest], bool)


def _try_out(texts: Sequence[str], is_good: Bool[np.ndarray, " text"]) -> Bool[np.ndarray, " text"]:
    from sklearn.model_selection import StratifiedKFold, cross_val_predict  # heavy

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return cross_val_predict(make_classifier(), list(texts), is_good, cv=folds)


def _lower(right: Bool[np.ndarray, " text"]) -> float:
    """Give the share that is right at least, one-sided (Clopper and Pearson 1934)."""
    hits, number = int(right.sum()), len(right)
    return float(beta.ppf(1 - CONFIDENCE, hits, number - hits + 1)) if hits else 0.0
