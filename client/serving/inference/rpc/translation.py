"""Between the messages of gRPC and what is asked and answered.

Values come in `raw_input_contents`, for all inputs in their order, or each in its typed `contents`; they go in
`raw_output_contents`, which alone Triton's client reads.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from client.serving.inference.exchange import (
    LONGEST_ID,
    Answer,
    Asked,
    Parameter,
    Wanted,
    name_once,
    require_served,
)
from client.serving.inference.fault import invalid
from client.serving.inference.model import PLATFORM, About, Place
from client.serving.inference.rpc.proto import open_inference_pb2 as messages
from client.serving.inference.tensor import (
    BYTES,
    TYPES,
    Tensor,
    from_binary,
    require_shape,
    require_type,
    to_binary,
)

CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    BYTES: "bytes_contents",
}


def read_request(request: messages.ModelInferRequest) -> Asked:
    """Read a request.

    Raises
    ------
    InferenceFault
        It contradicts itself.
    """
    if len(request.id) > LONGEST_ID:
        raise invalid(f"The id is a text of up to {LONGEST_ID} letters.")
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise invalid(f"raw_input_contents has {len(raw)} parts for {len(request.inputs)} inputs.")
    tensors = [_read_input(each, raw[place] if raw else None) for place, each in enumerate(request.inputs)]
    return Asked(
        request.model_name,
        request.model_version,
        inputs=name_once(tensors),
        id=request.id,
        wanted=tuple(_read_wanted(request.outputs)),
        parameters=_read_parameters(request.parameters),
    )


def _read_input(given: messages.ModelInferRequest.InferInputTensor, raw: bytes | None) -> Tensor:
    name = given.name[:200]
    datatype, shape = require_type(name, given.datatype), require_shape(name, list(given.shape))
    require_served(name, given.parameters)
    if raw is not None:
        if given.HasField("contents"):
            raise invalid(f"{name!r} has contents although raw_input_contents is given; give one of them.")
        return from_binary(name, datatype, shape, raw)
    return _from_contents(name, datatype, shape, given.contents)


def _from_contents(name: str, datatype: str, shape: tuple[int, ...], contents: messages.InferTensorContents) -> Tensor:
    field = CONTENTS.get(datatype)
    if field is None:
        raise invalid(f"{name!r} of {datatype} comes in raw_input_contents alone.")
    others = [found.name for found, _ in contents.ListFields() if found.name != field]
    if others:
        raise invalid(f"{name!r} of {datatype} has its values in {field}, not in {others[0]}.")
    values = getattr(contents, field)
    if len(values) != math.prod(shape):
        raise invalid(f"{name!r} of shape {list(shape)} has {math.prod(shape)} elements, and {len(values)} came.")
    found = np.empty(len(values), object) if datatype == BYTES else None
    if found is not None:
        found[:] = list(values)
        return Tensor(name, datatype, found.reshape(shape))
    try:
        return Tensor(name, datatype, np.array(values, TYPES[datatype]).reshape(shape))
    except (OverflowError, ValueError) as error:
        raise invalid(f"An element of {name!r} is too large for {datatype}.") from error


def _read_wanted(outputs: Iterable[messages.ModelInferRequest.InferRequestedOutputTensor]) -> Iterable[Wanted]:
    for output in outputs:
        require_served(output.name[:200], output.parameters)
        yield Wanted(output.name)


def _read_parameters(parameters: Mapping[str, Any]) -> dict[str, Parameter]:
    found = dict[str, Parameter]()
    for key, value in parameters.items():
        choice = value.WhichOneof("parameter_choice")
        if choice is not None:
            found[key] = getattr(value, choice)
    return found


def write_answer(answer: Answer) -> messages.ModelInferResponse:
    """Write an answer."""
    return messages.ModelInferResponse(
        model_name=answer.model,
        model_version=answer.version,
        id=answer.id,
        outputs=[
            messages.ModelInferResponse.InferOutputTensor(name=each.name, datatype=each.datatype, shape=each.shape)
            for each in answer.outputs
        ],
        raw_output_contents=[to_binary(each) for each in answer.outputs],
    )


def write_about(about: About) -> messages.ModelMetadataResponse:
    """Say what goes into a model and what comes out."""
    return messages.ModelMetadataResponse(
        name=about.name,
        versions=about.versions,
        platform=PLATFORM,
        inputs=[_write_place(place) for place in about.inputs],
        outputs=[_write_place(place) for place in about.outputs],
    )


def _write_place(place: Place) -> messages.ModelMetadataResponse.TensorMetadata:
    return messages.ModelMetadataResponse.TensorMetadata(
        name=place.name, datatype=place.datatypes[0], shape=place.shape
    )
