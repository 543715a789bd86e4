"""KServe's own client, as it is, in an environment of its own: run by `make test-kserve`."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from inference_serving import Serving

CALLS = Path(__file__).with_name("kserve_calls.py")
KSERVE = os.environ.get("KSERVE_PYTHON", "")


@pytest.mark.slow
@pytest.mark.skipif(not KSERVE, reason="KSERVE_PYTHON names no Python that has kserve; run: make test-kserve")
def test_what_kserve_asks_is_answered_alike_in_json_in_binary_and_over_grpc(serving: Serving) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [KSERVE, str(CALLS), serving.rest, serving.rpc], env=environment, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["rest health"] == found["rpc health"] == [True, True, True]
    for model, version in (("shop", serving.shop.version), ("demand", serving.network.version)):
        answers = [found[f"{over} {model} {binary}"] for over in ("rest", "rpc") for binary in (False, True)]
        assert {answer["id"] for answer in answers} == {"k1"}
        assert {tuple(answer["shape"]) for answer in answers} == {(2, 28)}
        assert len({answer["sum"] for answer in answers}) == 1
        assert found[f"rpc {model} True"]["version"] == version
    assert found["rest shop False"]["sum"] == float(np.nansum(serving.shop.mean[[1, 2]]))
    assert "no input 'produkt'" in found["rest wrong"]
    assert "INVALID_ARGUMENT" in found["rpc wrong"]
