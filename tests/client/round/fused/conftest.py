import platform

import pytest

from client.round.fused.build import TARGETS, library_path
from client.round.fused.library import NEEDED, Kernel, _processor_flags


def runnable() -> list[str]:
    """Name the registers for which a kernel is compiled, and which this processor has."""
    return [
        registers
        for registers, _, _ in TARGETS.get(platform.machine(), ())
        if library_path(registers).exists() and _processor_flags().issuperset(NEEDED[registers])
    ]


@pytest.fixture(params=runnable() or [None])
def kernel(request: pytest.FixtureRequest) -> Kernel:
    """Give the kernel, once for every width of registers."""
    if request.param is None:
        pytest.skip("no kernel is compiled for this processor: run python -m client.round.fused.build")
    return Kernel(library_path(request.param))
