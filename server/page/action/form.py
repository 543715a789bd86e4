"""Read a form that was sent: no larger and no slower than a plan or a request may be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request

from server.page.action.office import Refused

LARGEST_FORM = 256 << 10  # bytes
SECONDS = 20.0
TOO_LARGE, TOO_SLOW = 413, 408
FORM = "application/x-www-form-urlencoded"
Fields = Mapping[str, str]


async def read_form(request: Request) -> Fields:
    """Read the fields of a form; of one that is there twice the first.

    Raises
    ------
    Refused
        It is none, too large or too slow.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Refused("This is no form of the coordinator's page.")
    body = bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > LARGEST_FORM:
                    raise Refused(f"A form may have {LARGEST_FORM:,} bytes.", TOO_LARGE)
    except (TimeoutError, ClientDisconnect) as error:
        raise Refused("The form came too slowly; send it again.", TOO_SLOW) from error
    try:
        found = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise Refused("This is no form of the coordinator's page.") from error
    return {name: values[0] for name, values in found.items()}
