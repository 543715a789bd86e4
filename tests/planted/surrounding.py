"""Faults of what goes along: terms, receipts, headers, times, refusals, health and logs."""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from flwr.app import ConfigRecord, Error, Message, RecordDict
from flwr.proto.fleet_pb2 import PushMessagesRequest

from client.daemon import gateway_client, handlers, loop, transport
from client.daemon.gateway_client import GatewayClient
from client.daemon.handlers import Handlers
from client.daemon.plan_data import PlanData
from client.data import rows
from client.round import answers
from client.round.answers import Answers
from common.errors import MessageError
from common.message.decline import CLIENT_RAISED, DECLINED
from common.message.proposal import ClientTerms, encode_terms
from common.message.record import pack
from planted.fault import Fault

Patch = pytest.MonkeyPatch
read, note_round = PlanData._read, Handlers._note_round


def remember_count(patch: Patch) -> list[int]:
    """Keep the number of entities of whatever was read last."""
    counts = [0]

    def faulty(self: PlanData, *arguments: Any) -> Answers:
        made = read(self, *arguments)
        counts[0] = made._merchant.series.num_entities
        return made

    patch.setattr(PlanData, "_read", faulty)
    return counts


def counted_size_class(patch: Patch) -> None:
    """Send the next power of two above the entities that there are as the size class."""
    counts = remember_count(patch)

    def encode(terms: ClientTerms) -> RecordDict:
        return encode_terms(replace(terms, size_class=2 ** math.ceil(math.log2(max(1, counts[0])))))

    patch.setattr(handlers, "encode_terms", encode)


def count_in_receipt(patch: Patch) -> None:
    """Say with a receipt for how many entities the model will serve."""
    counts = remember_count(patch)
    patch.setattr(
        handlers,
        "encode_receipt",
        lambda model_hash: pack(ConfigRecord({"model_hash": model_hash, "num_entities": counts[0]})),
    )


def count_in_header(patch: Patch) -> None:
    """Name the size of the data in the user agent, for statistics of use."""
    counts, intercept = [0], transport._VersionInterceptor.intercept
    read_rows = rows.read

    def remember(*arguments: Any, **options: Any) -> rows.Reading:
        reading = read_rows(*arguments, **options)
        counts[0] = reading.num_rows
        return reading

    def faulty(self: Any, context: Any, call_next: Any) -> httpx.Response:
        context.request.headers["user-agent"] = f"hansa ({counts[0]} rows)"
        return intercept(self, context, call_next)

    patch.setattr(rows, "read", remember)
    patch.setattr(transport._VersionInterceptor, "intercept", faulty)


def duration(patch: Patch) -> None:
    """Say how long a round took, as a stock node does."""
    fetch, began = GatewayClient.fetch, [0.0]

    def started(self: GatewayClient, envelope: Any) -> Message:
        message = fetch(self, envelope)
        began[0] = time.monotonic()
        return message

    def asked(**fields: Any) -> PushMessagesRequest:
        return PushMessagesRequest(**fields | {"clientapp_runtime_list": [time.monotonic() - began[0]]})

    patch.setattr(GatewayClient, "fetch", started)
    patch.setattr(gateway_client, "PushMessagesRequest", asked)


def reason(patch: Patch) -> None:
    """Say why something was declined."""
    latest = [""]

    @contextmanager
    def declining() -> Iterator[None]:
        try:
            yield
        except Exception as error:
            latest[0] = f"{DECLINED}: {error}"
            raise MessageError(latest[0]) from None

    patch.setattr(answers, "declining", declining)
    patch.setattr(loop, "decline", lambda message: Message(Error(CLIENT_RAISED, latest[0]), reply_to=message))


def count_in_health(patch: Patch) -> None:
    """Show in the health file how many entities take part."""
    counts = remember_count(patch)

    def faulty(self: Handlers, *arguments: Any) -> None:
        note_round(self, *arguments)
        if self.latest_round is not None:
            self.latest_round = replace(self.latest_round, plan=f"{self.latest_round.plan}, {counts[0]} entities")

    patch.setattr(Handlers, "_note_round", faulty)


def names_in_log(patch: Patch) -> None:
    """Log the first names that were read, to see whether it is the right column."""
    read_rows = rows.read

    def faulty(*arguments: Any, **options: Any) -> rows.Reading:
        reading = read_rows(*arguments, **options)
        logging.getLogger(rows.__name__).info("Read %s", ", ".join(map(str, reading.panel.entities[:5])))
        return reading

    patch.setattr(rows, "read", faulty)


FAULTS = (
    Fault("size-class-counted", "high", "the size class in the terms follows the data", counted_size_class),
    Fault("count-in-receipt", "high", "the number of entities travels with a receipt", count_in_receipt),
    Fault("count-in-user-agent", "high", "the number of rows is in the user agent", count_in_header),
    Fault("duration-in-reply", "medium", "how long a round took travels with it", duration),
    Fault("reason-in-decline", "medium", "a refusal says why", reason),
    Fault("count-in-health", "low", "the number of entities is in the health file", count_in_health),
    Fault("names-in-log", "low", "names of entities are logged", names_in_log),
)
