"""The server's state on disk: one safetensors file that is there whole or not at all.

The file's metadata names the plan, the round, and a SHA-256 over these and the tensors, since safetensors
itself does not notice a flipped bit. See docs/protocol.md §8.3.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from common.disk.file import write_whole
from common.disk.reading import require_file
from common.errors import ConfigError, DataError
from common.schema import SCHEMA, require_schema
from server.round.optimizer import ServerState

TENSORS = ("parameters", "first_moment", "second_moment", "average")
METADATA = {"plan_hash", "round_number", "sha256"}


def save_checkpoint(state: ServerState, path: Path, *, plan_hash: str) -> None:
    """Write the state so that a crash at any moment leaves the old file or the new one.

    Parameters
    ----------
    state
        The state after a round.
    path
        Where to write.
    plan_hash
        The plan under which the state was reached.

    Raises
    ------
    ConfigError
        The disk is full, or the folder cannot be written.
    """
    tensors = {name: getattr(state, name).contiguous() for name in TENSORS}
    metadata = {"schema": str(SCHEMA), "plan_hash": plan_hash, "round_number": str(state.round_number)}
    metadata["sha256"] = _hash(tensors, metadata)
    write_whole(path, save(tensors, metadata))


def load_checkpoint(path: Path, *, plan_hash: str, size: int) -> ServerState:
    """Read a state that `save_checkpoint` wrote, bit for bit.

    Parameters
    ----------
    path
        The file.
    plan_hash
        The plan that is to go on.
    size
        The number of parameters of its model.

    Returns
    -------
    ServerState
        In double precision, on the CPU.

    Raises
    ------
    DataError
        If there is no such file, it is damaged, or a later version wrote it.
    ConfigError
        If the file belongs to another plan.
    """
    try:
        require_file(path)
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in TENSORS}
    except FileNotFoundError as error:
        raise DataError(f"There is no checkpoint {path}; start the run from its first round.") from error
    except (SafetensorError, OSError) as error:
        raise _damage(path) from error
    require_schema(metadata.pop("schema", SCHEMA), origin=path)
    if not _is_whole(tensors, metadata):
        raise _damage(path)
    if metadata["plan_hash"] != plan_hash or len(tensors["parameters"]) != size:
        raise ConfigError(f"{path} is a checkpoint of another plan; go on under that one or name another file.")
    return ServerState(int(metadata["round_number"]), **tensors)


def _is_whole(tensors: dict[str, Tensor], metadata: dict[str, str]) -> bool:
    if set(metadata) != METADATA or not metadata["round_number"].isdecimal():
        return False
    shapes = {(tensor.dtype, tensor.dim(), tensor.numel()) for tensor in tensors.values()}
    plain = {(torch.float64, 1, tensors["parameters"].numel())}
    return shapes == plain and metadata["sha256"] == _hash(tensors, metadata)


def _hash(tensors: dict[str, Tensor], metadata: dict[str, str]) -> str:
    digest = hashlib.sha256(f"{metadata['plan_hash']} {metadata['round_number']} ".encode())
    for name in TENSORS:
        digest.update(tensors[name].numpy(force=True).tobytes())
    return digest.hexdigest()


def _damage(path: Path) -> DataError:
    return DataError(f"{path} is damaged or no checkpoint; put a copy in its place, or start without it.")
