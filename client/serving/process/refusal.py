"""What is said where nothing can be answered: one form for every error, a sentence in it, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, Field

from client.serving.encoding import encode


class Fault(BaseModel):
    """What is wrong."""

    code: str = Field(description="one word of a fixed list, for programs", examples=["not_found"])
    message: str = Field(description="one sentence, for a person", examples=["There is no product 'P9' in this shop."])
    what_to_do: str = Field(description="what to do about it; may be empty", examples=["see /api/v1/products"])


class FaultAnswer(BaseModel):
    """An error, as every path answers it."""

    error: Fault


class Refusal(Exception):
    """Report that a request cannot be answered, and why."""

    def __init__(
        self, status: int, code: str, message: str, what_to_do: str = "", *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.what_to_do = status, code, message, what_to_do
        self.headers = dict(headers or {})

    @property
    def body(self) -> bytes:
        """Write it as JSON."""
        return encode({"error": {"code": self.code, "message": self.message, "what_to_do": self.what_to_do}})


def refuse_with(status: int, code: str, sentence: str) -> Refusal:
    """Make a refusal of a sentence that says what to do after its semicolon."""
    return Refusal(status, code, sentence, sentence.rpartition("; ")[2].rstrip(".") if "; " in sentence else "")
