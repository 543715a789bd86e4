"""Types checked at every call, as `--jaxtyping-packages` has it, without what that costs where no array is.

jaxtyping binds the arguments of each call to their names, for the shapes that arrays have in common; that takes ten
times as long as beartype's check. A function none of whose annotations holds an array is beartype's alone: the same
arguments and the same result are held against the same types.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_args

import jaxtyping
from jaxtyping import AbstractArray, _decorator

by_jaxtyping = _decorator.jaxtyped


def check_types(fn: Any = _decorator._sentinel, *, typechecker: Any = _decorator._sentinel) -> Any:
    """Decorate a function, a method or a dataclass, in the place of `jaxtyping.jaxtyped`."""
    if fn is _decorator._sentinel:
        return lambda decorated: check_types(decorated, typechecker=typechecker)
    if not inspect.isfunction(fn) or inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        return by_jaxtyping(fn, typechecker=typechecker)
    written = fn.__annotations__
    read = {name: _decorator._destring_annotation(hint, fn.__globals__) for name, hint in written.items()}
    if any(map(has_array, read.values())):
        return by_jaxtyping(fn, typechecker=typechecker)
    return _by_beartype(fn, typechecker, read)


def has_array(hint: object) -> bool:
    """Whether a type is an array of some shape, or holds one."""
    if isinstance(hint, list | tuple):  # arguments of a Callable
        return any(map(has_array, hint))
    is_array = inspect.isclass(hint) and issubclass(hint, AbstractArray)
    return is_array or any(map(has_array, get_args(hint)))


def _by_beartype(fn: Any, typechecker: Callable[[Any], Any], read: dict[str, Any]) -> Any:
    """Decorate with the types as they were read; what could not be read is anything, as jaxtyping has it."""
    written, fn.__annotations__ = fn.__annotations__, read
    try:
        checked = typechecker(fn)
    finally:
        fn.__annotations__ = written
    return checked


def install() -> None:
    """Let modules that are imported from here on be decorated so."""
    jaxtyping.jaxtyped = _decorator.jaxtyped = check_types


install()
