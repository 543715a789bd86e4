"""Types are checked at every call of ours, also where beartype checks them alone."""

from collections.abc import Callable
from typing import Any

import jaxtyping
import pytest
import torch
from beartype import beartype
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float
from torch import Tensor

from common.data.panel import Panel
from common.plan.schema import is_time_zone
from simulation.engine.grid import make_context
from type_check import check_types, has_array


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    return check_types(function, typechecker=beartype)


@checked
def count(words: str, *, more: list[int] | None = None) -> int:
    return words if more else len(words)  # type: ignore[return-value]


@checked
def add(left: Float[Tensor, " place"], right: Float[Tensor, " place"]) -> Float[Tensor, " place"]:
    return left + right.sum() if len(left) == 3 else torch.zeros(9)


@checked
def take(unread: "Unread", number: int) -> "Unread":  # type: ignore[name-defined]  # noqa: F821
    return unread


def test_arguments_and_results_of_another_type_are_refused() -> None:
    assert count("tea") == 3
    for wrong in (lambda: count(3), lambda: count("tea", more=["one"]), lambda: count("tea", more=[1])):
        with pytest.raises(BeartypeCallHintViolation):
            wrong()


def test_arrays_of_other_shapes_are_refused() -> None:
    assert len(add(torch.zeros(3), torch.zeros(3))) == 3
    for wrong in (lambda: add(torch.zeros(3), torch.zeros(4)), lambda: add(torch.zeros(4), torch.zeros(4))):
        with pytest.raises(jaxtyping.TypeCheckError):
            wrong()


def test_a_type_that_cannot_be_read_here_is_anything_and_the_others_count() -> None:
    assert take("anything", 1) == "anything"
    with pytest.raises(BeartypeCallHintViolation):
        take("anything", "one")


def test_an_array_is_found_wherever_a_type_holds_one() -> None:
    array = Float[Tensor, " place"]
    assert all(map(has_array, (array, array | None, dict[str, list[array]], Callable[[int, array], None])))
    assert not any(map(has_array, (int, str | None, Callable[[int], None], Tensor, None, ...)))


def test_our_own_code_is_checked_on_import() -> None:
    with pytest.raises(BeartypeCallHintViolation):
        is_time_zone(3)  # type: ignore[arg-type]
    with pytest.raises(BeartypeCallHintViolation):
        make_context("ten")  # type: ignore[arg-type]
    with pytest.raises(jaxtyping.TypeCheckError):
        Panel(*[None] * 12)  # type: ignore[arg-type]
