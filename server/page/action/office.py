"""Who may act on the page: a browser that was opened from the terminal, and a person who reads the terminal's code.

Two things have to come together, so that neither a page of the web, nor another user's browser, nor a wrong click acts:

1. the session of the browser that opened the printed address, its CSRF token, and a request from the page itself;
2. the code that stands on the terminal and in no page, and what is meant, typed: a member's name, a plan's hash.

Whoever guesses the code wrong too often closes the actions until `up` is started again. All of it ends with `up`.
"""

from __future__ import annotations

import hmac
import secrets
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers

from common.errors import HansaError
from common.http.token import Keys

LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # none that looks like another
CODE_LETTERS = 8
MOST_GUESSES = 10
FORBIDDEN, UNAUTHORIZED = 403, 401


class Refused(HansaError):
    """Somebody may not act.

    Attributes
    ----------
    status
        Of HTTP.
    """

    def __init__(self, sentence: str, status: int = FORBIDDEN) -> None:
        super().__init__(sentence)
        self.status = status


class Office:
    """What opens the actions.

    Parameters
    ----------
    port
        Of the page; the session's cookie is called by it, for a browser does not tell ports apart.

    Attributes
    ----------
    code
        What a person types with every action.
    """

    def __init__(self, port: int, code: str) -> None:
        self._keys, self.cookie, self.code = Keys(secrets.token_urlsafe(32)), f"hansa_coordinator_{port}", code
        self._guesses = 0

    def make_path(self) -> str:
        """Make an address that opens one session, once."""
        return f"/open/{self._keys.make_word()}"

    def open(self, word: str) -> str:
        """Give the session that a word opens.

        Raises
        ------
        Refused
            It was used, or is none.
        """
        if not self._keys.use_word(word):
            raise Refused("This address opens the page once, and it has been opened.", UNAUTHORIZED)
        return self._keys.make_session()

    def session_of(self, headers: Headers) -> str:
        """Give the session of a browser; "" where it has none that holds."""
        try:
            found = SimpleCookie("; ".join(headers.getlist("cookie"))).get(self.cookie)
        except CookieError:
            return ""
        return found.value if found is not None and self._keys.is_session(found.value) else ""

    def csrf_of(self, session: str) -> str:
        """Give what the forms of a session carry."""
        return self._keys.csrf_of(session)

    def require_own_page(self, headers: Headers, csrf: str) -> None:
        """Refuse what does not come from this page in a browser that was let in.

        Raises
        ------
        Refused
            It does not.
        """
        session = self.session_of(headers)
        if not session:
            raise Refused("Actions need the browser that opened the address on the terminal.", UNAUTHORIZED)
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
        if site not in ("same-origin", "none") or (
            origin is not None and origin.lower() != f"http://{headers.get('host', '')}".lower()
        ):
            raise Refused("This came from another page than the coordinator's own.")
        if not self._keys.is_csrf(session, csrf):
            raise Refused("This form is too old, or not the coordinator's own; load the page again.")

    def require_intent(self, code: str, *, typed: str, meant: str, fewest: int = 0) -> None:
        """Refuse who does not read the terminal's code, or types something else than is meant.

        Parameters
        ----------
        fewest
            How many first letters of it will do; 0 for all of them.

        Raises
        ------
        Refused
            Nothing is done.
        """
        if self._guesses >= MOST_GUESSES:
            raise Refused("The code was wrong too often; start hansa-server up again.")
        if not hmac.compare_digest(code.strip().upper().encode("utf-8", "replace"), self.code.encode()):
            self._guesses += 1
            raise Refused("This is not the code on the coordinator's terminal; nothing was done.")
        if typed != meant and not (fewest and len(typed) >= fewest and meant.startswith(typed)):
            raise Refused("What was typed is not what this is about; nothing was done.")
        self._guesses = 0


def make_office(port: int) -> Office:
    """Draw a code, and make what it opens."""
    return Office(port, "".join(secrets.choice(LETTERS) for _ in range(CODE_LETTERS)))
