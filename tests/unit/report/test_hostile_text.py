"""Text from papers, models and logs stays text in every form of a report."""

from __future__ import annotations

import base64
import hashlib
import re
from html import unescape
from pathlib import Path

import pytest

from agentsys.core.artifacts import Diagnosis, Diagnostic
from agentsys.core.text import code, cut_lines, fence, md, mermaid
from agentsys.report.data import ReportData, collect
from agentsys.report.markdown import markdown, module_chart, round_chart
from agentsys.report.summary import summary
from agentsys.report.view.onefile import MAX_BYTES, html
from agentsys.report.view.render import render

from .made import Page, make, plan, record, verdict, write_json

HOSTILE = (
    '<script>alert(1)</script> <img src="http://evil.example/x"> [link](http://evil.example) ![i](http://evil.example/i)'
    " `code` | cell @someone *bold* "
    '\x1b]0;title\x07\x1b[31mred \u202egnp.exe\u2066 $\\input{x}$ "quoted" --> end\n# head'
)


@pytest.fixture
def data(tmp_path: Path) -> ReportData:
    run = make(tmp_path, "unverified")
    run.write(
        record("unverified", title=HOSTILE, reason=HOSTILE, request=HOSTILE, recording=HOSTILE, weak_sandbox=True)
    )
    tree = plan().model_dump(mode="json")
    tree["requirements"][0]["what"] = HOSTILE
    tree["files"][0]["path"] = HOSTILE
    tree["files"][1]["depends_on"] = [HOSTILE]
    tree["experiments"][0]["full"] = HOSTILE
    tree["expected"][0]["metric"] = HOSTILE
    tree["questions"][0]["question"] = HOSTILE
    write_json(run.plan / "plan.json", tree)
    fault = Diagnostic(kind="test", check="pytest", message=HOSTILE, path=HOSTILE, line=3)
    write_json(run.round(1) / "verdict.json", verdict(1, {"pytest": HOSTILE}, diagnostics=(fault,)))
    write_json(run.round(1) / "diagnosis.json", Diagnosis(round=1, cause=HOSTILE, owner="planner"))
    (run.round(1) / "patch.diff").write_text(f"+{HOSTILE}\n+```\n+</pre><script>alert(2)</script>\n")
    return collect(run)


def test_html_holds_our_own_script_alone_and_asks_for_nothing(data: ReportData) -> None:
    text = html(data)
    page = Page(text)
    assert not page.tags & {"iframe", "link", "object", "embed", "base", "svg", "source", "video", "audio"}
    assert not {name for name in page.names if name.startswith("on") or name in ("srcset", "ping", "style")}
    assert all(target.startswith("#") for target in page.values["href"] + page.values["action"])
    assert all(source.startswith("data:image/png;base64,") for source in page.values["src"])
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert scripts == [render("view.js", {})] and text.count("<script") == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert "default-src 'none'; style-src 'sha256-" in unescape(text)
    assert f"script-src 'sha256-{digest}'; img-src data:" in unescape(text)


def test_html_shows_hostile_text_as_it_was_written(data: ReportData) -> None:
    text = Page(html(data)).text
    assert '<script>alert(1)</script> <img src="http://evil.example/x"> [link](http://evil.example) ![i](http' in text
    assert "</pre><script>alert(2)</script>" in text


def test_html_is_below_its_limit_whatever_the_patches_hold(data: ReportData, tmp_path: Path) -> None:
    run = make(tmp_path / "large", "verified")
    for number in range(1, 30):
        write_json(run.round(number) / "verdict.json", verdict(number))
        (run.round(number) / "patch.diff").write_text(("+" + "x" * 250 + "\n") * 3000)
    assert len(html(collect(run)).encode()) < MAX_BYTES


@pytest.mark.slow
def test_html_is_below_its_limit_whatever_the_plan_holds_and_says_what_is_left_out(tmp_path: Path) -> None:
    run = make(tmp_path, "verified")
    tree = plan().model_dump(mode="json")
    tree["questions"] = [{"question": "<&" * 100, "assumption": "none"}] * 3000
    tree["requirements"] = [tree["requirements"][0] | {"id": f"R{n}", "what": "<&" * 4000} for n in range(1, 300)]
    write_json(run.plan / "plan.json", tree)
    page = html(collect(run))
    assert len(page.encode()) < MAX_BYTES
    assert "larger than 8 MB" in page
    assert "There is no plan" not in page
    assert "verified: every check passed" in page


@pytest.mark.parametrize("form", [summary, markdown, html])
def test_no_control_or_direction_character_is_left(data: ReportData, form) -> None:  # type: ignore[no-untyped-def]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", form(data))


def test_markdown_outside_fences_holds_no_live_markup(data: ReportData) -> None:
    text = re.sub(r"^(`{3,})[^`\n]*\n.*?^\1$", "", markdown(data), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"`[^`\n]*`", "", text)
    assert not re.search(r"<(?!!-- -->)", text)
    assert not re.search(r"(?<!\\)\[", text)
    assert not re.search(r"https?:", text)
    assert "@someone" not in text
    assert not re.search(r"^# head", text, flags=re.MULTILINE)


def test_fence_is_longer_than_any_fence_inside() -> None:
    assert fence("a\n````\nb").startswith("`````\n")


def test_table_cells_cannot_open_new_columns() -> None:
    assert "|" not in md("a|b").replace("\\|", "")
    assert "|" not in code("a|b")


def test_mermaid_labels_hold_plain_characters_and_entity_codes_only(data: ReportData) -> None:
    assert re.fullmatch(r"(?:[A-Za-z0-9 ._/]|#\d+;)*", mermaid(HOSTILE))
    assert data.plan is not None
    for line in module_chart(data.plan).splitlines()[1:]:
        shape = r'\["(?:[A-Za-z0-9 ._/]|#\d+;)*"\]|\(\["(?:[A-Za-z0-9 ._/]|#\d+;)*"\]\)'
        assert re.fullmatch(rf"  f\d+(?:{shape}| --> f\d+)", line), line
    for line in round_chart(data).splitlines():
        assert re.fullmatch(
            r"(?:sequenceDiagram|  participant \w as \w+|  [A-Z]->>[A-Z]: (?:[A-Za-z0-9 ._/]|#\d+;)*)", line
        )


def test_long_text_says_how_much_is_left_out() -> None:
    rows = cut_lines("\n".join(map(str, range(100))), 9).splitlines()
    assert rows == ["0", "1", "2", "3", "4", "5", "… 91 lines left out …", "97", "98", "99"]
