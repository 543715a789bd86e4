"""A signed privacy card as one page that needs no other file."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from client.account.assumption import Assumption, explain_assumption
from client.language.speech import ENGLISH, speaking
from common.command.page import allow, meta

STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .3rem .6rem; vertical-align: top }
tr { border-bottom: 1px solid #ddd } code { font-size: .85em; word-break: break-all } .big { font-size: 1.4em }
"""
SEEN_BY = {
    "everyone_else_colludes": "Everyone else colludes (the promise)",
    "secure_sum": "The coordinator sees only a secure sum",
    "released_models_only": "Someone sees only the released models",
    "another_participant": "Another participant sees them, and takes off its own noise",
}

SHARED_SEEN_BY = SEEN_BY | {
    "everyone_else_colludes": "Everyone else colludes",
    "secure_sum": "The coordinator sees only the sum of all merchants (the promise)",
}


def write_page(signed: dict[str, Any]) -> str:
    """Write a card in HTML; every value is escaped."""
    card = signed["card"]
    release, life = card["release"], card["guarantee_for_life"]
    seen = card["guarantee_of_release"]
    alone, summed = seen["everyone_else_colludes"], seen["secure_sum"]
    promise = summed if isinstance(summed, dict) else alone
    names = SHARED_SEEN_BY if isinstance(summed, dict) else SEEN_BY
    parts = [
        f"<h1>Privacy card: {escape(release['plan'])}</h1>",
        f"<p class=big>{_number(promise, card['unit'])}</p>",
        *([f"<p>Which is to say: {escape(_assume(summed, alone))}.</p>"] if isinstance(summed, dict) else []),
        f"<p>Unit: <b>{escape(card['unit'])}</b>. Neighbours: {escape(card['adjacency'])}.</p>",
        "<h2>Who may be looking</h2>",
        _table({names[key]: _number(value, card["unit"]) for key, value in seen.items()}),
        "<h2>Over the life of the ledger</h2>",
        f"<p>{_number(life, card['unit'])}; budget: epsilon {life['budget_epsilon']:g}.</p>",
        *_say_if_all_collude(life.get("if_all_collude"), card["unit"]),
        f"<p>Customers: {_number(card['customers'], 'customer')}.</p>",
        "<h2>What is not protected</h2>",
        "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in card["not_protected"]) + "</ul>",
        "<h2>The release</h2>",
        _table({**{key: _show(value) for key, value in release.items()}, "size_class": _show(card["size_class"])}),
        "<h2>Formulas</h2>",
        _table({key: escape(value) for key, value in card["formulas"].items()}),
        "<h2>Evidence</h2>",
        _table(
            {
                "ledger": _show(card["ledger"]),
                "audit": _show(card["audit"]),
                "software": _show(card["software"]),
                "issued": _show(card["issued_at"]),
                "public key": _show(signed["public_key"]),
                "signature": _show(signed["signature"]),
            }
        ),
    ]
    body = "\n".join(parts)
    head = f"{meta(allow(styles=[STYLE]))}<title>Privacy card</title><style>{STYLE}</style>"
    return f"<!doctype html>\n<html lang=en>{head}\n{body}\n"


def _assume(summed: dict[str, Any], alone: dict[str, Any]) -> str:
    """Say both numbers in a sentence; a card has no language but its own."""
    known = summed["colluders"] is not None and summed["num_members"] is not None
    assumption = Assumption(summed["colluders"], summed["num_members"]) if known else None
    with speaking(ENGLISH):
        return str(explain_assumption(_epsilon(summed), _epsilon(alone), assumption))


def _epsilon(guarantee: dict[str, Any]) -> float:
    return math.inf if guarantee["epsilon"] is None else float(guarantee["epsilon"])


def _say_if_all_collude(life: dict[str, Any] | None, unit: str) -> list[str]:
    if life is None:
        return []
    budget = "none now" if life["budget_epsilon"] is None else f"epsilon {life['budget_epsilon']:g}"
    return [f"<p>If everyone else colludes: {_number(life, unit)}; budget for that: {budget}.</p>"]


def _number(value: Any, unit: str) -> str:
    if not isinstance(value, dict):
        return escape(str(value))
    if value["epsilon"] is None:
        return f"<b>no guarantee</b> per {escape(unit)}: no noise"
    return (
        f"epsilon <b>{value['epsilon']:.4g}</b> per {escape(unit)}, delta {value['delta']:.3g} (mu {value['mu']:.4g})"
    )


def _show(value: Any) -> str:
    if isinstance(value, dict):
        return "<br>".join(f"{escape(str(key))}: {_show(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_show(inner) for inner in value)
    return f"<code>{escape(str(value))}</code>"


def _table(rows: dict[str, str]) -> str:
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{value}</td></tr>" for name, value in rows.items())
    return f"<table>{cells}</table>"
