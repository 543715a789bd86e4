"""The receipt for a signed model.

| field        | receipt    | what it is                             |
|--------------|------------|----------------------------------------|
| `model_hash` | about, str | SHA-256 of the parameters' bytes       |

It says that the file is on the merchant's disk, and nothing of what the model is good for there. See docs/protocol.md
§5.5.
"""

from flwr.app import ConfigRecord, RecordDict

from common.message.record import check_hash, pack, read_text, unpack_about

RELEASE = "query.release"  # Flower's message type of what it answers
RECEIPT_FIELDS = frozenset({"model_hash"})


def encode_receipt(model_hash: str) -> RecordDict:
    """Say that a model is on the merchant's disk."""
    return pack(ConfigRecord({"model_hash": model_hash}))


def decode_receipt(record: RecordDict) -> str:
    """Read which model is on the merchant's disk."""
    about = unpack_about(record, fields=RECEIPT_FIELDS)
    model_hash = read_text(about, "model_hash")
    check_hash(model_hash, "model_hash")
    return model_hash
