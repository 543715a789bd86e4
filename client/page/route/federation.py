"""GET /federation: join, approve a plan in plain words, see the line, and what ever left."""

from __future__ import annotations

import asyncio
import re
from contextlib import closing
from typing import Any

from fastapi import Request, Response

from client.folder import MerchantFolder, write_new
from client.language.speech import speaking, t
from client.page.route.page import make_router
from client.page.view.federation import show_federation
from client.page.visit import Visit, field, visit
from client.serving.process.refusal import Refusal
from common.disk.file import write_whole
from common.errors import ConfigError, PrivacyError

router = make_router()
REQUEST = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\.request\.json")
LARGEST_TEXT = 60_000


@router.get("/federation")
async def get_federation(request: Request) -> Response:
    """Show how far joining is, and what there is to see."""
    return await _show(visit(request), None)


async def _show(here: Visit, plan: dict[str, Any] | None) -> Response:
    with speaking(here.spoken):
        values = await asyncio.to_thread(show_federation, here.folder)
    return here.show("federation", {**values, "plan": plan}, here="federation")


@router.post("/federation/policy")
async def post_policy(request: Request) -> Response:
    """Write a cautious policy where there is none."""
    here = visit(request)
    from client.account.starter import write_starter

    await asyncio.to_thread(write_new, MerchantFolder(here.folder).policy, write_starter())
    return here.go("/federation", done="policy")


@router.post("/federation/ask")
async def post_ask(request: Request) -> Response:
    """Make the request to join."""
    here = visit(request)
    name = field(await here.read_form(), "name")
    await asyncio.to_thread(_ask, MerchantFolder(here.folder), name)
    return here.go("/federation", done="asked")


def _ask(home: MerchantFolder, name: str) -> None:
    from client.account.policy import read_policy
    from client.daemon.membership import ask_to_join

    ask_to_join(home, name, read_policy(home.policy))


@router.get("/federation/request/{name}")
async def get_request(request: Request, name: str) -> Response:
    """Give the request as a file."""
    here = visit(request)
    path = here.folder / name
    if not REQUEST.fullmatch(name) or not path.is_file():
        raise Refusal(404, "not_found", "There is no such request.", "see /federation")
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(await asyncio.to_thread(path.read_bytes), headers=headers, media_type="application/json")


@router.post("/federation/welcome")
async def post_welcome(request: Request) -> Response:
    """Keep the coordinator's answer."""
    here = visit(request)
    text = field(await here.read_form(), "welcome")[:LARGEST_TEXT]
    await asyncio.to_thread(_accept, here, text)
    return here.go("/federation", done="joined")


def _accept(here: Visit, text: str) -> None:
    from client.daemon.membership import accept_welcome

    path = here.home.folder / "answer.json"
    write_whole(path, text.encode())
    try:
        accept_welcome(MerchantFolder(here.folder), path)
    finally:
        path.unlink(missing_ok=True)


@router.post("/federation/coordinator")
async def post_coordinator(request: Request) -> Response:
    """Listen to the coordinator whose key was compared."""
    here = visit(request)
    key = field(await here.read_form(), "coordinator")
    with speaking(here.spoken):
        await asyncio.to_thread(_approve, here, "coordinators", key)
    return here.go("/federation", done="coordinator")


@router.post("/federation/approve")
async def post_approve(request: Request) -> Response:
    """Approve a plan by its hash."""
    here = visit(request)
    digest = field(await here.read_form(), "plan")
    with speaking(here.spoken):
        await asyncio.to_thread(_approve, here, "plans", digest)
    return here.go("/federation", done="approved")


def _approve(here: Visit, key: str, digest: str) -> None:
    """Add a hash to the policy's approval, and nothing else.

    Raises
    ------
    ConfigError
        It is no hash, or the policy is written in a way that only its owner can change.
    """
    from client.account.policy import Policy, read_policy
    from client.account.policy_text import with_hash
    from common.plan.reading import parse_toml

    path = MerchantFolder(here.folder).policy
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ConfigError(t("This is no hash of a plan or key."))
    before = read_policy(path)
    if digest in getattr(before.approval, key):
        return
    try:
        text = with_hash(path.read_text(encoding="utf-8"), "approval", key, digest)
    except ValueError as error:
        said = t(
            "Write {digest} into approval.{key} of policy.toml yourself: it is written otherwise than expected.",
            digest=digest,
            key=key,
        )
        raise ConfigError(said) from error
    wanted = before.approval.model_copy(update={key: (*getattr(before.approval, key), digest)})
    if parse_toml(text, Policy, origin=str(path)) != before.model_copy(update={"approval": wanted}):
        raise ConfigError(
            t(
                "Write {digest} into approval.{key} of policy.toml yourself: it is written otherwise than expected.",
                digest=digest,
                key=key,
            )
        )
    write_whole(path, text.encode())


@router.post("/federation/plan")
async def post_plan(request: Request) -> Response:
    """Say in plain words what a plan would read and cost; nothing is sent, spent or kept."""
    here = visit(request)
    fields = await here.read_form()
    text, cohort = field(fields, "plan")[:LARGEST_TEXT], field(fields, "cohort", "5")
    number = int(cohort) if cohort.isdecimal() and 0 < len(cohort) < 7 else 1
    with speaking(here.spoken):
        plan = await asyncio.to_thread(_consider, MerchantFolder(here.folder), text, number)
    return await _show(here, plan)


def _consider(home: MerchantFolder, text: str, cohort: int) -> dict[str, Any]:
    from client.account.agreement import Offer, agree
    from client.account.assumption import explain_sum
    from client.account.explanation import explain_reading
    from client.account.ledger.ledger import Ledger
    from client.account.policy import read_policy
    from client.daemon.handlers import count_parameters
    from client.daemon.membership import read_federation
    from common.plan.reading import parse_toml
    from common.plan.schema import Plan

    own, plan, federation = read_policy(home.policy), parse_toml(text, Plan, origin="plan"), read_federation(home)
    offer = Offer(plan, True, federation.coordinator_name, cohort, federation.vouched_by)
    said: dict[str, Any] = {
        "text": text,
        "cohort": cohort,
        "name": plan.name if plan.name.isprintable() else repr(plan.name),
        "hash": plan.hash,
        "sentences": explain_reading(plan.data, own),
        "is_approved": plan.hash in own.approval.plans,
        "reason": "",
        "terms": "",
    }
    try:
        with closing(Ledger(home.ledger)) as ledger:
            size = count_parameters(plan, private=True)
            agreement = agree(own, offer, ledger, num_coordinates=size)
    except PrivacyError as error:
        return {**said, "reason": str(error)}
    terms = t(
        "It would run {rounds} rounds, each with noise {noise:.1f} times the most that one {unit} can move it, and "
        "cost epsilon {epsilon:g} of your budget.",
        rounds=offer.training.num_rounds,
        noise=agreement.mechanism.noise_multiplier,
        unit=t(own.unit),
        epsilon=agreement.epsilon if agreement.is_shared else own.plan.epsilon,
    )
    return {**said, "terms": terms, "sentences": [*said["sentences"], *explain_sum(agreement)]}
