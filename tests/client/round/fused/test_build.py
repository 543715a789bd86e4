import shutil
from pathlib import Path

import pytest

from client.round.fused import build as module
from client.round.fused.build import FOLDER, SOURCES, TARGETS, build, find_compiler, library_path
from client.round.fused.library import NEEDED

REGISTERS = [registers for target in TARGETS.values() for registers, _, _ in target]


def test_a_machine_without_a_compiler_builds_nothing_and_does_not_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert find_compiler() is None
    assert build(tmp_path) == list(tmp_path.iterdir()) == []


def test_a_compiler_that_fails_leaves_nothing_and_what_others_built_before_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kernel-avx2-0123.so").write_bytes(b"of an older version")
    assert build(tmp_path, compiler=shutil.which("false")) == list(tmp_path.iterdir()) == []
    assert not TARGETS.get(module.platform.machine()) or "could not be compiled" in capsys.readouterr().err


def test_a_library_s_name_follows_its_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = library_path("avx2")
    for name in SOURCES:
        shutil.copy(FOLDER / name, tmp_path)
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    assert library_path("avx2") == before
    (tmp_path / SOURCES[-1]).write_text("another")
    assert library_path("avx2") != before


def test_every_source_belongs_to_the_name_and_every_kind_of_register_is_looked_for() -> None:
    assert {path.name for path in FOLDER.glob("*.?pp")} == set(SOURCES)
    assert set(NEEDED) == set(REGISTERS)
