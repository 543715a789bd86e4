"""Masks: they cancel, look random, and are of one session, one round and one pair."""

import itertools

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from scipy import stats

from common.errors import MessageError, PrivacyError
from common.secure_sum.keys import load_secret, public_of
from common.secure_sum.label import label
from common.secure_sum.mask import (
    add_mask,
    as_integers,
    as_words,
    expand,
    pair_seed,
    pair_sign,
    require_room,
    self_seed,
)
from sum_world import MODEL, OTHER_MODEL, make_session

SESSION = make_session(5)
SECRETS = {name: bytes([place + 40]) * 32 for place, name in enumerate(SESSION.names)}


def seed_of(name: str, other: str, *, round_number: int = 1, model_hash: str = MODEL, session=SESSION) -> bytes:
    key: X25519PrivateKey = load_secret(SECRETS[name])
    return pair_seed(
        key, public_of(SECRETS[other]), session, round_number=round_number, model_hash=model_hash, names=(name, other)
    )


def test_two_members_derive_one_seed_and_the_masks_of_all_cancel() -> None:
    total = np.zeros(100, dtype=np.uint64)
    for name, other in itertools.permutations(SESSION.names, 2):
        assert seed_of(name, other) == seed_of(other, name)
        add_mask(total, seed_of(name, other), sign=pair_sign(name, other))
    assert not total.any()


# Check 7.
def test_no_two_rounds_models_sessions_pairs_or_purposes_share_a_seed() -> None:
    one, two, *_ = SESSION.names
    seeds = [
        seed_of(*pair, round_number=number) for pair in itertools.combinations(SESSION.names, 2) for number in (1, 2)
    ]
    seeds.append(seed_of(one, two, model_hash=OTHER_MODEL))
    seeds.append(seed_of(one, two, session=make_session(5, run_hash="ac" * 32)))
    seeds += [self_seed(bytes(32), SESSION, round_number=number, name=name) for number in (1, 2) for name in (one, two)]
    assert len(set(seeds)) == len(seeds)


# Check 7: no two lists of names give the same bytes.
def test_a_label_is_of_one_session_round_purpose_and_list_of_names() -> None:
    lists = [(), ("a",), ("b",), ("a", "b"), ("b", "a"), ("ab",), ("", "ab"), ("a", "", "b")]
    labels = {
        label(purpose, session, round_number=number, names=names)
        for purpose in ("seal", "mask")
        for session in (SESSION, make_session(4))
        for number in (1, 256)
        for names in lists
    }
    assert len(labels) == 2 * 2 * 2 * len(lists)


@pytest.mark.parametrize("number", [0, -1, 2**32])
def test_a_round_has_a_number(number: int) -> None:
    with pytest.raises(MessageError):
        label("mask", SESSION, round_number=number)


# Origin: the key stream of RFC 8439, appendix A.1, test vector 1: key, nonce and counter all zero.
def test_a_mask_is_the_key_stream_of_chacha20() -> None:
    assert expand(bytes(32), 2).tobytes().hex() == "76b8e0ada0f13d90405d6ae55386bd28"


# False alarm 1e-9 by the threshold on the p-value.
def test_a_mask_is_uniform_in_each_of_its_bytes() -> None:
    counts = np.bincount(np.frombuffer(expand(SECRETS["shop-000"], 100_000).tobytes(), dtype=np.uint8), minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-9


def test_words_and_integers_are_the_same_bits_and_the_last_word_counts() -> None:
    total = np.array([0, -1, 2**62, -(2**62)])
    assert as_words(total).tolist() == [0, 2**64 - 1, 2**62, 2**64 - 2**62, 1]
    assert as_integers(as_words(total), num_members=1).tolist() == total.tolist()
    assert as_integers(as_words(total) + as_words(total), num_members=2).tolist() == [0, -2, -(2**63), -(2**63)]


# Check 8: what is left of one mask is in the last word too.
def test_a_sum_in_which_a_mask_is_left_is_none() -> None:
    words = as_words(np.array([5]))
    add_mask(words, bytes(32), sign=1)
    for spoilt, members in ((words, 1), (as_words(np.array([5])), 2)):
        with pytest.raises(MessageError, match="do not cancel"):
            as_integers(spoilt, num_members=members)


# Check 12.
@pytest.mark.parametrize("sign", [1, -1])
def test_a_total_of_which_not_all_fit_is_refused(sign: int) -> None:
    most = (2**63 - 1) // 5
    require_room(np.array([sign * most]), num_members=5)
    with pytest.raises(PrivacyError, match="no room"):
        require_room(np.array([0, sign * (most + 1)]), num_members=5)
    require_room(np.zeros(0, dtype=np.int64), num_members=5)


def test_a_key_of_small_order_is_refused() -> None:
    with pytest.raises(MessageError):
        pair_seed(load_secret(bytes(32)), bytes(32), SESSION, round_number=1, model_hash=MODEL, names=("a", "b"))
