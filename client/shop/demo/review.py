"""What the demo shop's customers write, in German, English and Chinese; a teapot breaks since some weeks ago."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from client.shop.demo.customer import LANGUAGES, Customers, Lines
from client.shop.demo.good import FRAGILE, FRAGILE_DAYS, GOODS
from client.shop.demo.law import Law

SHARE, FRAGILE_SHARE, LATER_DAYS = 0.03, 0.5, 12  # of lines that are reviewed, and how long that takes at most
RATINGS, FRAGILE_RATINGS = (0.03, 0.04, 0.1, 0.3, 0.53), (0.5, 0.25, 0.15, 0.1, 0.0)
WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "de": {
        "good": ("Sehr lecker, bestelle ich wieder.", "Schnell geliefert und gut verpackt.", "Unser Lieblingstee!"),
        "fair": ("Ganz in Ordnung.", "Geht so, hatte mehr erwartet."),
        "bad": ("Schmeckt leider fade.", "Lieferung kam viel zu spät.", "Nicht wieder."),
        "broken": ("Kam zerbrochen an, sehr ärgerlich.", "Der Henkel ist nach einer Woche abgebrochen."),
    },
    "en": {
        "good": ("Lovely taste, will order again.", "Quick delivery, well packed.", "Our favourite!"),
        "fair": ("It is all right.", "Not bad, but I expected more."),
        "bad": ("Rather bland, I am disappointed.", "Arrived far too late.", "Would not buy again."),
        "broken": ("Arrived broken.", "The handle came off after a week. Poor quality."),
    },
    "zh": {
        "good": ("味道很好，会再买。", "物流很快，包装很好。", "全家都喜欢！"),
        "fair": ("一般般。", "还可以，没有想象中好。"),
        "bad": ("味道很淡，失望。", "送货太慢了。", "不会再买。"),
        "broken": ("收到时已经碎了。", "用了一个星期把手就断了，质量差。"),
    },
}


@dataclass(frozen=True)
class Review:
    """What one customer wrote of one product."""

    day: int
    product: int
    customer: int
    rating: int
    words: str


def write_reviews(law: Law, lines: Lines, customers: Customers, generator: np.random.Generator) -> tuple[Review, ...]:
    """Let some who bought say what they think, up to the last day of the history."""
    place = next(number for number, good in enumerate(GOODS) if good.code == FRAGILE)
    breaks = (lines.product == place) & (lines.day >= law.days - FRAGILE_DAYS)
    share = np.where(breaks, FRAGILE_SHARE, SHARE)
    chosen = np.flatnonzero((lines.customer >= 0) & (generator.random(len(share)) < share))
    found = [_write(line, lines, customers, bool(breaks[line]), generator) for line in chosen.tolist()]
    return tuple(sorted((each for each in found if each.day < law.days), key=lambda each: each.day))


def _write(line: int, lines: Lines, customers: Customers, is_broken: bool, generator: np.random.Generator) -> Review:
    rating = 1 + int(generator.choice(5, p=FRAGILE_RATINGS if is_broken else RATINGS))
    mood = ("broken" if is_broken else "bad") if rating < 3 else "fair" if rating == 3 else "good"
    customer = int(lines.customer[line])
    choices = WORDS[LANGUAGES[customers.language[customer]]][mood]
    words = choices[int(generator.integers(len(choices)))]
    day = int(lines.day[line]) + int(generator.integers(2, LATER_DAYS + 1))
    return Review(day, int(lines.product[line]), customer, rating, words)
