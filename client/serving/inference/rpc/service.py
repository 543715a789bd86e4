"""The service `inference.GRPCInferenceService`, answered from the repository."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import grpc
from grpc.aio import ServicerContext

from client.serving.inference.fault import InferenceFault, Kind
from client.serving.inference.model import EXTENSIONS
from client.serving.inference.repository import Repository
from client.serving.inference.rpc.proto import open_inference_pb2 as messages
from client.serving.inference.rpc.proto.open_inference_pb2_grpc import GRPCInferenceServiceServicer
from client.serving.inference.rpc.translation import read_request, write_about, write_answer
from common import __version__

LOGGER = logging.getLogger(__name__)
CODE = {
    Kind.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.UNKNOWN: grpc.StatusCode.NOT_FOUND,
    Kind.TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Kind.BUSY: grpc.StatusCode.UNAVAILABLE,
    Kind.LATE: grpc.StatusCode.DEADLINE_EXCEEDED,
    Kind.NOT_READY: grpc.StatusCode.UNAVAILABLE,
    Kind.BROKEN: grpc.StatusCode.INTERNAL,
}
BROKEN = "This could not be answered, by a fault of hansa's; tell its makers."


class InferenceService(GRPCInferenceServiceServicer):
    """Answer each call of the protocol."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def ServerLive(self, request: Any, context: ServicerContext) -> messages.ServerLiveResponse:  # noqa: N802
        """Say that the process answers."""
        return messages.ServerLiveResponse(live=True)

    async def ServerReady(self, request: Any, context: ServicerContext) -> messages.ServerReadyResponse:  # noqa: N802
        """Say whether anything is served."""
        return messages.ServerReadyResponse(ready=self._repository.is_ready)

    async def ServerMetadata(  # noqa: N802
        self, request: Any, context: ServicerContext
    ) -> messages.ServerMetadataResponse:
        """Say what serves."""
        return messages.ServerMetadataResponse(name="hansa", version=__version__, extensions=EXTENSIONS)

    async def ModelReady(  # noqa: N802
        self, request: messages.ModelReadyRequest, context: ServicerContext
    ) -> messages.ModelReadyResponse:
        """Say that a model is there, or that there is none of the name."""
        try:
            self._repository.find(request.name, request.version)
        except InferenceFault as fault:
            await _abort(context, fault)
        return messages.ModelReadyResponse(ready=True)

    async def ModelMetadata(  # noqa: N802
        self, request: messages.ModelMetadataRequest, context: ServicerContext
    ) -> messages.ModelMetadataResponse:
        """Say what goes into a model and what comes out."""
        try:
            return write_about(self._repository.describe(request.name, request.version))
        except InferenceFault as fault:
            await _abort(context, fault)

    async def ModelInfer(  # noqa: N802
        self, request: messages.ModelInferRequest, context: ServicerContext
    ) -> messages.ModelInferResponse:
        """Answer one request."""
        try:
            return await self._answer(request, context)
        except InferenceFault as fault:
            await _abort(context, fault)

    async def ModelStreamInfer(  # noqa: N802
        self, requests: AsyncIterator[messages.ModelInferRequest], context: ServicerContext
    ) -> AsyncIterator[messages.ModelStreamInferResponse]:
        """Answer each request of a stream in its turn; what is wrong with one is said, and ends nothing."""
        async for request in requests:
            try:
                answer = await self._answer(request, context)
            except InferenceFault as fault:
                yield messages.ModelStreamInferResponse(
                    error_message=str(fault), infer_response=messages.ModelInferResponse(id=request.id)
                )
            else:
                yield messages.ModelStreamInferResponse(infer_response=answer)

    async def _answer(
        self, request: messages.ModelInferRequest, context: ServicerContext
    ) -> messages.ModelInferResponse:
        try:
            self._repository.find(request.model_name, request.model_version)
            answer = await self._repository.answer(read_request(request), patience_seconds=context.time_remaining())
            return write_answer(answer)
        except InferenceFault:
            raise
        except Exception as error:
            LOGGER.exception("inference over gRPC")
            raise InferenceFault(Kind.BROKEN, BROKEN) from error


async def _abort(context: ServicerContext, fault: InferenceFault) -> NoReturn:
    await context.abort(CODE[fault.kind], str(fault))
    raise AssertionError("abort raises")
