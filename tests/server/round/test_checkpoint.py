import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from common.errors import ConfigError, DataError
from server.round.checkpoint import load_checkpoint, save_checkpoint
from server.round.optimizer import ServerState

SIZE = 50
PLAN_HASH, OTHER_HASH = "a" * 64, "b" * 64


def make_state(*, round_number: int = 7, seed: int = 3) -> ServerState:
    generator = torch.Generator().manual_seed(seed)
    tensors = [torch.randn(SIZE, generator=generator, dtype=torch.float64) / 3 for _ in range(4)]
    return ServerState(round_number, *tensors)


def bits(state: ServerState) -> list[object]:
    values = vars(state).values()
    return [value.numpy().tobytes() if isinstance(value, torch.Tensor) else value for value in values]


def load(path: Path, *, plan_hash: str = PLAN_HASH, size: int = SIZE) -> ServerState:
    return load_checkpoint(path, plan_hash=plan_hash, size=size)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state.safetensors"
    save_checkpoint(make_state(), path, plan_hash=PLAN_HASH)
    return path


def test_a_checkpoint_gives_back_every_bit(path: Path) -> None:
    assert bits(load(path)) == bits(make_state())


def test_a_later_checkpoint_takes_the_place_of_the_earlier_and_leaves_nothing_beside_it(path: Path) -> None:
    save_checkpoint(make_state(round_number=8, seed=4), path, plan_hash=PLAN_HASH)
    assert bits(load(path)) == bits(make_state(round_number=8, seed=4))
    assert os.listdir(path.parent) == [path.name]


def test_a_crash_while_writing_leaves_the_old_checkpoint(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", crash)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(make_state(round_number=8, seed=4), path, plan_hash=PLAN_HASH)
    assert bits(load(path)) == bits(make_state())
    save_checkpoint(make_state(round_number=9), path, plan_hash=PLAN_HASH)
    assert load(path).round_number == 9


@pytest.mark.parametrize("terms", [{"plan_hash": OTHER_HASH}, {"size": SIZE + 1}])
def test_a_checkpoint_of_another_plan_is_refused_in_one_sentence(path: Path, terms: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="is a checkpoint of another plan; go on under that one") as refused:
        load(path, **terms)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kept", [0, 4, 200, -1])
def test_a_shortened_file_is_damaged(path: Path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match="is damaged or no checkpoint"):
        load(path)


@pytest.mark.parametrize("place", [-1, -8 * SIZE * 2])
def test_one_flipped_bit_in_the_numbers_is_noticed(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="is damaged or no checkpoint"):
        load(path)


def test_another_round_in_the_header_is_noticed(path: Path) -> None:
    content = path.read_bytes()
    assert content.count(b'"round_number":"7"') == 1
    path.write_bytes(content.replace(b'"round_number":"7"', b'"round_number":"3"'))
    with pytest.raises(DataError, match="is damaged or no checkpoint"):
        load(path)


def test_a_file_of_something_else_is_no_checkpoint(path: Path) -> None:
    tensors = load_file(path)
    save_file(tensors, path)  # no metadata
    with pytest.raises(DataError, match="is damaged or no checkpoint"):
        load(path)
    path.write_text("round_number = 7")
    with pytest.raises(DataError, match="is damaged or no checkpoint"):
        load(path)


def test_a_missing_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no checkpoint .*; start the run from its first round"):
        load(tmp_path / "none.safetensors")
