"""The head of a request, judged whole: every header is known, stands there once, and has a form of its sender's.

Where a header stands twice, two readers of one list may take different lines for the true one. So nothing of a request
is copied: what is passed on is built from the values that were judged, each once, and a head that holds anything else
is refused. The forms are those of Flower 1.42's fleet client, httpx, and `hansa-protocol` (docs/protocol.md §5.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from common.message.protocol import HEADER

KEY_HEADER = "flwr-public-key"
LARGEST_BODY = 40 << 20  # bytes: the largest model that privacy holds for, as a sum of 64-bit integers, and its frame
LONGEST_HEAD = 16 << 10  # bytes
PROTOBUF = "application/protobuf"
PULL, PULL_PARCEL, PUSH_PARCEL = "/v1/fleet/pull-messages", "/v1/hansa/pull-parcel", "/v1/hansa/push-parcel"
ACTIVATE, HEARTBEAT = "/v1/fleet/activate-node", "/v1/fleet/send-node-heartbeat"
NEWS = "/v1/hansa/news"  # of the gateway's own, not of those that it passes on
PULLS = frozenset({PULL, PULL_PARCEL})  # which may wait for a message
PASSED = frozenset(
    {
        ACTIVATE,
        "/v1/fleet/deactivate-node",
        HEARTBEAT,
        PULL,
        "/v1/fleet/push-messages",
        "/v1/fleet/pull-object",
        "/v1/fleet/push-object",
        "/v1/fleet/confirm-message-received",
        PULL_PARCEL,
        PUSH_PARCEL,
    }
)
_WORD = r"[A-Za-z0-9._+-]{1,64}"
PASSED_ON = {  # header, and its whole form
    "content-type": re.escape(PROTOBUF),
    "accept": re.escape(PROTOBUF),
    "flwr-package-name": _WORD,
    "flwr-package-version": _WORD,
    "flwr-component-name": _WORD,
    KEY_HEADER: r"[A-Za-z0-9+/]{1,600}={0,2}",
    "flwr-timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\+00:00",
    "flwr-signature": r"[A-Za-z0-9+/]{1,300}={0,2}",
}
HEARD = {  # what is for the gateway alone
    "host": r"[A-Za-z0-9._:\[\]-]{1,300}",
    "user-agent": r"[\x20-\x7e]{0,200}",
    "accept-encoding": r"[a-z0-9,;=.* -]{0,100}",
    "connection": r"(?i:keep-alive|close)",
    "content-length": r"0|[1-9]\d{0,8}",
    HEADER: r"[\x20-\x7e]{0,64}",  # anything else than a range is read as 1-1
}
FORMS = {name.encode(): re.compile(form.encode(), re.ASCII) for name, form in (PASSED_ON | HEARD).items()}
ANSWERED = re.compile(r"application/(protobuf|json)|text/plain(; ?charset=utf-8)?")


class Improper(Exception):
    """Report a head that is none of a merchant's; the text says why and quotes nothing of it."""


@dataclass(frozen=True)
class Head:
    """What a request says before its body, judged.

    Attributes
    ----------
    said
        Every header that it has, by name.
    """

    said: Mapping[str, str]

    @property
    def num_bytes(self) -> int:
        """How long the body is."""
        return int(self.said.get("content-length", "0"))

    def passed_on(self) -> list[tuple[str, str]]:
        """List what the SuperLink may see: judged values, once each."""
        return [(name, self.said[name]) for name in PASSED_ON if name in self.said]


def read_head(headers: Iterable[tuple[bytes, bytes]]) -> Head:
    """Judge a list of headers as it came over the wire, names in lower case.

    Raises
    ------
    Improper
        One is unknown, stands there twice, or has another form than its sender's.
    """
    said: dict[str, str] = {}
    for name, value in headers:
        form = FORMS.get(name)
        if form is None:
            raise Improper("an unknown header")
        known = name.decode()
        if known in said:
            raise Improper(f"the header {known} twice")
        if not form.fullmatch(value):
            raise Improper(f"a header {known} of no known form")
        said[known] = value.decode()
    return Head(said)


def read_path(scope: Mapping[str, Any]) -> str | None:
    """Return the published path that a request asks for with POST, or None.

    The very bytes of the request line are compared, before anything is decoded or put in order. No published path takes
    a query.
    """
    path = scope.get("raw_path", b"").decode("latin-1")
    is_asked = scope["method"] == "POST" and not scope.get("query_string", b"")
    return path if is_asked and path in PASSED else None


def read_kind(values: Iterable[str]) -> list[tuple[bytes, bytes]]:
    """Return what a merchant is told of the form of an answer: one content type that Flower has, or nothing."""
    match list(values):
        case [value] if ANSWERED.fullmatch(value):
            return [(b"content-type", value.encode())]
        case _:
            return []
