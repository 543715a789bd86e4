"""hansa-sim as it is typed: what it says, what it refuses, and that its documentation is whole."""

import json
import math
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
import typer.main

from common.plan.reading import read_plan
from common.plan.schema import Plan
from simulation.cli import app
from simulation.command.report import RESAMPLES
from simulation.evaluation import summary, verdict
from simulation.experiment.folder import RunFolder
from simulation.method.method import NAMES

ROOT = Path(__file__).parents[2]
EVERY_METHOD = (
    "seasonal_naive",
    "moving_average",
    "weekday_mean",
    "anchor",
    "gru_local",
    "federated",
    "federated_eps8",
)
DEFAULT = re.compile(r"""^(\w+)\ =\ (.+?)\s+\#.*?\bdefaults?\b:?\ *([\w.]*)""", re.VERBOSE)


@pytest.fixture
def run(hansa_sim, tables):
    """Run a plan over the written tables."""
    return lambda plan_file, *options: hansa_sim("run", plan_file, "--data-root", tables, *options)


@pytest.fixture
def refuse(run, tmp_path):
    """Run a plan that must be refused in one line, and give that line."""

    def refused(plan_file, *options):
        finished = run(plan_file, "--out", tmp_path / "run", *options)
        assert finished.code == 2
        return only_line(finished.stderr)

    return refused


@pytest.fixture
def metrics_of_every_method(run, tmp_path, write_plan, sales):
    """Run every method over a table and give the summary; every metric in it is a number or null."""

    def metrics(table=sales, **sections):
        table.to_csv(tmp_path / "sales.csv", index=False)
        plan_file = write_plan(**sections)
        finished = run(plan_file, "--out", tmp_path / "run", "--json", "--only", ",".join(EVERY_METHOD))
        assert finished.code == 0, finished.stderr
        found = json.loads(finished.stdout)
        assert tuple(found["methods"]) == EVERY_METHOD
        require_finite(found)
        return found

    return metrics


def only_line(text):
    lines = text.splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("hansa-sim: ")
    return lines[0]


def require_finite(value):
    if isinstance(value, dict):
        for inner in value.values():
            require_finite(inner)
    elif isinstance(value, float):
        assert math.isfinite(value)


# What it prints


def test_json_prints_the_summary_and_nothing_else(run, write_plan, tmp_path):
    finished = run(write_plan(), "--out", tmp_path / "run", "--json")
    assert finished.code == 0
    assert json.loads(finished.stdout) == json.loads((tmp_path / "run/summary.json").read_text())
    assert "[3/3] federated_eps8, origin 2024-02-06, seed 0" in finished.stderr


def test_the_table_names_methods_and_guarantees_whole_even_in_a_pipe(run, write_plan, tmp_path):
    finished = run(write_plan(), "--out", tmp_path / "run")
    assert (finished.code, finished.stderr) == (0, "")
    for words in ("seasonal_naive", "data stays", "federated_eps8", "ε 8 per product", "coverage80"):
        assert words in finished.stdout
    assert str(tmp_path / "run/summary.json") in finished.stdout


def test_only_runs_what_it_names_in_its_order(run, write_plan, tmp_path):
    finished = run(write_plan(), "--out", tmp_path / "run", "--json", "--only", "weekday_mean, anchor")
    assert list(json.loads(finished.stdout)["methods"]) == ["weekday_mean", "anchor"]


# The starter plan


def test_plan_writes_a_starter_that_is_a_plan(hansa_sim, tmp_path):
    assert hansa_sim("plan", "--out", tmp_path / "my.toml").code == 0
    assert read_plan(tmp_path / "my.toml").name == "my-federation"
    assert hansa_sim("plan").stdout == (tmp_path / "my.toml").read_text()


def test_plan_never_overwrites(hansa_sim, tmp_path):
    (tmp_path / "my.toml").write_text("mine")
    finished = hansa_sim("plan", "--out", tmp_path / "my.toml")
    assert finished.code == 2
    assert "exists already" in only_line(finished.stderr)
    assert (tmp_path / "my.toml").read_text() == "mine"


def test_plan_refuses_a_place_where_it_cannot_write(hansa_sim, tmp_path):
    finished = hansa_sim("plan", "--out", tmp_path / "missing/my.toml")
    assert finished.code == 2
    assert "choose another --out" in only_line(finished.stderr)


def test_the_defaults_that_the_starter_states_are_the_defaults(hansa_sim):
    section, stated = Plan, 0
    for line in hansa_sim("plan").stdout.splitlines():
        if header := re.match(r"\[([\w.]+)\]", line):
            section = section_of(header.group(1))
        elif "default" in line and not line.startswith("#"):
            assert_default(section, line)
            stated += 1
    assert stated >= 17


def section_of(header):
    section = Plan
    for name in header.split("."):
        section = section.model_fields[name].annotation
    return section


def assert_default(section, line):
    key, shown, said = DEFAULT.match(line).groups()
    default = section.model_fields[key].get_default(call_default_factory=True)
    if said == "none":
        assert not default, line
    elif said:
        assert default == {"true": True, "false": False}.get(said) or default == float(said), line
    else:
        shown_value = tomllib.loads(f"x = {shown}")["x"]
        assert shown_value == (dict(default) if isinstance(shown_value, dict) else default), line


# Options that cannot be


def test_an_unknown_method_is_refused_and_leaves_no_folder(refuse, write_plan, tmp_path):
    line = refuse(write_plan(), "--only", "anchor,prophet")
    assert "There is no method 'prophet'; there are seasonal_naive" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--only", "logistic_local"), 'evaluation.task = "purchase"'),
        (("--only", "anchor,anchor"), "named twice"),
        (("--only", "federated_eps0"), "take a larger epsilon"),
        (("--only", "federated_eps0.000001"), "take a larger epsilon"),
        (("--device", "tpu"), "--device tpu is none of auto, cpu, cuda"),
        (("--data-root", "nowhere"), "There is no file nowhere/sales.csv"),
    ],
)
def test_an_option_that_cannot_be_is_refused(refuse, write_plan, options, words):
    assert words in refuse(write_plan(), *options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_is_refused_where_there_is_none(refuse, write_plan):
    assert "--device cuda: this machine shows no CUDA device" in refuse(write_plan(), "--device", "cuda")


@pytest.mark.parametrize("out", ["taken", "taken/below"])
def test_an_out_that_is_no_folder_is_refused(run, write_plan, tmp_path, out):
    (tmp_path / "taken").write_text("a file")
    finished = run(write_plan(), "--out", tmp_path / out)
    assert finished.code == 2
    assert "choose another --out" in only_line(finished.stderr)


def test_a_folder_with_a_run_is_refused_without_resume(run, refuse, write_plan, tmp_path):
    run(write_plan(), "--out", tmp_path / "run", "--only", "anchor")
    assert "already holds a run; go on with --resume" in refuse(write_plan())


@pytest.mark.parametrize("change", [{"model": {"hidden_size": 4}}, {}])
def test_resume_under_another_plan_or_seed_is_refused(run, refuse, write_plan, tmp_path, change):
    run(write_plan(), "--out", tmp_path / "run", "--only", "anchor")
    line = refuse(write_plan(**change), "--resume", "--seed", "0" if change else "1")
    assert "holds a run of another plan, seed or version of hansa" in line


def test_resume_over_changed_data_is_refused_until_the_former_file_is_back(run, write_plan, sales, tables, tmp_path):
    plan_file, former = write_plan(), (tables / "sales.csv").read_bytes()
    assert run(plan_file, "--out", tmp_path / "run", "--only", "anchor").code == 0
    sales.loc[3, "units"] += 1
    sales.to_csv(tables / "sales.csv", index=False)
    refused = run(plan_file, "--out", tmp_path / "run", "--resume")
    assert refused.code == 2
    assert "holds a run of other data; choose another --out" in only_line(refused.stderr)
    (tables / "sales.csv").write_bytes(former)
    assert run(plan_file, "--out", tmp_path / "run", "--resume").code == 0


def test_resume_over_a_changed_lookup_is_refused(run, write_plan, sales, tables, tmp_path):
    lookup = {"path": "shops.csv", "key": "shop", "column": "shop"}
    plan_file = write_plan(data={"lookups": [lookup]})
    (tables / "shops.csv").write_text("shop,size\nnorth,1\nsouth,2\nwest,3\n")
    assert run(plan_file, "--out", tmp_path / "run", "--only", "anchor").code == 0
    (tables / "shops.csv").write_text("shop,size\nnorth,1\nsouth,2\nwest,4\n")
    assert "other data" in only_line(run(plan_file, "--out", tmp_path / "run", "--resume").stderr)


def test_a_folder_of_before_that_does_not_know_its_data_is_refused_in_one_sentence(run, write_plan, tmp_path):
    run(write_plan(), "--out", tmp_path / "run", "--only", "anchor")
    told = json.loads((tmp_path / "run/run.json").read_text())
    (tmp_path / "run/run.json").write_text(json.dumps({key: told[key] for key in told if key != "data"}))
    refused = run(write_plan(), "--out", tmp_path / "run", "--resume")
    assert refused.code == 2
    assert "did not note which data it read" in only_line(refused.stderr)


def test_a_second_run_into_the_same_folder_is_refused(run, hansa_sim, write_plan, tmp_path):
    plan_file = write_plan()
    assert run(plan_file, "--out", tmp_path / "run", "--only", "anchor,seasonal_naive").code == 0
    with RunFolder(tmp_path / "run").held():
        before = sorted(path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.json"))
        refused = run(plan_file, "--out", tmp_path / "run", "--resume")
        assert refused.code == 2
        assert "Another hansa-sim writes to" in only_line(refused.stderr)
        assert "Another hansa-sim writes to" in only_line(hansa_sim("report", tmp_path / "run").stderr)
        assert before == sorted(path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.json"))
    assert run(plan_file, "--out", tmp_path / "run", "--resume", "--only", "anchor").code == 0


def test_a_mistake_that_ended_a_run_at_its_start_does_not_block_the_folder(refuse, run, write_plan, tmp_path):
    refuse(write_plan(data={"time": "day"}))
    assert run(write_plan(), "--out", tmp_path / "run", "--only", "anchor").code == 0


# Plans that cannot be


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"data": {"tagret": "units"}}, "unknown key data.tagret (did you mean target?)"),
        ({"model": {"horizon_days": None}}, "key model.horizon_days is missing"),
        ({"model": {"horizon_days": 0}}, "model.horizon_days = 0"),
        ({"privacy": {"size_classes": []}}, "privacy.size_classes"),
        ({"privacy": {"size_classes": [1, 2]}}, "A merchant has 3 entities"),
        ({"evaluation": {"origins": ["2024-02-30"]}}, "evaluation.origins.0"),
        ({"evaluation": {"origins": ["2024-02-08"]}}, "leaves 2 days up to data.end"),
        ({"data": {"path": "sales.xlsx"}}, "neither .csv nor .parquet"),
        ({"data": {"path": "orders.csv"}}, "There is no file"),
        ({"data": {"lookups": [{"path": "shops.csv", "key": "shop", "column": "shop"}]}}, "There is no file"),
        ({"data": {"lookups": [{"path": "sales.csv", "key": "sku", "column": "shop"}]}}, "column 'sku' in sales.csv"),
        ({"data": {"lookups": [{"path": "sales.csv", "key": "shop", "column": "sku"}]}}, "column 'sku' in sales.csv"),
        (
            {"data": {"lookups": [{"path": "sales.csv", "key": "shop", "column": "shop"}]}},
            "have the column 'date'; rename one",
        ),
        ({"data": {"target": {"aggregate": "sum", "column": "sold"}}}, "'sold'; the data has date, shop, product"),
        ({"data": {"time": "day"}}, "data.time names the column 'day'"),
        ({"data": {"entity": "sku"}}, "data.entity names the column 'sku'"),
        ({"data": {"merchant": "store"}}, "data.merchant names the column 'store'"),
        ({"data": {"filters": [{"column": "units", "above": 99}]}}, "No row is left"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(refuse, write_plan, sections, words):
    assert words in refuse(write_plan(**sections))


def test_a_plan_that_is_missing_or_no_toml_or_no_text_is_refused(refuse, tmp_path):
    assert "Cannot read the plan" in refuse(tmp_path / "missing.toml")
    (tmp_path / "plan.toml").write_text("name = ")
    assert "is no TOML" in refuse(tmp_path / "plan.toml")
    (tmp_path / "plan.toml").write_bytes(b"\xff\xfe")
    assert "no text in UTF-8" in refuse(tmp_path / "plan.toml")


def test_a_file_that_is_no_table_is_refused(refuse, write_plan, tmp_path):
    (tmp_path / "orders.parquet").write_bytes(b"PAR1")
    assert "Cannot read" in refuse(write_plan("orders"))


# Data that cannot be


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("date", "soon", "column 'date' is no date (the first in row 9: 'soon')"),
        ("date", "", "column 'date' is no date (the first in row 9"),
        ("units", "-1", "is negative (the first in row 9: '-1'"),
        ("units", "nan", "is no number (the first in row 9"),
        ("units", "inf", "the first in row 9: 'inf'"),
        ("units", "many", "the first in row 9: 'many'"),
        ("units", "", "is empty (the first in row 9"),
        ("shop", "", "column 'shop' is empty (the first in row 9"),
        ("product", "", "column 'product' is empty (the first in row 9"),
        ("date", "2024-01-01", "has a second row for one day (the first in row 9: 'north-0')"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_row(run, write_plan, sales, tmp_path, column, value, words):
    plan_file = write_plan()
    sales.loc[7, column] = value
    sales.to_csv(tmp_path / "sales.csv", index=False)
    finished = run(plan_file, "--out", tmp_path / "run")
    assert finished.code == 2
    assert words in only_line(finished.stderr)


def test_nan_in_a_parquet_target_is_refused(run, write_plan, sales, tmp_path):
    sales.assign(units=sales["units"].astype(float).where(sales.index != 7)).astype(
        {"promotion": int, "date": "datetime64[ns]"}
    ).to_parquet(tmp_path / "sales.parquet")
    finished = run(write_plan(data={"path": "sales.parquet"}), "--out", tmp_path / "run")
    assert finished.code == 2
    assert "the first in row 8: 'nan'" in only_line(finished.stderr)


def test_history_shorter_than_a_training_example_is_refused_by_training_alone(refuse, run, write_plan, tmp_path):
    plan_file = write_plan(data={"start": "2024-02-03"})
    finished = run(plan_file, "--out", tmp_path / "untrained", "--only", "seasonal_naive,weekday_mean,anchor,gru_local")
    assert finished.code == 0
    assert "3 days of history before the origin hold no training example" in refuse(plan_file, "--only", "federated")


# Data that is odd, and gives a result


def test_three_days_of_history_are_enough_for_a_horizon_of_one(metrics_of_every_method):
    metrics_of_every_method(data={"start": "2024-02-03"}, model={"horizon_days": 1})


def test_one_merchant_is_a_federation(metrics_of_every_method):
    found = metrics_of_every_method(data={"merchant": None})
    assert list(found["merchants"]["federated"]) == ["all"]


def test_one_entity_is_a_federation(metrics_of_every_method):
    found = metrics_of_every_method(data={"filters": [{"column": "product", "equals": "north-0"}]})
    assert found["merchants"]["federated_eps8"]["north"]["entities"] == 1


def test_a_series_of_zeros_beside_others_changes_nothing_about_what_is_defined(metrics_of_every_method, sales):
    sales.loc[sales["product"] == "north-0", "units"] = 0
    found = metrics_of_every_method()
    assert found["merchants"]["federated"]["north"]["wape"] is None
    assert None not in found["methods"]["federated"].values()


def test_zeros_everywhere_have_no_relative_error(metrics_of_every_method, sales):
    sales["units"] = 0
    assert set(metrics_of_every_method()["methods"]["federated_eps8"].values()) == {None}


def test_a_merchant_without_a_row_before_the_origin_takes_no_part(metrics_of_every_method, sales):
    newcomer = sales[(sales["shop"] != "west") | (sales["date"].astype(str) >= "2024-02-06")]
    found = metrics_of_every_method(newcomer)
    assert list(found["merchants"]["gru_local"]) == ["north", "south"]


def test_no_merchant_with_a_row_before_the_origin_is_refused(run, write_plan, sales, tmp_path):
    plan_file = write_plan()
    sales[sales["date"].astype(str) >= "2024-02-06"].to_csv(tmp_path / "sales.csv", index=False)
    finished = run(plan_file, "--out", tmp_path / "run")
    assert finished.code == 2
    assert "No product has a row before the origin 2024-02-06" in only_line(finished.stderr)


def test_training_that_diverges_is_named(refuse, write_plan):
    training = {"num_rounds": 3, "learning_rate": 1e30}
    line = refuse(write_plan(privacy={"training": training}), "--only", "federated_eps8")
    assert "federated_eps8 diverged" in line
    assert "lower its learning rate" in line


# What stays in


def test_values_and_names_of_entities_stand_only_in_forecasts_and_names_of_merchants_beside_their_scores(
    run, write_plan, sales, tmp_path
):
    plan_file = write_plan(evaluation={"methods": EVERY_METHOD})
    planted = sales.replace({"shop": {"south": "CANARYSHOP"}, "product": {"south-0": "CANARYPRODUCT"}})
    planted.loc[planted["product"] == "CANARYPRODUCT", "units"] = 987653
    planted.to_csv(tmp_path / "sales.csv", index=False)
    finished = run(plan_file, "--out", tmp_path / "run")
    assert finished.code == 0
    said = (finished.stdout + finished.stderr).encode()
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file() and path.suffix != ".parquet"]
    holders = {path for path in files if b"CANARYSHOP" in path.read_bytes()}
    assert not any(word in said for word in (b"CANARY", b"987653"))
    scores = {tmp_path / "run/summary.json", tmp_path / "run/report.html"}
    assert holders == scores | set((tmp_path / "run/parts").glob("*.json"))
    for path in files:
        assert not any(word in path.read_bytes() for word in (b"CANARYPRODUCT", b"987653")), path


def test_a_fault_of_ours_shows_no_local_variables():
    assert app.pretty_exceptions_enable is False


LISTENED = """
import socket, sys
opened = []
sys.addaudithook(lambda event, arguments: opened.append(event) if event.startswith("socket.") else None)
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
assert opened, "the hook is deaf"
opened.clear()
from simulation.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code
local = {"socket.__new__", "socket.gethostname"}  # TensorBoard writes the host's name into its file's name
print("OPENED", sorted(set(opened) - local))
"""


def test_a_run_opens_no_connection(write_plan, tmp_path):
    plan_file = write_plan(
        data={"source": "synthetic", "path": None, "merchant": "merchant", "end": "2024-03-01"},
        privacy={"training": {"num_rounds": 1}},
        evaluation={"methods": ["anchor", "federated_eps8"]},
    )
    command = [sys.executable, "-c", LISTENED, "run", plan_file, "--out", tmp_path / "run"]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert finished.stdout.splitlines()[-1] == "OPENED []"
    assert finished.stderr == ""


def test_the_report_draws_as_often_as_a_run_does():
    assert RESAMPLES == verdict.RESAMPLES


# Documentation


@pytest.fixture(scope="module")
def documentation():
    return "\n".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def test_every_command_and_option_is_documented(documentation):
    for name, command in typer.main.get_command(app).commands.items():
        assert f"## hansa-sim {name}" in documentation
        section = documentation.split(f"## hansa-sim {name}")[1].split("\n## hansa-sim")[0]
        for parameter in command.params:
            for word in parameter.opts if parameter.param_type_name == "option" else [parameter.metavar]:
                assert re.search(rf"(`| ){word}\b", section), f"{word} of hansa-sim {name}"


def test_every_method_metric_and_key_of_the_summary_is_documented(documentation):
    keys = {key.strip() for line in summary_keys() for key in line.split(",")}
    for word in keys | {*NAMES, "federated_eps2"} | {metric for task in summary.HEADLINE.values() for metric in task}:
        assert re.search(rf"`{word}\b", documentation), word


def summary_keys():
    """Keys as the docstring of the summary lists them."""
    return [line[4:].split("  ")[0] for line in summary.__doc__.splitlines() if re.match(r"    \S", line)]
