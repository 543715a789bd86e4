"""What federates: a network that turns a window of each entity into the outputs of a likelihood.

`DemandGRU` is the one that a plan describes and that merchants run. A study may put another in its place
(docs/extend.md).
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from common.model.features import Examples
from common.model.likelihood import Likelihood


class Network(nn.Module):
    """Forecast the outputs of a likelihood from every chosen position of a window.

    What it gives for one entity at one position depends on that entity's steps up to that position, on what is known
    ahead, and on nothing else; `simulation.engine.probe` looks whether that is so.

    Attributes
    ----------
    likelihood
        What the outputs mean; see `common.model.likelihood.make_likelihood`.
    """

    likelihood: Likelihood

    def forward(self, examples: Examples) -> Float[Tensor, "entity position bucket output"]:
        """Return the likelihood's outputs of each bucket."""
        raise NotImplementedError(f"{type(self).__name__} needs a function forward(examples).")
