#!/usr/bin/env bash
# flwr 1.42.0: a SuperNode's public key that was unregistered once can never be registered again with the same SuperLink.
#
# Most would guess that UnregisterNode undoes RegisterNode, so that a node which was shut out by mistake, or for a while, is let
# in again by registering its key. Seen here, over the Control API of a real SuperLink: the second RegisterNode of a key that is
# registered is refused (as one would guess), and so is the one after UnregisterNode, with the words "already in use". The node
# stays in ListNodes with the status "unregistered". Whoever wants it back has to give it another key, or strike its row out of
# the SuperLink's database. Source: flwr/server/superlink/linkstate (table node, public_key UNIQUE).
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${superlink:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet flwr==1.42.0
port=$("$folder/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export FLWR_HOME="$folder/flwr"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$folder/server.key" -out "$folder/server.pem" 2>/dev/null
"$folder/venv/bin/flower-superlink" --host 127.0.0.1 --port "$port" --enable-supernode-auth --isolation process \
    --ssl-certfile "$folder/server.pem" --ssl-keyfile "$folder/server.key" --ssl-ca-certfile "$folder/server.pem" \
    --database "$folder/state.sqlite" >"$folder/superlink.log" 2>&1 &
superlink=$!
PORT=$port PEM="$folder/server.pem" "$folder/venv/bin/python" - <<'PY'
import os
import time
from importlib.metadata import version
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flwr.proto.control_pb2 import ListNodesRequest, RegisterNodeRequest, UnregisterNodeRequest
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor

key = ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
pem = Path(os.environ["PEM"]).read_bytes()
address = f"127.0.0.1:{os.environ['PORT']}"
says = [RuntimeVersionHttpInterceptor(component_name="flwr CLI")]
print("version:", version("flwr"))


def register(client):
    try:
        return client.RegisterNode(RegisterNodeRequest(public_key=key)).node_id
    except Exception as error:
        return error


with ControlHttpClient.from_server_address(address, insecure=False, root_certificates=pem, interceptors=says) as client:
    for _ in range(200):
        try:
            client.ListNodes(ListNodesRequest())
            break
        except Exception:
            time.sleep(0.2)
    node_id = register(client)
    assert isinstance(node_id, int), node_id
    print("registered, and again:", repr(register(client))[:200])
    client.UnregisterNode(UnregisterNodeRequest(node_id=node_id))
    (node,) = client.ListNodes(ListNodesRequest()).nodes_info
    print("listed as:", node.status)
    again = register(client)
    print("registered after it was unregistered:", repr(again)[:200])
    assert node.status == "unregistered"
    assert isinstance(again, Exception)
PY
echo "As described."
