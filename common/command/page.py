"""What every page has in common that hansa serves on loopback or writes as a file: who may ask, and what it may do.

A browser lets any page of the web send requests to loopback, and by a name that is made to lead there (DNS rebinding)
also read the answers. So whoever asks by another name than loopback's own is refused, on every path and method, and no
page may be framed, may load anything, or runs a script or style other than its own.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

REFUSED = 421  # misdirected: asked for by a name that is not ours
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'"
HEADERS: Mapping[str, str] = {
    "content-security-policy": f"{NOTHING}; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


def is_own_host(hosts: Iterable[str]) -> bool:
    """Whether the Host headers of a request are exactly one, and name loopback at any port.

    Any port, since a tunnel may end at another one; a page of the web has no name that is loopback's.
    """
    found = list(hosts)
    if len(found) != 1 or any(character in found[0] for character in "/\\@?# "):
        return False
    try:
        parts = urlsplit(f"//{found[0]}")
        name, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def allow(*, scripts: Iterable[str] = (), styles: Iterable[str] = (), itself: bool = False) -> str:
    """Write the content security policy of a page with these scripts and styles in it, and no others.

    Parameters
    ----------
    itself
        Whether it may ask the server that it came from.
    """
    allowed = [NOTHING]
    allowed += [f"script-src {' '.join(map(_hash, scripts))}"] if scripts else []
    allowed += [f"style-src {' '.join(map(_hash, styles))}"] if styles else []
    return "; ".join([*allowed, *(["connect-src 'self'"] if itself else [])])


def meta(policy: str) -> str:
    """Write the policy into a page that is a file, where nobody sends headers with it."""
    return (
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="referrer" content="no-referrer"><meta charset="utf-8">'
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
