"""The contestants of a step do the same work: with neither clipping nor noise they make the same update."""

import pytest
import torch
from opacus.layers import DPGRU
from torch import nn

from client.round.fused.library import find_kernel
from common.model.gru import GRU
from simulation.bench import step
from simulation.bench.step import FEATURES, make_kernel_step, make_opacus_step, make_plain_step, make_private_step


def test_without_clipping_and_noise_all_contestants_make_the_same_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "CLIPPING_NORM", 1e6)
    monkeypatch.setattr(step, "NOISE_MULTIPLIER", 0.0)
    monkeypatch.setattr(step, "VIRTUAL_ENTITIES", 3)
    inputs = torch.randn(8, 5, FEATURES)
    ours, plain, opacus = GRU(FEATURES, 6), nn.GRU(FEATURES, 6, batch_first=True), DPGRU(FEATURES, 6, batch_first=True)
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    plain.load_state_dict(before)
    opacus.load_state_dict(before)
    kernel, fused = find_kernel(), GRU(FEATURES, 6)
    fused.load_state_dict(before)
    by_kernel = make_private_step(fused, inputs) if kernel is None else make_kernel_step(fused, inputs, kernel)
    steps = make_private_step(ours, inputs), by_kernel, make_plain_step(plain, inputs), make_opacus_step(opacus, inputs)
    for run in steps:
        run()
    for name, value in ours.state_dict().items():
        moved = value - before[name]
        assert moved.norm() > 0
        for other in (fused, plain, opacus):
            difference = (other.state_dict()[name] - value).norm()
            assert difference < 1e-3 * moved.norm() + 1e-6, name
