"""What left beside the sums of rounds: written down before it leaves, and shown in words."""

import base64
from pathlib import Path

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from client.transparency.sent_log import OTHER_MEANINGS, SentLog, describe_other, explain_other
from client.transparency.sent_sums import SUM_KINDS, SUM_MEANINGS
from common.errors import ConfigError
from common.message.decline import decline
from common.message.peer import PEER, PEER_FIELDS, encode_peer
from common.message.proposal import PROPOSAL, TERMS_FIELDS, ClientTerms, encode_terms
from common.message.receipt import RECEIPT_FIELDS, RELEASE, encode_receipt
from common.message.round import RoundReply, encode_reply
from common.message.sum_agree import AGREE, AGREE_FIELDS, encode_signature
from common.message.sum_keys import KEYS, KEYS_FIELDS, encode_keys
from common.message.sum_place import Place
from common.message.sum_reveal import REVEAL, REVEAL_FIELDS, Revealed, encode_revealed
from common.message.sum_shares import SHARES, SHARES_FIELDS, encode_shares
from common.message.welcome import RECEIPT_FIELDS as WELCOME_RECEIPT_FIELDS
from common.message.welcome import WELCOME, encode_welcome_receipt
from common.message.wire import to_wire
from common.secure_sum.keys import RoundKeys, SignedKeys

PLACE = Place("a" * 64, "c" * 64, 2)
TOLD = TERMS_FIELDS | RECEIPT_FIELDS | WELCOME_RECEIPT_FIELDS
PLAN_HASH, MODEL_HASH = "a" * 64, "b" * 64
FROZEN = '{"schema": 1, "at": "2026-11-30T00:00:00+00:00", "kind": "refusal", "answers": "train", "content": "%s"}\n'


def reply(message_type: str, content: RecordDict | None) -> Message:
    TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1  # who asks, as Flower wants to know
    asked = Message(RecordDict(), dst_node_id=1, message_type=message_type)
    return decline(asked) if content is None else Message(content, reply_to=asked)


def terms() -> RecordDict:
    return encode_terms(ClientTerms(PLAN_HASH, 64, 2.5))


def test_terms_receipts_and_refusals_are_kept_byte_for_byte_and_sums_are_not(tmp_path: Path) -> None:
    log = SentLog(tmp_path / "sent.jsonl")
    log.note(reply(PROPOSAL, terms()))
    log.note(reply("train", encode_reply(RoundReply(PLAN_HASH, 1, torch.tensor([1, 2])))))
    log.note(reply(RELEASE, encode_receipt(MODEL_HASH)))
    log.note(reply(WELCOME, encode_welcome_receipt(MODEL_HASH)))
    log.note(reply("train", None))
    found, broken = log.read()
    assert [message.kind for message in found] == ["terms", "receipt", "welcome receipt", "refusal"]
    assert [message.content for message in found] == [
        to_wire(terms()),
        to_wire(encode_receipt(MODEL_HASH)),
        to_wire(encode_welcome_receipt(MODEL_HASH)),
        b"declined",
    ]
    assert broken == 0
    assert describe_other(found[0])["fields"] == {"plan_hash": PLAN_HASH, "size_class": 64, "noise_multiplier": 2.5}
    assert describe_other(found[1])["fields"] == {"model_hash": MODEL_HASH}
    assert describe_other(found[2])["fields"] == {"welcome_hash": MODEL_HASH}
    words = "\n".join(map(explain_other, found))
    assert "Refusal of a round" in words
    assert all(meaning in words for name, meaning in OTHER_MEANINGS.items() if name in TOLD)


def test_what_leaves_for_a_secure_sum_is_told_in_words(tmp_path: Path) -> None:
    log, key = SentLog(tmp_path / "sent.jsonl"), Ed25519PrivateKey.from_private_bytes(bytes(32))
    keys = SignedKeys(2, (RoundKeys(bytes(32), bytes(32), bytes(32)),), bytes(64))
    log.note(reply(PEER, encode_peer("north", key)))
    log.note(reply(KEYS, encode_keys(PLACE, [keys])))
    log.note(reply(SHARES, encode_shares(PLACE, {"south": bytes(82)})))
    log.note(reply(AGREE, encode_signature(PLACE, bytes(64))))
    log.note(reply(REVEAL, encode_revealed(PLACE, Revealed({"north": bytes(33)}, {"south": bytes(33)}))))
    found, _ = log.read()
    assert [message.kind for message in found] == list(SUM_KINDS.values())
    assert describe_other(found[0])["fields"]["name"] == "north"
    assert describe_other(found[1])["fields"]["keys"] == "of 1 rounds"
    assert describe_other(found[4])["fields"]["key_shares"] == "of south"
    words = "\n".join(map(explain_other, found))
    assert all(meaning in words for meaning in SUM_MEANINGS.values())


def test_every_field_that_may_leave_outside_of_rounds_has_its_words() -> None:
    of_sums = PEER_FIELDS | KEYS_FIELDS | SHARES_FIELDS | AGREE_FIELDS | REVEAL_FIELDS
    assert set(OTHER_MEANINGS) == TOLD | of_sums


def test_a_line_that_was_cut_short_was_not_sent_and_costs_no_other(tmp_path: Path) -> None:
    file = tmp_path / "sent.jsonl"
    file.write_text(FROZEN % base64.b64encode(b"declined").decode() + '{"schema": 1, "at": "20')
    SentLog(file).note(reply(RELEASE, encode_receipt(MODEL_HASH)))
    found, broken = SentLog(file).read()
    assert ([message.kind for message in found], broken) == (["refusal", "receipt"], 1)
    assert found[0].content == b"declined"


def test_what_cannot_be_written_down_may_not_be_sent(tmp_path: Path) -> None:
    (tmp_path / "sent.jsonl").mkdir()
    with pytest.raises(ConfigError, match="an answer is not sent"):
        SentLog(tmp_path / "sent.jsonl").note(reply(PROPOSAL, terms()))
