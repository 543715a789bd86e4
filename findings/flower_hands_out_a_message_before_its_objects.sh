#!/usr/bin/env bash
# flwr 1.42.0: a SuperLink hands a message out before any of its content is there, and whoever took it waits in steps that begin at 1 s.
#
# Most would guess that storing a message and storing what it says are one step, so that a node which is given a message can read it.
# Seen here, on the state that a SuperLink keeps: the message can be taken as soon as its envelope is stored; it is given once, and each
# of its objects is still empty, since the sender pushes them afterwards, one by one. A node that asks at an unlucky moment finds nothing
# and waits, the first time for PULL_INITIAL_BACKOFF = 1 second, so a round of many small messages takes seconds in which nobody
# computes. Source: flwr/server/superlink/linkstate (store_message_and_object_tree, get_message_ins), flwr/supercore/constant.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet flwr==1.42.0
FLWR_HOME="$folder/flwr" "$folder/venv/bin/python" - <<'PY'
import importlib
from importlib.metadata import version

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.supercore.constant import NOOP_FEDERATION_ID, TaskType
from flwr.supercore.inflatable.inflatable_object import get_object_tree
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.main import create_app

print("version:", version("flwr"))
state = create_app().state.linkstate_factory.state()
run = state.create_run(None, None, None, {}, NOOP_FEDERATION_ID, None, None, TaskType.SERVER_APP)
node = state.create_node("", "", b"a key", 30.0)
state.activate_node(node, 30.0)
TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = run, 1, 1
message = Message(RecordDict({"asked": ConfigRecord({"round": 1})}), dst_node_id=node, message_type="query")
message.metadata.__dict__["_message_id"] = message.object_id
session = state.start_session(run)
stored, missing = state.store_message_and_object_tree(message, get_object_tree(message), session)
print("envelope stored:", stored, "objects not there yet:", len(missing))
(taken,) = state.get_message_ins(node, 1)
contents = [state.get_object(run, object_id) for object_id in missing]
print("taken all the same:", taken.metadata.message_type, "its objects:", contents)
print("a second time:", state.get_message_ins(node, 1))
assert stored and len(missing) == 3 and contents == [b"", b"", b""] and state.get_message_ins(node, 1) == []
constant = importlib.import_module("flwr.supercore.constant")
print("first wait:", constant.PULL_INITIAL_BACKOFF)
assert constant.PULL_INITIAL_BACKOFF == 1
PY
