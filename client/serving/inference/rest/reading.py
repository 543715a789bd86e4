"""From the body of a request to what is asked.

A body is JSON, or so many bytes of JSON as `Inference-Header-Content-Length` says, with the binary values of inputs
behind it in their order, each as long as its parameter `binary_data_size` says. Numbers that are none come as null or,
from clients that write what is no JSON, as NaN. Keys that the protocol has not are passed over: KServe's client says
the name of the model there too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from client.serving.inference.exchange import LONGEST_ID, Asked, Parameter, Wanted, name_once, require_served
from client.serving.inference.fault import invalid
from client.serving.inference.tensor import Tensor, from_binary, from_list, require_shape, require_type

SIZE, BINARY, ALL_BINARY = "binary_data_size", "binary_data", "binary_data_output"


def read_request(body: bytes, head_length: str | None, *, model: str, version: str) -> Asked:
    """Read a request.

    Parameters
    ----------
    head_length
        The header `Inference-Header-Content-Length`.

    Raises
    ------
    InferenceFault
        It is none of the protocol.
    """
    head, tail = _split(body, head_length)
    document = _read_json(head)
    identity, parameters = document.get("id", ""), _read_parameters(document, "the request")
    if not isinstance(identity, str) or len(identity) > LONGEST_ID:
        raise invalid(f"The id is a text of up to {LONGEST_ID} letters.")
    return Asked(
        model,
        version,
        inputs=name_once(_read_inputs(_read_list(document, "inputs"), tail)),
        id=identity,
        wanted=_read_wanted(_read_list(document, "outputs"), all_binary=parameters.get(ALL_BINARY) is True),
        parameters=parameters,
    )


def wants_all_binary(asked: Asked) -> bool:
    """Tell whether outputs come as bytes where none is named."""
    return asked.parameters.get(ALL_BINARY) is True


def _split(body: bytes, head_length: str | None) -> tuple[bytes, memoryview]:
    if head_length is None:
        return body, memoryview(b"")
    if not head_length.isascii() or not head_length.isdigit() or not 0 < int(head_length[:12]) <= len(body):
        raise invalid("Inference-Header-Content-Length is the length of the JSON that begins the body.")
    number = int(head_length)
    return body[:number], memoryview(body)[number:]


def _read_json(head: bytes) -> Mapping[str, Any]:
    try:
        document = from_json(head)
    except ValueError as error:
        raise invalid(f"The body is no JSON: {str(error)[:200]}.") from error
    if not isinstance(document, dict):
        raise invalid("The body is no JSON object.")
    return document


def _read_list(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = document.get(key)
    if found is None:
        found = []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise invalid(f"{key} is a list of objects.")
    return found


def _read_parameters(document: Mapping[str, Any], what: str) -> Mapping[str, Parameter]:
    found = document.get("parameters")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise invalid(f"The parameters of {what} are an object.")
    return found


def _read_name(document: Mapping[str, Any], what: str) -> str:
    name = document.get("name")
    if not isinstance(name, str):
        raise invalid(f"An {what} has no name.")
    return name[:200]


def _read_inputs(documents: list[Mapping[str, Any]], tail: memoryview) -> list[Tensor]:
    found, start = list[Tensor](), 0
    for document in documents:
        name = _read_name(document, "input")
        datatype, shape = require_type(name, document.get("datatype")), require_shape(name, document.get("shape"))
        parameters = _read_parameters(document, repr(name))
        require_served(name, parameters)
        size = parameters.get(SIZE)
        if size is None:
            found.append(from_list(name, datatype, shape, document.get("data")))
            continue
        if type(size) is not int or not 0 <= size <= len(tail) - start:
            raise invalid(f"{SIZE} of {name!r} is more than the body has behind its JSON.")
        if "data" in document:
            raise invalid(f"{name!r} has both data and {SIZE}; give one of them.")
        found.append(from_binary(name, datatype, shape, tail[start : start + size]))
        start += size
    if start != len(tail):
        raise invalid("The body is longer than its JSON and its inputs.")
    return found


def _read_wanted(documents: list[Mapping[str, Any]], *, all_binary: bool) -> tuple[Wanted, ...]:
    found = list[Wanted]()
    for document in documents:
        name = _read_name(document, "output")
        parameters = _read_parameters(document, repr(name))
        require_served(name, parameters)
        found.append(Wanted(name, parameters.get(BINARY, all_binary) is True))
    return tuple(found)
