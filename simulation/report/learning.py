"""What the page says of what a federation learned, in whole sentences; they never claim more than the numbers do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from common.forecast.method import Method
from simulation.evaluation.summary import CONTROL_WORDS
from simulation.report.wording import METRICS, gain_words, signed_percent, span_words

CLIPPING = (
    "Less noise should do no harm. The likely reason is the bias of clipping: every gradient is cut to one length, "
    "which takes most from those who sell most, and with less noise the model follows the cut gradients further"
)

CONTROL_MEANS = {
    "unclear": "so none, as it ought to be",
    "better": "and it ought to be none: what is public, or the merchants' own, is counted to the federation's credit",
    "worse": "and it ought to be none: a candidate of no use costs something, so joining looks worse than it is",
}


def say_added(found: Mapping[str, Any], metric: str) -> list[str]:
    """Say for each pair what the federation added; nothing for an answer of an older version."""
    return [
        f"{gain['method']} against {gain['against']}: {gain_words(gain, metric)}"
        f"{', too close to tell' if gain['verdict'] == 'unclear' else ''}"
        for gain in found.get("added", [])
    ]


def say_controls(found: Mapping[str, Any], metric: str) -> list[str]:
    """Say what each control seems to gain, which ought to be nothing, or how to find out."""
    method = Method.parse(found["method"])
    if "controls" not in found or not (method.is_real and (method.is_federated or method.kind == "routed")):
        return []
    if not found["controls"]:
        return [
            "No federation that learns nothing was run beside it, so a gain may be the public model's. To know, go on "
            "with --resume and --only routed_null,routed_shuffled, where the plan routes."
        ]
    return [_say_control(name, gain, metric) for name, gain in found["controls"].items()]


def _say_control(name: str, gain: Mapping[str, Any], metric: str) -> str:
    said = (
        f"A federation that {CONTROL_WORDS[name]} ({gain['method']} against {gain['against']}): gain "
        f"{signed_percent(gain['gain'])} in {METRICS[metric].name}{span_words(gain)}"
    )
    return f"{said}, {CONTROL_MEANS[gain['verdict']]}."


def say_noise(found: Mapping[str, Any], summary: Mapping[str, Any], metric: str) -> list[str]:
    """Say where less noise did worse, and why that is likely so."""
    said = [
        f"{gain['method']} did worse than {gain['against']}, though it has less noise: {gain_words(gain, metric)}"
        f"{', too close to tell' if gain['verdict'] == 'unclear' else ''}{_say_bias(gain, summary)}."
        for gain in found.get("noise", [])
    ]
    return [*said, f"{CLIPPING}."] if said else []


def _say_bias(gain: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    biases = [summary["methods"][gain[name]].get("bias") for name in ("method", "against")]
    if None in biases:
        return ""
    return f"; bias {signed_percent(biases[0])} against {signed_percent(biases[1])}"


def name_size(group: Mapping[str, Any]) -> str:
    """Name a group of merchants by their numbers of entities."""
    smallest, largest = round(group["smallest"]), round(group["largest"])
    return f"{smallest}" if smallest == largest else f"{smallest} to {largest}"


def name_history(group: Mapping[str, Any]) -> str:
    """Name a group by its months of history."""
    if group["until"] is None:
        return f"{group['since']} months or more"
    return f"under {group['until']} months" if group["since"] == 0 else f"{group['since']} to {group['until']} months"


def say_groups(compared: Mapping[str, Any], unit: str) -> list[str]:
    """Say the gain by size and by history in a line each; a group beyond its interval is marked."""
    kinds = {
        f"By {unit}s of the merchant": (compared["sizes"], name_size),
        f"By history of the {unit}": (compared.get("histories", []), name_history),
        "By history of the merchant": (compared.get("merchant_histories", []), name_history),
    }
    return [
        f"{title}: {', '.join(f'{name(group)} {_mark(group)}' for group in known)} (* beyond its interval)."
        for title, (groups, name) in kinds.items()
        if len(known := _known(groups)) > 1
    ]


def _known(groups: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [group for group in groups if "gain" in group]


def _mark(group: Mapping[str, Any]) -> str:
    return f"{signed_percent(group['gain'])}{'' if group['verdict'] == 'unclear' else '*'}"
