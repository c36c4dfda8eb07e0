"""A page a claim, in reports, in the run and in the repository, with its plot."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from agentsys.core.gitrepo import GitRepo
from agentsys.core.rundir import RunDir
from agentsys.plan.claims.claim import Claim, Claims, Contradiction, Quote
from agentsys.plan.claims.contract import Contract
from agentsys.report.claim_page import body
from agentsys.report.claim_plot import ABSENT, draw_plots
from agentsys.report.claim_reading import keep_baselines, read_claims
from agentsys.report.data import collect
from agentsys.report.markdown import markdown
from agentsys.report.pages import html
from agentsys.report.reading import Problems
from agentsys.report.status import write_status
from agentsys.report.view import onefile
from unit.verify.claims.judging import contract

from .claimed import HOSTILE, POWERS, judged, lines, rate, recorded, vague
from .made import Page, write_json


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A run that no test changes."""
    return judged(tmp_path_factory.mktemp("made"))


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_a_page_holds_paper_and_measurement_control_contract_command_cost_and_limits(run: RunDir) -> None:
    page = (run.repo / "claims" / "pages" / "c2.md").read_text()
    assert page.startswith("# Claim C2: verified") and "> The error falls like 1/n. (Theorem 3)" in page
    assert re.search(r"\| claim \| -1 \| -1 \| -1 to -1 \| 3 \| holds \|", page), page
    assert re.search(r"\| control \| must fail \| -0\.5 \| -0\.5 to -0\.5 \| 3 \| fails \|", page)
    assert "the log-log slope of error of ours along n, settled within 0.05, with its 95 % interval is between" in page
    assert "python claims/c2.py --case main" in page and "2.5 CPU s" in page
    assert "- the paper does not say: the step size" in page and rate().hash in page
    assert "Checked apart from it: independent checker: absent; review of its code: absent." in page
    assert "the rows meet the acceptance rule; no independent checker recomputed it" in page
    assert (run.claims / "pages" / "c2.md").read_text() == page


def test_a_page_lists_the_raw_values_seed_by_seed_the_claims_own_case_first(run: RunDir) -> None:
    page = (run.repo / "claims" / "pages" / "c2.md").read_text()
    table = (
        page.partition("Measured, seed by seed, as rows/C2.csv holds it:\n\n")[2].partition("\n\n")[0].splitlines()[2:]
    )
    cells = [line.strip("| ").split(" | ") for line in table]
    assert [row[:2] for row in cells] == [[case, f"n={n}"] for case in ("claim", "control") for n in POWERS]
    assert cells[0][2:] == ["ours", "error", "m", "0: 0.061875, 1: 0.0625, 2: 0.063125"]


def test_of_many_lines_of_raw_values_a_page_shows_some_and_counts_the_others(tmp_path: Path) -> None:
    found = [f"C1,{seed},n={n},ours,v,{n}," for n in range(100) for seed in range(30)]
    shown = draw_plots(judged(tmp_path, contract(), rows=found)).values["C1"]
    assert (len(shown.lines), shown.left) == (24, 76)
    assert [shown.lines[place][1] for place in (0, -1)] == ["n=0", "n=99"]
    assert shown.lines[0][-1].endswith("19: 0, and 10 more")


def test_the_pages_are_committed_and_written_again_alike(tmp_path: Path) -> None:
    run = judged(tmp_path)
    git = GitRepo(run.repo)
    head, files = git.head(), git.files()
    assert {"claims/README.md", "claims/pages/c1.md", "claims/pages/c1.svg", "claims/pages/c3.md"} <= files.keys()
    assert "claims/pages/c3.svg" not in files
    write_status(run)
    assert git.head() == head


def test_the_pages_are_no_part_of_the_code_that_was_verified(tmp_path: Path) -> None:
    run = judged(tmp_path)
    (run.repo / "claims" / "pages" / "c1.md").write_text("altered")
    assert collect(run).claims[0].verdict == "verified"


def test_a_page_quotes_both_places_where_the_paper_contradicts_itself(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    quotes = (Quote(place="Abstract", words="a is <i>larger</i>"),)
    first, second = (
        Quote(place="Table 1", words="faster by one"),
        Quote(place="Section 6", words="slower <b>by</b> one"),
    )
    against = (Contradiction(what="speed", first=first, second=second),)
    claim = Claim(id="C1", text="a is larger", kind="comparison", contradictions=against, places=quotes)
    write_json(run.claims / "claims.json", Claims(paper="0" * 64, claims=(claim,)))
    text = "\n".join(body(collect(run).claims[0]))
    assert "- the paper: “a is &lt;i&gt;larger&lt;/i&gt;” (Abstract)" in text
    assert "“faster by one” (Table 1), but “slower &lt;b&gt;by&lt;/b&gt; one” (Section 6)" in text


def test_a_page_says_where_the_reviewer_found_what_the_contract_asks_and_what_differs(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    items = [
        {"item": "control", "file": "claims/c1.py", "line": 7, "words": "without <b>step</b>", "grounded": True},
        {"item": "seed", "file": "claims/c1.py", "differs": "it is not used"},
    ]
    write_json(run.claims / "reviews.json", {"C1": {"claim": "C1", "items": items}, "C2": {"claim": "C2"}})
    text = "\n".join(line for row in collect(run).claims for line in body(row))
    assert "- control: met, claims/c1.py, line 7 (“without &lt;b&gt;step&lt;/b&gt;”)" in text
    assert "- seed: differs: it is not used, claims/c1.py" in text
    assert text.count("The code of this claim beside the paper:") == 1


def test_the_short_report_of_a_run_with_much_to_say_is_read_in_minutes_and_says_where_the_rest_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = collect(judged(tmp_path, contract()))
    sentence = "the full profile needs twenty more words of explanation than anybody wants to read of it here " * 2
    answers: list[tuple[str, object]] = [("facts.not_reproduced", [sentence] * 60), ("ledger.review_words", "much")]
    findings = [("R1", "a.py:1", sentence, sentence, "doubted: reported only")] * 39
    findings.append(("R2", "a.py:1", "this counts", "", "repaired"))
    for name, answer in (*answers, ("ledger.review_findings", findings)):
        monkeypatch.setattr(f"agentsys.report.{name}", Mock(return_value=answer))
    text = markdown(replace(data, claims=data.claims * 8))
    assert len(text.split()) < 3000
    assert "48 more are in `report.html`." in text and "30 more are in `report.html`." in text
    assert "this counts" in text and "`claims/pages/c1.md`" in text


def test_a_baseline_stands_beside_the_number_that_the_paper_reports_for_it(tmp_path: Path) -> None:
    run = recorded(tmp_path, contract(baselines=[{"method": "b", "quantity": "v", "value": 10.2}]))
    line = read_claims(run, Problems())[0].lines[-1]
    assert (line.what, line.paper, line.measured, line.n) == ("baseline b", "10.2", "10", 5)
    rows = [line if ",b,v," not in line else "C1,0,n=100,b,v,nan," for line in lines()]
    run = recorded(tmp_path / "nan", contract(baselines=[{"method": "b", "quantity": "v", "value": 10.2}]), rows=rows)
    assert read_claims(run, Problems())[0].lines[-1].measured == ""


def test_a_plot_shows_the_papers_value_and_the_control_in_text_that_can_be_selected(run: RunDir) -> None:
    svg = draw_plots(run).svg["C2"]
    shown = texts(svg)
    assert {"paper, slope -1", "ours", "ours (control)", "control", "claim", "accepted", "error [m]"} <= set(shown)


def test_plots_of_the_same_rows_are_the_same_bytes(run: RunDir) -> None:
    drawn = {name: f"{svg}\n" for name, svg in draw_plots(run).svg.items()}
    assert drawn == {name: (run.claims / "pages" / f"{name.lower()}.svg").read_text() for name in ("C1", "C2")}


def test_a_unit_that_is_markup_or_a_formula_is_text_in_a_plot(tmp_path: Path) -> None:
    unit = "$\\frac{<b>&"
    rule = {"type": "difference", "quantity": "v", "method": "a", "baseline": "b", "unit": unit}
    run = recorded(tmp_path, contract(accept={**rule, "low": 0.5}, falsify={**rule, "high": 0.0}))
    assert draw_plots(run).svg == {}  # rows without unit do not compare with it
    rule["unit"] = "m^2"
    there = contract(
        accept={**rule, "low": 0.5},
        falsify={**rule, "high": 0.0},
        target={"value": 1, "unit": unit, "where": {"section": "4"}},
    )
    rows = [f"C1,{seed},n=100,{method},v,{seed + gap},m^2" for seed in range(5) for method, gap in (("a", 2), ("b", 1))]
    run = recorded(tmp_path / "units", there, rows=rows)
    assert "v [m^2]" in texts(draw_plots(run).svg["C1"])
    page = Page(html(collect(run)))
    assert "b" not in page.tags and unit in page.text


OURS: dict[str, Any] = {"quantity": "v", "method": "a"}
AGAINST = {**OURS, "baseline": "b"}
SWEPT = {**OURS, "axis": "n", "settle": 1.0}
ORDER = {"quantity": "v", "better": "higher", "at_least": 1, "of": 2}
TREND = {**OURS, "axis": "n", "min_tau": 0.5}
FOUND = {**OURS, "bound": 5.0, "tried": 2}
WELCH = {**AGAINST, "test": "welch", "p": 0.05, "quote": "a Welch test"}
RULES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "mean": ("number", {**OURS, "low": 0.0}, {**OURS, "high": -1.0}),
    "ratio": ("comparison", {**AGAINST, "low": 1.0}, {**AGAINST, "high": 0.5}),
    "limit": ("number", {**SWEPT, "low": 0.0, "high": 9.0}, {**SWEPT, "low": -9.0, "high": -1.0}),
    "ordering": ("comparison", {**ORDER, "methods": ["a", "b"]}, {**ORDER, "methods": ["b", "a"]}),
    "trend": ("trend", {**TREND, "direction": "increasing"}, {**TREND, "direction": "decreasing"}),
    "max_error": ("bound", {**OURS, "reference": "b", "at_most": 1.0}, {**OURS, "reference": "b", "at_most": 0.0}),
    "no_counterexample": ("bound", {**FOUND, "relation": "at_most"}, {**FOUND, "type": "witness", "relation": "above"}),
    "witness": ("existence", {**FOUND, "relation": "above"}, {**FOUND, "relation": "below", "bound": 0.0}),
    "exact": ("identity", {**OURS, "reference": "b"}, {**OURS, "reference": "c"}),
    "test": ("comparison", {**WELCH, "alternative": "greater"}, {**WELCH, "alternative": "less"}),
}  # fmt: skip


def of_kind(kind: str, claim: str = "C1") -> Contract:
    claimed, accept, falsify = RULES[kind]
    return contract(
        claim=claim,
        kind=claimed,
        accept={"type": kind, **accept},
        falsify={"type": kind, **falsify},
        target={"value": 1.5, "where": {"section": "4"}},
        domain="for all n",
        grid={"n": ["1", "10", "100"]},
    )


@pytest.mark.parametrize("values", [(0, 2, 3), (1.7e308, -1.7e308, 1e-300), ("nan", "inf", "-inf")], ids=str)
def test_every_kind_of_rule_has_a_plot_or_none_whatever_was_measured(
    tmp_path: Path, values: tuple[object, ...]
) -> None:
    contracts = [of_kind(kind, f"C{number}") for number, kind in enumerate(RULES, 1)]
    rows = [
        f"{each.claim},{seed},{case}n={n},{method},v,{value},"
        for each in contracts
        for seed in range(2)
        for case in ("", "case=control;")
        for n, value in zip((1, 10, 100), values, strict=True)
        for method in ("a", "b")
    ]
    drawn = draw_plots(recorded(tmp_path, *contracts, rows=rows))
    assert drawn.why == "" and len(drawn.svg) == (0 if values[0] == "nan" else len(RULES))


def test_many_instances_are_drawn_in_order_of_their_size(tmp_path: Path) -> None:
    rows = [f"C1,{seed},n={seed % 50};k={seed % 7},a,v,{seed % 997}," for seed in range(3000)]
    svg = draw_plots(recorded(tmp_path, of_kind("mean"), rows=rows)).svg["C1"]
    assert "instances, in order of their value" in texts(svg) and len(svg) < 60_000


def test_without_matplotlib_report_and_pages_say_so_and_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = judged(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert draw_plots(run).why == ABSENT and "agentsys[plots]" in ABSENT
    write_status(run)
    assert "matplotlib is not installed" in (run.repo / "claims" / "pages" / "c1.md").read_text()
    assert not (run.repo / "claims" / "pages" / "c1.svg").exists(), "a plot of earlier rows may not stay"
    assert "matplotlib is not installed" in Page(html(collect(run))).text
    assert "![plot" not in markdown(collect(run))


def test_the_page_for_browsers_shows_plots_as_elements_that_ask_for_nothing(tmp_path: Path) -> None:
    run = judged(tmp_path, contract(), rate(), vague(HOSTILE[:600]))
    text = html(collect(run))
    page = Page(text)
    assert text.count("<svg") == 2 and text.count("<script") == 1
    assert not page.tags & {"iframe", "link", "object", "embed", "image", "foreignobject"}
    assert not {name for name in page.names if name.startswith("on")}
    assert all(name.startswith("#") for name in page.values["href"])
    assert "alert(1)</script>" in page.text and "![plot of claim C1](claims/pages/c1.svg)" in markdown(collect(run))


def test_the_content_policy_of_the_one_file_allows_its_own_style_and_script_by_their_hashes_alone(
    tmp_path: Path,
) -> None:
    text = unescape(html(collect(judged(tmp_path, contract()))))
    policy = text.partition('content="')[2].partition('"')[0]
    [style] = re.findall(r"<style[^>]*>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.partition("style-src ")[2].partition(";")[0] == f"'sha256-{digest}'"
    assert "unsafe" not in policy and "script-src 'sha256-" in policy


def test_a_page_that_would_be_too_large_loses_its_plots_and_says_so(
    monkeypatch: pytest.MonkeyPatch, run: RunDir
) -> None:
    data = collect(run)
    monkeypatch.setattr(onefile, "MAX_BYTES", len(html(data).encode()) - 1000)
    text = html(data)
    assert "<svg" not in text and "too large with plots" in text and "Requirements" in text


def test_kept_means_of_baselines_are_those_of_the_rows_until_the_verdicts_change(tmp_path: Path) -> None:
    made = judged(tmp_path)
    before = collect(made).claims
    keep_baselines(made)
    assert any(line.what.startswith("baseline") and line.measured for line in before[0].lines)
    kept = json.loads((made.claims / "baselines.json").read_text())
    assert collect(made).claims == before
    kept["means"]["C1"] = [[123.0, 7]]
    write_json(made.claims / "baselines.json", kept)
    assert "123" in [line.measured for line in collect(made).claims[0].lines]
    write_json(made.claims / "baselines.json", {**kept, "of": "0" * 64})
    assert collect(made).claims == before


def test_a_reader_of_kept_claims_loads_no_numpy(tmp_path: Path) -> None:
    made = judged(tmp_path)
    keep_baselines(made)
    program = (
        "import sys\nfrom pathlib import Path\nfrom agentsys.core.rundir import RunDir\n"
        "from agentsys.report.data import collect\n"
        "assert collect(RunDir(Path(sys.argv[1]))).claims[0].verdict\nassert 'numpy' not in sys.modules\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(made.path)], check=True, env={"PYTHONPATH": os.pathsep.join(sys.path)}
    )
