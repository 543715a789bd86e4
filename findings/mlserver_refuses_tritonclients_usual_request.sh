#!/usr/bin/env bash
# mlserver 1.7.1: the request that tritonclient 2.73.0 writes by default is refused over REST, and the client then fails on the refusal.
#
# Both name the Open Inference Protocol, so most would guess that the one's client asks the other's server. Triton's client sends tensors
# as bytes after the JSON (the binary tensor data extension) unless it is told otherwise for each input; MLServer reads JSON alone, takes
# the bytes as a body that is no JSON and answers 422. Its error has the key `detail`; Triton's client looks for `error`, so the program
# that asked sees the client's own complaint about the answer, and not what was wrong. With binary_data=False for the input and for the
# output the same request is answered. A server that wants Triton's client must know Inference-Header-Content-Length, and say `error`.
# Source: the two packages, and the Open Inference Protocol's binary extension, which is optional.
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlserver==1.7.1 uvloop==0.21.0 numpy==2.4.6 protobuf==6.33.6
python3 -m venv "$folder/client"
"$folder/client/bin/pip" install --quiet 'tritonclient[http]==2.73.0' numpy==2.4.6
mkdir "$folder/models"
read -r http grpc metrics < <(python3 -c "
import socket
held = [socket.create_server(('127.0.0.1', 0)) for _ in range(3)]
print(*(each.getsockname()[1] for each in held))")
cat >"$folder/models/settings.json" <<JSON
{"host": "127.0.0.1", "http_port": $http, "grpc_port": $grpc, "metrics_port": $metrics, "parallel_workers": 0, "debug": false}
JSON
cat >"$folder/models/model-settings.json" <<'JSON'
{"name": "twice", "implementation": "twice.Twice"}
JSON
cat >"$folder/models/twice.py" <<'PY'
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Twice(MLModel):
    async def predict(self, payload):
        doubled = NumpyCodec.decode_input(payload.inputs[0]) * 2
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("y", doubled)])
PY
(cd "$folder/models" && PYTHONPATH=. exec "$folder/venv/bin/mlserver" start . >"$folder/log" 2>&1) &
server=$!
"$folder/client/bin/python" -W ignore - "$http" <<'PY'
import sys
import time
from importlib.metadata import version

import numpy as np
import tritonclient.http as triton

print("version: tritonclient", version("tritonclient"), "mlserver 1.7.1")
client = triton.InferenceServerClient(f"127.0.0.1:{sys.argv[1]}")
for _ in range(600):
    try:
        if client.is_model_ready("twice"):
            break
    except OSError:
        pass
    time.sleep(0.1)
numbers = np.array([[1.0, 2.0]])


def ask(binary: bool):
    wanted = triton.InferInput("x", list(numbers.shape), "FP64")
    wanted.set_data_from_numpy(numbers, binary_data=binary)
    return client.infer("twice", [wanted], outputs=[triton.InferRequestedOutput("y", binary_data=binary)]).as_numpy("y")


plain = ask(False)
print("binary_data=False:", plain.tolist())
assert plain.ravel().tolist() == [2.0, 4.0]
try:
    ask(True)
except Exception as error:
    print("by default:", type(error).__name__, str(error)[:200])
else:
    raise SystemExit("the usual request was answered")
PY
