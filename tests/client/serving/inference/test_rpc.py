"""What real clients do not send, over gRPC: each refused with the code of real servers, and nothing falls."""

import asyncio
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.descriptor import FieldDescriptor

from client.serving.inference.repository import Fixed, Repository
from client.serving.inference.rpc.proto import open_inference_pb2 as messages
from client.serving.inference.rpc.proto.open_inference_pb2_grpc import GRPCInferenceServiceStub
from client.serving.inference.rpc.server import MOST_BYTES, start_grpc
from common.errors import ConfigError
from common.http.token import Keys
from inference_serving import PRODUCTS, Serving, make_shop_model

PROTO = Path(messages.__file__).with_name("open_inference.proto")
Code = grpc.StatusCode
HONEST = {  # what a wrong message may be answered with
    Code.OK,
    Code.INVALID_ARGUMENT,
    Code.NOT_FOUND,
    Code.RESOURCE_EXHAUSTED,
    Code.DEADLINE_EXCEEDED,
    Code.UNAVAILABLE,
}


@pytest.fixture(scope="module")
def stub(serving: Serving) -> Iterator[Any]:
    with grpc.insecure_channel(serving.rpc) as channel:
        yield GRPCInferenceServiceStub(channel)


def ask(**how: Any) -> messages.ModelInferRequest:
    request = messages.ModelInferRequest(model_name="shop", id="7", **how)
    given = request.inputs.add(name="product", datatype="BYTES", shape=[2])
    given.contents.bytes_contents.extend([b"P1", b"P2"])
    return request


def code_of(call: Callable[[], Any]) -> tuple[Code, str]:
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), error.details()
    return Code.OK, ""


def test_typed_contents_are_read_and_raw_ones_are_answered(stub: Any, serving: Serving) -> None:
    answer = stub.ModelInfer(ask())
    assert (answer.model_name, answer.model_version, answer.id) == ("shop", serving.shop.version, "7")
    assert [(each.name, each.datatype, list(each.shape)) for each in answer.outputs] == [
        ("mean", "FP64", [2, 28]),
        ("quantiles", "FP64", [2, 28, 9]),
    ]
    mean = np.frombuffer(answer.raw_output_contents[0], "<f8").reshape(2, 28)
    np.testing.assert_array_equal(mean, serving.shop.mean[1:3])
    assert not any(each.HasField("contents") for each in answer.outputs)


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda r: r.raw_input_contents.extend([b"a", b"b"]), Code.INVALID_ARGUMENT, "2 parts for 1 inputs"),
        (lambda r: r.raw_input_contents.extend([b"a"]), Code.INVALID_ARGUMENT, "has contents although"),
        (lambda r: r.inputs[0].shape.append(2), Code.INVALID_ARGUMENT, "4 elements, and 2 came"),
        (lambda r: r.inputs[0].shape.append(-2), Code.INVALID_ARGUMENT, "no list of whole numbers"),
        (lambda r: r.inputs[0].shape.extend([1] * 9), Code.INVALID_ARGUMENT, "more than 8 dimensions"),
        (lambda r: r.inputs[0].contents.fp64_contents.append(1), Code.INVALID_ARGUMENT, "not in fp64_contents"),
        (lambda r: r.inputs.append(r.inputs[0]), Code.INVALID_ARGUMENT, "comes twice"),
        (lambda r: setattr(r.inputs[0], "datatype", "BF16"), Code.INVALID_ARGUMENT, "is none of BOOL"),
        (lambda r: setattr(r, "id", "x" * 2000), Code.INVALID_ARGUMENT, "The id is a text"),
        (lambda r: setattr(r, "model_name", ""), Code.NOT_FOUND, "unknown model"),
        (lambda r: setattr(r, "model_version", "2"), Code.NOT_FOUND, "version 2 is not found"),
        (lambda r: r.outputs.add(name="mode"), Code.INVALID_ARGUMENT, "no output 'mode'"),
        (lambda r: setattr(r, "id", "x" * (MOST_BYTES + 1)), Code.RESOURCE_EXHAUSTED, "larger than max"),
    ],
)
def test_what_contradicts_itself_is_refused(stub: Any, change: Callable[[Any], Any], code: Code, said: str) -> None:
    request = ask()
    change(request)
    found, sentence = code_of(lambda: stub.ModelInfer(request))
    assert (found, said in sentence) == (code, True), sentence


def test_a_deadline_that_is_over_is_said_and_the_next_call_is_answered(stub: Any) -> None:
    request = messages.ModelInferRequest(model_name="demand", raw_input_contents=[bytes(8 * 1113)])
    request.inputs.add(name="units", datatype="FP64", shape=[1, 1113])
    assert code_of(lambda: stub.ModelInfer(request, timeout=0.005))[0] is Code.DEADLINE_EXCEEDED
    assert stub.ModelInfer(ask(), timeout=10).id == "7"


def test_the_messages_are_those_of_the_proto_under_the_installed_protobuf() -> None:
    text = re.sub(r"//.*", "", PROTO.read_text(encoding="utf-8"))
    said = set(re.findall(r"([\w.]+(?:<[^>]*>)?) (\w+) = (\d+);", text))
    fields = list[tuple[str, str]]()

    def walk(message: Any) -> None:
        fields.extend((field.name, str(field.number)) for field in message.fields if not _is_of_map(message))
        for nested in message.nested_types:
            walk(nested)

    for message in messages.DESCRIPTOR.message_types_by_name.values():
        walk(message)
    assert sorted(set(fields)) == sorted({(name, number) for _, name, number in said})
    methods = messages.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods_by_name
    assert sorted(methods) == sorted(re.findall(r"rpc (\w+)\(", text))
    assert messages.DESCRIPTOR.package == "inference"


def _is_of_map(message: Any) -> bool:
    return bool(message.GetOptions().map_entry)


def test_messages_of_another_client_of_the_protocol_may_live_in_the_same_program() -> None:
    from tritonclient.grpc import service_pb2

    assert service_pb2.ModelInferRequest.DESCRIPTOR.full_name == messages.ModelInferRequest.DESCRIPTOR.full_name
    ours = ask().SerializeToString()
    assert service_pb2.ModelInferRequest.FromString(ours).inputs[0].name == "product"


def test_nobody_is_let_in_without_the_token() -> None:
    keys, calls = Keys("a" * 43), list[tuple[Code, str]]()

    async def run() -> None:
        repository = Repository(Fixed({"shop": make_shop_model()}))
        server, port = await start_grpc(repository, "127.0.0.1:0", keys=keys)
        with pytest.raises(ConfigError, match="choose another --grpc-port"):
            await start_grpc(repository, f"127.0.0.1:{port}")
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = GRPCInferenceServiceStub(channel)
            for said in (
                None,
                "",
                "Bearer",
                "Bearer b",
                "Basic " + "a" * 43,
                "Bearer " + "a" * 43,
                "bearer " + "a" * 43,
            ):
                metadata = None if said is None else (("authorization", said),)
                try:
                    await stub.ServerLive(messages.ServerLiveRequest(), metadata=metadata)
                    calls.append((Code.OK, ""))
                except grpc.RpcError as error:
                    calls.append((error.code(), error.details()))
            with pytest.raises(grpc.RpcError) as refused:
                await stub.ModelStreamInfer(iter([ask()])).read()
            calls.append((refused.value.code(), refused.value.details()))
            silent = channel.stream_unary("/inference.GRPCInferenceService/ServerLive")()  # begins, and says nothing
            assert await asyncio.wait_for(silent.code(), 5) == Code.UNAUTHENTICATED
        await server.stop(0)

    asyncio.run(run())
    assert [code for code, _ in calls] == [Code.UNAUTHENTICATED] * 5 + [Code.OK] * 2 + [Code.UNAUTHENTICATED]
    assert "token" in calls[0][1]


class Odd:
    """Messages that are valid on the wire and odd in what they say, drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  no secret
        self.words = [
            "",
            "shop",
            "demand",
            "product",
            "units",
            "last_day",
            "mean",
            "quantiles",
            "BYTES",
            "FP64",
            "FP32",
        ]
        self.words += ["INT64", "FP16", "BOOL", "\0", "é" * 50, "x" * 3000, "../..", "%s%n", "2026-11-01", "nan", "P1"]
        self.numbers = [0, 1, 2, 7, 28, 64, -1, 10**6, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63)]

    def request(self) -> messages.ModelInferRequest:
        request = self.nearly_right() if self.random.random() < 0.7 else messages.ModelInferRequest()
        model = request.model_name
        for _ in range(self.random.choice([0, 1, 1, 2, 3])):
            self.fill(request, 0)
        if self.random.random() < 0.8:  # otherwise it would seldom come further than the name
            request.model_name, request.model_version = model or "shop", ""
        return request

    def nearly_right(self) -> messages.ModelInferRequest:
        if self.random.random() < 0.5:
            request = ask()
            request.inputs[0].contents.bytes_contents[0] = self.random.choice(PRODUCTS)
            return request
        rows, days = self.random.choice([1, 1, 2, 40]), self.random.choice([6, 7, 7, 28, 1200])
        values = np.array(
            self.random.choices(
                [0.0, 1.0, 3.0, 2.5, np.nan, np.inf, -1.0, 1e300], [5, 5, 5, 1, 1, 0.02, 0.02, 0.02], k=rows * days
            )
        )
        request = messages.ModelInferRequest(model_name="demand", raw_input_contents=[values.tobytes()])
        request.inputs.add(name="units", datatype="FP64", shape=[rows, days])
        return request

    def fill(self, message: Any, depth: int) -> None:
        fields = list(message.DESCRIPTOR.fields)
        for field in self.random.sample(fields, self.random.randint(1, len(fields))):
            self.put(message, field, depth)

    def put(self, message: Any, field: FieldDescriptor, depth: int) -> None:
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            if field.message_type.GetOptions().map_entry:
                key = self.random.choice([*self.words, "timeout", "binary_data_size", "classification", "priority"])
                self.fill(getattr(message, field.name)[key], depth + 1)
            elif depth < 3:
                inner = getattr(message, field.name)
                self.fill(inner.add() if field.is_repeated else inner, depth + 1)
        elif field.is_repeated:
            values = [self.draw(field) for _ in range(self.random.choice([1, 2, 2, 30]))]
            getattr(message, field.name).extend(values)
        else:
            setattr(message, field.name, self.draw(field))

    def draw(self, field: FieldDescriptor) -> Any:
        if field.type == FieldDescriptor.TYPE_STRING:
            return self.random.choice(self.words)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return self.random.choice(
                [b"", b"P1", b"\xff\xff\xff\xff", self.random.randbytes(self.random.choice([1, 8, 56, 700]))]
            )
        if field.type == FieldDescriptor.TYPE_BOOL:
            return self.random.random() < 0.5
        if field.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
            return self.random.choice([0.0, -0.0, 1.5, float("nan"), float("inf"), 1e38])
        bits = 31 if field.type in (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_UINT32) else 63
        lowest = 0 if field.type in (FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64) else -(2**bits)
        return max(min(self.random.choice(self.numbers), 2**bits - 1), lowest)


def send_odd(serving: Serving, number: int, seed: int) -> dict[Code, int]:
    """Send odd messages, many at a time, and count what they were answered with."""
    counts = dict[Code, int]()

    async def send(stub: Any, turn: asyncio.Semaphore, request: Any) -> None:
        async with turn:
            try:
                await stub.ModelInfer(request, timeout=60)
                code = Code.OK
            except grpc.RpcError as error:
                code = error.code()
        counts[code] = counts.get(code, 0) + 1

    async def run() -> None:
        odd, turn = Odd(seed), asyncio.Semaphore(64)
        async with grpc.aio.insecure_channel(serving.rpc) as channel:
            stub = GRPCInferenceServiceStub(channel)
            await asyncio.gather(*(send(stub, turn, odd.request()) for _ in range(number)))

    asyncio.run(run())
    return counts


@pytest.mark.parametrize("number", [300, pytest.param(10_000, marks=pytest.mark.slow)], ids=["some", "ten thousand"])
def test_odd_messages_leave_it_standing(stub: Any, serving: Serving, number: int) -> None:
    before = stub.ModelInfer(ask()).SerializeToString()
    counts = send_odd(serving, number, seed=number)
    print(counts)  # noqa: T201  told by: pytest -s
    assert sum(counts.values()) == number
    assert set(counts) <= HONEST
    assert counts[Code.OK] > number / 20
    assert counts[Code.INVALID_ARGUMENT] > number / 5
    assert stub.ModelInfer(ask()).SerializeToString() == before
