"""Who may ask: who has the shop's token, or a session of a browser that was opened with a word that opens once.

token                   32 bytes in a file for its owner's eyes; `Authorization: Bearer` says it
word                    part of the address that is printed when the server starts; opens one session, and no other
session                 a cookie: until when it holds, a number drawn by chance, and a MAC over both under the token
CSRF token              a MAC over the session under the token, which every form and script of the page sends along

So sessions outlive the server, and end with the token: remove its file, start again, and none holds any more.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import time
from hashlib import sha256
from pathlib import Path

from common.disk.file import replace_file
from common.disk.reading import read_file
from common.errors import ConfigError

TOKEN_FORM = re.compile(r"[A-Za-z0-9_-]{43}")
SESSION_SECONDS = 30 * 86_400
MOST_WORDS = 16  # that have not been used


class Keys:
    """What opens the API.

    Parameters
    ----------
    token
        As `read_or_make_token` gives it.
    """

    def __init__(self, token: str) -> None:
        self.token = token
        self._words: dict[str, None] = {}

    def is_token(self, said: str) -> bool:
        """Whether this is the token; how long that takes tells nothing of it."""
        return hmac.compare_digest(said.encode("utf-8", "replace"), self.token.encode())

    def make_word(self) -> str:
        """Make a word that opens one session."""
        while len(self._words) >= MOST_WORDS:
            self._words.pop(next(iter(self._words)))
        word = secrets.token_urlsafe(32)
        self._words[word] = None
        return word

    def use_word(self, word: str) -> bool:
        """Whether this word opens a session; it does so once."""
        return self._words.pop(word, False) is None

    def make_session(self) -> str:
        """Make what a browser keeps as a cookie."""
        said = f"{int(time.time()) + SESSION_SECONDS}.{secrets.token_urlsafe(16)}"
        return f"{said}.{self._sign('session', said)}"

    def is_session(self, cookie: str) -> bool:
        """Whether a cookie is a session that still holds."""
        said, _, sign = cookie.rpartition(".")
        until = said.partition(".")[0]
        if not hmac.compare_digest(sign.encode("utf-8", "replace"), self._sign("session", said).encode()):
            return False
        return until.isdecimal() and int(until) > time.time()

    def csrf_of(self, session: str) -> str:
        """Give the word that the page of a session sends along with whatever changes something."""
        return self._sign("csrf", session)

    def is_csrf(self, session: str, said: str) -> bool:
        """Whether this is that word."""
        return hmac.compare_digest(said.encode("utf-8", "replace"), self.csrf_of(session).encode())

    def _sign(self, purpose: str, said: str) -> str:
        return hmac.new(self.token.encode(), f"{purpose}:{said}".encode("utf-8", "replace"), sha256).hexdigest()


def read_or_make_token(path: Path) -> str:
    """Read the token of a shop, or draw one.

    Raises
    ------
    ConfigError
        The file cannot be used, or others may read it.
    """
    try:
        said = read_file(path).decode("ascii").strip()
        mode = path.stat().st_mode
    except FileNotFoundError:
        return _make_token(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"Cannot read {path}; remove it, and a new token is drawn.") from error
    if not TOKEN_FORM.fullmatch(said):
        raise ConfigError(f"{path} holds no token; remove it, and a new one is drawn.")
    if mode & 0o077:
        raise ConfigError(f"Others may read {path}, which opens your shop to them; remove it, and a new one is drawn.")
    return said


def _make_token(path: Path) -> str:
    token = secrets.token_urlsafe(32)
    try:
        replace_file(path, f"{token}\n".encode(), mode=0o600)
        os.chmod(path, 0o600)
    except OSError as error:
        raise ConfigError(f"Cannot write {path}: {error.strerror}; make the folder writable.") from error
    return token
