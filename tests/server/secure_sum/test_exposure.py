"""With every check nobody's sum is bare, whatever the coordinator tries; without one it is (positive controls)."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from planted import secure_sum as planted
from planted.secure_sum import CHECKS, FAULTS, MASKS, all_of, off
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
from sum_probe import (
    PROBES,
    Probe,
    noise_shows_by_repeats,
    one_key_stops_everybody,
    peers_elsewhere_count,
    seeds_are_short,
    sum_is_wrong_at_the_edge,
    sum_is_wrong_by_a_liar,
    vectors_are_not_uniform,
)

Plant = Callable[[pytest.MonkeyPatch], None]
DOCUMENT = Path(__file__).parents[3] / "docs" / "audit.md"
SEVEN = partial(Coordinator, num_members=7, terms=(5, 2))
TOO_FEW = partial(Coordinator, num_members=5, terms=(2, 1))


def by(attack: Attack, who: Callable[[Path], Coordinator] = Coordinator) -> Probe:
    def probe(folder: Path) -> bool:
        return succeeds(attack, who(folder))

    probe.__name__ = attack.__name__
    return probe


CAUGHT_BY: dict[str, Probe] = {
    "both-shares": by(keep_both_shares),
    "second-set": by(ask_for_two_sets),
    "set-of-anybody": by(mask_with_the_colluder_alone),
    "signatures-of-nobody": by(tell_each_of_other_survivors, SEVEN),
    "masks-of-any-model": by(show_the_others_another_model),
    "keys-of-anybody": by(pose_as_everybody_else),
    "keys-of-small-order": one_key_stops_everybody,
    "any-terms": by(take_two_for_enough, TOO_FEW),
    "peers-of-the-roster": peers_elsewhere_count,
    "one-mask-key": by(lose_one_in_the_next_round),
    "any-participants": by(mask_again_for_others),
    "masked-anew": noise_shows_by_repeats,
    "secrets-of-10-bits": by(try_out_every_secret),
    "fewer-than-t": by(mask_with_the_colluder_alone),
    "no-room": sum_is_wrong_at_the_edge,
    "any-key-put-together": sum_is_wrong_by_a_liar,
    "own-share": by(drop_all_but_one),
    "set-in-memory": by(ask_for_two_sets_after_a_kill),
    "no-self-mask": by(call_a_vector_late),
    "no-pair-masks": by(take_the_self_mask_for_all),
    "half-masked": vectors_are_not_uniform,
    "seeds-of-32-bits": seeds_are_short,
    "share-is-the-secret": by(use_the_colluder_s_shares),
    "open-bundles": by(read_the_bundles),
}


@pytest.fixture
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_with_every_check_nobody_s_sum_is_bare(attack: Attack, folder: Path) -> None:
    assert not succeeds(attack, Coordinator(folder))


def test_with_every_check_no_sum_has_the_noise_of_fewer_than_promised(folder: Path) -> None:
    assert not succeeds(tell_each_of_other_survivors, SEVEN(folder))


# False alarm 1e-4: only bytes of masks are drawn.
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.__name__)
def test_with_every_check_nothing_else_shows(probe: Probe, folder: Path) -> None:
    assert not probe(folder)


def test_terms_that_nobody_may_launch_make_no_session(folder: Path) -> None:
    with pytest.raises(Exception, match="threshold must lie between"):
        TOO_FEW(folder)


@pytest.mark.parametrize("fault", MASKS, ids=lambda fault: fault.name)
def test_a_planted_fault_of_the_masks_is_caught(fault: planted.Fault, patch: pytest.MonkeyPatch, folder: Path) -> None:
    fault.plant(patch)
    assert CAUGHT_BY[fault.name](folder)


# Guards that stand behind one another: each alone still holds, and the two together are planted above.
@pytest.mark.parametrize(
    ("plant", "attack"),
    [
        pytest.param(planted.unnoted, ask_for_two_sets, id="2-without-the-ledger"),
        pytest.param(all_of(planted.unnoted, off("require_same_set")), ask_for_two_sets, id="2-without-both-notes"),
        pytest.param(off("require_survivors"), mask_with_the_colluder_alone, id="3-without-the-set"),
        pytest.param(off("require_open"), mask_with_the_colluder_alone, id="3-without-what-opens"),
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


@pytest.mark.parametrize("plant", [CHECKS[13], planted.uncounted], ids=["13-alone", "uncounted-alone"])
def test_a_liar_s_sum_does_not_come_out_where_one_of_two_guards_is_gone(
    plant: Plant, patch: pytest.MonkeyPatch, folder: Path
) -> None:
    plant(patch)
    assert not sum_is_wrong_by_a_liar(folder)


def test_every_check_has_a_planted_fault_and_the_documentation_says_what_catches_each() -> None:
    text = DOCUMENT.read_text().split("<!-- faults of the sum -->")[1].split("<!-- end of faults of the sum -->")[0]
    rows = re.findall(r"^\| `([\w-]+)` \| ([\d, –]*) \| (\w+) \| ([^|]*) \| `(\w+)` \|$", text, re.MULTILINE)
    said = {name: (severity, sentence, caught) for name, _, severity, sentence, caught in rows}
    assert list(said) == [fault.name for fault in FAULTS]
    assert {name: said[name][:2] for name in said} == {fault.name: (fault.severity, fault.sentence) for fault in FAULTS}
    assert {name: said[name][2] for name in CAUGHT_BY} == {name: probe.__name__ for name, probe in CAUGHT_BY.items()}
    assert {said[name][2] for name in said.keys() - CAUGHT_BY.keys()} == {"sum"}
    assert {number for _, numbers, *_ in rows for number in re.findall(r"\d+", numbers)} == set(map(str, CHECKS))
