"""The guard before everything that is served: who asks, by which name, from which page, and how much.

1. The name: a request by another name than the server's own is refused (DNS rebinding), on every path.
2. The token, or the session of a browser; only `OPEN` paths go without.
3. The page it comes from: what changes something is refused from any other page of the web, and of a session only with
   its CSRF token, in the header `x-hansa-csrf` or the field `csrf` of a form.
4. The body: no more than a path may take, no slower than `common.http.pace` allows; the answer likewise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from client.serving.encoding import encode
from client.serving.process.refusal import Refusal
from common.command.page import HEADERS
from common.http.connection import LONGEST_HEAD
from common.http.pace import Pace
from common.http.token import Keys

OPEN = ("/live", "/ready", "/open/")
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LARGEST_BODY = 1 << 20  # bytes
LARGEST_FORM, MOST_FIELDS = 256 << 10, 20_000  # the settings of a shop of a thousand suppliers
CSRF_HEADER, CSRF_FIELD = "x-hansa-csrf", "csrf"
FORM = "application/x-www-form-urlencoded"
IMPORTS, LARGEST_IMPORT = "/api/v1/imports", 2 << 30
INFERENCE, LARGEST_TENSORS = "/v2", 16 << 20
IsOwn = Callable[[list[str]], bool]


@dataclass(frozen=True)
class Door:
    """What the guard knows of the server.

    Attributes
    ----------
    is_own
        Whether the Host headers of a request name this server.
    scheme
        http, or https with TLS.
    cookie
        What the session's cookie is called: one name for each port, for a browser does not tell ports apart.
    """

    keys: Keys
    is_own: IsOwn
    scheme: str
    cookie: str
    open_paths: tuple[str, ...] = OPEN

    def session_of(self, headers: Headers) -> str | None:
        """Give the session of a browser; None where it has none that holds."""
        try:
            cookies = SimpleCookie("; ".join(headers.getlist("cookie")))
        except CookieError:
            return None
        found = cookies.get(self.cookie)
        return found.value if found is not None and self.keys.is_session(found.value) else None


class Guard:
    """Refuse what must not pass, and send the headers of a page with every answer, errors included."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app, self._door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, guarded = Headers(scope=scope), _Guarded(send, plainly=is_inference(scope["path"]))
        try:
            limited = self._let_in(scope, headers, receive)
            guarded.limited = limited
            receive = await self._admit(scope, headers, limited)
        except Refusal as refusal:
            await answer(refusal, guarded, plainly=guarded.plainly)
            return
        await self._app(scope, receive, guarded)

    def _let_in(self, scope: Scope, headers: Headers, receive: Receive) -> _Limited:
        """Judge name and size of a request, and give what its body is read by.

        Raises
        ------
        Refusal
            It must not pass.
        """
        if not self._door.is_own(headers.getlist("host")):
            raise Refusal(421, "misdirected", "This server is not called by that name.", "ask by the printed address")
        if sum(len(name) + len(value) for name, value in headers.raw) + len(scope["query_string"]) > LONGEST_HEAD:
            raise Refusal(431, "too_large", f"A head may have {LONGEST_HEAD:,} bytes.", "ask for less at once")
        return _limit(scope, headers, receive)

    async def _admit(self, scope: Scope, headers: Headers, limited: Receive) -> Receive:
        """Judge who asks and from which page, and give what the body is read by.

        Raises
        ------
        Refusal
            It must not pass.
        """
        state = scope.setdefault("state", {})
        state["session"] = ""
        if _is_open(scope["path"], self._door.open_paths):
            return limited
        session = "" if self._has_token(headers) else self._door.session_of(headers)
        if session is None:
            raise _unknown()
        state["session"] = session
        if scope["method"] in SAFE:
            return limited
        self._require_own_page(headers)
        return await self._require_csrf(headers, session, limited) if session else limited

    def _has_token(self, headers: Headers) -> bool:
        """Whether the request says the token; one that says a wrong one is refused, whatever else it has."""
        said = headers.getlist("authorization")
        if not said:
            return False
        scheme, _, token = said[0].partition(" ")
        if len(said) == 1 and scheme.lower() == "bearer" and self._door.keys.is_token(token.strip()):
            return True
        raise _unknown()

    def _require_own_page(self, headers: Headers) -> None:
        """Refuse what another page of the web sends; who is no browser says nothing of pages."""
        host, origin = headers.get("host", ""), headers.get("origin")
        site = headers.get("sec-fetch-site", "same-origin")
        if site not in ("same-origin", "none") or (
            origin is not None and origin.lower() != f"{self._door.scheme}://{host}".lower()
        ):
            raise Refusal(
                403, "foreign_page", "This came from another page than the shop's own.", "use the page itself"
            )

    async def _require_csrf(self, headers: Headers, session: str, receive: Receive) -> Receive:
        said = headers.get(CSRF_HEADER, "")
        if not said and headers.get("content-type", "").partition(";")[0].strip().lower() == FORM:
            body = await _read_form(receive)
            said, receive = _find_csrf(body), _replay(body, receive)
        if not self._door.keys.is_csrf(session, said):
            raise Refusal(403, "no_csrf_token", "This form is too old, or not the shop's own.", "load the page again")
        return receive


def _unknown() -> Refusal:
    return Refusal(
        401,
        "unknown",
        "Only who has the shop's token is answered.",
        "send it as Authorization: Bearer TOKEN, or open the address that hansa-client serve printed",
        headers={"www-authenticate": "Bearer"},
    )


def _is_open(path: str, paths: tuple[str, ...]) -> bool:
    return any(path == each or (each.endswith("/") and path.startswith(each)) for each in paths)


def is_inference(path: str) -> bool:
    """Whether a path is of the inference protocol."""
    return path.startswith(f"{INFERENCE}/") or path == INFERENCE


def _largest(scope: Scope) -> int:
    if is_inference(scope["path"]):
        return LARGEST_TENSORS
    return LARGEST_IMPORT if scope["path"] == IMPORTS else LARGEST_BODY


def _limit(scope: Scope, headers: Headers, receive: Receive) -> _Limited:
    most = _largest(scope)
    said = headers.get("content-length", "0")
    if not said.isdecimal() or int(said) > most:
        raise _too_large(most)
    return _Limited(receive, most)


class _Limited:
    """Reads no more of a body than the path may take, and waits no longer than a slow sender may take.

    Attributes
    ----------
    refusal
        Why it reads no further: whoever reads a body may make another error of it.
    """

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._most, self._seen = receive, most, 0
        self._pace = Pace()
        self.refusal: Refusal | None = None

    async def __call__(self) -> Message:
        try:
            async with self._pace.next_piece():
                message = await self._receive()
        except TimeoutError as error:
            self.refusal = Refusal(408, "too_slow", "The body came too slowly.", "send it again")
            raise self.refusal from error
        piece = len(message.get("body", b""))
        self._seen += piece
        self._pace.note(piece)
        if self._seen > self._most:
            self.refusal = _too_large(self._most)
            raise self.refusal
        return message


def _too_large(most: int) -> Refusal:
    return Refusal(413, "too_large", f"A body may have {most:,} bytes here.", "send less at once")


async def _read_form(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > LARGEST_FORM:
            raise _too_large(LARGEST_FORM)
        if not message.get("more_body", False):
            return bytes(body)


def _find_csrf(body: bytes) -> str:
    """Find the page's word in a form.

    Raises
    ------
    Refusal
        The form has more fields than any of the page's own.
    """
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise Refusal(413, "too_large", f"A form may have {MOST_FIELDS:,} fields.", "send less at once") from error
    return fields.get(CSRF_FIELD, [""])[0]


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read once more."""
    told = False

    async def receive_again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


class _Guarded:
    """Sends the headers of every page along; and where a body was refused, that, whatever was made of it.

    Attributes
    ----------
    plainly
        Whether a refusal has the form of the inference protocol.
    """

    def __init__(self, send: Send, *, plainly: bool) -> None:
        self._send, self.plainly = send, plainly
        self._is_over = False
        self.limited: _Limited | None = None

    async def __call__(self, message: Message) -> None:
        if self._is_over:
            return
        if message["type"] == "http.response.start":
            refusal = None if self.limited is None else self.limited.refusal
            self.limited = None
            if refusal is not None:
                await answer(refusal, self, plainly=self.plainly)
                self._is_over = True
                return
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


async def answer(refusal: Refusal, send: Send, *, plainly: bool = False) -> None:
    """Answer with a refusal, and end the connection where a body may still be coming.

    Parameters
    ----------
    plainly
        In the form of the inference protocol, whose clients expect a text as `error`.
    """
    body = encode({"error": refusal.message}) if plainly else refusal.body
    headers = {"content-type": "application/json", "content-length": str(len(body)), **refusal.headers}
    if refusal.status in (408, 413, 431):
        headers["connection"] = "close"
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
