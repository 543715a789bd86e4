"""Whether the kernel keeps the gradients of a block or works them out anew, as it does for few, changes no bit."""

import re
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from client.round.fused.build import FOLDER
from client.round.fused.library import Kernel, Task
from client.round.fused.step import SQUARED_STATES, FusedStep
from common.data.panel import Panel
from common.model.demand_gru import DemandGRU, freeze
from common.model.features import Examples, Series, cut_training
from common.model.gru import NAMES
from common.privacy.mechanism import Mechanism

MECHANISM = Mechanism(clipping_norm=0.05, noise_multiplier=1.0)
FEATURES, HIDDEN, STEPS = 5, 61, 400  # so long and wide that its steps are added up in several parts


def most_without_gradients(kernel: Kernel) -> int:
    """Read from the sources for how many entities none are kept."""
    (blocks,) = re.findall(r"LEAN_BLOCKS = (\d+);", (FOLDER / "task.hpp").read_text())
    return int(blocks) * kernel.lanes


def check(sum_of: Callable[[list[int]], Tensor], most: int) -> None:
    """Let entities join one by one, until gradients are kept: each adds what it adds alone."""
    company = [place % 5 for place in range(most + 2)]
    alone = [sum_of([place]) for place in range(5)]
    for fewer, more in pairwise((most - 1, most, most + 1, most + 2)):
        assert torch.equal(sum_of(company[:more]) - sum_of(company[:fewer]), alone[company[fewer]])
    assert all(each.any() for each in alone)


@pytest.mark.parametrize("trained", ["all", "decoder", "output"])
def test_an_entity_adds_the_same_to_few_as_to_many(
    kernel: Kernel,
    make_series: Callable[..., Series],
    make_panel: Callable[..., Panel],
    make_awake_model: Callable[..., DemandGRU],
    pick: Callable[[Examples, list[int]], Examples],
    trained: str,
) -> None:
    series = make_series(make_panel(), horizon_days=6, bucket_days=2, direct=trained != "all")
    step = FusedStep(freeze(make_awake_model(series).float(), trained), kernel)
    examples = cut_training(series, 1)
    check(lambda rows: step.contribution(pick(examples, rows), MECHANISM), most_without_gradients(kernel))


def test_an_entity_adds_the_same_where_its_steps_are_added_up_in_parts(kernel: Kernel) -> None:
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(5, STEPS, FEATURES, generator=generator)
    shapes = (3 * HIDDEN, FEATURES), (3 * HIDDEN, HIDDEN), (3 * HIDDEN,), (3 * HIDDEN,)
    weights = {
        name: 0.1 * torch.randn(shape, generator=generator).numpy() for name, shape in zip(NAMES, shapes, strict=True)
    }

    def sum_of(rows: list[int]) -> Tensor:
        total = np.zeros(sum(array.size for array in weights.values()), np.int64)
        arrays = weights | {"inputs": inputs[rows].numpy(), "total": total}
        sizes = {"entities": len(rows), "steps": STEPS, "features": FEATURES, "hidden": HIDDEN}
        kinds = {"likelihood": SQUARED_STATES, "parameters": len(total)}
        norm = {"clipping_norm": 1.0, "bound": 1.0, "lattice_step": MECHANISM.lattice_step}
        kernel.run(Task(**sizes, **kinds, **norm, **{name: array.ctypes.data for name, array in arrays.items()}))
        return torch.from_numpy(total)

    check(sum_of, most_without_gradients(kernel))
