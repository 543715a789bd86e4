#!/usr/bin/env bash
# mlserver 1.7.1 and tritonclient 2.73.0: a server of the Open Inference Protocol and a client of it cannot be imported into one process.
#
# Most would guess that two packages which speak one protocol can stand side by side: a test that starts MLServer and asks it by
# Triton's client, or a proxy that answers as one and asks as the other. Both bring the protocol's messages as generated code, each
# under another file name and in the same protobuf package `inference`, and protobuf keeps one pool of names for the whole process. So
# whichever of the two gRPC modules is imported second raises TypeError for a symbol that is there already; the order does not matter,
# and neither's REST client is touched. Who needs both starts two processes, or generates the messages into a pool of its own.
# Source: the packages' own generated modules, and the error below.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlserver==1.7.1 'tritonclient[grpc]==2.73.0' uvloop==0.21.0 numpy==2.4.6 protobuf==6.33.6
"$folder/venv/bin/python" -W ignore - <<'PY'
import subprocess
import sys
from importlib.metadata import version

print("version:", {name: version(name) for name in ("mlserver", "tritonclient", "protobuf")})
for first, second in (("mlserver.grpc", "tritonclient.grpc"), ("tritonclient.grpc", "mlserver.grpc")):
    alone = subprocess.run([sys.executable, "-W", "ignore", "-c", f"import {first}"], capture_output=True, text=True)
    assert alone.returncode == 0, alone.stderr
    both = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"import {first}, {second}"], capture_output=True, text=True
    )
    last = both.stderr.strip().splitlines()[-1][-120:]
    print(f"import {first}, {second}:", both.returncode, last)
    assert both.returncode != 0 and "TypeError" in both.stderr and "inference" in both.stderr, both.stderr
PY
