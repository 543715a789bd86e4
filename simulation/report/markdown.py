"""The main metrics of finished runs as Markdown, so that a table in a README is made and never typed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from common.disk.reading import read_file_text
from common.errors import ConfigError
from simulation.evaluation.kept import kept_of_gain, name_unshared
from simulation.evaluation.results import Results
from simulation.evaluation.summary import HEADLINE, name_in_table, say_privacy
from simulation.report.learning import say_added, say_controls, say_noise
from simulation.report.wording import METRICS, PERCENT, gain_words, kept_words, verdict

MAIN = {"demand": ("wape", "wql", "coverage80_mid"), "purchase": ("auc", "log_loss")}
ONE_MINUTE = 90.0  # seconds, from which on minutes are told
BEGIN, END = "<!-- hansa-sim table -->", "<!-- end of table -->"


def make_markdown(runs: Sequence[Results], metrics: Sequence[str] = ()) -> str:
    """Write one table per run, the best of each column in bold, and the run's answer above it.

    Raises
    ------
    ConfigError
        A metric is none of a run's.
    """
    return "\n".join(_one_run(run, metrics or MAIN[run.plan.evaluation.task]) for run in runs)


def put_into(text: str, file: Path) -> None:
    """Replace what stands between the two marks of a file.

    Raises
    ------
    ConfigError
        The file cannot be read or written, or does not hold both marks once, in order.
    """
    try:
        before = read_file_text(file)
        head, begin, rest = before.partition(BEGIN)
        _, end, tail = rest.partition(END)
        if not (begin and end) or BEGIN in tail:
            raise ConfigError(f"{file} must hold the line {BEGIN} and, below it, the line {END}, each once; add them.")
        file.write_text(f"{head}{BEGIN}\n\n{text}\n{END}{tail}")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is no text in UTF-8; choose another --into.") from error
    except OSError as error:
        raise ConfigError(f"Cannot put the table into {file}: {error.strerror}; choose another --into.") from error


def _one_run(run: Results, metrics: Sequence[str]) -> str:
    known = HEADLINE[run.plan.evaluation.task]
    for metric in metrics:
        if metric not in known:
            raise ConfigError(f"{run.path} has no metric {metric}; choose --metrics from {', '.join(known)}.")
    origins = len(run.summary["origins"])
    best = {metric: _best(run, metric) for metric in metrics}
    lines = [
        f"`{run.plan.name}`, mean over {origins} origin{'s' * (origins > 1)}:",
        "",
        *_answer_lines(run),
        "| " + " | ".join(("method", "privacy", *(METRICS[metric].name for metric in metrics), "seconds")) + " |",
        "|---|---|" + "---:|" * (len(metrics) + 1),
        *(_row(run, method, best) for method in run.methods),
        "",
    ]
    return "\n".join([*lines, *_kept_lines(run), *_time_lines(run)])


def _row(run: Results, method: str, best: dict[str, float | None]) -> str:
    scores, seconds = run.summary["methods"][method], run.summary["timing_seconds"][method]
    cells = []
    for metric, top in best.items():
        text = _short(scores[metric], metric)
        cells.append(f"**{text}**" if top is not None and text == _short(top, metric) else text)
    name = f"`{method}`{name_in_table(method, run.summary).removeprefix(method)}"
    return "| " + " | ".join((name, say_privacy(method, run.summary), *cells, f"{seconds:.0f}")) + " |"


def _best(run: Results, metric: str) -> float | None:
    """Give the best value of a metric; shares of purchases at one half have no best."""
    values = [score for scores in run.summary["methods"].values() if (score := scores[metric]) is not None]
    if not values or metric in ("precision", "recall"):
        return None
    if metric in ("auc", "accuracy"):
        return max(values)
    target = 0.8 if metric.startswith("coverage80") else 0.0
    return min(values, key=lambda value: abs(value - target))


def _short(value: float | None, metric: str) -> str:
    """Write a metric as a README does: three digits without a leading zero, coverage in percent."""
    if value is None:
        return "–"
    if metric.startswith("coverage80"):
        return f"{value:.0%}".replace("%", PERCENT)
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.2f}"


def _kept_lines(run: Results) -> list[str]:
    headline = run.metrics[0]
    kept, over = kept_of_gain(run.summary, headline), name_unshared(run.summary, headline)
    said = kept_words(kept, headline, over=over)
    return [f"{said}.", ""] if said else []


def _answer_lines(run: Results) -> list[str]:
    found = run.summary["answer"]
    compared = found["metrics"][run.metrics[0]] if found else None
    if not compared or not compared["pooled"]:
        return []
    headline, counts = run.metrics[0], compared["counts"]
    worth = verdict(run.plan, found, headline).word
    return [
        f"**Worth joining? {worth}** `{found['method']}` against `{found['against']}`: "
        f"{gain_words(compared['pooled'], headline)}; of {counts['merchants']} merchants "
        f"{counts['better']} clearly better, {counts['worse']} clearly worse.",
        "",
        *_list(say_added(found, headline)),
        *_list(say_controls(found, headline)),
        *_list(say_noise(found, run.summary, headline)),
    ]


def _list(sentences: Sequence[str]) -> list[str]:
    return [*(f"- {sentence.removesuffix('.')}." for sentence in sentences), ""] if sentences else []


def _time_lines(run: Results) -> list[str]:
    """Tell the time of the whole run, with the rehearsals that no row has."""
    total = run.summary["timing_seconds"]["total"]
    return [f"The whole run took {f'{total / 60:.0f} minutes' if total >= ONE_MINUTE else f'{total:.0f} seconds'}.", ""]
