"""Tensors of the protocol: a name, a datatype, a shape, and the values as an array.

Binary values are little-endian, row by row; a BYTES element is four bytes of length and so many bytes (Triton's
extension `binary_tensor_data`).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

import numpy as np

from client.serving.inference.fault import invalid

BYTES: Final = "BYTES"
TYPES: Final[dict[str, np.dtype]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    BYTES: np.dtype(object),
}
LEGAL: Final[dict[str, set[type]]] = {"b": {bool}, "f": {int, float, type(None)}}  # of JSON, by numpy's kinds
MOST_DIMENSIONS = 8
MOST_ELEMENTS = 4_000_000  # of one tensor
LENGTH = struct.Struct("<I")


@dataclass(frozen=True, eq=False)
class Tensor:
    """One input or output.

    Attributes
    ----------
    values
        Of the shape; elements of BYTES are bytes.
    written
        The values as a JSON list, where they have been written before.
    """

    name: str
    datatype: str
    values: np.ndarray
    written: bytes | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the dimensions."""
        return tuple(self.values.shape)


def require_type(name: str, datatype: object) -> str:
    """Refuse a datatype that the protocol, or numpy, has not."""
    if not isinstance(datatype, str) or datatype not in TYPES:
        raise invalid(f"The datatype {str(datatype)[:40]!r} of {name!r} is none of {', '.join(TYPES)}.")
    return datatype


def require_shape(name: str, shape: object) -> tuple[int, ...]:
    """Refuse what is no shape, or is larger than anything that is asked here."""
    sizes = tuple(shape) if isinstance(shape, Sequence) and not isinstance(shape, str) else None
    if sizes is None or any(type(size) is not int or size < 0 for size in sizes):
        raise invalid(f"The shape of {name!r} is no list of whole numbers of 0 or more.")
    if len(sizes) > MOST_DIMENSIONS or math.prod(sizes) > MOST_ELEMENTS:
        raise invalid(f"The shape of {name!r} has more than {MOST_DIMENSIONS} dimensions or {MOST_ELEMENTS} elements.")
    return sizes


def from_binary(name: str, datatype: str, shape: tuple[int, ...], raw: bytes | memoryview) -> Tensor:
    """Read the values of a tensor from bytes.

    Raises
    ------
    InferenceFault
        They are not as many as the shape says.
    """
    number, dtype = math.prod(shape), TYPES[datatype]
    if datatype == BYTES:
        return Tensor(name, datatype, _read_bytes(name, number, memoryview(raw)).reshape(shape))
    if len(raw) != number * dtype.itemsize:
        raise invalid(
            f"{name!r} of {datatype} and shape {list(shape)} has {number * dtype.itemsize} bytes, and {len(raw)} came."
        )
    return Tensor(name, datatype, np.frombuffer(raw, dtype).reshape(shape))


def _read_bytes(name: str, number: int, raw: memoryview) -> np.ndarray:
    found, start = np.empty(number, object), 0
    for place in range(number):
        if start + LENGTH.size > len(raw):
            raise invalid(f"{name!r} has fewer elements than its shape says.")
        (length,) = LENGTH.unpack_from(raw, start)
        start += LENGTH.size
        if start + length > len(raw):
            raise invalid(f"An element of {name!r} is longer than the bytes that came.")
        found[place] = bytes(raw[start : start + length])
        start += length
    if start != len(raw):
        raise invalid(f"{name!r} has more bytes than its shape says.")
    return found


def to_binary(tensor: Tensor) -> bytes:
    """Write the values of a tensor as bytes."""
    if tensor.datatype != BYTES:
        return np.ascontiguousarray(tensor.values, TYPES[tensor.datatype]).tobytes()
    return b"".join(LENGTH.pack(len(each)) + each for each in tensor.values.ravel())


def from_list(name: str, datatype: str, shape: tuple[int, ...], data: object) -> Tensor:
    """Read the values of a tensor from a JSON list, flat or nested; null is no number, and only floats have that.

    Raises
    ------
    InferenceFault
        They are not as many as the shape says, or of another type.
    """
    number, flat = math.prod(shape), _flatten(name, data)
    if len(flat) != number:
        raise invalid(f"{name!r} of shape {list(shape)} has {number} elements, and {len(flat)} came.")
    values = np.empty(number, object)
    if datatype == BYTES:
        values[:] = [each.encode() if type(each) is str else _no(name, datatype) for each in flat]
        return Tensor(name, datatype, values.reshape(shape))
    dtype = TYPES[datatype]
    if not {type(each) for each in flat} <= LEGAL.get(dtype.kind, {int}):
        _no(name, datatype)
    try:
        return Tensor(name, datatype, np.array(flat, dtype).reshape(shape))
    except (OverflowError, ValueError) as error:
        raise invalid(f"An element of {name!r} is too large for {datatype}.") from error


def _flatten(name: str, data: object) -> list[object]:
    """Lay nested lists out in a row."""
    if not isinstance(data, list):
        raise invalid(f"The data of {name!r} is no list.")
    for _ in range(MOST_DIMENSIONS):
        if list not in set(map(type, data)):
            return data
        if set(map(type, data)) != {list}:
            raise invalid(f"The data of {name!r} is nested unevenly.")
        data = [each for part in data for each in part]
    raise invalid(f"The data of {name!r} is nested more than {MOST_DIMENSIONS} deep.")


def _no(name: str, datatype: str) -> NoReturn:
    raise invalid(f"An element of {name!r} is no {datatype}.")


def to_list(tensor: Tensor) -> list[object]:
    """Write the values of a tensor in a row, for JSON.

    Raises
    ------
    InferenceFault
        Bytes are no text.
    """
    flat = tensor.values.ravel()
    if tensor.datatype != BYTES:
        return flat.tolist()
    try:
        return [each.decode() for each in flat]
    except UnicodeDecodeError as error:
        raise invalid(f"{tensor.name!r} is no text; ask for it in binary.") from error
