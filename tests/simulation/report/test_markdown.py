"""The README's tables, from the numbers of runs."""

import pytest

from common.errors import ConfigError
from simulation.evaluation.results import Results, read_results
from simulation.report.markdown import BEGIN, END, make_markdown, put_into


@pytest.fixture
def planted(make_plan, tmp_path):
    """Make a run of two methods with round numbers."""
    summary = {
        "methods": {
            "anchor": {"wape": 0.0972, "wql": 1.5, "coverage80_mid": 0.98},
            "federated_eps8": {"wape": 0.0781, "wql": None, "coverage80_mid": 0.802},
        },
        "origins": {"2024-03-01": {"anchor": {}, "federated_eps8": {}}},
        "privacy": {"federated_eps8": {"epsilon": 8.0, "unit": "store"}},
        "timing_seconds": {"anchor": 0.2, "federated_eps8": 26.4, "total": 126.0},
        "answer": None,
    }
    return Results(tmp_path, make_plan(), summary)


def test_a_table_has_one_row_per_method_and_the_best_in_bold(planted):
    assert make_markdown([planted]).splitlines() == [
        "`small`, mean over 1 origin:",
        "",
        "| method | privacy | WAPE | quantile loss | 80 % covers, by the middle | seconds |",
        "|---|---|---:|---:|---:|---:|",
        "| `anchor` | data stays | .097 | **1.50** | 98\N{NO-BREAK SPACE}% | 0 |",
        "| `federated_eps8` | ε 8 per store | **.078** | – | **80\N{NO-BREAK SPACE}%** | 26 |",
        "",
        "The whole run took 2 minutes.",
    ]


def test_a_method_that_was_not_run_at_every_origin_says_so(planted):
    planted.summary["origins"]["2024-04-01"] = {"anchor": {}}
    rows = make_markdown([planted]).splitlines()
    assert rows[5].startswith("| `federated_eps8` (1 of 2 origins) | ")
    assert rows[4].startswith("| `anchor` | ")


def test_metrics_can_be_chosen_and_one_that_is_not_there_is_refused(planted):
    assert "| method | privacy | WAPE | seconds |" in make_markdown([planted], ["wape"])
    with pytest.raises(ConfigError, match="has no metric auc; choose --metrics from wape"):
        make_markdown([planted], ["auc"])


def test_the_answer_of_a_run_stands_above_its_table_and_what_the_federation_added_next_to_it(finished_run):
    run = read_results(finished_run("orders"))
    gain = run.summary["answer"]["metrics"]["log_loss"]["pooled"]
    run.summary["answer"]["added"] = [{**gain, "method": "federated_eps8", "against": "warm"}]
    lines = make_markdown([run]).splitlines()
    assert lines[0] == "`orders`, mean over 2 origins:"
    assert lines[2].startswith("**Worth joining? ")
    assert "`federated_eps8` against `" in lines[2]
    assert lines[2].endswith("clearly worse.")
    assert lines[4].startswith("- federated_eps8 against warm: log-loss ")
    assert lines[6].startswith("- No federation that learns nothing was run beside it")
    assert lines[8].startswith("| method | ")
    assert lines[-1].startswith("The whole run took ")


def test_the_table_goes_between_the_marks_and_again(tmp_path):
    file = tmp_path / "README.md"
    file.write_text(f"# Above\n\n{BEGIN}\nold\n{END}\n\nbelow\n")
    for text in ("| one |\n", "| two |\n"):
        put_into(text, file)
        assert file.read_text() == f"# Above\n\n{BEGIN}\n\n{text}\n{END}\n\nbelow\n"


@pytest.mark.parametrize("text", ["no marks", BEGIN, f"{END} {BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_file_without_both_marks_once_in_order_is_refused_and_kept(tmp_path, text):
    file = tmp_path / "README.md"
    file.write_text(text)
    with pytest.raises(ConfigError, match="must hold the line"):
        put_into("| new |\n", file)
    assert file.read_text() == text


def test_a_file_that_is_missing_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="Cannot put the table into"):
        put_into("| new |\n", tmp_path / "missing.md")


def test_the_command_prints_what_it_would_put_into_a_file(hansa_sim, finished_run, tmp_path):
    folders = [finished_run("sales"), finished_run("orders")]
    printed = hansa_sim("table", *folders)
    assert printed.code == 0
    assert printed.stdout == make_markdown([read_results(folder) for folder in folders])
    file = tmp_path / "README.md"
    file.write_text(f"{BEGIN}{END}")
    assert hansa_sim("table", *folders, "--into", file).code == 0
    assert file.read_text() == f"{BEGIN}\n\n{printed.stdout}\n{END}"
    assert "| method | privacy | WAPE | seconds |" in hansa_sim("table", folders[0], "--metrics", "wape").stdout
