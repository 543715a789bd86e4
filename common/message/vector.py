"""The numbers of a message: flat vectors, as bytes that are read without trusting anything in them.

See `common.message.record` for what is around them, and docs/protocol.md §5.2.
"""

import hashlib
from io import BytesIO
from typing import Any

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from jaxtyping import Float32
from torch import Tensor

from common.errors import MessageError
from common.message.record import ABOUT, VALUES, VECTOR

PARAMETER_DTYPE = np.dtype("<f4")
TOTAL_DTYPE = np.dtype("<i8")


def hash_vector(vector: Float32[Tensor, " parameter"]) -> str:
    """Return the SHA-256, in hex, of a parameter vector's little-endian bytes."""
    return hashlib.sha256(vector.numpy(force=True).astype(PARAMETER_DTYPE).tobytes()).hexdigest()


def pack_vector(about: ConfigRecord, vector: Tensor, *, dtype: "np.dtype[Any]" = PARAMETER_DTYPE) -> RecordDict:
    """Put the records of a message with a vector together."""
    values = Array(vector.numpy(force=True).astype(dtype))
    return RecordDict({ABOUT: about, VECTOR: ArrayRecord({VALUES: values})})


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


def _npy_header(dtype: "np.dtype[Any]", size: int) -> bytes:
    buffer = BytesIO()
    description = {"descr": dtype.str, "fortran_order": False, "shape": (size,)}
    np.lib.format.write_array_header_1_0(buffer, description)
    return buffer.getvalue()
