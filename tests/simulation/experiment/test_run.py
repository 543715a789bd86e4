"""A whole run through the command: what it leaves, and that a stopped run ends like an undisturbed one."""

import json
import math
import os
import re
import resource
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

from common.forecast.method import Method
from common.plan.reading import read_plan
from common.plan.schema import Plan
from server.round.checkpoint import load_checkpoint
from simulation.evaluation import summary
from simulation.evaluation.summary import HEADLINE
from simulation.experiment.folder import Part
from simulation.experiment.run import hold_interrupt, plan_parts

HANSA_SIM = Path(sys.executable).with_name("hansa-sim")
LONG = {"num_rounds": 1200, "learning_rate": 0.01}  # seconds, also by the compiled kernel
PRIVACY_KEYS = {
    "unit",
    "adjacency",
    "epsilon",
    "delta",
    "mu",
    "noise_multiplier",
    "clipping_norm",
    "num_rounds",
    "epsilon_if_all_origins_were_released",
    "noise",
    "not_protected",
}
PRODUCT_KEYS = PRIVACY_KEYS | {"customer_guarantee", "epsilon_of_a_customer_by_units_touched"}


@pytest.fixture
def run(hansa_sim, tables):
    """Run a plan into a folder and give the summary that it prints."""

    def summary_of(plan_file, folder, *options):
        finished = hansa_sim("run", plan_file, "--data-root", tables, "--out", tables / folder, "--json", *options)
        assert finished.code == 0, finished.stderr
        return json.loads(finished.stdout)

    return summary_of


@pytest.fixture
def heeds_ctrl_c():
    """Heed SIGINT here and in processes started from here, also where the suite was started with it ignored."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


def numbers_in(found):
    """Everything in a summary that a run must give again."""
    return {key: found[key] for key in ("methods", "spread", "origins", "merchants", "small_merchants", "privacy")}


# What a run leaves


@pytest.mark.parametrize(("base", "task"), [("sales", "demand"), ("orders", "purchase")])
def test_the_summary_has_the_documented_keys_and_every_metric_of_every_method(run, write_plan, base, task):
    plan = read_plan(write_plan(base))
    found = run(write_plan(base), "run")
    lines = [line[4:].split("  ")[0] for line in summary.__doc__.splitlines() if re.match(r"    \S", line)]
    assert set(found) == {key.strip() for line in lines for key in line.split(",")}
    assert (found["schema"], found["plan"], found["plan_hash"], found["seed"]) == (1, base, plan.hash, 0)
    assert found["complete"] is True
    assert set(found["methods"]) == set(found["merchants"]) == set(plan.evaluation.methods)
    assert set(found["origins"]) == {str(origin) for origin in plan.evaluation.origins}
    for scores in found["methods"].values():
        assert set(scores) == {*HEADLINE[task], *({"coverage80_mid"} if task == "demand" else ())}
        assert all(value is None or math.isfinite(value) for value in scores.values())


@pytest.mark.parametrize(
    ("base", "unit", "keys"), [("sales", "product", PRODUCT_KEYS), ("orders", "customer", PRIVACY_KEYS)]
)
def test_the_privacy_block_states_the_epsilon_of_the_name_and_its_unit(run, write_plan, base, unit, keys):
    found = run(write_plan(base), "run")
    assert set(found["privacy"]) == {"federated_eps8"}
    stated = found["privacy"]["federated_eps8"]
    assert set(stated) == keys
    assert (stated["unit"], stated["delta"], stated["num_rounds"]) == (unit, 1e-5, 3)
    assert 8 - 1e-6 <= stated["epsilon"] <= 8


def test_a_run_leaves_every_file_that_it_promises(run, write_plan, tables):
    plan_file = write_plan()
    run(plan_file, "run")
    out = tables / "run"
    plan = read_plan(plan_file)
    assert Plan.model_validate_json((out / "plan.json").read_text()) == plan
    assert json.loads((out / "run.json").read_text())["plan_hash"] == plan.hash
    assert {path.name for path in (out / "models").iterdir()} == {
        "anchor-2024-02-06-0.safetensors",
        "federated_eps8-2024-02-06-0.safetensors",
    }
    assert all(tensor.isfinite().all() for path in (out / "models").iterdir() for tensor in load_file(path).values())
    for method in plan.evaluation.methods:
        assert list((out / f"tensorboard/{method}-2024-02-06-0").glob("events.out.tfevents.*"))
    assert not list(out.rglob("*.new"))
    assert not list(out.rglob("*.state.safetensors"))


def test_forecasts_hold_one_row_per_method_entity_and_bucket(run, write_plan, tables, sales):
    run(write_plan(), "run")
    forecasts = pd.read_parquet(tables / "run/forecasts.parquet")
    assert forecasts.groupby("method").size().to_dict() == {"seasonal_naive": 24, "anchor": 24, "federated_eps8": 24}
    assert not forecasts.duplicated(["method", "merchant", "entity", "date"]).any()
    sold = sales.rename(columns={"product": "entity"}).astype({"date": "datetime64[ns]"})
    both = forecasts.astype({"date": "datetime64[ns]"}).merge(sold, on=["date", "entity"])
    assert (both["actual"] == both["units"]).all()
    drawn = forecasts[forecasts["method"] != "seasonal_naive"]
    assert (drawn["q10"] <= drawn["q50"]).all()
    assert forecasts[forecasts["method"] == "seasonal_naive"]["q10"].isna().all()


def test_a_part_is_repeated_per_origin_and_only_what_has_noise_per_seed(make_plan):
    plan = make_plan(evaluation={"origins": [date(2024, 3, 1), date(2024, 2, 1)], "seeds": 2})
    first, second = plan.evaluation.origins
    assert plan_parts(plan, ("federated_eps2_null",), 5) == [
        Part(Method.parse("federated_eps2_null"), origin, 5) for origin in (first, second)
    ]
    assert plan_parts(plan, ("anchor", "federated_eps2"), 5) == [
        Part(Method.parse("anchor"), first, 5),
        Part(Method.parse("federated_eps2"), first, 5),
        Part(Method.parse("federated_eps2"), first, 6),
        Part(Method.parse("anchor"), second, 5),
        Part(Method.parse("federated_eps2"), second, 5),
        Part(Method.parse("federated_eps2"), second, 6),
    ]


# The same again


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(run, write_plan):
    plan_file = write_plan(evaluation={"methods": ["gru_local", "federated", "federated_eps8"]})
    first, second, third = run(plan_file, "a"), run(plan_file, "b"), run(plan_file, "c", "--seed", "1")
    assert numbers_in(first) == numbers_in(second)
    for method in ("gru_local", "federated", "federated_eps8"):
        assert first["methods"][method] != third["methods"][method]


def test_a_finished_run_is_not_run_again(run, write_plan, tables):
    plan_file = write_plan()
    first = run(plan_file, "run")
    parts = {path: path.stat().st_mtime_ns for path in (tables / "run/parts").iterdir()}
    assert numbers_in(run(plan_file, "run", "--resume")) == numbers_in(first)
    assert {path: path.stat().st_mtime_ns for path in (tables / "run/parts").iterdir()} == parts


def test_a_run_with_only_goes_on_to_the_whole_plan(run, write_plan):
    plan_file = write_plan()
    run(plan_file, "parted", "--only", "federated_eps8")
    assert numbers_in(run(plan_file, "parted", "--resume")) == numbers_in(run(plan_file, "whole"))


# Stopped


@pytest.mark.usefixtures("heeds_ctrl_c")
def test_ctrl_c_waits_for_the_end_of_a_block_that_holds_it():
    done = []
    with pytest.raises(KeyboardInterrupt), hold_interrupt():  # noqa: PT012
        os.kill(os.getpid(), signal.SIGINT)
        done.append("the rest of the block")
    assert done == ["the rest of the block"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("heeds_ctrl_c")
def test_a_run_stopped_by_ctrl_c_goes_on_and_ends_like_an_undisturbed_one(run, write_plan, tables):
    plan_file = write_plan(privacy={"training": LONG}, evaluation={"methods": ["anchor", "federated_eps8"]})
    command = [HANSA_SIM, "run", plan_file, "--data-root", tables, "--out", tables / "stopped"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while "federated_eps8" not in process.stdout.readline():
            assert process.poll() is None
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == "hansa-sim: stopped; what is done is kept, go on with the same command and --resume.\n"
    plan, state_file = read_plan(plan_file), tables / "stopped/parts/federated_eps8-2024-02-06-0.state.safetensors"
    size = sum(
        tensor.numel() for tensor in load_file(tables / "stopped/models/anchor-2024-02-06-0.safetensors").values()
    )
    assert 0 < load_checkpoint(state_file, plan_hash=plan.hash, size=size).round_number < LONG["num_rounds"]
    assert json.loads((tables / "stopped/summary.json").read_text())["complete"] is False

    resumed, undisturbed = run(plan_file, "stopped", "--resume"), run(plan_file, "undisturbed")
    assert resumed["complete"] is True
    assert numbers_in(resumed) == numbers_in(undisturbed)
    assert not state_file.exists()


def test_a_full_disk_is_one_sentence_and_the_run_goes_on_when_there_is_room(hansa_sim, run, write_plan, tables):
    plan_file = write_plan()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # no file may grow beyond: the disk is full at 4 KiB
    try:
        finished = hansa_sim("run", plan_file, "--data-root", tables, "--out", tables / "full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert finished.code == 2
    assert re.fullmatch(r"hansa-sim: Cannot write to .*; make room and go on with --resume\.\n", finished.stderr)
    assert numbers_in(run(plan_file, "full", "--resume")) == numbers_in(run(plan_file, "roomy"))


def test_what_an_earlier_run_left_for_other_methods_is_still_shown(hansa_sim, write_plan, tables, tmp_path):
    plan, out = write_plan(), tmp_path / "run"
    for extra in (["--only", "seasonal_naive"], ["--only", "anchor", "--resume"]):
        assert hansa_sim("run", plan, "--out", out, "--data-root", tmp_path, *extra).code == 0
    summary = json.loads((out / "summary.json").read_text())
    assert set(summary["methods"]) == {"seasonal_naive", "anchor"}
    assert set(pd.read_parquet(out / "forecasts.parquet").method) == {"seasonal_naive", "anchor"}
