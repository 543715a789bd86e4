"""What the bench is asked, as it travels over the pipe."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

MOST_NAMED = 500
Names = Annotated[tuple[str, ...], Field(max_length=MOST_NAMED)]


class _Job(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Explain(_Job):
    """Say why so much of a product is forecast for a day or a week."""

    job: Literal["explain"] = "explain"
    product: str
    period: str


class Price(_Job):
    """Say what another price would bring.

    Attributes
    ----------
    price
        The new one, of one product.
    change, discount
        As shares: -0.05, or 0.2 off and shown as a promotion.
    unit_cost, unit_cost_share
        What a piece costs, in money or as a share of its price.
    """

    job: Literal["price"] = "price"
    products: Names = ()
    category: str = ""
    price: float | None = None
    change: float | None = None
    discount: float | None = None
    first: date | None = None
    last: date | None = None
    unit_cost: float | None = None
    unit_cost_share: float | None = None


class Preview(_Job):
    """Say what an override would change."""

    job: Literal["preview"] = "preview"
    of: Literal["product", "category", "shop"]
    name: str
    first: date
    last: date
    factor: float | None
    total: float | None
    author: str
    reason: str


class Recommend(_Job):
    """Say what to offer to a customer, with a basket, beside a product: an answer for each that is given."""

    job: Literal["recommend"] = "recommend"
    customer: str = ""
    basket: Names = ()
    product: str = ""
    number: int = 10


Job = Annotated[Explain | Price | Preview | Recommend, Field(discriminator="job")]
JOBS: TypeAdapter[Job] = TypeAdapter(Job)
