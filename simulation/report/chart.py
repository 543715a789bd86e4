"""The charts of the report: each from plain numbers to one picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator, PercentFormatter

from common.privacy.accounting import epsilon_of
from simulation.report.calibration import Point
from simulation.report.example import Example, Odds
from simulation.report.figure import Ink, Picture

VERDICT_INK = {"better": Ink.GOOD, "worse": Ink.BAD, "unclear": Ink.UNCLEAR}
SERIES_INK = (Ink.MAIN, Ink.OTHER, Ink.GOOD, Ink.BAD, Ink.UNCLEAR)
SHOWN_ROUNDS = 40
LABEL_SHARE = 0.08  # of the height of a picture that one line of text takes
MOST_INTERVALS = 200  # of merchants in one picture; with more they hide the points


def draw_gains(merchants: Mapping[str, Any], sizes: Sequence[Mapping[str, Any]], unit: str) -> Picture:
    """Draw the gain of every merchant against its size, with intervals, and of groups of like size."""
    compared = [found for found in merchants.values() if "gain" in found]
    better = sum(found["verdict"] == "better" for found in compared)
    picture = Picture(
        "Gain by size of merchant",
        f"Each of {len(compared)} merchants as a point, gain against number of {unit}s; {better} are better off beyond "
        "their interval. The table below has the numbers.",
    )
    axes = picture.axes[0]
    axes.axhline(0, color=Ink.TEXT, linewidth=0.8)
    for found in compared:
        ink = VERDICT_INK[found["verdict"]]
        if found["low"] is not None and len(compared) <= MOST_INTERVALS:
            axes.plot([found["entities"]] * 2, [found["low"], found["high"]], color=ink, linewidth=1.2, alpha=0.6)
        axes.plot(found["entities"], found["gain"], "o", color=ink, markersize=5)
    for group in sizes:
        if "gain" in group:
            ends = (group["smallest"] * 0.96, group["largest"] * 1.04)
            axes.plot(ends, [group["gain"]] * 2, color=Ink.MAIN, linewidth=2.5, alpha=0.8)
    _logarithmic(axes, [found["entities"] for found in compared])
    axes.set_xlabel(f"{unit}s of the merchant")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _limit_gains(axes, compared)
    axes.set_title("gain over staying alone: above the line is better", loc="left")
    return picture


def _limit_gains(axes: Axes, compared: Sequence[Mapping[str, Any]]) -> None:
    """Show every gain whole, and an interval of one tiny merchant at most three times as far out."""
    furthest = max([abs(found["gain"]) for found in compared], default=0.0)
    low, high = axes.get_ylim()
    reach = max(3 * furthest, 0.01)
    axes.set_ylim(max(low, -reach), min(high, reach))


def draw_epsilons(
    points: Mapping[str, Sequence[tuple[float, float, float]]], references: Mapping[str, float], metric: str, unit: str
) -> Picture:
    """Draw accuracy against epsilon, a curve for each trust, beside what other methods reach.

    Points are epsilon, value, spread over seeds; their keys say in words what is trusted.
    """
    spent = {trust: ", ".join(f"{point[0]:.3g}" for point in found) for trust, found in points.items()}
    told = "; ".join(f"{trust}, at {epsilons}" for trust, epsilons in spent.items())
    picture = Picture(
        "Accuracy against privacy",
        f"{metric} of the private federation by epsilon per {unit}, as points ({told}); other methods as horizontal "
        f"lines: {', '.join(references)}.",
    )
    axes = picture.axes[0]
    heights, inks = dict(references), dict.fromkeys(references, Ink.TEXT)
    for (trust, found), ink in zip(points.items(), _inks(len(points)), strict=True):
        epsilons, values, spreads = (np.array(column) for column in zip(*sorted(found), strict=True))
        axes.errorbar(epsilons, values, yerr=spreads, fmt="o-", color=ink, linewidth=2, capsize=3)
        heights[trust], inks[trust] = float(values[-1]), ink
    for value in references.values():
        axes.axhline(value, color=Ink.UNCLEAR, linewidth=1, linestyle=(0, (4, 3)))
    _label_ends(axes, heights, inks)
    axes.set_xscale("log")
    _write_ticks(axes, sorted({point[0] for found in points.values() for point in found}))
    axes.set_xlabel(f"epsilon per {unit}: further left is more private")
    axes.set_title(f"{metric}: lower is better", loc="left")
    return picture


def _label_ends(axes: Axes, heights: Mapping[str, float], inks: Mapping[str, str]) -> None:
    """Write names at the right end of their lines, pushed upwards where they would overlap."""
    low, high = axes.get_ylim()
    last = -math.inf
    for name, height in sorted(heights.items(), key=lambda item: item[1]):
        last = max(height, last + LABEL_SHARE * (high - low))
        _write(axes, f" {name}", (1.0, last), ("axes fraction", "data"), inks[name])


def _write(axes: Axes, text: str, place: tuple[float, float], of: tuple[str, str], ink: str) -> None:
    axes.annotate(text, place, xycoords=of, va="center", color=ink, annotation_clip=False)


def draw_spending(privacy: Mapping[str, Mapping[str, Any]]) -> Picture:
    """Draw epsilon spent after each round, by private method."""
    last = {name: stated["epsilon"] for name, stated in privacy.items()}
    told = ", ".join(f"{name} ends at epsilon {epsilon:.3g}" for name, epsilon in last.items())
    picture = Picture("Privacy spent over the rounds", f"Curves that rise ever more slowly: {told}.", height=2.8)
    axes = picture.axes[0]
    for ink, stated in zip(_inks(len(privacy)), privacy.values(), strict=True):
        total = stated["num_rounds"]
        rounds = np.unique(np.linspace(1, total, min(total, SHOWN_ROUNDS)).round().astype(int))
        spent = [epsilon_of(math.sqrt(done) / stated["noise_multiplier"], stated["delta"]) for done in rounds]
        axes.plot([0, *rounds], [0.0, *spent], color=ink, linewidth=2)
    axes.set_xlabel("rounds")
    axes.set_title("epsilon spent: lower is more private", loc="left")
    axes.set_ylim(bottom=0)
    _label_ends(axes, last, dict(zip(last, _inks(len(last)), strict=True)))
    return picture


def draw_history(lengths: Sequence[Mapping[str, Any]], metric: str) -> Picture:
    """Draw the loss by months of history: alone, and in the federation."""
    months = [length["months"] for length in lengths]
    picture = Picture(
        "What history is worth",
        f"{metric} by months of history. Alone from {lengths[0]['own']:.4g} to {lengths[-1]['own']:.4g}, in the "
        f"federation from {lengths[0]['federated']:.4g} to {lengths[-1]['federated']:.4g}.",
        height=2.8,
    )
    axes = picture.axes[0]
    inks = {"alone": Ink.OTHER, "in the federation": Ink.MAIN}
    lines = {name: [length[key] for length in lengths] for name, key in zip(inks, ("own", "federated"), strict=True)}
    for name, values in lines.items():
        axes.plot(months, values, "o-", color=inks[name], linewidth=2, markersize=4)
    _label_ends(axes, {name: values[-1] for name, values in lines.items()}, inks)
    _logarithmic(axes, months)
    axes.set_xlabel("months of the merchant's own history")
    axes.set_title(f"{metric}: lower is better", loc="left")
    return picture


def draw_race(cold: Sequence[float], warm: Sequence[float]) -> Picture:
    """Draw the training loss by round, from weights drawn at random and from the public model."""
    picture = Picture(
        "Rounds to the same loss",
        f"Training loss by round. A cold start goes from {cold[0]:.4g} to {cold[-1]:.4g}, the public model from "
        f"{warm[0]:.4g} to {warm[-1]:.4g}.",
        height=2.8,
    )
    axes = picture.axes[0]
    inks = {"cold start": Ink.OTHER, "public model": Ink.MAIN}
    for ink, losses in zip(inks.values(), (cold, warm), strict=True):
        axes.plot(range(1, len(losses) + 1), losses, color=ink, linewidth=2)
    axes.axhline(min(cold), color=Ink.MUTED, linewidth=0.8)
    _label_ends(axes, dict(zip(inks, (cold[-1], warm[-1]), strict=True)), inks)
    axes.set_xlabel("rounds")
    axes.set_title("training loss: lower is better", loc="left")
    return picture


def draw_examples(examples: Sequence[Example]) -> Picture:
    """Draw forecasts over the horizon of a few entities, with intervals and what happened."""
    told = "; ".join(f"{example.name}: {example.share_inside:.0%} of days in the 80 % interval" for example in examples)
    picture = Picture("Example forecasts", told, panels=len(examples), height=2.6)
    for axes, example in zip(picture.axes, examples, strict=True):
        place = np.arange(len(example.actual))
        _band(axes, place, example)
        axes.step(place, np.where(example.counted, example.median, np.nan), color=Ink.MAIN, linewidth=1.8, where="mid")
        axes.plot(place[example.counted], example.actual[example.counted], "o", color=Ink.TEXT, markersize=3)
        ticks = place[:: max(1, math.ceil(len(place) / 3))]
        axes.set_xticks(ticks, [f"{np.datetime64(example.day[tick], 'D').item():%d %b}" for tick in ticks])
        axes.set_title(example.name, loc="left")
        axes.set_ylim(bottom=0)
    return picture


def _band(axes: Axes, place: Int[np.ndarray, " bucket"], example: Example) -> None:
    if example.quantiles is None:
        return
    for outer, shade in ((0, 0.18), (1, 0.25)):
        low, high = example.quantiles[:, outer], example.quantiles[:, -1 - outer]
        axes.fill_between(place, low, high, color=Ink.MAIN, alpha=shade, linewidth=0, where=example.counted, step="mid")


def draw_odds(odds: Sequence[Odds], unit: str) -> Picture:
    """Draw how probable a purchase was said to be for some entities, and whether it came."""
    told = "; ".join(f"said {one.probability:.0%}, {_came(one)}" for one in odds)
    picture = Picture("Example forecasts", told, height=3.0)
    axes = picture.axes[0]
    for place, one in enumerate(reversed(odds)):
        ink = Ink.MAIN if one.actual > 0 else Ink.UNCLEAR
        axes.barh(place, one.probability, height=0.62, color=ink)
        text = f" {one.probability:.0%} said; {_came(one)} ({one.expected:.2g} expected)"
        _write(axes, text, (one.probability, float(place)), ("data", "data"), Ink.TEXT)
    axes.set_yticks(range(len(odds)), [f"{unit} {number}" for number in range(len(odds), 0, -1)])
    axes.set_xlim(0, 1.35)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return picture


def _came(one: Odds) -> str:
    return f"bought, {one.actual:.3g} times" if one.actual > 1 else "bought once" if one.actual > 0 else "did not buy"


def draw_reliability(curves: Mapping[str, Sequence[Point]]) -> Picture:
    """Draw what was said against what came true: one panel per method, on the diagonal where honest."""
    told = "; ".join(
        f"{name}: " + ", ".join(f"said {point.said:.0%}, came {point.low:.0%} to {point.high:.0%}" for point in points)
        for name, points in curves.items()
    )
    picture = Picture("Calibration", told, panels=len(curves), height=3.2)
    top = min(1.0, 1.1 * max(max(point.said, point.high) for points in curves.values() for point in points))
    for axes, (name, points) in zip(picture.axes, curves.items(), strict=True):
        axes.plot([0, 1], [0, 1], color=Ink.UNCLEAR, linewidth=1, linestyle=(0, (4, 3)))
        for point in points:
            axes.plot([point.said] * 2, [point.low, point.high], color=Ink.MAIN, linewidth=4, solid_capstyle="round")
        axes.set(xlim=(0, top), ylim=(0, top), xlabel="said", aspect="equal")
        axes.set_title(name, loc="left")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    picture.axes[0].set_ylabel("came true")
    return picture


def _inks(count: int) -> Sequence[str]:
    return [SERIES_INK[place % len(SERIES_INK)] for place in range(count)]


def _logarithmic(axes: Axes, values: Sequence[float] | Float[np.ndarray, " value"]) -> None:
    """Make the horizontal axis logarithmic with round ticks written out."""
    axes.set_xscale("log")
    low, high = min(values, default=1.0), max(values, default=1.0)
    ticks = [base * 10.0**power for power in range(-2, 7) for base in (1, 2, 5)]
    _write_ticks(axes, [tick for tick in ticks if low * 0.99 <= tick <= high * 1.01] or [low])


def _write_ticks(axes: Axes, ticks: Sequence[float]) -> None:
    axes.set_xticks(ticks)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
