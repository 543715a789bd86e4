"""Bodies that come, and go, compressed as Triton's clients ask for it: gzip, or deflate in zlib's wrapping."""

from __future__ import annotations

import gzip
import zlib

from client.serving.inference.fault import InferenceFault, Kind, invalid

WORTH_BYTES = 1024  # a shorter answer is not made shorter
LEVEL = 1
EITHER = 32 + zlib.MAX_WBITS  # zlib tells gzip and deflate apart by their heads


def expand(body: bytes, encoding: str, *, most_bytes: int) -> bytes:
    """Undo the compression of a body.

    Raises
    ------
    InferenceFault
        It is damaged, longer than it may be, or compressed in another way.
    """
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "deflate"):
        raise invalid(f"The content encoding {encoding[:40]!r} is not offered; send gzip, deflate or neither.")
    expander = zlib.decompressobj(EITHER)
    try:
        found = expander.decompress(body, most_bytes + 1)
    except zlib.error as error:
        raise invalid(f"The body is not what its content encoding {encoding} says.") from error
    if len(found) > most_bytes:
        raise too_large(most_bytes)
    if not expander.eof or expander.unused_data:
        raise invalid(f"The body is not what its content encoding {encoding} says.")
    return found


def compress(body: bytes, accepted: str) -> tuple[bytes, str]:
    """Compress a body as the caller accepts it, where that is worth it; give it and the name of the encoding."""
    if len(body) >= WORTH_BYTES:
        offered = {
            each.split(";")[0].strip().lower() for each in accepted.split(",") if ";q=0" not in each.replace(" ", "")
        }
        if "gzip" in offered:
            return gzip.compress(body, LEVEL), "gzip"
        if "deflate" in offered:
            return zlib.compress(body, LEVEL), "deflate"
    return body, ""


def too_large(most_bytes: int) -> InferenceFault:
    """Say that a body is longer than it may be."""
    return InferenceFault(Kind.TOO_LARGE, f"The body is longer than {most_bytes} bytes; ask for less at once.")
