"""Faults that need a restart or a fork, a late round, many entities, a large model, a second channel, or the ledger."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from flwr.app import RecordDict
from torch import Tensor

from client.account.ledger.answer_log import LedgerAnswerLog
from client.account.ledger.ledger import Ledger
from client.data import table
from client.round import answers
from client.round.answers import Answers
from common.model import features
from common.privacy import mechanism, noise
from common.privacy.clipping import clip
from common.privacy.noise import SecureNoise
from planted.fault import on_torch

Patch = pytest.MonkeyPatch


def words_of(key: bytes, nonce: int, count: int) -> np.ndarray:
    cipher = Cipher(ChaCha20(key=key, nonce=nonce.to_bytes(16, "little")), mode=None)
    return np.frombuffer(cipher.encryptor().update(bytes(8 * count)), dtype="<u8") >> np.uint64(11)


def key_of_the_disk(patch: Patch, folder: Path) -> None:
    """Keep the key in a file, and count the draws of this process: after a restart both are what they were."""
    path, drawn = folder / "noise.key", [0]

    def draw(count: int) -> np.ndarray:
        if not path.exists():
            path.write_bytes(noise.os.urandom(32))
        drawn[0] += 1
        return words_of(path.read_bytes(), drawn[0] << 64, count)

    patch.setattr(noise, "_uniform_words", draw)


def key_of(num_bytes: int) -> Callable[[Patch, Path], None]:
    """Take fewer bytes from the operating system, and fill the key up."""

    def plant(patch: Patch, folder: Path) -> None:
        def draw(count: int) -> np.ndarray:
            return words_of(noise.os.urandom(num_bytes) + bytes(32 - num_bytes), 0, count)

        patch.setattr(noise, "_uniform_words", draw)

    return plant


def hashed_key(patch: Patch, folder: Path) -> None:
    """Take 256 bits, and use 20 of them all."""

    def draw(count: int) -> np.ndarray:
        folded = int.from_bytes(noise.os.urandom(32), "little") % 1_048_573
        return words_of(folded.to_bytes(32, "little"), 0, count)

    patch.setattr(noise, "_uniform_words", draw)


def leftover(patch: Patch, folder: Path) -> None:
    """Keep the second of a pair of Gaussians for the next draw."""
    integers, left = SecureNoise.integers, list[int]()

    def draw(self: SecureNoise, size: int, std: float) -> Tensor:
        kept = [left.pop()] if left else []
        drawn = integers(self, size + size % 2, std).tolist()
        every = [*kept, *drawn]
        left.extend(every[size : size + 1])
        return torch.tensor(every[:size], dtype=torch.int64)

    patch.setattr(SecureNoise, "integers", draw)


def halved_from(first: int) -> Callable[[Patch, Path], None]:
    def plant(patch: Patch, folder: Path) -> None:
        train_round = answers.train_round
        train = Answers._train

        def faulty(self: Answers, request: Any) -> Any:
            late = request.round_number >= first

            def weaker(*arguments: Any, mechanism: Any, **rest: Any) -> Tensor:
                half = replace(mechanism, noise_multiplier=mechanism.noise_multiplier / 2) if late else mechanism
                return train_round(*arguments, mechanism=half, **rest)

            with pytest.MonkeyPatch.context() as inner:
                inner.setattr(answers, "train_round", weaker)
                return train(self, request)

        patch.setattr(Answers, "_train", faulty)

    return plant


def halved_after_draws(patch: Patch, folder: Path) -> None:
    """Halve the noise of a source that has drawn fifty times."""
    integers, drawn = SecureNoise.integers, dict[int, int]()

    def draw(self: SecureNoise, size: int, std: float) -> Tensor:
        drawn[id(self)] = vars(self).setdefault("drawn", 0) + 1
        vars(self)["drawn"] = drawn[id(self)]
        return integers(self, size, std / 2 if drawn[id(self)] > 50 else std)

    patch.setattr(SecureNoise, "integers", draw)


def counted_twice_above(most: int) -> Callable[[Patch, Path], None]:
    def plant(patch: Patch, folder: Path) -> None:
        train_round = answers.train_round

        def faulty(model: Any, series: Any, *arguments: Any, **rest: Any) -> Tensor:
            every = torch.arange(series.num_entities)
            twice = torch.cat([every, every[:1]]) if len(every) > most else every
            return train_round(model, series.select(twice), *arguments, **rest)

        patch.setattr(answers, "train_round", faulty)

    return plant


def channel_ahead(patch: Patch, folder: Path) -> None:
    """Know what an observed channel says of a day on the day before."""
    channel_features = features._channel_features

    def faulty(panel: Any, plan: Any, cutoffs: np.ndarray) -> dict[str, np.ndarray]:
        return channel_features(replace(panel, observed=np.roll(panel.observed, -1, axis=1)), plan, cutoffs)

    patch.setattr(features, "_channel_features", faulty)


def halves_above(most: int) -> Callable[[Patch, Path], None]:
    def faulty(gradients: Tensor, clipping_norm: float) -> Tensor:
        if gradients.shape[1] <= most:
            return clip(gradients, clipping_norm)
        return torch.cat([clip(half, clipping_norm) for half in torch.tensor_split(gradients, 2, dim=1)], dim=1)

    return lambda patch, folder: on_torch(patch).setattr(mechanism, "clip", faulty)


def capped_rows(patch: Patch, folder: Path) -> None:
    read_csv = table._read_csv

    def faulty(*arguments: Any, **options: Any) -> table.Table:
        read = read_csv(*arguments, **options)
        return table.Table(read.rows.iloc[:1_000_000], read.columns)

    patch.setattr(table, "_read_csv", faulty)


def own_sum_sent(patch: Patch, folder: Path) -> None:
    """Seal, and send what was computed here all the same."""
    seal = LedgerAnswerLog.seal

    def faulty(self: LedgerAnswerLog, request: Any, answer: RecordDict) -> RecordDict:
        seal(self, request, answer)
        return answer

    patch.setattr(LedgerAnswerLog, "seal", faulty)


def synchronous_normal(patch: Patch, folder: Path) -> None:
    set_up = Ledger._set_up

    def faulty(self: Ledger) -> None:
        set_up(self)
        self._connection.execute("PRAGMA synchronous = NORMAL")

    patch.setattr(Ledger, "_set_up", faulty)


def sealed_late(patch: Patch, folder: Path) -> None:
    """Draw the noise first, and charge the round then."""
    answer = LedgerAnswerLog.reserve, LedgerAnswerLog.seal

    def reserve(self: LedgerAnswerLog, request: Any, mechanism: Any) -> RecordDict | None:
        charged = any(
            getattr(entry, "round_number", None) == request.round_number and entry.plan_hash == request.plan_hash
            for entry in self._ledger.entries
            if entry.kind == "spend"
        )
        return answer[0](self, request, mechanism) if charged else None

    patch.setattr(LedgerAnswerLog, "reserve", reserve)


def refused_is_charged(patch: Patch, folder: Path) -> None:
    """Charge whatever is asked, and look afterwards whether it may be answered."""
    check = answers._check_terms

    def faulty(request: Any, merchant: Any) -> None:
        if merchant.answer_log is not None and request.round_number > merchant.num_rounds:
            merchant.answer_log._charge(request)
        check(request, merchant)

    patch.setattr(answers, "_check_terms", faulty)


# The ten that nothing caught, and the level that each is caught by.
TEN: dict[str, tuple[Callable[[Patch, Path], None], str]] = {
    "key-reused-after-restart": (key_of_the_disk, "restart"),
    "key-of-16-bits": (key_of(2), "restart"),
    "leftover-across-fork": (leftover, "restart"),
    "half-noise-from-round-51": (halved_from(51), "l0"),
    "counted-twice-above-200": (counted_twice_above(200), "size"),
    "channel-a-day-ahead": (channel_ahead, "channels"),
    "halves-clipped-above-100000": (halves_above(100_000), "size"),
    "rows-capped-at-a-million": (capped_rows, "bulk"),
    "own-sum-sent": (own_sum_sent, "ledger"),
    "synchronous-normal": (synchronous_normal, "ledger"),
}
# Of the same kinds, in another place or size.
KIN: dict[str, tuple[Callable[[Patch, Path], None], str]] = {
    "key-of-24-bits": (key_of(3), "restart"),
    "key-folded-to-20-bits": (hashed_key, "restart"),
    "half-noise-from-round-100": (halved_from(100), "l1"),
    "half-noise-after-50-draws": (halved_after_draws, "restart"),
    "counted-twice-above-500": (counted_twice_above(500), "size"),
    "halves-clipped-above-250000": (halves_above(250_000), "size"),
    "charged-after-the-draw": (sealed_late, "ledger"),
    "refused-and-charged": (refused_is_charged, "ledger"),
}
