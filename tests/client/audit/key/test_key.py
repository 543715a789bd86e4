import shutil
from pathlib import Path

import pytest

import client
import common
from client.audit.key import restart
from client.audit.key.entropy import check_source, check_streams, draw, given
from client.audit.key.restart import check_restarts
from common.privacy.noise import SecureNoise


# False alarm 1e-4 of the deviations, 1e-6 of numbers that come twice.
def test_the_key_of_the_noise_is_clean_over_draws_forks_copies_and_threads() -> None:
    assert check_source() == []
    assert check_streams(2_000) == []
    assert check_restarts(0) == []


def test_given_bytes_give_a_known_draw_and_the_system_s_own_come_back() -> None:
    with given(bytes(32)) as asked:
        first, again = draw(SecureNoise(), 8), draw(SecureNoise(), 8)
    assert first == again != draw(SecureNoise(), 8)
    assert asked == [32, 32]


def test_numbers_that_two_children_share_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    counter = iter(range(1, 10**9))
    monkeypatch.setattr(restart, "draw", lambda noise, size: tuple(next(counter) for _ in range(size)))
    found = check_restarts(0)
    assert [sentence.split(" share ")[0] for sentence in found] == ["forked processes and their parent"]


def test_a_child_that_dies_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def draw_once(noise: SecureNoise, size: int) -> tuple[int, ...]:
        calls.append(size)
        if len(calls) > 1:
            raise ValueError
        return tuple(range(size))

    monkeypatch.setattr(restart, "draw", draw_once)
    with pytest.raises(restart.Silent):
        restart._forked()


PLANTED = """
import itertools
_COUNT = itertools.count()


def _uniform_words(count: int) -> npt.NDArray[np.uint64]:
    cipher = Cipher(ChaCha20(key=bytes(32), nonce=next(_COUNT).to_bytes(16, "big")), mode=None)
    stream = cipher.encryptor().update(bytes(8 * count))
    return np.frombuffer(stream, dtype="<u8") >> np.uint64(64 - UNIFORM_BITS)


def _rounded_pairs("""


# Two fresh interpreters, which read the source anew: with a key that outlives a restart, and as it is.
@pytest.mark.slow
def test_fresh_processes_share_nothing_unless_their_source_is_faulty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_restarts(2) == []
    for package in (common, client):
        root = Path(package.__path__[0])
        shutil.copytree(root, tmp_path / root.name)
    source = tmp_path / "common" / "privacy" / "noise.py"
    source.write_text(source.read_text().replace("\ndef _rounded_pairs(", PLANTED, 1))
    monkeypatch.setattr("sys.path", [str(tmp_path), *__import__("sys").path])
    assert any("2 fresh processes share" in sentence for sentence in check_restarts(2))
