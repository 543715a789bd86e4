"""The page that answers: whole, readable by a machine, escaped, and asking nothing of any other place."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pandas as pd
import pytest

from simulation.evaluation.comparison import compare_runs
from simulation.evaluation.results import Results, read_results
from simulation.report.page import _epsilons, make_comparison_page, make_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
VOID = {"meta", "link", "br", "path", "use", "rect"}
NAMESPACES = re.compile(r'xmlns(:\w+)?="[^"]*"')


class Page(HTMLParser):
    """Collect elements, ids and text, and see that what is opened is closed."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.ids, self.text = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(params=["sales", "orders", "comparison"])
def page(request, finished_run):
    if request.param == "comparison":
        runs = [read_results(finished_run(base)) for base in ("sales", "orders")]
        return make_comparison_page(compare_runs(runs), ["sales", "orders"])
    return (finished_run(request.param) / "report.html").read_text()


def test_every_tag_is_closed_and_no_id_comes_twice(page):
    ids = Page(page).ids
    assert len(ids) == len(set(ids))


def test_every_reference_stays_on_the_page(page):
    without_names = NAMESPACES.sub("", page)
    assert not re.search(r"https?:|//\w|@import|<script|<iframe|<img|srcset|javascript:", without_names)
    for tag, attributes in Page(page).elements:
        for name in ("href", "src", "xlink:href", "action", "data"):
            value = attributes.get(name, "#")
            assert value.startswith("#") or value == "data:,", (tag, value)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))


def test_a_browser_is_told_to_load_nothing(page):
    policies = [
        meta["content"] for meta in Page(page).all("meta") if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    own = "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; img-src data:"
    assert policies == [own]


@pytest.mark.parametrize(("base", "number"), [("sales", 6), ("orders", 6)])
def test_every_picture_has_a_title_and_a_description_that_a_screen_reader_finds(finished_run, base, number):
    page = Page((finished_run(base) / "report.html").read_text())
    pictures = page.all("svg")
    assert len(pictures) == number
    for picture in pictures:
        assert picture["role"] == "img"
        assert set(picture["aria-labelledby"].split()) <= set(page.ids)


@pytest.mark.parametrize("base", ["sales", "orders"])
def test_the_page_tells_everything_that_it_promises(finished_run, base):
    run = read_results(finished_run(base))
    text = " ".join(" ".join(Page((run.path / "report.html").read_text()).text).split())
    pooled = run.summary["answer"]["metrics"][run.metrics[0]]["pooled"]
    for words in (
        f"{pooled['gain']:+.1%}".replace("-", "\N{MINUS SIGN}").replace("%", " %"),
        f"one {run.plan.privacy.unit}",
        run.summary["privacy"]["federated_eps8"]["not_protected"],
        f"{run.summary['privacy']['federated_eps8']['noise_multiplier']:.3g}",
        run.summary["command"],
        run.summary["plan_hash"],
        f"torch {run.summary['versions']['torch']}",
        *run.methods,
        *run.summary["merchants"]["anchor"],
        *run.summary["origins"],
    ):
        assert words in text, words
    assert ("To customers this promises nothing like it" in text) == (base == "sales")


@pytest.mark.parametrize("base", ["sales", "orders"])
def test_no_entity_is_named(finished_run, base):
    folder = finished_run(base)
    page = (folder / "report.html").read_text()
    entities = pd.read_parquet(folder / "forecasts.parquet")["entity"].unique()
    assert not [name for name in entities if re.search(rf"\b{re.escape(name)}\b", page)]


def test_a_name_that_is_markup_stays_text(own_run):
    folder = own_run("sales")
    name = '<script>alert("north")</script>'
    for file in ("summary.json", "run.json"):
        (folder / file).write_text((folder / file).read_text().replace("north", json.dumps(name)[1:-1]))
    rows = pd.read_parquet(folder / "forecasts.parquet")
    rows.replace({"merchant": {"north": name}}).to_parquet(folder / "forecasts.parquet")
    page = make_page(read_results(folder))
    assert "<script" not in page
    assert name in Page(page).text


def test_a_page_is_small(finished_run):
    """A picture of 28 days and 12 merchants is about three times as large; mail takes 10 MB."""
    assert all((finished_run(base) / "report.html").stat().st_size < 200_000 for base in ("sales", "orders"))


def test_the_same_run_makes_the_same_page(finished_run):
    run = read_results(finished_run("sales"))
    assert make_page(run) == make_page(run) == (run.path / "report.html").read_text()


BROWSER_OWN = ("google.com", "googleapis.com", "gstatic.com")  # hosts that Chromium asks for whatever page it shows


@pytest.fixture
def hosts_asked_for(tmp_path):
    """Open a file in Chromium, where every host name fails, and give the document and the hosts it asked for."""

    def listen(file):
        log = tmp_path / "net.json"
        command = [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--log-net-log={log}",
            "--dump-dom",
            f"file://{file}",
        ]
        shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        hosts = set(re.findall(r'"url":\s*"(?:https?|wss?)://([^/":]*)', log.read_text()))
        return shown.stdout, {host for host in hosts if not host.endswith(BROWSER_OWN)}

    return listen


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium; install one, as by `apt install chromium`")
def test_a_real_browser_shows_the_page_and_asks_for_nothing_else(hosts_asked_for, finished_run, tmp_path):
    planted = tmp_path / "planted.html"
    planted.write_text('<img src="http://planted.example/pixel.png">')
    assert hosts_asked_for(planted)[1] == {"planted.example"}, "the log is deaf"
    for base in ("sales", "orders"):
        document, hosts = hosts_asked_for(finished_run(base) / "report.html")
        assert "Is it worth joining?" in document
        assert document.count("<svg") == 6
        assert hosts == set()


def test_accuracy_against_epsilon_has_a_curve_for_each_trust(make_plan, tmp_path):
    losses = {"anchor": 0.05, "federated": 0.04, "federated_eps8": 0.045, "federated_eps8_sum": 0.042}
    summary = {
        "methods": {name: {"wql": loss, "wape": loss} for name, loss in losses.items()},
        "spread": {},
        "privacy": {name: {"epsilon": 8.0} for name in ("federated_eps8", "federated_eps8_sum")},
    }
    picture = _epsilons(Results(tmp_path, make_plan(), summary))
    assert "noise of one's own, at 8; trusting the sum, at 8" in picture.description


def test_what_rests_on_a_private_federation_is_none_of_the_methods_that_spend_no_privacy(make_plan, tmp_path):
    losses = {"anchor": 0.05, "federated": 0.04, "federated_eps8": 0.045, "routed": 0.041}
    summary = {
        "methods": {name: {"wql": loss, "wape": loss} for name, loss in losses.items()},
        "spread": {},
        "privacy": {name: {"epsilon": 8.0} for name in ("federated_eps8", "routed")},
    }
    results = Results(tmp_path, make_plan(), summary)
    assert _epsilons(results).description.endswith("other methods as horizontal lines: anchor, federated.")
    del summary["privacy"]["routed"]  # of a federation without noise
    assert _epsilons(results).description.endswith("lines: anchor, federated, routed.")


def told(text):
    return " ".join(" ".join(Page(text).text).split()).replace(" ,", ",")


def test_a_page_says_what_serves_each_merchant_and_how_much_of_it_is_the_federation_s(finished_run):
    results = read_results(finished_run("sales"))
    results.summary["choices"]["federated_eps8"] = {
        "north": {"federated_eps8": 0.25, "anchor": 0.5, "federated_eps8_personalised": 0.25, "weekday_mean": 0.0},
        "south": {"anchor": 1.0},
    }
    text = told(make_page(results))
    shares = "anchor 50.0 %, federated_eps8 25.0 %, federated_eps8_personalised 25.0 %"
    assert f"north 50.0 % {shares} south 0.0 % anchor 100.0 %" in text
    assert "25.0 % of it rests on the federation, in the mean over merchants" in text


def test_a_page_says_the_gain_by_size_and_by_history_and_as_stock_where_it_can(finished_run):
    results = read_results(finished_run("sales"))
    found = results.summary["answer"]
    compared = found["metrics"]["wql"]
    gain = {"value": 0.9, "against": 1.0, "gain": 0.1, "low": 0.05, "high": 0.2, "verdict": "better"}
    bounds = ({"since": 0, "until": 3}, {"since": 3, "until": 6})
    compared["histories"] = [{**bound, "entities": 3, "merchants": 2, **gain} for bound in bounds]
    saving = {"amount": 7.0, "low": None, "stock_share": 0.125, "stock_low": None, "stock_high": None}
    saving |= {"high": None, "stock_days": 1.0, "stock_days_against": 2.0}
    named = {"fill_rate": 0.95, "lead_days": 1, "review_days": 1, "currency": "", "against": "anchor", "merchants": {}}
    found["money"] = {**named, "pooled": saving, "sizes": [], "histories": [{**bounds[0], **saving}, bounds[1]]}
    text = told(make_page(results))
    assert "by history of the product" in text
    assert "under 3 months 2 3 +10.0 % +5.0 % to +20.0 % +12.5 %" in text
    assert "3 to 6 months 2 3 +10.0 % +5.0 % to +20.0 % cannot be told" in text


def test_what_the_federation_added_and_what_a_control_gains_stand_in_the_first_box(finished_run):
    results = read_results(finished_run("sales"))
    found = results.summary["answer"]
    gain = {"value": 1.0, "against": 1.0, "gain": 0.033, "low": 0.02, "high": 0.04, "verdict": "better"}
    found["added"] = [{**gain, "method": "federated_eps8", "against": "warm"}]
    found["controls"] = {"null": {**gain, "method": "federated_eps8_null", "against": "anchor", "over": None}}
    found["worth"] = "not shown"
    found["metrics"]["wql"]["pooled"] = gain
    page = make_page(results)
    begin, end = page.index('<section class="verdict unclear"'), page.index("</section>") + len("</section>")
    first = told(page[begin:end])
    assert first.startswith("Not shown. ")
    assert "all merchants together, not shown to be the federation's" in told(page)
    assert "federated_eps8 against warm: quantile loss 3.3" in first
    assert "A federation that learns nothing (federated_eps8_null against anchor): gain +3.3" in first


def test_a_no_stands_where_a_yes_would_and_what_is_lost_is_called_so(finished_run):
    results = read_results(finished_run("sales"))
    found = results.summary["answer"]
    found["worth"] = "no"
    pooled = {"value": 1.03, "against": 1.0, "gain": -0.03, "low": -0.04, "high": -0.0003, "verdict": "worse"}
    found["metrics"]["wql"]["pooled"] = found["metrics"]["wql"]["small_merchants"] = pooled
    page = make_page(results)
    assert '<section class="verdict worse"' in page
    text = told(page)
    assert "quantile loss 3.0 % worse (95 % interval −4.0 % to −0.03 %)." in text.replace("\N{NO-BREAK SPACE}", " ")
    assert " No. On these merchants' own past" in text
    assert "lost against staying alone, all merchants together" in text
    assert "lost by merchants under 150 products" in text


def test_a_page_says_it_where_less_noise_does_worse(finished_run):
    results = read_results(finished_run("sales"))
    gain = {"gain": -0.01, "low": -0.02, "high": -0.005, "verdict": "worse"}
    results.summary["answer"]["noise"] = [{"method": "federated_eps8", "against": "anchor", **gain}]
    assert "The likely reason is the bias of clipping" in told(make_page(results))


def test_a_page_says_what_a_promise_by_the_sum_supposes(finished_run):
    results = read_results(finished_run("sales"))
    results.summary["privacy"]["federated_eps8"] |= {
        "trust": "the secure sum",
        "colluders": 6,
        "epsilon_if_all_others_collude": 31.4,
    }
    text = " ".join(make_page(results).split())
    assert "has at most 6 of the other merchants on its side" in text
    assert "federated_eps8 would be ε 31.4." in text
    assert "ε 8 per product, trusting the sum" in text
