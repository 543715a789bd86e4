"""Where models are found by name and version: who has begun with one answers from it, whatever is current by then."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from client.serving.inference.exchange import Answer, Asked, choose, unknown_model
from client.serving.inference.fault import InferenceFault, Kind
from client.serving.inference.model import About, Served

LONGEST_SECONDS = 30.0  # that an answer may take


@runtime_checkable
class Models(Protocol):
    """What is served now."""

    @property
    def models(self) -> Mapping[str, Served]:
        """Name → model; a value that does not change."""
        ...

    @property
    def troubles(self) -> Mapping[str, str]:
        """Name → why a model that there should be is not there, in a sentence."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether all can be asked that there should be."""
        ...


@dataclass(frozen=True)
class Fixed:
    """Models that stay as they are."""

    models: Mapping[str, Served]
    troubles: Mapping[str, str] = field(default_factory=dict)
    is_ready: bool = True


@dataclass(frozen=True)
class Repository:
    """Find models and let them answer, in bounded time."""

    served: Models

    @property
    def is_ready(self) -> bool:
        """Whether all can be asked that there should be."""
        return self.served.is_ready

    def find(self, name: str, version: str = "") -> tuple[Served, str]:
        """Give a model and the version that is meant.

        Raises
        ------
        InferenceFault
            There is none, or none yet.
        """
        model = self.served.models.get(name)
        if model is None:
            trouble = self.served.troubles.get(name)
            raise unknown_model(name) if trouble is None else InferenceFault(Kind.NOT_READY, trouble)
        versions = model.about.versions
        if version and version not in versions:
            raise unknown_model(name, version)
        return model, version or versions[0]

    def describe(self, name: str, version: str = "") -> About:
        """Say what goes into a model and what comes out."""
        return self.find(name, version)[0].about

    async def answer(self, asked: Asked, *, patience_seconds: float | None = None) -> Answer:
        """Answer a request.

        Parameters
        ----------
        patience_seconds
            How long the caller waits; the request's own `timeout` and `LONGEST_SECONDS` bound it as well.

        Raises
        ------
        InferenceFault
            It cannot be answered, or not in time.
        """
        model, version = self.find(asked.model, asked.version)
        limits = (patience_seconds, asked.patience_seconds, LONGEST_SECONDS)
        patience = min(limit for limit in limits if limit is not None)
        try:
            async with asyncio.timeout(patience):
                outputs = await model.answer(asked, version)
        except TimeoutError:
            raise InferenceFault(Kind.LATE, f"There was no answer within {patience:.3g} seconds.") from None
        return Answer(asked.model, version, choose(outputs, asked.wanted), asked.id)
