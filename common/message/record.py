"""The form that every message has, read without trusting anything in it.

A message holds one `ConfigRecord` named "about" and, where numbers travel, one `ArrayRecord` named "vector" with one
flat array "values". A record, a field or a byte more than a message's table says is refused, as is one less. Errors
name what is allowed and never quote what arrived: a stranger's text has no place in our logs.
See docs/protocol.md §5.2.
"""

import hashlib
import math
import re
from io import BytesIO
from typing import Any

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from jaxtyping import Float32
from torch import Tensor

from common.errors import MessageError

ABOUT, VECTOR, VALUES = "about", "vector", "values"
PARAMETER_DTYPE = np.dtype("<f4")
TOTAL_DTYPE = np.dtype("<i8")


def hash_vector(vector: Float32[Tensor, " parameter"]) -> str:
    """Return the SHA-256, in hex, of a parameter vector's little-endian bytes."""
    return hashlib.sha256(vector.numpy(force=True).astype(PARAMETER_DTYPE).tobytes()).hexdigest()


def pack(about: ConfigRecord, vector: Tensor | None = None, *, dtype: "np.dtype[Any]" = PARAMETER_DTYPE) -> RecordDict:
    """Put a message's records together."""
    if vector is None:
        return RecordDict({ABOUT: about})
    values = Array(vector.numpy(force=True).astype(dtype))
    return RecordDict({ABOUT: about, VECTOR: ArrayRecord({VALUES: values})})


def unpack(record: RecordDict, *, fields: frozenset[str]) -> tuple[ConfigRecord, Array]:
    """Take a message with a vector apart.

    Raises
    ------
    MessageError
        If a record or a field is missing or additional.
    """
    if set(record) != {ABOUT, VECTOR}:
        raise MessageError(f"A message holds other records than '{ABOUT}' and '{VECTOR}'; send these two alone.")
    about, vector = record[ABOUT], record[VECTOR]
    if not isinstance(about, ConfigRecord) or not isinstance(vector, ArrayRecord):
        raise MessageError(f"A message's '{ABOUT}' must be a ConfigRecord and its '{VECTOR}' an ArrayRecord.")
    _check_fields(about, fields)
    if set(vector) != {VALUES}:
        raise MessageError(f"The '{VECTOR}' of a message must hold one array '{VALUES}' and nothing else.")
    return about, vector[VALUES]


def unpack_about(record: RecordDict, *, fields: frozenset[str]) -> ConfigRecord:
    """Take a message without a vector apart.

    Raises
    ------
    MessageError
        If a record or a field is missing or additional.
    """
    if set(record) != {ABOUT} or not isinstance(about := record[ABOUT], ConfigRecord):
        raise MessageError(f"A message holds other records than one ConfigRecord '{ABOUT}'; send this one alone.")
    _check_fields(about, fields)
    return about


def read_text(about: ConfigRecord, name: str) -> str:
    """Read a field that is text."""
    value = about[name]
    if not isinstance(value, str):
        raise MessageError(f"The {name} of a message is not text; send a SHA-256 in hex.")
    return value


def read_whole(about: ConfigRecord, name: str) -> int:
    """Read a field that is a whole number."""
    value = about[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise MessageError(f"The {name} of a message is not a whole number; send an integer.")
    return value


def read_number(about: ConfigRecord, name: str) -> float:
    """Read a field that is a finite number."""
    value = about[name]
    if not isinstance(value, float) or not math.isfinite(value):
        raise MessageError(f"The {name} of a message is not a finite number; send a float.")
    return value


def read_bytes(about: ConfigRecord, name: str, *, most: int) -> bytes:
    """Read a field that is bytes, `most` of them at most."""
    value = about[name]
    if not isinstance(value, bytes) or len(value) > most:
        raise MessageError(f"The {name} of a message is not bytes, or more than {most} of them; send fewer.")
    return value


def check_hash(value: str, name: str) -> None:
    """Refuse what is no SHA-256 in lower-case hex."""
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise MessageError(f"The {name} of a message is not 64 lower-case hex digits; send a SHA-256.")


def read_vector(array: Array, *, dtype: "np.dtype[Any]", size: int) -> Tensor:
    """Take the numbers out of Flower's .npy bytes without parsing a header that a stranger wrote.

    One header is right for this dtype and size, so the bytes must start with exactly that one: no pickle can
    hide behind it, no other shape or order, and no text in its padding.
    """
    header = _npy_header(dtype, size)
    described = (array.stype, array.dtype, tuple(array.shape))
    if described != ("numpy.ndarray", dtype.name, (size,)):
        raise MessageError(
            f"The vector of a message is not {size} numbers of type {dtype.name}; send the plan's model."
        )
    if not array.data.startswith(header) or len(array.data) != len(header) + size * dtype.itemsize:
        raise MessageError(f"The bytes of a message's vector are not {size} plain {dtype.name} numbers in .npy form.")
    values = np.frombuffer(array.data, dtype=dtype, count=size, offset=len(header))
    return torch.from_numpy(values.astype(dtype.newbyteorder("=")))


def read_numbers(about: ConfigRecord, name: str, *, dtype: "np.dtype[Any]", size: int) -> Tensor:
    """Read a field that is the bytes of exactly so many numbers."""
    value = about[name]
    if not isinstance(value, bytes) or len(value) != size * dtype.itemsize:
        raise MessageError(
            f"The {name} of a message is not the bytes of {size} {dtype.name} numbers; send these alone."
        )
    return torch.from_numpy(np.frombuffer(value, dtype=dtype).astype(dtype.newbyteorder("=")))


def check_parameters(parameters: Float32[Tensor, " parameter"], model_hash: str) -> None:
    """Refuse parameters that are not finite or not those that `model_hash` names."""
    if not bool(torch.isfinite(parameters).all()):
        raise MessageError("The model of a message has parameters that are not finite; restart from a good one.")
    if model_hash != hash_vector(parameters):
        raise MessageError("The model of a message does not match its model_hash; have it sent again.")


def _check_fields(about: ConfigRecord, fields: frozenset[str]) -> None:
    if set(about) != fields:
        raise MessageError(f"The '{ABOUT}' of a message must hold {', '.join(sorted(fields))} and nothing else.")


def _npy_header(dtype: "np.dtype[Any]", size: int) -> bytes:
    buffer = BytesIO()
    description = {"descr": dtype.str, "fortran_order": False, "shape": (size,)}
    np.lib.format.write_array_header_1_0(buffer, description)
    return buffer.getvalue()
