"""What KServe's client asks, run by an environment that has it: `python kserve_calls.py REST RPC` prints JSON."""

import asyncio
import json
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput


def ask(model: str, name: str, datatype: str, values: np.ndarray, *, binary: bool) -> InferRequest:
    given = InferInput(name=name, shape=list(values.shape), datatype=datatype)
    given.set_data_from_numpy(values, binary_data=binary)
    wanted = [RequestedOutput("mean", parameters={"binary_data": True})] if binary else None
    return InferRequest(model_name=model, infer_inputs=[given], request_outputs=wanted, request_id="k1")


def say(answer) -> dict:
    mean = next(output for output in answer.outputs if output.name == "mean")
    values = np.asarray(mean.as_numpy(), np.float64)
    return {
        "id": answer.id,
        "version": answer.model_version,
        "shape": list(values.shape),
        "sum": float(np.nansum(values)),
    }


async def failure(call) -> str:
    try:
        await call
    except Exception as error:  # what it raises is what is looked at
        return f"{type(error).__name__} {error}"
    return ""


async def main(rest: str, rpc: str) -> None:
    names, units = np.array([b"P1", b"P2"], object), np.random.default_rng(0).poisson(3.0, (2, 60)).astype(np.float64)
    units[0, 3] = np.nan
    found = {}
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        base = f"http://{rest}"
        found["rest health"] = [
            await client.is_server_live(base),
            await client.is_server_ready(base),
            await client.is_model_ready(base, "shop"),
        ]
        for binary in (False, True):
            for model, name, datatype, values in (
                ("shop", "product", "BYTES", names),
                ("demand", "units", "FP64", units),
            ):
                request = ask(model, name, datatype, values, binary=binary)
                answer = await client.infer(base, request, model_name=model)
                found[f"rest {model} {binary}"] = say(answer)
        wrong = ask("shop", "produkt", "BYTES", names, binary=False)
        found["rest wrong"] = await failure(client.infer(base, wrong, model_name="shop"))
    async with InferenceGRPCClient(rpc) as client:
        found["rpc health"] = [
            await client.is_server_live(),
            await client.is_server_ready(),
            await client.is_model_ready("shop"),
        ]
        for binary in (False, True):
            for model, name, datatype, values in (
                ("shop", "product", "BYTES", names),
                ("demand", "units", "FP64", units),
            ):
                answer = await client.infer(ask(model, name, datatype, values, binary=binary))
                found[f"rpc {model} {binary}"] = say(answer)
        found["rpc wrong"] = await failure(client.infer(ask("shop", "produkt", "BYTES", names, binary=False)))
    print(json.dumps(found))  # noqa: T201  what the test reads


asyncio.run(main(*sys.argv[1:]))
