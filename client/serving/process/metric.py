"""/metrics in Prometheus' text: requests, how long they took, and how the edition is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from client.serving.process.served import Served

KIND = "text/plain; version=1.0.0; charset=utf-8"
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """What is counted; one registry for each server, so that two in a process do not meet."""

    def __init__(self, served: Served) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "hansa_requests", "requests answered", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "hansa_request_seconds", "seconds to answer", ("route",), buckets=SECONDS, registry=self.registry
        )
        self.registry.register(_Editions(served))

    def write(self) -> bytes:
        """Write all as text."""
        return generate_latest(self.registry)


class _Editions(Collector):
    """How the edition is, when it is asked."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def collect(self) -> Iterator[Metric]:
        served, current = self._served, self._served.current
        age = (datetime.now(UTC) - current.imprint.made).total_seconds() if current is not None else float("nan")
        yield GaugeMetricFamily("hansa_edition_age_seconds", "since the edition was made", value=age)
        yield GaugeMetricFamily("hansa_edition_stale", "whether the shop changed since", value=float(served.is_stale))
        yield GaugeMetricFamily("hansa_edition_swaps", "editions that were swapped in", value=served.swaps)
        missing = 0 if current is None else len(current.imprint.troubles)
        yield GaugeMetricFamily("hansa_edition_parts_missing", "parts that could not be made", value=missing)
        making = float(served.making is not None)
        yield GaugeMetricFamily("hansa_edition_making", "whether another one is being made", value=making)


class Counted:
    """Count every request, refused ones too."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = perf_counter(), 500

        async def send_counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        finally:
            route = getattr(scope.get("route"), "path", "refused")  # never what was asked: it has no bound
            self._metrics.requests.labels(_method(scope), route, status).inc()
            self._metrics.seconds.labels(route).observe(perf_counter() - began)


def _method(scope: Scope) -> str:
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    return scope["method"] if scope["method"] in known else "other"
