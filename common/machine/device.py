"""Where a merchant computes."""

from __future__ import annotations

import torch

from common.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """Choose by name; auto takes a GPU where there is one.

    Raises
    ------
    ConfigError
        The name is another one, or there is no such device.
    """
    if name not in {"auto", "cpu", "cuda"}:
        raise ConfigError(f"--device {name} is none of auto, cpu, cuda.")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ConfigError("--device cuda: this machine shows no CUDA device; use --device auto.")
    return torch.device("cuda" if there and name != "cpu" else "cpu")
