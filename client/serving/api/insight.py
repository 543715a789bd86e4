"""What is known of market, reviews, data and past forecasts: each the document that its command prints as JSON."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from client.serving.api.reply import FAULTS, Current, Limit, Offset, page_of

router = APIRouter(tags=["insights"])
EDITION = Field(description="name of the edition that all of this is of")


class MarketAnswer(BaseModel):
    """What rises and falls."""

    edition: str = EDITION
    until: str = Field(description="the last day that was looked at")
    groups: list[dict[str, Any]] = Field(description="shop, categories and best sellers: level, trend and changes")
    surprises: dict[str, Any] = Field(description="what sold more or less than expected lately")
    sentences: list[str]


class ReviewAnswer(BaseModel):
    """What customers write."""

    edition: str = EDITION
    reviews: int
    by_rating: int = Field(description="judged by their rating")
    by_text: int = Field(description="judged by their words")
    scale: list[float]
    text: dict[str, Any] | None = Field(description="whether words can be read in this shop")
    changes: list[dict[str, Any]]
    early_sign: dict[str, Any] = Field(description="whether sales follow the mood")
    sentences: list[str]
    total: int
    offset: int
    next: int | None
    rows: list[dict[str, Any]] = Field(description="a row for each product")


class Problem(BaseModel):
    """Something that a forecast would suffer from."""

    severity: str = Field(description="fault, warning or note")
    key: str
    what: str
    rows: int
    effect: str
    advice: str
    examples: list[str]
    correction: dict[str, Any] | None


class HealthAnswer(BaseModel):
    """What the shop's data holds, and what is wrong with it."""

    edition: str = EDITION
    shop: str
    facts: dict[str, Any]
    problems: list[Problem]
    fails: bool = Field(description="whether a forecast from this history would be wrong")


class ScoreAnswer(BaseModel):
    """How good past forecasts were, and whether sales have left them."""

    edition: str = EDITION
    scores: list[dict[str, Any]]
    proposals: list[dict[str, Any]]
    sentences: list[str]
    watch: dict[str, Any] | None
    watch_sentences: list[str]


@router.get("/market", response_model=MarketAnswer, responses=FAULTS)
async def get_market(taken: Current) -> Response:
    """Say what rises and falls."""
    return taken.say(taken.edition.part("market").document)


@router.get("/reviews", response_model=ReviewAnswer, responses=FAULTS)
async def get_reviews(taken: Current, offset: Offset = 0, limit: Limit = 100) -> Response:
    """Say what reviews tell."""
    part, rows = taken.edition.part("reviews"), taken.edition.rows("reviews")
    page = page_of(rows.num_rows, offset, limit)
    return taken.say({**part.document, **page, "rows": rows.slice(offset, limit).to_pylist()})


@router.get("/health", response_model=HealthAnswer, responses=FAULTS)
async def get_health(taken: Current) -> Response:
    """Say what is wrong with the shop's data."""
    return taken.say(taken.edition.part("health").document)


@router.get("/score", response_model=ScoreAnswer, responses=FAULTS)
async def get_score(taken: Current) -> Response:
    """Say how good past forecasts were, and whether sales have left them."""
    return taken.say(taken.edition.part("score").document)
