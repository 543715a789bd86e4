"""With every check nobody's sum is bare, whatever the coordinator tries; without one of them it is (positive controls)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from planted import secure_sum as planted
from planted.secure_sum import CHECKS, all_of, any_model, off
from sum_exposure import (
    ATTACKS,
    Attack,
    Coordinator,
    ask_for_two_sets,
    ask_for_two_sets_after_a_kill,
    call_a_vector_late,
    drop_all_but_one,
    keep_both_shares,
    lose_one_in_the_next_round,
    mask_again_for_others,
    mask_with_the_colluder_alone,
    pose_as_everybody_else,
    read_the_bundles,
    show_the_others_another_model,
    succeeds,
    take_the_self_mask_for_all,
    take_two_for_enough,
    tell_each_of_other_survivors,
    try_out_every_secret,
    use_the_colluder_s_shares,
)

Plant = Callable[[pytest.MonkeyPatch], None]
SEVEN = {"num_members": 7, "terms": (5, 2)}
TOO_FEW = {"num_members": 5, "terms": (2, 1)}


@pytest.fixture
def patch() -> pytest.MonkeyPatch:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_with_every_check_nobody_s_sum_is_bare(attack: Attack, folder: Path) -> None:
    assert not succeeds(attack, Coordinator(folder))


def test_with_every_check_no_sum_has_the_noise_of_fewer_than_promised(folder: Path) -> None:
    assert not succeeds(tell_each_of_other_survivors, Coordinator(folder, **SEVEN))


# By check, and by what it guards besides.
@pytest.mark.parametrize(
    ("plant", "attack", "who"),
    [
        pytest.param(CHECKS[1], keep_both_shares, {}, id="1"),
        pytest.param(CHECKS[2], ask_for_two_sets, {}, id="2"),
        pytest.param(CHECKS[3], mask_with_the_colluder_alone, {}, id="3"),
        pytest.param(CHECKS[4], tell_each_of_other_survivors, SEVEN, id="4-signatures"),
        pytest.param(any_model, show_the_others_another_model, {}, id="4-model"),
        pytest.param(CHECKS[5], pose_as_everybody_else, {}, id="5"),
        pytest.param(CHECKS[6], take_two_for_enough, TOO_FEW, id="6"),
        pytest.param(CHECKS[7], lose_one_in_the_next_round, {}, id="7"),
        pytest.param(all_of(CHECKS[8], CHECKS[9]), mask_again_for_others, {}, id="8-and-9"),
        pytest.param(CHECKS[10], try_out_every_secret, {}, id="10"),
        pytest.param(CHECKS[11], mask_with_the_colluder_alone, {}, id="11"),
        pytest.param(all_of(CHECKS[11], CHECKS[14]), drop_all_but_one, {}, id="14-and-11"),
        pytest.param(CHECKS[15], ask_for_two_sets_after_a_kill, {}, id="15"),
        pytest.param(planted.no_self_mask, call_a_vector_late, {}, id="no-self-mask"),
        pytest.param(planted.no_pair_masks, take_the_self_mask_for_all, {}, id="no-pair-masks"),
        pytest.param(planted.shares_of_degree_none, use_the_colluder_s_shares, {}, id="share-is-the-secret"),
        pytest.param(planted.open_bundles, read_the_bundles, {}, id="open-bundles"),
    ],
)
def test_without_a_check_the_sum_is_bare(
    plant: Plant, attack: Attack, who: dict, patch: pytest.MonkeyPatch, folder: Path
) -> None:
    plant(patch)
    assert succeeds(attack, Coordinator(folder, **who))


# Guards that stand behind one another: each alone still holds.
@pytest.mark.parametrize(
    ("plant", "attack"),
    [
        pytest.param(planted.unnoted, ask_for_two_sets, id="2-without-the-ledger"),
        pytest.param(all_of(planted.unnoted, off("require_same_set")), ask_for_two_sets, id="2-without-both-notes"),
        pytest.param(CHECKS[8], mask_again_for_others, id="8-alone"),
        pytest.param(CHECKS[9], mask_again_for_others, id="9-alone"),
        pytest.param(CHECKS[11], drop_all_but_one, id="11-alone"),
        pytest.param(CHECKS[14], drop_all_but_one, id="14-alone"),
        pytest.param(CHECKS[4], show_the_others_another_model, id="4-signatures-alone"),
    ],
)
def test_another_guard_holds_where_one_is_gone(
    plant: Plant, attack: Attack, patch: pytest.MonkeyPatch, folder: Path
) -> None:
    plant(patch)
    assert not succeeds(attack, Coordinator(folder))
