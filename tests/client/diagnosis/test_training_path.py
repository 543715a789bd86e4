from pathlib import Path

import pytest
import torch

from client.diagnosis.training_path import explain_training
from client.round.fused import library
from client.round.fused.library import SWITCH, known_registers

CPU = torch.device("cpu")


def test_a_machine_with_a_kernel_says_so_and_one_that_was_told_not_to_use_it_says_who_told_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    kernel = library.find_kernel()
    if kernel is not None:
        assert explain_training(CPU).endswith(f"by the compiled kernel, {kernel.lanes} entities at a time")
    monkeypatch.setenv(SWITCH, "torch")
    assert f"by torch, since {SWITCH}=torch is set" in explain_training(CPU)


@pytest.mark.skipif(not known_registers(), reason="there is no kernel for this kind of processor")
def test_a_machine_without_a_kernel_is_told_to_compile_it_and_first_to_install_a_compiler_where_it_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.setattr(library, "library_path", lambda registers: tmp_path / f"{registers}.so")
    compiler = tmp_path / "g++"
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    said = explain_training(CPU)
    assert "by torch" in said
    assert "install a C++ compiler" in said
    assert said.endswith("run: python -m client.round.fused.build")
    compiler.write_bytes(b"#!/bin/sh\n")
    compiler.chmod(0o755)
    assert "install" not in explain_training(CPU)
    for registers in known_registers():
        (tmp_path / f"{registers}.so").write_bytes(b"not a library")
    library._load.cache_clear()
    try:
        assert "cannot be loaded" in explain_training(CPU)
    finally:
        library._load.cache_clear()


def test_a_processor_that_no_kernel_is_written_for_computes_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.setattr(library.platform, "machine", lambda: "abacus")
    assert "does not know this kind of processor" in explain_training(CPU)
