"""What is worked out when it is asked for: explanations, prices, offers."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from client.serving.api.reply import FAULTS, Current, Day, Taken
from client.serving.bench.job import MOST_NAMED, Explain, Job, Price, Recommend
from client.serving.process.bench import Bench
from client.serving.process.refusal import Refusal, refuse_with
from common.errors import ConfigError

router = APIRouter(tags=["questions"])
EXPLAIN_SECONDS, OFFER_SECONDS, PRICE_SECONDS = 60.0, 60.0, 120.0
EDITION = Field(description="name of the edition that all of this is of")
Text = Annotated[str, Field(max_length=200)]


class Piece(BaseModel):
    """What one thing moves."""

    group: str
    pieces: float
    words: str


class ExplanationAnswer(BaseModel):
    """Why so much of a product is forecast; the parts add up to the forecast."""

    edition: str = EDITION
    product: str
    name: str
    state: str
    from_: date = Field(alias="from", description="first day of the forecast")
    period: str
    first: date
    last: date
    open_days: int
    forecast: float
    low: float
    high: float
    sentence: str
    start: float = Field(description="pieces that would be usual")
    parts: list[Piece]
    methods: list[dict[str, Any]]
    network_error: float
    before: list[float] = Field(description="sold in each of the four weeks before")
    similar: list[dict[str, Any]] = Field(description="times of the past that were like this one")
    warnings: list[str]


class WhatIf(BaseModel):
    """A question about prices; without price, change and discount: how sales move with prices."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"products": ["TEA-01"], "change": 0.05}]}
    )

    products: list[Text] = Field([], max_length=MOST_NAMED, description="of these products; all if empty")
    category: Text = Field("", description="of all products of this category")
    price: float | None = Field(None, gt=0, lt=1e9, description="the new price of the one product")
    change: float | None = Field(None, ge=-0.9, le=4.0, description="of the price for good: -0.05 is 5 % less")
    discount: float | None = Field(None, gt=0, le=0.9, description="promotion with so much off: 0.2 is 20 %")
    from_: Day | None = Field(None, alias="from", description="first day; the day after the last sale if left out")
    to: Day | None = Field(None, description="last day; four weeks if left out")
    unit_cost: float | None = Field(None, ge=0, lt=1e9, description="what a piece of the one product costs")
    unit_cost_share: float | None = Field(None, ge=0, le=2, description="the same as a share of the price")


class WhatIfAnswer(BaseModel):
    """What another price would bring."""

    edition: str = EDITION
    who: str
    from_: date = Field(alias="from")
    until: date
    currency: str
    is_cause: bool = Field(description="whether prices were set by chance, so that what followed is their effect")
    is_doubtful: bool
    doubts: list[dict[str, Any]]
    response: dict[str, Any]
    before: dict[str, float | None]
    after: dict[str, Any]
    best: dict[str, Any] | None
    curve: list[dict[str, Any]]
    experiment: dict[str, Any] | None
    learned_from: dict[str, Any]
    left_out: list[str]
    sentences: list[str]
    rows: list[dict[str, Any]]


class RecommendationAnswer(BaseModel):
    """What to offer, and why."""

    edition: str = EDITION
    day: date
    customers: int = Field(description="that it was learned from")
    products: int
    weights_learned: bool
    stock_known: bool
    notes: list[str]
    answers: list[dict[str, Any]] = Field(description="about, customer, notes, and offers with their reasons")


@router.get("/explanations/{product:path}", response_model=ExplanationAnswer, responses=FAULTS)
async def get_explanation(
    request: Request,
    taken: Current,
    product: Annotated[str, Path(max_length=200)],
    period: Annotated[
        str, Query(max_length=10, description="day or week, as 2026-12-01 or 2026-W49; the next whole week if left out")
    ] = "",
) -> Response:
    """Say what moved a forecast of the edition."""
    if taken.edition.by_week.place.get(product) is None:
        raise Refusal(404, "not_found", f"Nothing is forecast of {product[:80]!r}.", "see /api/v1/products")
    bench: Bench = request.app.state.bench
    job = Explain(product=product, period=period)
    return taken.say(await _ask_for_what_is_there(bench, taken, job, EXPLAIN_SECONDS))


@router.post("/whatif", response_model=WhatIfAnswer, responses=FAULTS)
async def post_whatif(request: Request, taken: Current, asked: WhatIf) -> Response:
    """Say what another price or a promotion would bring, from how the shop's own sales went with its prices."""
    bench: Bench = request.app.state.bench
    said = asked.model_dump(exclude={"from_", "to"})
    job = Price(**said, first=asked.from_, last=asked.to)
    return taken.say(await bench.ask(taken.edition, job, seconds=PRICE_SECONDS))


@router.get("/recommendations", response_model=RecommendationAnswer, responses=FAULTS)
async def get_recommendations(
    request: Request,
    taken: Current,
    customer: Annotated[str, Query(max_length=100, description="to one customer, by her hash")] = "",
    basket: Annotated[list[str] | None, Query(max_length=100, description="with these products in a basket")] = None,
    product: Annotated[str, Query(max_length=200, description="what is often bought together with it")] = "",
    number: Annotated[int, Query(ge=1, le=1000, description="offers in each list")] = 10,
) -> Response:
    """Say what to offer to a customer, with a basket, beside a product, an answer each; else to everyone and the best.

    Who asks nothing is given what goes to everyone, and to the customers that spent most.
    """
    part = taken.edition.part("recommendations")
    if not (customer or basket or product):
        return taken.say(part.document)
    bench: Bench = request.app.state.bench
    job = Recommend(customer=customer, basket=tuple(basket or ()), product=product, number=number)
    return taken.say(await _ask_for_what_is_there(bench, taken, job, OFFER_SECONDS))


async def _ask_for_what_is_there(bench: Bench, taken: Taken, job: Job, seconds: float) -> dict[str, Any]:
    """Have a job done that can be asked wrongly in one way alone: about what is not in this shop."""
    try:
        return await bench.ask(taken.edition, job, seconds=seconds)
    except ConfigError as error:
        raise refuse_with(404, "not_found", str(error)) from error
