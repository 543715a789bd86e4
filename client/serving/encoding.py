"""JSON as it is served and kept: what is no finite number is null, days are text."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json


def encode(value: Any) -> bytes:
    """Write a value as JSON; NaN and infinities become null, numbers of numpy plain ones."""
    return to_json(value, inf_nan_mode="null", fallback=_plain)


def _plain(value: Any) -> Any:
    """Turn what numpy gives into plain values."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
