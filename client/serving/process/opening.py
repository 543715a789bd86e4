"""Open the page in a browser without its word on a command line, where every user of the machine could read it.

The browser is given a file for its owner's eyes, which leads on to the address with the word.
"""

from __future__ import annotations

import webbrowser
from html import escape
from pathlib import Path

from common.disk.file import replace_file

PAGE = """<!doctype html>
<html><head><meta charset="utf-8"><meta name="referrer" content="no-referrer"><title>hansa</title>
<meta http-equiv="refresh" content="0; url={address}"></head>
<body><p><a href="{address}">{address}</a></p></body></html>
"""
LED_ON = (
    b'<!doctype html><html><head><meta charset="utf-8"><title>hansa</title>'
    b'<meta http-equiv="refresh" content="0; url=/"></head><body><p><a href="/">hansa</a></p></body></html>'
)
"""What a browser is answered that was led here by the file: to a redirect from there it would send no strict cookie."""


def open_in_browser(address: str, file: Path) -> None:
    """Have the browser open an address that opens a session; where it does not, the address was printed too."""
    try:
        replace_file(file, PAGE.format(address=escape(address)).encode(), mode=0o600)
    except OSError:  # no room: the printed address opens the page as well
        return
    webbrowser.open(file.resolve().as_uri())
