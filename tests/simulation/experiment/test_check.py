import json

import pytest


def test_sound_data_is_described_and_nothing_is_complained_of(hansa_sim, write_plan, tables):
    done = hansa_sim("check", write_plan(), "--data-root", tables)
    assert done.code == 0
    assert "at 2024-02-06" in done.stdout
    assert "6 entities of 3 merchants, 1 to 3 each" in done.stdout


def test_json_holds_facts_and_findings(hansa_sim, write_plan, tables):
    done = hansa_sim("check", write_plan(data={"end": "2024-03-20"}), "--data-root", tables, "--json")
    report = json.loads(done.stdout)
    assert done.code == 0
    assert report["fails"] is False
    assert report["facts"]["entities"] == 6
    finding = report["findings"][0]
    assert (finding["severity"], finding["key"]) == ("warning", "span_end")
    assert "The last row is on 2024-02-09, 40 days before data.end 2024-03-20" in finding["sentence"]


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        ({"data": {"path": "nothing.csv"}}, "fault: There is no file"),
        ({"data": {"entity": "nothing"}}, "fault: data.entity names the column 'nothing'"),
        ({"evaluation": {"methods": ["prophet"]}}, "fault: There is no method 'prophet'"),
        ({"privacy": {"size_classes": [2]}}, "fault: Origin 2024-02-06: A merchant has 3 entities"),
        ({"evaluation": {"origins": ["2024-01-03"]}}, "fault: 2 days of history before the origin 2024-01-03"),
    ],
)
def test_what_would_make_a_run_fail_is_one_sentence_and_exit_code_2(hansa_sim, write_plan, tables, sections, sentence):
    done = hansa_sim("check", write_plan(**sections), "--data-root", tables)
    assert done.code == 2
    assert sentence in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_deal_that_does_not_fit_is_a_fault(hansa_sim, write_plan, tables):
    deal = {"by": "random", "column": None, "merchants": 3, "smallest": 1, "largest": 2}
    done = hansa_sim("check", write_plan("orders", data={"deal": deal}), "--data-root", tables)
    assert done.code == 2
    assert "data.deal cannot deal 15 entities" in done.stdout
