"""All models that are served, as one value that is exchanged whole: who has begun with one answers from it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from client.serving.inference.exchange import Answer, Asked, choose, unknown_model
from client.serving.inference.fault import InferenceFault, Kind
from client.serving.inference.model import About, Served

LONGEST_SECONDS = 30.0  # that an answer may take


@dataclass
class Repository:
    """The models that are served now.

    Attributes
    ----------
    models
        Name → model; replaced as a whole, never changed.
    """

    models: Mapping[str, Served] = field(default_factory=dict)

    def serve(self, *models: Served) -> None:
        """Serve models in place of those of the same names."""
        self.models = {**self.models, **{model.about.name: model for model in models}}

    @property
    def is_ready(self) -> bool:
        """Whether anything is served."""
        return bool(self.models)

    def find(self, name: str, version: str = "") -> tuple[Served, str]:
        """Give a model and the version that is meant.

        Raises
        ------
        InferenceFault
            There is none.
        """
        model = self.models.get(name)
        if model is None:
            raise unknown_model(name)
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
