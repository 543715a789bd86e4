"""The agreement: t survivors over the same session, round, model and set."""

import pytest

from common.errors import MessageError
from common.secure_sum.agreement import check_agreement, check_signature, sign_agreement, write_agreement
from sum_world import MODEL, OTHER_MODEL, identity, make_session, name_of

SESSION = make_session(5)
SURVIVORS = SESSION.names[:4]


def signature(
    place: int, survivors=SURVIVORS, *, session=SESSION, round_number: int = 1, model_hash: str = MODEL
) -> bytes:
    written = write_agreement(session, survivors, round_number=round_number, model_hash=model_hash)
    return sign_agreement(written, identity(place))


def check(signatures: dict[str, bytes], survivors=SURVIVORS) -> None:
    check_agreement(SESSION, survivors, round_number=1, model_hash=MODEL, signatures=signatures)


GOOD = {name_of(place): signature(place) for place in range(4)}


def test_t_signatures_over_one_set_in_any_order_are_an_agreement() -> None:
    check(GOOD)
    check(GOOD, SURVIVORS[::-1])


# Check 4.
@pytest.mark.parametrize(
    "other",
    [
        signature(4),
        signature(3, SESSION.names),
        signature(3, SESSION.names[1:]),
        signature(3, round_number=2),
        signature(3, model_hash=OTHER_MODEL),
        signature(3, session=make_session(5, run_hash="ac" * 32)),
        GOOD["shop-000"],
        bytes(64),
        b"",
    ],
    ids=["stranger", "all", "other set", "other round", "other model", "other session", "repeated", "zeros", "none"],
)
def test_a_signature_over_other_bytes_is_none(other: bytes) -> None:
    with pytest.raises(MessageError, match="has not signed"):
        check({**GOOD, "shop-003": other})


# Checks 4 and 11.
def test_fewer_than_t_signatures_are_no_agreement() -> None:
    with pytest.raises(MessageError, match="Only 3"):
        check({name: GOOD[name] for name in SURVIVORS[:3]})


def test_who_is_not_in_the_set_signs_nothing() -> None:
    with pytest.raises(MessageError, match="not in"):
        check({**GOOD, "shop-004": signature(4)})
    with pytest.raises(MessageError, match="not in"):
        check_signature(SESSION, SURVIVORS, round_number=1, model_hash=MODEL, name="stranger", signature=bytes(64))


# Checks 3 and 11.
@pytest.mark.parametrize(
    "survivors",
    [SURVIVORS[:3], (*SURVIVORS, SURVIVORS[0]), (*SURVIVORS[:3], "stranger"), ()],
    ids=["too few", "twice", "stranger", "nobody"],
)
def test_a_set_that_may_not_be_summed_is_not_written(survivors: tuple[str, ...]) -> None:
    with pytest.raises(MessageError):
        write_agreement(SESSION, survivors, round_number=1, model_hash=MODEL)


@pytest.mark.parametrize("model_hash", ["", "cd" * 31, "CD" * 32, "x" * 64])
def test_a_model_is_named_by_its_hash(model_hash: str) -> None:
    with pytest.raises(MessageError, match="64 hex"):
        write_agreement(SESSION, SURVIVORS, round_number=1, model_hash=model_hash)
