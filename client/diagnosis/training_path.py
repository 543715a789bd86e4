"""What computes a round here: the compiled kernel, or torch; and where it is torch, what to do about it."""

from __future__ import annotations

import os

import torch

from client.round.fused.build import COMPILERS, find_compiler
from client.round.fused.library import SWITCH, find_kernel, has_library, known_registers

BUILD = "python -m client.round.fused.build"


def explain_training(device: torch.device) -> str:
    """Say on what this machine computes a round, and by what; one line."""
    if device.type == "cuda":
        return f"computes on {torch.cuda.get_device_name(device)}, by torch"
    return f"computes on {os.cpu_count()} CPU cores, {_explain_path()}"


def _explain_path() -> str:
    if os.environ.get(SWITCH) == "torch":
        return f"by torch, since {SWITCH}=torch is set; without it a compiled kernel is used, which is faster"
    if not known_registers():
        return "by torch: the compiled kernel, which is faster, does not know this kind of processor"
    if has_library():
        kernel = find_kernel()
        if kernel is not None:
            return f"by the compiled kernel, {kernel.lanes} entities at a time"
        return f"by torch: the compiled kernel, which is faster, cannot be loaded; compile it again: {BUILD}"
    first = "" if find_compiler() else f"install a C++ compiler ({', '.join(COMPILERS)}), such as g++, and "
    return f"by torch: the kernel, about four times as fast, is not compiled; {first}run: {BUILD}"
