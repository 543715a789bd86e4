"""Triton's own clients, as they are."""

from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from inference_serving import PRODUCTS, Serving

HTTP, GRPC = tritonclient.http, tritonclient.grpc
CODES = {
    HTTP: {"invalid": "400", "unknown": "404"},
    GRPC: {"invalid": "StatusCode.INVALID_ARGUMENT", "unknown": "StatusCode.NOT_FOUND"},
}


class Caller:
    """One of Triton's two clients."""

    def __init__(self, kind: Any, address: str) -> None:
        self.kind, self.client = kind, kind.InferenceServerClient(address)

    def put(self, name: str, values: np.ndarray, datatype: str = "", **how: Any) -> Any:
        given = self.kind.InferInput(name, list(values.shape), datatype or self._type(values))
        given.set_data_from_numpy(values, **how)
        return given

    def _type(self, values: np.ndarray) -> str:
        return str(tritonclient.utils.np_to_triton_dtype(values.dtype))

    def infer(self, model: str, *inputs: Any, outputs: tuple[Any, ...] = (), **how: Any) -> Any:
        return self.client.infer(model, list(inputs), outputs=list(outputs) or None, **how)

    def want(self, name: str) -> Any:
        return self.kind.InferRequestedOutput(name)


@pytest.fixture(params=[HTTP, GRPC], ids=["http", "grpc"])
def caller(request: pytest.FixtureRequest, serving: Serving) -> Iterator[Caller]:
    found = Caller(request.param, serving.rest if request.param is HTTP else serving.rpc)
    yield found
    found.client.close()


def names(*products: str) -> np.ndarray:
    return np.array([product.encode() for product in products], object)


def draw_units(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(3.0, shape).astype(np.float64)


def test_the_server_and_its_models_are_described(caller: Caller, serving: Serving) -> None:
    client, as_json = caller.client, {} if caller.kind is HTTP else {"as_json": True}
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("shop")
    assert client.is_model_ready("demand", serving.network.version)
    assert client.get_server_metadata(**as_json)["name"] == "hansa"
    found = client.get_model_metadata("demand", **as_json)
    assert found["versions"] == [serving.network.version]
    assert [each["name"] for each in found["inputs"]] == ["units", "last_day"]
    shapes = {each["name"]: [int(size) for size in each["shape"]] for each in found["outputs"]}
    assert shapes == {"mean": [-1, 28], "quantiles": [-1, 28, 9]}


def test_what_is_not_there_is_not_ready(caller: Caller) -> None:
    with pytest.raises(InferenceServerException, match="unknown model: 'nothing'"):
        caller.client.get_model_metadata("nothing")
    if caller.kind is HTTP:
        assert not caller.client.is_model_ready("nothing")
        assert not caller.client.is_model_ready("shop", "9")
    else:
        with pytest.raises(InferenceServerException, match="version 9 is not found"):
            caller.client.is_model_ready("shop", "9")


def test_products_are_forecast_by_name_in_the_order_asked(caller: Caller, serving: Serving) -> None:
    asked = names("P7", "P2", "茶 & <b>", "P7")
    found = caller.infer("shop", caller.put("product", asked), request_id="order 17/ü")
    rows = [7, 2, 40, 7]
    np.testing.assert_array_equal(found.as_numpy("mean"), serving.shop.mean[rows])
    np.testing.assert_array_equal(found.as_numpy("quantiles"), serving.shop.quantiles[rows])
    response = found.get_response(**({} if caller.kind is HTTP else {"as_json": True}))
    assert (response["id"], response["model_version"]) == ("order 17/ü", serving.shop.version)


def test_only_outputs_that_are_asked_for_come(caller: Caller) -> None:
    found = caller.infer("shop", caller.put("product", names("P1")), outputs=(caller.want("quantiles"),))
    assert found.as_numpy("quantiles").shape == (1, 28, 9)
    assert found.as_numpy("mean") is None
    with pytest.raises(InferenceServerException, match="no output 'median'; there are mean, quantiles"):
        caller.infer("shop", caller.put("product", names("P1")), outputs=(caller.want("median"),))


def test_a_history_is_forecast_afresh_and_alike_in_both_types(caller: Caller, serving: Serving) -> None:
    units, day = draw_units(3, 91), names("2026-11-01")
    units[0, 5] = np.nan
    units[2] = np.nan
    whole = caller.infer("demand", caller.put("units", units), caller.put("last_day", day))
    half = caller.infer("demand", caller.put("units", units.astype(np.float32)), caller.put("last_day", day))
    mean = whole.as_numpy("mean")
    assert np.isfinite(mean[:2]).all()
    assert np.isnan(mean[2]).all()
    np.testing.assert_array_equal(mean, half.as_numpy("mean"))
    assert (np.diff(whole.as_numpy("quantiles")[:2], axis=2) >= 0).all()
    one = caller.infer("demand", caller.put("units", units[1:2]), caller.put("last_day", day))
    np.testing.assert_array_equal(one.as_numpy("mean"), mean[1:2])


def test_many_series_are_forecast_in_one_request(caller: Caller) -> None:
    units = draw_units(70, 28, seed=1)
    found = caller.infer("demand", caller.put("units", units)).as_numpy("mean")
    alone = [caller.infer("demand", caller.put("units", units[row : row + 1])) for row in (0, 31, 32, 69)]
    np.testing.assert_array_equal(found[[0, 31, 32, 69]], np.concatenate([each.as_numpy("mean") for each in alone]))


WRONG = [
    ("nothing", "product", names("P1"), "", "unknown", "unknown model: 'nothing'"),
    ("shop", "produkt", names("P1"), "", "invalid", "no input 'produkt'; it has product"),
    ("shop", "product", np.array([[1.0]]), "", "invalid", "datatype BYTES, not FP64"),
    ("shop", "product", names("P1", "P2").reshape(1, 2), "", "invalid", r"shape \[-1\], not \[1, 2\]"),
    ("shop", "product", names("P1")[:0], "", "invalid", "is empty"),
    ("shop", "product", names("P99"), "", "invalid", "No product 'P99' was ever sold"),
    ("demand", "units", np.ones((1, 30), np.int64), "", "invalid", "FP64 or FP32, not INT64"),
    ("demand", "units", np.ones(30), "", "invalid", r"shape \[-1,-1\], not \[30\]"),
    ("demand", "units", np.ones((1, 3)), "", "invalid", "7 to 1113 days, not 3"),
    ("demand", "units", np.ones((1025, 7)), "", "invalid", "1024 series, not 1025"),
    ("demand", "units", -np.ones((1, 30)), "", "invalid", "0 to 1e"),
    ("demand", "units", np.full((1, 30), np.inf), "", "invalid", "0 to 1e"),
]


@pytest.mark.parametrize(("model", "name", "values", "datatype", "kind", "said"), WRONG)
def test_what_is_wrong_is_said_with_the_right_code(
    caller: Caller, model: str, name: str, values: np.ndarray, datatype: str, kind: str, said: str
) -> None:
    with pytest.raises(InferenceServerException, match=said) as error:
        caller.infer(model, caller.put(name, values, datatype))
    assert error.value.status() == CODES[caller.kind][kind]


def test_a_wrong_day_a_missing_input_and_another_version_are_refused(caller: Caller) -> None:
    units = caller.put("units", draw_units(1, 30))
    for day in ("yesterday", "1600-01-01"):
        with pytest.raises(InferenceServerException, match="last_day"):
            caller.infer("demand", units, caller.put("last_day", names(day)))
    with pytest.raises(InferenceServerException, match="needs the input 'units'"):
        caller.infer("demand", caller.put("last_day", names("2026-11-01")))
    with pytest.raises(InferenceServerException, match="version 9 is not found"):
        caller.infer("demand", units, model_version="9")


def test_classification_and_shared_memory_are_refused_and_not_passed_over(caller: Caller) -> None:
    wanted = caller.kind.InferRequestedOutput("mean", class_count=3)
    with pytest.raises(InferenceServerException, match="Classification is not offered"):
        caller.infer("shop", caller.put("product", names("P1")), outputs=(wanted,))
    given = caller.kind.InferInput("product", [1], "BYTES")
    given.set_shared_memory("region", 8)
    with pytest.raises(InferenceServerException, match="Shared memory is not offered"):
        caller.infer("shop", given)


@pytest.mark.parametrize("asked", [None, "gzip", "deflate"])
@pytest.mark.parametrize("answered", [None, "gzip", "deflate"])
def test_bodies_may_be_compressed_either_way(serving: Serving, asked: str | None, answered: str | None) -> None:
    caller = Caller(HTTP, serving.rest)
    how = {"request_compression_algorithm": asked, "response_compression_algorithm": answered}
    found = caller.infer("shop", caller.put("product", names("P3", "P2")), **how)
    np.testing.assert_array_equal(found.as_numpy("mean"), serving.shop.mean[[3, 2]])
    as_json = caller.kind.InferRequestedOutput("mean", binary_data=False)
    found = caller.infer("shop", caller.put("product", names("P3", "P2")), outputs=(as_json,), **how)
    np.testing.assert_array_equal(found.as_numpy("mean"), serving.shop.mean[[3, 2]])
    caller.client.close()


def test_numbers_that_are_none_go_through_json_both_ways(serving: Serving) -> None:
    caller, units = Caller(HTTP, serving.rest), draw_units(2, 28)
    units[0, 4] = np.nan
    units[1] = np.nan
    wanted = tuple(HTTP.InferRequestedOutput(name, binary_data=name == "quantiles") for name in ("quantiles", "mean"))
    by_json = caller.infer("demand", caller.put("units", units, binary_data=False), outputs=wanted)
    by_bytes = caller.infer("demand", caller.put("units", units))
    for name in ("mean", "quantiles"):
        np.testing.assert_array_equal(by_json.as_numpy(name), by_bytes.as_numpy(name))
    assert [each["name"] for each in by_json.get_response()["outputs"]] == ["quantiles", "mean"]
    caller.client.close()


def test_a_stream_answers_each_request_and_outlives_a_wrong_one(serving: Serving) -> None:
    heard: SimpleQueue[tuple[Any, Any]] = SimpleQueue()
    caller = Caller(GRPC, serving.rpc)
    caller.client.start_stream(lambda result, error: heard.put((result, error)))
    for number, product in enumerate(("P1", "P99", "P2")):
        caller.client.async_stream_infer("shop", [caller.put("product", names(product))], request_id=str(number))
    results = [heard.get(timeout=10) for _ in range(3)]
    caller.client.stop_stream()
    caller.client.close()
    assert [error is None for _, error in results] == [True, False, True]
    np.testing.assert_array_equal(results[2][0].as_numpy("mean"), serving.shop.mean[[2]])


def test_every_product_at_once_is_one_request(caller: Caller, serving: Serving) -> None:
    found = caller.infer("shop", caller.put("product", np.array(PRODUCTS, object)))
    np.testing.assert_array_equal(found.as_numpy("quantiles"), serving.shop.quantiles)
