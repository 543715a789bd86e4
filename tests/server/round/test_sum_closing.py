"""The end of a round of a secure sum: whom the coordinator asks to sign and to reveal, with real members."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp

from client.secure_sum.member import SumMember
from common.errors import MessageError
from common.message import sum_agree, sum_reveal
from common.message.sum_agree import AGREE
from common.message.sum_place import Place
from common.message.sum_reveal import REVEAL, Revealed
from common.secure_sum.roster import Session
from server.round import sum_closing
from server.round.sum_closing import Closing
from server.secure_sum.round import SumRound
from simulation.engine.grid import InProcessGrid, make_context
from sum_world import RUN, folder_in_memory, make_members, make_session, to_masked, totals_of

FIRST_NODE = 2


class MemberApp(ClientApp):
    """A member that signs and reveals, unless it declines, or tells wrong shares."""

    def __init__(self, member: SumMember, scene: Scene) -> None:
        super().__init__()
        self._member, self._scene = member, scene

    def __call__(self, message: Message, context: Context) -> Message:
        kind = message.metadata.message_type
        self._scene.asked.append((kind, self._member.name))
        if (kind, self._member.name) in self._scene.declining:
            raise MessageError("no")
        answer = self._agree if kind == AGREE else self._reveal
        return Message(answer(message.content), reply_to=message)

    def _agree(self, content: RecordDict) -> RecordDict:
        asked = sum_agree.decode_question(content)
        signature = self._member.agree(asked.place.round_number, asked.model_hash, asked.survivors)
        return sum_agree.encode_signature(asked.place, signature)

    def _reveal(self, content: RecordDict) -> RecordDict:
        place, signatures = sum_reveal.decode_question(content)
        reveal = self._member.reveal(place.round_number, signatures)
        shares = dict(reveal.self_shares)
        if self._member.name in self._scene.lying:
            first, second, *_ = shares
            shares[first], shares[second] = shares[second], shares[first]
        return sum_reveal.encode_revealed(place, Revealed(shares, reveal.key_shares))


class SilentGrid(InProcessGrid):
    """Some never answer."""

    def __init__(self, apps: dict[str, tuple[ClientApp, Context]], silent: set[int]) -> None:
        super().__init__(apps)
        self._silent = silent

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        heard = [one for one in message_ids if self._waiting[one].metadata.dst_node_id not in self._silent]
        return super().pull_messages(heard)


@dataclass
class Scene:
    """A round whose masked sums have come, of seven members of whom five are needed."""

    session: Session
    members: dict[str, SumMember]
    totals: dict[str, np.ndarray]
    sums: SumRound
    declining: set[tuple[str, str]] = field(default_factory=set)
    lying: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def closing(self, order: Iterable[str]) -> Closing:
        nodes = {name: FIRST_NODE + place for place, name in enumerate(self.session.names)}
        apps = {name: (MemberApp(member, self), make_context(nodes[name])) for name, member in self.members.items()}
        return Closing(
            SilentGrid(apps, {nodes[name] for name in self.silent}),
            self.sums,
            Place(RUN, self.session.hash, 1),
            nodes={name: nodes[name] for name in order},
            timeout_seconds=20.0,
            withdrawn=tuple,
        )

    def whom(self, kind: str) -> list[str]:
        return [name for asked, name in self.asked if asked == kind]

    def expected(self) -> np.ndarray:
        return np.sum([self.totals[name] for name in self.session.names], axis=0)


@pytest.fixture
def scene() -> Iterator[Scene]:
    with folder_in_memory() as folder:
        yield make_scene(folder)


def make_scene(folder: Path) -> Scene:
    session = make_session(7)
    assert session.threshold == 5
    members, totals = make_members(session, folder), totals_of(session)
    sums = to_masked(members, totals)
    sums.survivors()
    return Scene(session, members, totals, sums)


def test_no_more_are_asked_than_are_needed_and_the_first_in_line(scene: Scene) -> None:
    order = list(reversed(scene.session.names))
    closing = scene.closing(order)
    assert asyncio.run(closing.hold())
    assert scene.whom(AGREE) == order[:5]
    assert sorted(scene.whom(REVEAL)) == sorted(order[:5])
    np.testing.assert_array_equal(asyncio.run(closing.total()), scene.expected())
    assert len(scene.asked) == 10, "the others are left alone where there is a sum"


@pytest.mark.parametrize("kind", [AGREE, REVEAL])
def test_another_is_asked_at_once_for_each_that_declines(
    scene: Scene, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sum_closing, "SPARE_SECONDS", 1000.0)
    names = scene.session.names
    scene.declining = {(kind, names[0]), (kind, names[3])}
    closing = scene.closing(names)
    assert asyncio.run(closing.hold())
    assert scene.whom(AGREE) == list(names)
    np.testing.assert_array_equal(asyncio.run(closing.total()), scene.expected())


def test_all_are_asked_where_some_do_not_come(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sum_closing, "SPARE_SECONDS", 0.2)
    scene.silent = {scene.session.names[1]}
    began, closing = time.monotonic(), scene.closing(scene.session.names)
    assert asyncio.run(closing.hold())
    assert time.monotonic() - began >= 0.2
    assert set(scene.whom(AGREE)) == set(scene.session.names) - scene.silent
    np.testing.assert_array_equal(asyncio.run(closing.total()), scene.expected())


def test_where_what_came_gives_no_sum_the_others_are_asked(scene: Scene) -> None:
    order = list(reversed(scene.session.names))
    scene.lying = {order[0]}
    closing = scene.closing(order)
    assert asyncio.run(closing.hold())
    assert len(scene.whom(REVEAL)) == 5
    np.testing.assert_array_equal(asyncio.run(closing.total()), scene.expected())
    assert len(scene.whom(REVEAL)) == 7


def test_where_nobody_has_another_share_to_tell_it_stays_with_what_there_is(scene: Scene) -> None:
    scene.lying = set(scene.session.names[:5])
    closing = scene.closing(scene.session.names[:5])
    assert asyncio.run(closing.hold())
    with pytest.raises(MessageError):
        asyncio.run(closing.total())


def test_with_too_few_it_ends_before_its_time(scene: Scene) -> None:
    scene.declining = {(REVEAL, name) for name in scene.session.names[:3]}
    began, closing = time.monotonic(), scene.closing(scene.session.names)
    assert not asyncio.run(closing.hold())
    assert time.monotonic() - began < 10
    assert closing.agreed_seconds is not None
