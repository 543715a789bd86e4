"""What a coordinator wants to know at a glance: members, rounds, what each size class has spent, where models are."""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from common.message.proposal import parse_proposal
from common.message.release import parse_note
from common.privacy.accounting import delta_for, epsilon_of
from server.coordinator.journal import Journal
from server.folder import CoordinatorFolder
from server.page.attendance import ONLINE, describe_line, find_silent
from server.process.seen import Seen, read_seen
from server.registry.registry import Launch, Member, MemberTerms, Model, Registry
from server.rotation import describe_rotation

LAST_ROUNDS = 5


def gather_status(home: CoordinatorFolder, registry: Registry) -> dict[str, Any]:
    """Read everything from the disk, so that it can be asked whether or not anything runs."""
    seen, now = read_seen(home.seen), datetime.now(UTC)
    members = [_describe_member(member, seen, now) for member in registry.members()]
    online = {member["name"] for member in members if member["line"] == ONLINE}
    return {
        "schema": 1,
        "federation": home.read_settings().name,
        "members": members,
        "rotation": describe_rotation(home, registry),
        "launches": [_describe_launch(home, registry, launch, online) for launch in registry.launches()],
        "models": [describe_model(registry, model) for model in registry.models()],
    }


def _describe_member(member: Member, seen: Seen | None, now: datetime) -> dict[str, Any]:
    return {
        "name": member.name,
        "size_class": member.size_class,
        "enrolled_at": member.enrolled_at,
        "revoked_at": member.revoked_at,
        "protocol": member.protocol,
        **describe_line(member, seen, now=now),
    }


def describe_model(registry: Registry, model: Model) -> dict[str, Any]:
    """Say where a model comes from and who has it."""
    note = parse_note(model.signed.content)
    return {
        "model_hash": model.model_hash,
        "launch": model.launch,
        "plan": note.plan.name,
        "plan_hash": note.plan.hash,
        "run_hash": note.run_hash,
        "rounds": model.round_number,
        "num_parameters": note.num_parameters,
        "unit": note.plan.privacy.unit,
        "epsilon_by_size_class": _epsilons(
            [
                MemberTerms("", member.size_class, member.noise_multiplier, member.num_rounds, "")
                for member in note.members
            ],
            noise_share=note.plan.privacy.noise_share,
        ),
        "started": note.plan.start(private=note.private),
        "software": note.software,
        "released_at": model.released_at,
        "received_by": registry.receipts(model.model_hash),
    }


def draw_status(status: dict[str, Any]) -> Group:
    """Draw the status for a terminal."""
    launches: list[Table | Text] = [_draw_launch(launch) for launch in status["launches"]]
    parts = launches or [Text("Nothing was launched yet.")]
    return Group(_draw_members(status), *_draw_rotation(status["rotation"]), *parts, _draw_models(status))


def _draw_rotation(rotation: dict[str, Any]) -> list[Text]:
    """Say what is being rotated and whom it waits for; nothing where nothing is."""
    if not rotation["under_way"] and not rotation["waiting_for"]:
        return []
    what = ", ".join(rotation["under_way"]) or "nothing, the last one is finished"
    names = ", ".join(rotation["waiting_for"]) or "nobody"
    return [Text(f"being rotated: {what}; without the new welcome yet: {names}")]


def _describe_launch(
    home: CoordinatorFolder, registry: Registry, launch: Launch, online: Collection[str]
) -> dict[str, Any]:
    proposal = parse_proposal(launch.signed.content)
    terms = registry.terms(launch.number)
    current = [found for found in terms if not found.is_lapsed]
    lines = Journal(home.launch(launch.number) / "journal.jsonl").read()
    rounds = [line for line in lines if _is_round(line)]
    return {
        "number": launch.number,
        "plan": launch.plan,
        "plan_hash": proposal.plan.hash,
        "run_hash": launch.run_hash,
        "unit": proposal.plan.privacy.unit,
        "state": launch.state.value,
        "reason": launch.reason,
        "round": launch.round_number,
        "num_rounds": launch.num_rounds,
        "quorum": launch.quorum,
        "accepted": [_describe_terms(found) for found in current if found.size_class is not None],
        "epsilon_by_size_class": _epsilons(terms, noise_share=proposal.plan.privacy.noise_share),
        "declined": [found.member for found in current if found.size_class is None],
        "silent": find_silent(launch, terms, online),
        "last_rounds": rounds[-LAST_ROUNDS:],
        "totals": _add_up(rounds),
    }


def _add_up(rounds: list[dict[str, Any]]) -> dict[str, float | int | None]:
    """Add up the rounds that the present file of a journal has; None where a line of an older version says nothing."""
    return {
        "seconds": round(sum(line["seconds"] for line in rounds), 3),
        "missed_seconds": round(sum(line["seconds"] for line in rounds if line["event"] != "round"), 3),
        "sent_bytes": _sum_of(rounds, "sent_bytes"),
        "received_bytes": _sum_of(rounds, "received_bytes"),
    }


def _sum_of(rounds: list[dict[str, Any]], name: str) -> int | None:
    found = [line.get(name) for line in rounds]
    numbers = [value for value in found if isinstance(value, int)]
    return sum(numbers) if len(numbers) == len(found) else None


def _describe_terms(terms: MemberTerms) -> dict[str, Any]:
    return {name: value for name, value in vars(terms).items() if name != "is_lapsed"}


def _is_round(line: dict[str, Any]) -> bool:
    """Whether a line of a journal says what a round came to, all of it."""
    said = (line.get("round"), line.get("answered"), line.get("refused"), line.get("seconds"))
    kinds = (int, list, dict, int | float)
    return line["event"] in ("round", "missed", "skipped") and all(
        isinstance(value, kind) for value, kind in zip(said, kinds, strict=True)
    )


def _epsilons(terms: list[MemberTerms], *, noise_share: int) -> dict[str, float | None]:
    """Give the largest epsilon that members of each public size class have spent in rounds; None without noise.

    Where the noise is shared it is the one that holds while no more conspire than the plan says.
    """
    spent: dict[int, float] = {}
    for found in terms:
        if found.size_class is not None and found.noise_multiplier is not None:
            rounds = found.num_rounds / noise_share
            mu = math.sqrt(rounds) / found.noise_multiplier if found.noise_multiplier else math.inf
            spent[found.size_class] = max(spent.get(found.size_class, 0.0), mu if found.num_rounds else 0.0)
    return {str(size_class): _epsilon(mu, size_class) for size_class, mu in sorted(spent.items())}


def _epsilon(mu: float, size_class: int) -> float | None:
    return None if math.isinf(mu) else round(epsilon_of(mu, delta_for(size_class)), 3)


def _draw_members(status: dict[str, Any]) -> Table:
    table = Table("member", "size class", "since", "line", "", title=f"federation {status['federation']}")
    for member in status["members"]:
        state = "revoked" if member["revoked_at"] else ""
        table.add_row(
            member["name"], str(member["size_class"]), member["enrolled_at"][:16], member["line"] or "", state
        )
    return table


def _draw_launch(launch: dict[str, Any]) -> Table:
    title = (
        f"{launch['number']}: {launch['plan']}, {launch['state']}, round {launch['round']} of {launch['num_rounds']}"
        + (f" ({launch['reason']})" if launch["reason"] else "")
    )
    table = Table("round", "answered", "refused", "seconds", title=title)
    for line in launch["last_rounds"]:
        refused = "; ".join(f"{name}: {reason}" for name, reason in line["refused"].items())
        table.add_row(str(line["round"]), ", ".join(line["answered"]), refused, f"{line['seconds']:.1f}")
    spent = ", ".join(
        f"{size_class}: {'no noise' if epsilon is None else epsilon}"
        for size_class, epsilon in launch["epsilon_by_size_class"].items()
    )
    declined = f"; declined: {', '.join(launch['declined'])}" if launch["declined"] else ""
    silent = f"; silent: {', '.join(launch['silent'])}" if launch["silent"] else ""
    table.caption = f"epsilon per {launch['unit']} so far, by size class: {spent or 'nothing'}{declined}{silent}"
    return table


def _draw_models(status: dict[str, Any]) -> Table:
    table = Table("model", "plan", "rounds", "released", "received by", title="models")
    for model in status["models"]:
        table.add_row(
            model["model_hash"][:12],
            model["plan"],
            str(model["rounds"]),
            model["released_at"][:16],
            ", ".join(sorted(model["received_by"])),
        )
    return table
