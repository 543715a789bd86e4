"""A line of the kernel that is another one is caught by the neighbour replay; one by default."""

from collections.abc import Callable
from pathlib import Path

import pytest

from client.audit.replay import replay_neighbours
from client.audit.subject import AuditSubject
from client.round.fused.build import find_compiler
from planted.kernel import FAULTS, KernelFault, planter

DOCUMENT = Path(__file__).parents[3] / "docs" / "audit.md"
DEFAULT = {"kernel-label-of-the-first"}
CASES = [pytest.param(fault, id=fault.name, marks=[pytest.mark.slow] * (fault.name not in DEFAULT)) for fault in FAULTS]
needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="there is no C++ compiler")


@needs_compiler
@pytest.mark.parametrize("fault", CASES)
def test_a_fault_of_the_kernel_is_caught(
    make_subject: Callable[..., AuditSubject], fault: KernelFault, tmp_path: Path
) -> None:
    subject = make_subject()
    with pytest.MonkeyPatch.context() as patch:
        planter(fault)(patch, tmp_path)
        assert replay_neighbours(subject, most_violations=1).violations


def test_the_faults_have_names_and_sentences_of_their_own_and_stand_in_the_documentation() -> None:
    assert len({fault.name for fault in FAULTS}) == len({fault.sentence for fault in FAULTS}) == len(FAULTS)
    lines = DOCUMENT.read_text().splitlines()
    assert [line for line in lines if line.startswith("| `kernel-")] == [
        f"| `{fault.name}` | {fault.severity} | {fault.sentence} |" for fault in FAULTS
    ]
