"""Faults of the noise: too little, not everywhere, not new, not Gaussian."""

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from client.round.answers import Answers
from common.privacy.mechanism import Mechanism
from common.privacy.noise import SecureNoise
from planted.fault import Fault

Patch = pytest.MonkeyPatch
HEAD = 20  # parameters that go without noise
secure, release = SecureNoise.integers, Mechanism.release


def gaussian(generator: np.random.Generator, size: int, std: float) -> Tensor:
    return torch.from_numpy(np.rint(std * generator.standard_normal(size)).astype(np.int64))


def draw_as(draw: Callable[[SecureNoise, int, float], Tensor]) -> Callable[[Patch], None]:
    """Plant another way to draw."""
    return lambda patch: patch.setattr(SecureNoise, "integers", draw)


def scaled(factor: float) -> Callable[[Patch], None]:
    return draw_as(lambda self, size, std: secure(self, size, std * factor))


def without_head(self: SecureNoise, size: int, std: float) -> Tensor:
    noise = secure(self, size, std)
    noise[-HEAD:] = 0
    return noise


def without_one(self: SecureNoise, size: int, std: float) -> Tensor:
    noise = secure(self, size, std)
    noise[size // 2] = 0
    return noise


def repeated_half(self: SecureNoise, size: int, std: float) -> Tensor:
    half = secure(self, size - size // 2, std)
    return torch.cat([half, half])[:size]


def one_for_all(self: SecureNoise, size: int, std: float) -> Tensor:
    return secure(self, 1, std).expand(size).clone()


def uniform(self: SecureNoise, size: int, std: float) -> Tensor:
    width = std * 3**0.5
    return torch.from_numpy(np.rint(np.random.default_rng().uniform(-width, width, size)).astype(np.int64))


def cut_off(self: SecureNoise, size: int, std: float) -> Tensor:
    """Clamp at two deviations, and make up for the lost variance."""
    return (secure(self, size, std * 1.0423).double().clamp(-2.0846 * std, 2.0846 * std)).round().to(torch.int64)


def constant_seed(self: SecureNoise, size: int, std: float) -> Tensor:
    return gaussian(np.random.default_rng(7), size, std)


def seeded_by_round(patch: Patch) -> None:
    """Count the rounds of each merchant and seed with the count: new every round, the same at every merchant."""

    def draw(self: SecureNoise, size: int, std: float) -> Tensor:
        count = vars(self).get("count", 0) + 1
        vars(self)["count"] = count
        return gaussian(np.random.default_rng(count), size, std)

    patch.setattr(SecureNoise, "integers", draw)


def seeded_once(patch: Patch) -> None:
    """Take one seed per merchant, and start from it in every round."""

    def draw(self: SecureNoise, size: int, std: float) -> Tensor:
        seed = vars(self).setdefault("seed", random.SystemRandom().getrandbits(64))
        return gaussian(np.random.default_rng(seed), size, std)

    patch.setattr(SecureNoise, "integers", draw)


def antithetic(patch: Patch) -> None:
    """Let every second draw take back the one before."""
    last: list[Tensor] = []

    def draw(self: SecureNoise, size: int, std: float) -> Tensor:
        if last and len(last[-1]) == size:
            return -last.pop()
        last.append(secure(self, size, std))
        return last[-1].clone()

    patch.setattr(SecureNoise, "integers", draw)


def shifted_stream(patch: Patch) -> None:
    """Read one stream over and over, each time from a few places further on."""
    stream, start = np.random.default_rng().standard_normal(100_000), iter(range(0, 10**9, 5))

    def draw(self: SecureNoise, size: int, std: float) -> Tensor:
        return torch.from_numpy(np.rint(std * np.roll(stream, -next(start))[:size]).astype(np.int64))

    patch.setattr(SecureNoise, "integers", draw)


def torch_generator(self: SecureNoise, size: int, std: float) -> Tensor:
    return (std * torch.randn(size, dtype=torch.float64)).round().to(torch.int64)


def numpy_generator(self: SecureNoise, size: int, std: float) -> Tensor:
    return torch.from_numpy(np.rint(np.random.normal(0, std, size)).astype(np.int64))


def release_as(how: Callable[..., Tensor]) -> Callable[[Patch], None]:
    return lambda patch: patch.setattr(Mechanism, "release", how)


def asks_for(factor: Callable[[Mechanism], float]) -> Callable[..., Tensor]:
    """Release with a deviation that is not the one accounted."""

    def faulty(self: Mechanism, total: Tensor, noise: SecureNoise) -> Tensor:
        std = self.noise_multiplier * factor(self) * 2**24
        return total + noise.integers(total.numel(), std)

    return faulty


def split_noise(self: Mechanism, total: Tensor, noise: SecureNoise) -> Tensor:
    """Noise all but the head."""
    body = total[:-HEAD] + noise.integers(total.numel() - HEAD, self.noise_multiplier * 2**24)
    return torch.cat([body, total[-HEAD:]])


def by_size_of_sum(self: Mechanism, total: Tensor, noise: SecureNoise) -> Tensor:
    """Let the noise follow the data: a tenth of the sum's own norm where that is less."""
    std = min(self.noise_multiplier * 2**24, 0.1 * float(total.double().norm()) + 1)
    return total + noise.integers(total.numel(), std)


def noise_again_on_retry(patch: Patch) -> None:
    """Answer every request as if it were the first."""
    answer = Answers.answer
    patch.setattr(Answers, "answer", lambda self, content: answer(Answers(self._merchant), content))


FAULTS = (
    Fault("noise-90-percent", "medium", "noise a tenth too small", scaled(0.9)),
    Fault("noise-80-percent", "medium", "noise a fifth too small", scaled(0.8)),
    Fault("noise-half", "high", "noise half as large", scaled(0.5)),
    Fault("no-noise", "critical", "no noise at all", scaled(0.0)),
    Fault(
        "free-sensitivity",
        "critical",
        "a sensitivity of 1e-4 beside a clipping norm of 1",
        release_as(asks_for(lambda m: 1e-4)),
    ),
    Fault(
        "variance-for-deviation",
        "high",
        "the square root of the deviation",
        release_as(asks_for(lambda m: m.noise_multiplier**-0.5)),
    ),
    Fault("noise-of-a-mean", "critical", "noise of the mean on the sum", release_as(asks_for(lambda m: 1 / 64))),
    Fault("noise-by-data", "high", "noise scaled by the norm of the sum", release_as(by_size_of_sum)),
    Fault("un-noised-head", "critical", "the last layer goes without noise", release_as(split_noise)),
    Fault("un-noised-tail-of-draw", "critical", "the last places of every draw are zero", draw_as(without_head)),
    Fault("un-noised-coordinate", "critical", "one coordinate goes without noise", draw_as(without_one)),
    Fault("repeated-half", "critical", "the second half of a draw repeats the first", draw_as(repeated_half)),
    Fault("one-noise-for-all", "critical", "one number for all coordinates", draw_as(one_for_all)),
    Fault("uniform-noise", "high", "uniform noise of the right deviation", draw_as(uniform)),
    Fault("cut-off-noise", "critical", "noise clamped at two deviations", draw_as(cut_off)),
    Fault("constant-seed", "critical", "every draw from one seed", draw_as(constant_seed)),
    Fault("seed-by-round", "critical", "the round as seed: every merchant draws the same", seeded_by_round),
    Fault("seed-by-merchant", "critical", "a merchant's seed again in every round", seeded_once),
    Fault("antithetic", "critical", "every second draw cancels the one before", antithetic),
    Fault("shifted-stream", "high", "one key stream read again from another place", shifted_stream),
    Fault("torch-generator", "high", "torch's seedable generator", draw_as(torch_generator)),
    Fault("numpy-generator", "high", "NumPy's global generator", draw_as(numpy_generator)),
    Fault("noise-again-on-retry", "high", "new noise around the same sum when asked again", noise_again_on_retry),
)
