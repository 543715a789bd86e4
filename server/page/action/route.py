"""The addresses at which the page acts: look at it, confirm it by what is meant and the terminal's code, done."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from common.errors import ConfigError
from server.folder import CoordinatorFolder
from server.page.action import act
from server.page.action.form import Fields, read_form
from server.page.action.office import UNAUTHORIZED, Office, Refused
from server.page.frame import show, speech_of

SEE_OTHER = 303
HASH_LETTERS = 8  # of a plan's hash that are typed


async def open_session(request: Request) -> Response:
    """Open a session of a browser, and go to the page."""
    office = _office(request)
    answer = RedirectResponse("/", SEE_OTHER)
    if not office.session_of(request.headers):
        session = office.open(request.path_params["word"])
        answer.set_cookie(office.cookie, session, path="/", httponly=True, samesite="strict")
    return answer


async def ask_invite(request: Request) -> Response:
    """Ask for a merchant's request."""
    _require_session(request)
    return show(request, "invite", {})


async def review_invite(request: Request) -> Response:
    """Show what a request says."""
    fields, t = await _read(request), speech_of(request).t
    asked = await asyncio.to_thread(act.read_request, fields.get("request", ""))
    said = [
        t("{name} asks to be a member, with size class {size}.", name=asked.name, size=asked.size_class),
        t("It is let in with a certificate for a year. The file that is handed back to it holds no secret."),
    ]
    values = {
        "title": t("Let {name} in", name=asked.name),
        "sentences": said,
        "action": "/invite",
        "hidden": {"request": fields["request"]},
        "label": t("Type the member's name"),
    }
    return show(request, "confirm", values)


async def invite(request: Request) -> Response:
    """Let a merchant in."""
    fields, t = await _read(request), speech_of(request).t
    asked = await asyncio.to_thread(act.read_request, fields.get("request", ""))
    _require_intent(request, fields, meant=asked.name)
    await asyncio.to_thread(act.invite, _home(request), asked)
    said = t("{name} is enrolled. Hand the file back to it; it holds no secret.", name=asked.name)
    return _done(request, t("Let in"), said, download=f"/welcome/{asked.name}")


async def give_welcome(request: Request) -> Response:
    """Give what is handed back to a member as a file."""
    _require_session(request)
    path = act.welcome_path(_home(request), request.path_params["name"])
    if not path.is_file():
        raise ConfigError("The page has written no welcome for this member.")
    headers = {"content-disposition": f'attachment; filename="{path.name}"'}
    return Response(await asyncio.to_thread(path.read_bytes), headers=headers, media_type="application/json")


async def ask_launch(request: Request) -> Response:
    """Ask for a plan."""
    _require_session(request)
    return show(request, "launch", {})


async def review_launch(request: Request) -> Response:
    """Show what a plan would come to."""
    fields, t = await _read(request), speech_of(request).t
    plan, quorum = await asyncio.to_thread(act.read_launch, fields.get("plan", ""), fields.get("quorum", ""))
    private = fields.get("noise") != "without"
    rounds = plan.training(private=private).num_rounds
    said = [
        t("Plan {name}, {rounds} rounds, for one {unit}.", name=plan.name, rounds=rounds, unit=t(plan.privacy.unit)),
        t("With the plan's noise.") if private else t("Without noise: members' policies have to allow it."),
        t("Two thirds of the members make a round.")
        if quorum is None
        else t("{quorum} answers make a round.", quorum=quorum),
        t("Its hash is {hash}. Merchants approve it by this hash.", hash=plan.hash),
    ]
    hidden = {"plan": fields["plan"], "quorum": fields.get("quorum", ""), "noise": fields.get("noise", "with")}
    values = {
        "title": t("Launch {name}", name=plan.name),
        "sentences": said,
        "action": "/launch",
        "hidden": hidden,
        "label": t("Type the first {number} signs of the hash", number=HASH_LETTERS),
    }
    return show(request, "confirm", values)


async def launch(request: Request) -> Response:
    """Launch a plan."""
    fields, t = await _read(request), speech_of(request).t
    plan, quorum = await asyncio.to_thread(act.read_launch, fields.get("plan", ""), fields.get("quorum", ""))
    _require_intent(request, fields, meant=plan.hash, fewest=HASH_LETTERS)
    private = fields.get("noise") != "without"
    done = await asyncio.to_thread(act.launch, _home(request), plan, quorum=quorum, private=private)
    said = t("{name} runs as launch {number}; {quorum} of {members} members make a round.",
             name=plan.name, number=done.number, quorum=done.quorum, members=done.members)  # fmt: skip
    return _done(request, t("Launched"), said)


async def ask_revoke(request: Request) -> Response:
    """Show what it means to revoke a member."""
    _require_session(request)
    name, t = request.path_params["name"], speech_of(request).t
    said = [
        t("The gateway closes to {name} within a second, also in the middle of a round.", name=name),
        t("What it answers does not count any more. To come back it makes a new request."),
    ]
    values = {
        "title": t("Revoke {name}", name=name),
        "sentences": said,
        "action": "/revoke",
        "hidden": {"member": name},
        "label": t("Type the member's name"),
    }
    return show(request, "confirm", values)


async def revoke(request: Request) -> Response:
    """Revoke a member."""
    fields, t = await _read(request), speech_of(request).t
    name = fields.get("member", "")
    _require_intent(request, fields, meant=name)
    await asyncio.to_thread(act.revoke, _home(request), name)
    return _done(request, t("Revoked"), t("The gateway is closed to {name}.", name=name))


ROUTES = [
    Route("/open/{word}", open_session),
    Route("/invite", ask_invite),
    Route("/invite/review", review_invite, methods=["POST"]),
    Route("/invite", invite, methods=["POST"]),
    Route("/welcome/{name}", give_welcome),
    Route("/launch", ask_launch),
    Route("/launch/review", review_launch, methods=["POST"]),
    Route("/launch", launch, methods=["POST"]),
    Route("/revoke/{name}", ask_revoke),
    Route("/revoke", revoke, methods=["POST"]),
]


async def _read(request: Request) -> Fields:
    """Read a form of this page in a browser that was let in; of any other not a byte counts."""
    _require_session(request)
    fields = await read_form(request)
    _office(request).require_own_page(request.headers, fields.get("csrf", ""))
    return fields


def _require_session(request: Request) -> None:
    if not _office(request).session_of(request.headers):
        raise Refused("Actions need the browser that opened the address on the terminal.", UNAUTHORIZED)


def _require_intent(request: Request, fields: Fields, *, meant: str, fewest: int = 0) -> None:
    typed = fields.get("typed", "").strip()
    _office(request).require_intent(fields.get("code", ""), typed=typed, meant=meant, fewest=fewest)


def _office(request: Request) -> Office:
    office: Office = request.app.state.office
    return office


def _home(request: Request) -> CoordinatorFolder:
    home: CoordinatorFolder = request.app.state.home
    return home


def _done(request: Request, title: str, sentence: str, *, download: str = "") -> Response:
    return show(request, "done", {"title": title, "sentences": [sentence], "download": download, "fault": False})
