"""/live, /ready and /metrics: for who watches over the server."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from client.serving.api.reply import FAULTS, not_ready
from client.serving.encoding import encode
from client.serving.process.metric import KIND, Metrics
from client.serving.process.served import Served

router = APIRouter(tags=["watching"])


class Alive(BaseModel):
    """That it runs."""

    alive: bool = True


class Ready(BaseModel):
    """That it has something to serve."""

    ready: bool = True


@router.get("/live", response_model=Alive)
async def get_live() -> Response:
    """Say that the server runs; needs no token."""
    return Response(encode({"alive": True}), media_type="application/json")


@router.get("/ready", response_model=Ready, responses={503: FAULTS[503]})
async def get_ready(request: Request) -> Response:
    """Say whether there is an edition to serve; needs no token."""
    served: Served = request.app.state.served
    if served.current is None:
        raise not_ready(served)
    return Response(encode({"ready": True}), media_type="application/json")


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}, 401: FAULTS[401]})
async def get_metrics(request: Request) -> Response:
    """Give what Prometheus asks for."""
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.write(), media_type=KIND)
