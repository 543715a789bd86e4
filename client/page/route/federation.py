"""GET /federation: the steps of joining, the line, the model that came, and what ever left."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from fastapi import Request, Response

from client.folder import MerchantFolder, write_new
from client.language.speech import speaking, t
from client.page.approval import add_approval
from client.page.route.page import make_router
from client.page.route.plan import show_with
from client.page.visit import Fields, Visit, field, visit
from client.serving.process.refusal import Refusal
from common.disk.file import write_whole
from common.errors import ConfigError
from common.plan.schema import Unit

if TYPE_CHECKING:
    from client.account.limit import Limits

router = make_router()
REQUEST = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\.request\.json")
LARGEST_TEXT = 60_000
PROTECTED: dict[str, Unit] = {"product": "product", "customer": "customer"}


@router.get("/federation")
async def get_federation(request: Request) -> Response:
    """Show how far joining is, and what there is to see."""
    return await show_with(visit(request), None)


@router.post("/federation/policy")
async def post_policy(request: Request) -> Response:
    """Write a cautious policy with the owner's limits where there is none, and open its account."""
    here = visit(request)
    fields = await here.read_form()
    with speaking(here.spoken):
        await asyncio.to_thread(_write_policy, MerchantFolder(here.folder), fields)
    return here.go("/federation", done="policy")


def _write_policy(home: MerchantFolder, fields: Fields) -> None:
    from client.account.ledger.opening import open_accounts
    from client.account.limit import write_limited
    from client.account.policy import read_policy

    write_new(home.policy, write_limited(_read_limits(fields)))
    open_accounts(home, read_policy(home.policy))


def _read_limits(fields: Fields) -> Limits:
    from client.account.limit import Limits

    try:
        return Limits(
            unit=PROTECTED[field(fields, "unit")],
            size_class=int(field(fields, "size_class")),
            epsilon=float(field(fields, "epsilon")),
            plan_epsilon=float(field(fields, "plan_epsilon")),
            smallest_cohort=int(field(fields, "cohort")),
        )
    except (KeyError, ValueError) as error:
        raise ConfigError(t("Choose whom the promise protects, and give numbers for the rest.")) from error


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
        await asyncio.to_thread(_listen_to, MerchantFolder(here.folder), key)
    return here.go("/federation", done="coordinator")


def _listen_to(home: MerchantFolder, key: str) -> None:
    from client.account.ledger.opening import open_accounts
    from client.account.policy import read_policy

    add_approval(home, "coordinators", key)
    open_accounts(home, read_policy(home.policy))
