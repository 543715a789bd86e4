"""Merchants that follow a script: sound answers of zeros, or whatever mischief a test has in mind."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable

import torch
from flwr.app import Message, RecordDict

from client.daemon.envelope import Envelope
from client.daemon.gateway_client import GatewayClient
from client.daemon.gateway_error import GatewayError, Unreachable
from client.daemon.loop import POLL_FACTOR, QUICKEST_POLL_SECONDS
from common.message import proposal
from common.message.decline import decline
from common.message.peer import PEER
from common.message.proposal import ClientTerms, decode_signed, encode_terms, parse_proposal
from common.message.receipt import RELEASE, encode_receipt
from common.message.record import read_text, read_whole
from common.message.release import decode_signature, parse_note
from common.message.round import RoundReply, encode_reply, unpack_request
from network.coordinator import Knocker

SIZE_CLASS = 64
Script = Callable[["ScriptedMerchant", Message, RoundReply], Message | None]


def answer_with_zeros(merchant: ScriptedMerchant, message: Message, sound: RoundReply) -> Message | None:
    return Message(encode_reply(sound), reply_to=message)


class ScriptedMerchant(threading.Thread):
    """Speak the federation's protocol without data, ledger or noise; rounds are answered as the script says."""

    def __init__(
        self,
        knocker: Knocker,
        *,
        script: Script = answer_with_zeros,
        delay_seconds: float = 0.0,
        slowest_poll_seconds: float = 0.1,
    ) -> None:
        super().__init__(daemon=True)
        context = ssl.create_default_context(cafile=knocker.authority)
        assert knocker.certificate is not None
        context.load_cert_chain(knocker.certificate, knocker.tls_key)
        self.gateway = GatewayClient(f"127.0.0.1:{knocker.port}", knocker.node_key, context)
        self.script, self.delay_seconds, self.slowest_poll_seconds = script, delay_seconds, slowest_poll_seconds
        self.kept: dict[int, Message] = {}
        self.models: list[str] = []
        self.rounds: list[int] = []
        self.errors: list[str] = []
        self.over_with: set[int] = set()  # rounds whose answer has left, or never will
        self.connected, self._over = threading.Event(), threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            try:
                self.gateway.connect()
                self.connected.set()
                self._serve()
            except GatewayError as error:
                self.errors.append(str(error))
                self._over.wait(0.3)

    def leave(self) -> None:
        """Take nothing more; what is under way is done."""
        self._over.set()

    def stop(self) -> None:
        self.leave()
        self.join(60)
        self.gateway.close()

    def _serve(self) -> None:
        """Poll as the daemon does: often after a message, and more seldom without one."""
        beat_at, pause = time.monotonic(), QUICKEST_POLL_SECONDS
        while not self._over.wait(pause):
            if time.monotonic() - beat_at > 20:
                self.gateway.heartbeat()
                beat_at = time.monotonic()
            if (envelope := self.gateway.pull()) is None:
                pause = min(pause * POLL_FACTOR, self.slowest_poll_seconds)
                continue
            pause = QUICKEST_POLL_SECONDS
            message = self._fetch(envelope)
            reply = self._reply(message)
            if reply is not None:
                self.gateway.push(reply)
            self.over_with |= {number for number, kept in self.kept.items() if kept is message}

    def _fetch(self, envelope: Envelope) -> Message:
        while True:
            try:
                return self.gateway.fetch(envelope)
            except Unreachable:  # the coordinator pushes a message first and its content after it
                time.sleep(0.05)

    def _reply(self, message: Message) -> Message | None:
        kind = message.metadata.message_type
        if kind == proposal.PROPOSAL:
            return Message(encode_terms(self._terms(message.content)), reply_to=message)
        if kind == RELEASE:
            model_hash = parse_note(decode_signature(message.content).content).model_hash
            self.models.append(model_hash)
            return Message(encode_receipt(model_hash), reply_to=message)
        if kind == PEER:
            return decline(message)
        about, array = unpack_request(message.content)
        number = read_whole(about, "round_number")
        self.kept[number] = message
        self.rounds.append(number)
        zeros = torch.zeros(array.shape[0], dtype=torch.int64)
        time.sleep(self.delay_seconds)
        return self.script(self, message, RoundReply(read_text(about, "plan_hash"), number, zeros))

    def _terms(self, content: RecordDict) -> ClientTerms:
        proposed = parse_proposal(decode_signed(content).content)
        return ClientTerms(proposed.run_hash, SIZE_CLASS, 4.0 if proposed.private else 0.0)
