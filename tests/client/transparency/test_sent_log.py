"""What left beside the sums of rounds: written down before it leaves, and shown in words."""

import base64
from pathlib import Path

import pytest
import torch
from flwr.app import Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from client.transparency.sent_log import OTHER_MEANINGS, SentLog, describe_other, explain_other
from common.errors import ConfigError
from common.message.decline import decline
from common.message.proposal import PROPOSAL, TERMS_FIELDS, ClientTerms, encode_terms
from common.message.release import RECEIPT_FIELDS, RELEASE, encode_receipt
from common.message.round import RoundReply, encode_reply
from common.message.welcome import RECEIPT_FIELDS as WELCOME_RECEIPT_FIELDS
from common.message.welcome import WELCOME, encode_welcome_receipt
from common.message.wire import to_wire

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
    assert all(meaning in words for meaning in OTHER_MEANINGS.values())


def test_every_field_that_may_leave_outside_of_rounds_has_its_words() -> None:
    assert set(OTHER_MEANINGS) == set(TERMS_FIELDS) | set(RECEIPT_FIELDS) | set(WELCOME_RECEIPT_FIELDS)


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
