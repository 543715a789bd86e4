"""POST /federation/plan and /federation/approve: a plan in plain words, and what approving it does."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import Any

from fastapi import Request, Response

from client.account.limit import SIZE_CLASSES, choose_size_class
from client.folder import MerchantFolder
from client.language.speech import speaking, t
from client.page.approval import add_approval, with_approved
from client.page.route.page import make_router
from client.page.view.federation import show_federation
from client.page.view.model import show_model
from client.page.visit import Fields, Visit, field, visit
from client.serving.process.participation import Participation
from common.errors import HansaError, PrivacyError

router = make_router()
LARGEST_TEXT = 60_000
LARGEST_COHORT = 1_000_000


async def show_with(here: Visit, plan: dict[str, Any] | None) -> Response:
    """Show the view, with a plan that is being considered where there is one."""
    participation: Participation = here.request.app.state.participation
    with speaking(here.spoken):
        values = await asyncio.to_thread(show_federation, here.folder, participation.tell_who(), here.zone)
        week = here.says("week") if here.edition is not None and here.has("week") else {}
        model = await asyncio.to_thread(show_model, here.folder, here.zone, week, is_stale=here.served.is_stale)
    products = here.taken.rows("products").num_rows if here.edition is not None and here.has("products") else 0
    taking = {"is_wanted": participation.is_wanted, "trouble": participation.trouble}
    sizes = {"size_classes": SIZE_CLASSES, "size_class": choose_size_class(products)}
    said = {**values, **sizes, "model": model, "taking": taking, "plan": plan}
    return here.show("federation", said, here="federation")


@router.get("/federation/plan")
@router.get("/federation/approve")
async def get_plan(request: Request) -> Response:
    """Lead back to the view: what was said of a plan is not kept."""
    return visit(request).go("/federation")


@router.post("/federation/plan")
async def post_plan(request: Request) -> Response:
    """Say in plain words what a plan would read and cost; nothing is sent, spent or kept."""
    here = visit(request)
    text, number = _read_offer(await here.read_form())
    with speaking(here.spoken):
        try:
            plan = await asyncio.to_thread(_consider, MerchantFolder(here.folder), text, number)
        except HansaError as error:
            plan = {"text": text, "cohort": number, "trouble": str(error)}
    return await show_with(here, plan)


def _read_offer(fields: Fields) -> tuple[str, int]:
    cohort = field(fields, "cohort", "5")
    number = int(cohort) if cohort.isdecimal() and len(cohort) < 7 else 1
    return field(fields, "plan")[:LARGEST_TEXT], min(max(number, 1), LARGEST_COHORT)


def _consider(home: MerchantFolder, text: str, cohort: int) -> dict[str, Any]:
    from client.account.explanation import explain_reading
    from client.account.policy import read_policy
    from common.plan.reading import parse_toml
    from common.plan.schema import Plan

    own, plan = read_policy(home.policy), parse_toml(text, Plan, origin="plan")
    said: dict[str, Any] = {
        "text": text,
        "cohort": cohort,
        "trouble": "",
        "name": plan.name if plan.name.isprintable() else repr(plan.name),
        "hash": plan.hash,
        "sentences": explain_reading(plan.data, own),
        "is_approved": plan.hash in own.approval.plans,
        "reason": "",
        "terms": "",
    }
    try:
        terms, *others = _agree(home, text, cohort)
    except PrivacyError as error:
        return {**said, "reason": str(error)}
    return {**said, "terms": terms, "sentences": [*said["sentences"], *others]}


def _agree(home: MerchantFolder, text: str, cohort: int) -> list[str]:
    """Hold a plan against the policy as if it were approved, and say on what terms it would run, a sentence each.

    Raises
    ------
    PrivacyError
        The policy does not allow it, whoever approves it.
    """
    from client.account.agreement import Offer, agree
    from client.account.assumption import explain_sum
    from client.account.ledger.ledger import Ledger
    from client.account.policy import read_policy
    from client.daemon.handlers import count_parameters
    from client.daemon.membership import read_federation
    from common.plan.reading import parse_toml
    from common.plan.schema import Plan

    own, plan, federation = read_policy(home.policy), parse_toml(text, Plan, origin="plan"), read_federation(home)
    offer = Offer(plan, True, federation.coordinator_name, cohort, federation.vouched_by)
    with closing(Ledger(home.ledger)) as ledger:
        size = count_parameters(plan, private=True)
        agreement = agree(with_approved(own, "plans", plan.hash), offer, ledger, num_coordinates=size)
    terms = t(
        "It would run {rounds} rounds, each with noise {noise:.1f} times the most that one {unit} can move it, and "
        "cost epsilon {epsilon:g} of your budget.",
        rounds=offer.training.num_rounds,
        noise=agreement.mechanism.noise_multiplier,
        unit=t(own.unit),
        epsilon=agreement.epsilon if agreement.is_shared else own.plan.epsilon,
    )
    return [terms, *explain_sum(agreement)]


@router.post("/federation/approve")
async def post_approve(request: Request) -> Response:
    """Approve a plan that the policy allows, once the file that it reads is made of the history."""
    here = visit(request)
    text, number = _read_offer(await here.read_form())
    with speaking(here.spoken):
        await asyncio.to_thread(_approve, here, text, number)
    return here.go("/federation", done="approved")


def _approve(here: Visit, text: str, cohort: int) -> None:
    from client.shop.setup.joining import take_up
    from common.plan.reading import parse_toml
    from common.plan.schema import Plan

    home, plan = MerchantFolder(here.folder), parse_toml(text, Plan, origin="plan")
    _agree(home, text, cohort)
    take_up(here.folder, plan, text)
    add_approval(home, "plans", plan.hash)
