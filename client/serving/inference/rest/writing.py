"""From an answer to the body of a response, in JSON alone or with the binary values behind it."""

from __future__ import annotations

from typing import Any

from client.serving.encoding import encode
from client.serving.inference.exchange import Answer, Asked
from client.serving.inference.model import EXTENSIONS, PLATFORM, About, Place
from client.serving.inference.rest.reading import SIZE, wants_all_binary
from client.serving.inference.tensor import Tensor, to_binary, to_list
from common import __version__


def write_answer(answer: Answer, asked: Asked) -> tuple[bytes, int | None]:
    """Write an answer; give it and, where bytes follow the JSON, the length of the JSON."""
    binary = {wanted.name for wanted in asked.wanted if wanted.binary}
    whole = not asked.wanted and wants_all_binary(asked)
    outputs, tail = list[bytes](), list[bytes]()
    for output in answer.outputs:
        outputs.append(_write_output(output, tail, binary=whole or output.name in binary))
    said = {"model_name": answer.model, "model_version": answer.version} | ({"id": answer.id} if answer.id else {})
    head = b'%s,"outputs":[%s]}' % (encode(said)[:-1], b",".join(outputs))
    return b"".join([head, *tail]), len(head) if tail else None


def _write_output(output: Tensor, tail: list[bytes], *, binary: bool) -> bytes:
    described: dict[str, Any] = {"name": output.name, "datatype": output.datatype, "shape": output.shape}
    if binary:
        tail.append(to_binary(output))
        return encode({**described, "parameters": {SIZE: len(tail[-1])}})
    data = output.written or encode(to_list(output))
    return b'%s,"data":%s}' % (encode(described)[:-1], data)


def describe_server() -> dict[str, Any]:
    """Say what serves."""
    return {"name": "hansa", "version": __version__, "extensions": EXTENSIONS}


def describe_model(about: About) -> dict[str, Any]:
    """Say what goes into a model and what comes out."""
    return {
        "name": about.name,
        "versions": about.versions,
        "platform": PLATFORM,
        "inputs": [_describe(place) for place in about.inputs],
        "outputs": [_describe(place) for place in about.outputs],
    }


def _describe(place: Place) -> dict[str, Any]:
    return {"name": place.name, "datatype": place.datatypes[0], "shape": place.shape}
