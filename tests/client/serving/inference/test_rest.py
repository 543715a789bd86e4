"""What real clients do not send, over REST: each refused with {"error": …}, and nothing falls."""

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from inference_serving import Serving

PRODUCT = {"name": "product", "datatype": "BYTES", "shape": [1], "data": ["P1"]}
UNITS = {"name": "units", "datatype": "FP64", "shape": [1, 7], "data": [1, 2, None, 0.5, 3, 4, 5]}


@pytest.fixture(scope="module")
def client(serving: Serving) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{serving.rest}") as found:
        yield found


def infer(client: httpx.Client, content: Any, model: str = "shop", **headers: str) -> httpx.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return client.post(f"/v2/models/{model}/infer", content=body, headers=headers)


def test_an_answer_in_json_has_what_the_protocol_says(client: httpx.Client, serving: Serving) -> None:
    found = infer(client, {"id": "1", "inputs": [PRODUCT], "outputs": [{"name": "mean"}]})
    document = found.json()
    assert found.headers["content-type"] == "application/json"
    assert list(document) == ["model_name", "model_version", "id", "outputs"]
    (output,) = document["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("mean", "FP64", [1, 28])
    assert output["data"] == serving.shop.mean[1].tolist()
    unknown = infer(client, {"inputs": [{**PRODUCT, "data": ["P2"]}]}).json()
    assert "id" not in unknown
    assert unknown["outputs"][0]["data"][3] is None


def test_what_is_no_number_comes_as_null_or_as_triton_writes_it(client: httpx.Client) -> None:
    null = infer(client, {"inputs": [UNITS]}, "demand").json()
    nan = infer(client, json.dumps({"inputs": [UNITS]}).replace("null", "NaN").encode(), "demand").json()
    nested = infer(client, {"inputs": [{**UNITS, "data": [UNITS["data"]]}]}, "demand").json()
    assert null == nan == nested
    assert all(isinstance(number, float) for number in null["outputs"][0]["data"])


def test_a_column_stands_for_a_list(client: httpx.Client) -> None:
    column = infer(client, {"inputs": [{**PRODUCT, "shape": [1, 1]}]}).json()
    assert column["outputs"] == infer(client, {"inputs": [PRODUCT]}).json()["outputs"]


def test_health_is_said_by_the_status_and_in_the_body(client: httpx.Client) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2").json() == client.get("/v2/").json()


WRONG: list[tuple[Any, dict[str, str], int, str]] = [
    (b"", {}, 400, "no JSON"),
    (b"[1]", {}, 400, "no JSON object"),
    (b'{"inputs": [' + b"[" * 100_000, {}, 400, "no JSON"),
    (b"\xff\xfe", {}, 400, "no JSON"),
    ({"inputs": {}}, {}, 400, "inputs is a list"),
    ({"inputs": [PRODUCT, PRODUCT]}, {}, 400, "comes twice"),
    ({"inputs": [PRODUCT], "id": 7}, {}, 400, "id is a text"),
    ({"inputs": [PRODUCT], "outputs": [{"name": "mean"}, {"name": "mean"}]}, {}, 400, "asked for twice"),
    ({"inputs": [{**PRODUCT, "shape": [2]}]}, {}, 400, "2 elements, and 1 came"),
    ({"inputs": [{**PRODUCT, "shape": [1.0]}]}, {}, 400, "no list of whole numbers"),
    ({"inputs": [{**PRODUCT, "shape": [True]}]}, {}, 400, "no list of whole numbers"),
    ({"inputs": [{**PRODUCT, "shape": [-1]}]}, {}, 400, "no list of whole numbers"),
    ({"inputs": [{**PRODUCT, "shape": [10**9, 10**9]}]}, {}, 400, "dimensions or"),
    ({"inputs": [{**PRODUCT, "datatype": "TEXT"}]}, {}, 400, "is none of BOOL"),
    ({"inputs": [{**PRODUCT, "data": [1]}]}, {}, 400, "is no BYTES"),
    ({"inputs": [{**PRODUCT, "data": [["P1"], "P2"]}]}, {}, 400, "nested unevenly"),
    ({"inputs": [{**UNITS, "data": ["1"] * 7}]}, {}, 400, "is no FP64"),
    ({"inputs": [{**UNITS, "data": [True] * 7}]}, {}, 400, "is no FP64"),
    ({"inputs": [{"datatype": "FP64", "shape": [1], "data": [1]}]}, {}, 400, "has no name"),
    ({"inputs": [{**PRODUCT, "parameters": {"binary_data_size": 9}}]}, {}, 400, "more than the body has"),
    ({"inputs": [PRODUCT]}, {"inference-header-content-length": "0"}, 400, "length of the JSON"),
    ({"inputs": [PRODUCT]}, {"inference-header-content-length": "-1"}, 400, "length of the JSON"),
    ({"inputs": [PRODUCT]}, {"inference-header-content-length": "99999999999999"}, 400, "length of the JSON"),
    ({"inputs": [PRODUCT]}, {"inference-header-content-length": "²"}, 400, "length of the JSON"),
    ({"inputs": [PRODUCT]}, {"content-encoding": "br"}, 400, "is not offered"),
    ({"inputs": [PRODUCT]}, {"content-encoding": "gzip"}, 400, "not what its content encoding"),
    (gzip.compress(b"{}", mtime=0)[:-4], {"content-encoding": "gzip"}, 400, "not what its content encoding"),
    (gzip.compress(b" " * (17 << 20), mtime=0), {"content-encoding": "gzip"}, 413, "longer than"),
    (zlib.compress(b" " * (17 << 20)), {"content-encoding": "deflate"}, 413, "longer than"),
    (b" " * (17 << 20), {}, 413, "longer than"),
    ({"inputs": [PRODUCT], "parameters": {"timeout": 1}}, {}, 504, "no answer within"),
]


@pytest.mark.parametrize(("content", "headers", "status", "said"), WRONG)
def test_what_is_wrong_is_refused(
    client: httpx.Client, content: Any, headers: dict[str, str], status: int, said: str
) -> None:
    model = "demand" if b"timeout" in json.dumps(str(content)).encode() else "shop"
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    if model == "demand":
        body = json.dumps({"inputs": [UNITS], "parameters": {"timeout": 1}}).encode()
    found = client.post(f"/v2/models/{model}/infer", content=body, headers=raw)
    assert found.status_code == status
    assert said in found.json()["error"]


def test_bytes_behind_the_json_must_be_all_there_and_no_more(client: httpx.Client) -> None:
    given = {"name": "product", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 6}}
    head = json.dumps({"inputs": [given]}).encode()
    length = {"inference-header-content-length": str(len(head))}
    assert infer(client, head + b"\x02\0\0\0P1", **length).status_code == 200
    for tail in (b"\x03\0\0\0P1", b"\x01\0\0\0P1", b"\xff\xff\xff\xffP1", b"\x02\0\0\0P1!", b"\x02\0"):
        found = infer(client, head + tail, **length)
        assert (found.status_code, list(found.json())) == (400, ["error"])


def test_other_paths_and_methods_answer_in_the_same_form(client: httpx.Client) -> None:
    for path in ("/v2/nothing", "/v2/models/shop/config", "/v2/models", "/v2/models/shop/infer"):
        found = client.get(path)
        assert (found.status_code, list(found.json())) == (404, ["error"])
    assert client.post("/v2/models/nothing/infer", content=b"{").status_code == 404
