"""What passes the gateway is what was judged: lists of headers of any kind, over real TLS, to a server that records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from network.coordinator import Knocker
from network.doorway import HEARTBEAT, Doorway, proper_headers, read_status, serving_doorway, write_request
from server.process.headers import HEARD, PASSED_ON, Improper, read_head, read_kind, read_path
from server.process.loopback import WORD_HEADER

OURS = {b"host", b"content-length", WORD_HEADER.encode()}
NAMES = [name.encode() for name in (*PASSED_ON, *HEARD)]
ODD_NAMES = [
    b"x-odd", b"te", b"trailer", b"upgrade", b"expect", b"transfer-encoding", b"cookie", b"forwarded",
    b"flwr_public_key", b"flwr-odd", b"content-encoding", b"authorization", b"keep-alive", WORD_HEADER.encode(),
]  # fmt: skip
ODD_VALUES = [
    b"", b"chunked", b"keep-alive, flwr-public-key", b"upgrade", b"100-continue", b"websocket", b"0, 0", b"+0", b"00",
    b"a\tb", b"caf\xe9", b"application/json", b"x" * 700, b"application/protobuf; charset=x", b"1-2,1-2",
]  # fmt: skip


@pytest.fixture(scope="module")
def doorway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    with serving_doorway(tmp_path_factory.mktemp("headers"), requests_per_second=100_000) as made:
        yield made


@pytest.fixture(scope="module")
def alice(doorway: Doorway) -> Knocker:
    return doorway.member("alice")


@pytest.fixture(scope="module")
def bob(doorway: Doorway) -> Knocker:
    return doorway.member("bob")


def knock(doorway: Doorway, knocker: Knocker, request: bytes) -> int:
    doorway.recorder.seen.clear()
    with doorway.connect(knocker) as caller:
        caller.sendall(request)
        return read_status(caller)


def arrived(doorway: Doorway) -> list[tuple[bytes, bytes]]:
    """List the headers that came to the SuperLink's place with the one request there was."""
    ((head, _),) = doorway.recorder.seen
    return [
        (name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
    ]


def test_what_a_merchant_sends_arrives_as_it_was_judged_and_nothing_beside_it(doorway: Doorway, alice: Knocker) -> None:
    headers = proper_headers(alice, b"abc")
    assert knock(doorway, alice, write_request(headers, b"abc")) == 200
    head, body = doorway.recorder.seen[0]
    assert (head.split(b"\r\n")[0], body) == (f"POST {HEARTBEAT} HTTP/1.1".encode(), b"abc")
    judged = [(name, value) for name, value in headers if name.decode() in PASSED_ON]
    assert sorted(pair for pair in arrived(doorway) if pair[0] not in OURS) == sorted(judged)
    assert Counter(name for name, _ in arrived(doorway))[b"content-length"] == 1


def test_with_a_stolen_node_key_nobody_acts_as_another(doorway: Doorway, alice: Knocker, bob: Knocker) -> None:
    """Alice's own key is judged, bob's would be passed on: with one list read twice both would be content."""
    own, stolen = proper_headers(alice), proper_headers(bob)
    for mixed in ([*own, *stolen], [*own, *(pair for pair in stolen if pair[0].startswith(b"flwr-"))], [*stolen, *own]):
        assert knock(doorway, alice, write_request(mixed)) == 400
        assert doorway.recorder.seen == []
    key = next(pair for pair in stolen if pair[0] == b"flwr-public-key")
    for name in (b"flwr-public-key", b"Flwr-Public-Key", b"FLWR-PUBLIC-KEY"):
        for mixed in ([(name, key[1]), *own], [*own, (name, key[1])]):
            assert knock(doorway, alice, write_request(mixed)) == 400
            assert doorway.recorder.seen == []


@st.composite
def changes(draw: st.DrawFn) -> list[tuple[str, int, bytes, bytes]]:
    kinds = st.sampled_from(["repeat", "take out", "add", "change", "odd case", "move", "as bob"])
    names = st.sampled_from(NAMES + ODD_NAMES)
    values = st.sampled_from(ODD_VALUES) | st.binary(max_size=20).filter(lambda value: not set(value) & set(b"\r\n\0"))
    return draw(st.lists(st.tuples(kinds, st.integers(0, 30), names, values), max_size=4))


def apply(
    headers: list[tuple[bytes, bytes]], wanted: list[tuple[str, int, bytes, bytes]], other: list[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    for kind, at, name, value in wanted:
        place = at % max(len(headers), 1)
        if kind == "add":
            headers.insert(place, (name, value))
        elif kind == "as bob":
            headers.insert(place, other[at % len(other)])
        elif headers and kind == "repeat":
            headers.insert(at % (len(headers) + 1), headers[place])
        elif headers and kind == "take out":
            headers.pop(place)
        elif headers and kind == "change":
            headers[place] = (headers[place][0], value)
        elif headers and kind == "odd case":
            headers[place] = (headers[place][0].upper(), headers[place][1])
        elif headers:
            headers.append(headers.pop(place))
    return headers


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=changes(), body=st.sampled_from([b"", b"abc"]))
@example(wanted=[("change", 13, b"content-type", b"0, 0")], body=b"abc")
def test_whatever_the_list_it_is_refused_or_arrives_as_judged_once_each(
    doorway: Doorway, alice: Knocker, bob: Knocker, wanted: list[tuple[str, int, bytes, bytes]], body: bytes
) -> None:
    sent = apply(proper_headers(alice, body), wanted, proper_headers(bob, body))
    status = knock(doorway, alice, write_request(sent, body))
    event(str(status))
    if status != 200:
        assert doorway.recorder.seen == []
        return
    names = Counter(name.lower() for name, _ in sent)
    # h11 joins equal lengths to one before anybody sees them
    names[b"content-length"] = len({value for name, value in sent if name.lower() == b"content-length"})
    assert set(names) <= set(NAMES)
    assert set(names.values()) == {1}
    own = dict(proper_headers(alice))[b"flwr-public-key"]
    said = {name.lower(): value.strip() for name, value in sent}
    found = arrived(doorway)
    assert Counter(name for name, _ in found).most_common(1)[0][1] == 1
    assert {name for name, _ in found} == OURS | {name for name in said if name.decode() in PASSED_ON}
    assert all(said[name] == value for name, value in found if name not in OURS)
    assert said[b"flwr-public-key"] == own
    stated = int(said[b"content-length"].partition(b",")[0])  # h11 joins "0, 0" too, and then no body follows
    assert doorway.recorder.seen[0][1] == body[:stated]


@pytest.mark.parametrize(
    "line",
    [
        b"GET /v1/fleet/send-node-heartbeat HTTP/1.1",
        b"PUT /v1/fleet/send-node-heartbeat HTTP/1.1",
        b"post /v1/fleet/send-node-heartbeat HTTP/1.1",
        b"POST /v1/fleet/send-node-heartbeat?x=1 HTTP/1.1",
        b"POST /v1/fleet/send-node-heartbeat#x HTTP/1.1",
        b"POST /v1/fleet%2fsend-node-heartbeat HTTP/1.1",
        b"POST /v1/fleet/%73end-node-heartbeat HTTP/1.1",
        b"POST //v1/fleet/send-node-heartbeat HTTP/1.1",
        b"POST /v1/control/../fleet/send-node-heartbeat HTTP/1.1",
        b"POST https://127.0.0.1/v1/fleet/send-node-heartbeat HTTP/1.1",
        b"POST * HTTP/1.1",
    ],
)
def test_a_path_or_method_that_is_not_the_published_one_to_the_letter_is_refused(
    doorway: Doorway, alice: Knocker, line: bytes
) -> None:
    assert knock(doorway, alice, write_request(proper_headers(alice), line=line)) in (400, 404)
    assert doorway.recorder.seen == []


def test_a_host_that_holds_a_path_changes_no_path(doorway: Doorway, alice: Knocker) -> None:
    headers = [(n, b"x/v1/fleet/send-node-heartbeat?" if n == b"host" else v) for n, v in proper_headers(alice)]
    assert knock(doorway, alice, write_request(headers, line=b"POST /v1/control/list-nodes HTTP/1.1")) == 400
    assert doorway.recorder.seen == []


def test_nothing_that_a_request_says_is_in_the_log(doorway: Doorway, caplog: pytest.LogCaptureFixture) -> None:
    carol = doorway.member("carol")
    forged = b"FORGED 127.0.0.2"
    for name in (b"x-forwarded-for", b"host", b"flwr-public-key", b"forged"):
        headers = [pair for pair in proper_headers(carol) if pair[0] != name]
        assert knock(doorway, carol, write_request([*headers, (name, forged)])) in (400, 403)
        assert knock(doorway, carol, write_request(headers, line=b"POST /FORGED%0aFORGED HTTP/1.1")) in (400, 404, 403)
    assert "Refused 400 from 127.0.0.1: an unknown header" in caplog.text
    assert "FORGED" not in caplog.text


def test_chunks_and_a_body_of_no_stated_length_are_refused(doorway: Doorway, alice: Knocker) -> None:
    bare = [pair for pair in proper_headers(alice) if pair[0] != b"content-length"]
    assert knock(doorway, alice, write_request(bare)) == 411
    for more in ([(b"transfer-encoding", b"chunked")], [(b"transfer-encoding", b"chunked"), (b"content-length", b"3")]):
        body = b"3;name=value\r\nabc\r\n0\r\nflwr-public-key: x\r\n\r\n"
        assert knock(doorway, alice, write_request([*bare, *more], body)) == 400
        assert doorway.recorder.seen == []


def test_of_an_answer_only_its_form_is_told(doorway: Doorway, alice: Knocker) -> None:
    with doorway.connect(alice) as caller:
        caller.sendall(write_request(proper_headers(alice)))
        said = caller.recv(65536)
    names = [line.partition(b":")[0] for line in said.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]]
    assert sorted(names) == [b"content-length", b"content-type", b"date", b"hansa-protocol"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["application/protobuf"], 1),
        (["application/json"], 1),
        (["text/html"], 0),
        ([], 0),
        (["application/json"] * 2, 0),
    ],
)
def test_a_content_type_of_an_answer_is_flowers_own_or_none(values: list[str], told: int) -> None:
    assert len(read_kind(values)) == told


def test_names_reach_the_judge_in_one_case_alone(alice: Knocker) -> None:
    headers = proper_headers(alice)
    assert read_head(headers).passed_on()
    with pytest.raises(Improper, match="unknown"):
        read_head([*headers, (b"Flwr-Public-Key", b"x")])
    with pytest.raises(Improper, match="content-type twice"):
        read_head([*headers, (b"content-type", b"application/protobuf")])
    assert read_path({"method": "POST", "raw_path": HEARTBEAT.encode(), "query_string": b""}) == HEARTBEAT
    assert read_path({"method": "POST", "raw_path": b"/v1/fleet/\xffpush-object", "query_string": b""}) is None
