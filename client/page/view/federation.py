"""The federation: how far joining is, what is approved, how the line is, and what ever left."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from client.folder import MerchantFolder
from client.language.speech import mark, t
from common.errors import HansaError

STATES = {
    "connecting": mark("connecting"),
    "connected": mark("connected"),
    "unreachable": mark("cannot be reached"),
    "refused": mark("refused"),
    "stopped": mark("stopped"),
}
KINDS = {
    "sum": mark("the sum of a round, with noise"),
    "terms": mark("that you take part, and with how much noise"),
    "receipt": mark("that a model arrived"),
    "welcome receipt": mark("that a new welcome arrived"),
    "refusal": mark("the one word declined"),
}


@dataclass(frozen=True)
class Departure:
    """One message that left: when by the shop's clock, what, of which plan and round, and how many bytes."""

    at: datetime
    words: str
    plan: str
    round_number: int | None
    num_bytes: int


def show_federation(folder: Path, who: str, zone: ZoneInfo) -> dict[str, Any]:
    """Say how far joining is, and what there is to see.

    Parameters
    ----------
    who
        Answers rounds now: us, another, nobody.
    zone
        The shop's, whose days are meant.
    """
    home = MerchantFolder(folder)
    return {
        "step": tell_step(home),
        "policy": _show_policy(home),
        "requests": [path.name for path in sorted(folder.glob("*.request.json"))],
        "joined": _show_joined(home),
        "who": who,
        "line": _show_line(home, zone) if who != "nobody" else None,
        "left": _list_departures(home, zone),
    }


def tell_step(home: MerchantFolder) -> str:
    """Tell what is to be done next: write a policy, ask, wait for the answer, or nothing."""
    if home.federation.exists():
        return "joined"
    if not home.policy.exists():
        return "policy"
    return "wait" if any(home.folder.glob("*.request.json")) else "ask"


def _show_policy(home: MerchantFolder) -> dict[str, Any] | None:
    from client.account.policy import read_policy

    if not home.policy.exists():
        return None
    try:
        policy = read_policy(home.policy)
    except HansaError as error:
        return {"trouble": str(error)}
    budget, plan = policy.budget, policy.plan
    sentences = [
        t(
            "Over all time at most epsilon {epsilon:g} for one {unit}; in any {days} days at most {period:g}.",
            epsilon=budget.epsilon,
            unit=t(policy.unit),
            days=budget.period_days,
            period=budget.period_epsilon,
        ),
        t(
            "One plan gets epsilon {epsilon:g}, may ask {rounds} rounds, and needs {cohort} merchants or more.",
            epsilon=plan.epsilon,
            rounds=plan.largest_num_rounds,
            cohort=plan.smallest_cohort,
        ),
        t("Training without noise is allowed, which protects nobody.")
        if plan.allow_training_without_noise
        else t("Nothing leaves without noise."),
    ]
    return {
        "trouble": "",
        "sentences": sentences,
        "coordinators": policy.approval.coordinators,
        "plans": policy.approval.plans,
        "size_class": policy.size_class,
    }


UNITS = (mark("customer"), mark("product"), mark("category"), mark("store"))


def _show_joined(home: MerchantFolder) -> dict[str, Any] | None:
    from client.daemon.membership import read_federation

    if not home.federation.exists():
        return None
    try:
        federation = read_federation(home)
    except HansaError as error:
        return {"trouble": str(error)}
    welcome = federation.welcome
    return {
        "trouble": "",
        "federation": welcome.federation,
        "name": welcome.name,
        "address": welcome.address,
        "coordinator": federation.coordinator_name,
    }


def _show_line(home: MerchantFolder, zone: ZoneInfo) -> dict[str, Any] | None:
    try:
        said = json.loads(home.health.read_bytes())
        state = str(said["state"])
        since = datetime.fromisoformat(said["since"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    latest = said.get("latest_round") or {}
    return {
        "state": t(STATES[state]) if state in STATES else state,
        "is_well": state == "connected",
        "since": since.astimezone(zone),
        "plan": latest.get("plan", ""),
        "round": latest.get("round_number"),
        "rounds": latest.get("num_rounds"),
        "error": _tell_error(said, is_well=state == "connected"),
    }


def _tell_error(said: dict[str, Any], *, is_well: bool) -> str:
    """Give the latest error, unless messages were answered since and all is well again."""
    answered, failed = said.get("latest_message_at") or "", said.get("latest_error_at") or ""
    return "" if is_well and answered > failed else said.get("latest_error") or ""


def _list_departures(home: MerchantFolder, zone: ZoneInfo) -> dict[str, Any]:
    """List what left, the newest first; sums by the ledger, the rest by its own log."""
    found, trouble = list[Departure](), ""
    try:
        found = [*_list_sums(home), *_list_others(home)]
    except HansaError as error:
        trouble = str(error)
    here = [replace(each, at=each.at.astimezone(zone)) for each in found]
    return {"messages": sorted(here, key=lambda each: each.at, reverse=True), "trouble": trouble}


def _list_sums(home: MerchantFolder) -> list[Departure]:
    from client.account.ledger.entry import Seal, Spend
    from client.account.ledger.ledger import Ledger

    if not home.ledger.exists():
        return []
    with closing(Ledger(home.ledger)) as ledger:
        entries = ledger.entries
    sums = []
    for seal in entries:
        spend = entries[seal.spend - 1] if isinstance(seal, Seal) else None
        if isinstance(seal, Seal) and isinstance(spend, Spend):
            sums.append(Departure(seal.at, t(KINDS["sum"]), spend.plan, spend.round_number, seal.num_bytes))
    return sums


def _list_others(home: MerchantFolder) -> list[Departure]:
    if not home.sent.exists():
        return []
    from client.transparency.sent_log import SentLog

    messages, _ = SentLog(home.sent).read()
    return [Departure(each.at, t(KINDS.get(each.kind, each.kind)), "", None, len(each.content)) for each in messages]
