"""The local page: who may read it, what it serves, and that a reader finds things by its visible links alone."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from agentsys.core.artifacts import PaperPlace, Plan
from agentsys.core.gitrepo import GitRepo
from agentsys.core.rundir import RunDir
from agentsys.paper.model import Paper, Table
from agentsys.report.data import collect
from agentsys.report.status import write_status
from agentsys.report.view.guard import HEADERS
from agentsys.report.view.highlight import coloured
from agentsys.report.view.onefile import html
from agentsys.report.view.render import ticked
from agentsys.report.view.server import make_app

from .made import RUN_ID, STATES, Page, make, record, write_json
from .shown import BASE, HOST, HOSTILE, QUOTE, TOKEN, Seen, shown

RUN = f"/runs/{RUN_ID}"
VIEWS = ("overview", "numbers", "requirements", "rounds", "commands", "calls", "audit", "files")


def client(place: Path) -> TestClient:
    """A browser that was given no token."""
    return TestClient(make_app(place, (HOST,), TOKEN), base_url=BASE, follow_redirects=False)


def reader(place: Path) -> TestClient:
    """A browser that opened the whole address."""
    browser = TestClient(make_app(place, (HOST,), TOKEN), base_url=BASE)
    assert browser.get("/", params={"token": TOKEN}).status_code == 200
    return browser


@pytest.fixture(scope="module")
def same(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """The run that no test changes."""
    return shown(tmp_path_factory.mktemp("same") / "runs")


@pytest.fixture
def run(same: RunDir, tmp_path: Path) -> RunDir:
    """A copy of it to change."""
    shutil.copytree(same.path, tmp_path / "runs" / RUN_ID)
    return RunDir(tmp_path / "runs" / RUN_ID)


# -- who may read it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/view.css", f"{RUN}/overview", f"{RUN}/file/run.json", f"{RUN}/live"])
@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], f"{TOKEN}x", "\u00e9"])
def test_without_the_right_token_nothing_is_served(same: RunDir, path: str, token: str) -> None:
    answer = client(same.path.parent).get(path, params={"token": token} if token else {})
    assert answer.status_code == 403
    assert "Made-up" not in answer.text and "set-cookie" not in answer.headers


def test_the_token_becomes_a_cookie_that_scripts_and_other_sites_do_not_get_and_leaves_the_address(
    same: RunDir,
) -> None:
    answer = client(same.path.parent).get(f"{RUN}/overview", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "8000" in cookie.partition("=")[0]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1:9", "127.0.0.1", "localhost.evil.example:8000"]
)
def test_a_foreign_host_is_refused_even_with_the_token(same: RunDir, host: str) -> None:
    answer = reader(same.path.parent).get(f"{RUN}/overview", headers={"host": host}, params={"token": TOKEN})
    assert answer.status_code == 421 and "Made-up" not in answer.text


@pytest.mark.parametrize(
    "header",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9"},
        {"sec-fetch-site": "cross-site"},
    ],
    ids=str,
)
def test_a_foreign_origin_is_refused_even_with_the_cookie(same: RunDir, header: dict[str, str]) -> None:
    answer = reader(same.path.parent).get(f"{RUN}/overview", headers=header)
    assert answer.status_code == 403 and "Made-up" not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_the_page_changes_nothing(same: RunDir, method: str) -> None:
    assert reader(same.path.parent).request(method, f"{RUN}/overview").status_code == 405


def test_every_answer_forbids_inline_code_and_addresses_outside(same: RunDir) -> None:
    browser = reader(same.path.parent)
    for path in (
        "/",
        f"{RUN}/overview",
        "/view.js",
        f"{RUN}/nothing",
        f"{RUN}/live",
        f"{RUN}/image/repo/results/curve.png",
    ):
        headers = browser.get(path).headers
        assert {name: headers[name] for name in HEADERS} == HEADERS
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy


# -- what it serves ----------------------------------------------------------------------------------------------------

OUTSIDE = (
    "../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt", "repo/../../secret.txt", "//etc/passwd", "/etc/passwd",
    "repo/link.txt", "repo/folder/secret.txt", "repo/.git/config", "repo", "pipe", "nothing", "a%00b", ".",
)  # fmt: skip


@pytest.mark.parametrize("kind", ["file", "image"])
@pytest.mark.parametrize("name", OUTSIDE)
def test_nothing_outside_the_run_is_served_by_path_or_by_link(run: RunDir, name: str, kind: str) -> None:
    outside = run.path.parent / "outside"
    outside.mkdir()
    for file in (run.path.parent / "secret.txt", outside / "secret.txt"):
        file.write_text("top secret")
    (run.repo / "link.txt").symlink_to(outside / "secret.txt")
    (run.repo / "folder").symlink_to(outside)
    (run.repo / ".git").mkdir()
    (run.repo / ".git" / "config").write_text("top secret")
    os.mkfifo(run.path / "pipe")
    answer = reader(run.path.parent).get(f"{RUN}/{kind}/{name}")
    assert answer.status_code in (403, 404) and "top secret" not in answer.text


@pytest.mark.parametrize("folder", ["rounds", "repo", "llm", "paper"])
def test_a_run_with_a_folder_that_leads_elsewhere_is_not_shown(run: RunDir, folder: str) -> None:
    (run.path / folder).rename(run.path.parent / "moved")
    (run.path / folder).symlink_to(run.path.parent / "moved")
    answer = reader(run.path.parent).get(f"{RUN}/overview")
    assert answer.status_code == 409 and f"`{folder}` is a link" in answer.text.replace("&#39;", "'")


def test_a_picture_is_served_only_where_it_is_one(run: RunDir) -> None:
    (run.repo / "results" / "fake.png").write_text("<script>alert(1)</script>")
    browser = reader(run.path.parent)
    assert browser.get(f"{RUN}/image/repo/results/fake.png").status_code == 404
    real = browser.get(f"{RUN}/image/repo/results/curve.png")
    assert real.headers["content-type"] == "image/png" and real.content.startswith(b"\x89PNG")


def test_a_plot_alone_is_a_document_that_may_do_nothing_and_no_other_file_is_served_as_one(same: RunDir) -> None:
    browser = reader(same.path.parent)
    answer = browser.get(Seen(browser.get(f"{RUN}/claim/C1").text).link("The plot alone"))
    assert answer.headers["content-type"].startswith("image/svg+xml") and "<svg" in answer.text
    assert answer.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert browser.get(f"{RUN}/plot/run.json").status_code == 404


def test_a_claim_shows_its_plot_in_both_forms_with_words_to_select_and_no_exception_of_the_policy(same: RunDir) -> None:
    served, file = reader(same.path.parent).get(f"{RUN}/claim/C1").text, html(collect(same))
    for text in (served, file):
        drawing = text[text.index("<svg") : text.index("</svg>")]
        assert drawing.count("<text") > 10 and ">control</text>" in drawing and ">accepted</text>" in drawing
        assert drawing.count("<path") > 10 and "style" not in drawing and "xlink" not in drawing
    assert file.count("<style") == 1 and "unsafe" not in file.partition("<body")[0]


HOSTILE_DRAWINGS = {
    "script": '<script>alert(1)</script><g onload="alert(1)"><path d="M 0 0" onclick="alert(1)"/></g>',
    "address": '<image href="http://evil.example/a.png"/><a href="http://evil.example"><text>here</text></a>',
    "foreign": '<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><form action="/"/></body></foreignObject>',
    "style": '<style>* { display: none }</style><path d="M 0 0" style="fill: url(http://evil.example); color: red"/>',
    "names": '<g id="main"><path id="q" d="M 0 0"/></g><text class="verdict" name="token">words</text>',
    "use": '<g id="a"><path d="M 0 0"/></g><g id="b"><use href="#a"/><use href="#a"/></g><use href="file.svg#a"/>',
    "animation": '<set attributeName="href" to="javascript:alert(1)"/><animate attributeName="d" values="M 0 0"/>',
    "text": "<text>&lt;script&gt;alert(1)&lt;/script&gt;&#x202e;</text><path d='M 0 0&quot;&gt;&lt;script&gt;'/>",
}


def test_words_between_backquotes_are_code_and_nothing_in_them_is_markup() -> None:
    assert ticked("run `agentsys resume` now, or `not") == "run <code>agentsys resume</code> now, or `not"
    said = ticked(f"`{HOSTILE}` `<b>` {HOSTILE} `\x1b[1m`")
    assert Page(said).tags == {"code"} and "\x1b" not in said


def test_the_papers_table_stands_beside_what_was_measured_of_it_in_both_forms(tmp_path: Path) -> None:
    run = shown(tmp_path)
    place = PaperPlace(section="2", label="Table 1", page=1)
    made = Plan.model_validate_json((run.plan / "plan.json").read_bytes())
    rows = tuple(row.model_copy(update={"place": place}) for row in made.expected)
    write_json(run.plan / "plan.json", made.model_copy(update={"expected": rows}))
    paper = Paper.model_validate_json((run.paper / "paper.json").read_bytes())
    table = Table(id="t1", page=1, bbox=(30, 50, 370, 130), label="1", caption=f"Table 1: Losses {HOSTILE}")
    (section,) = paper.sections
    write_json(run.paper / "paper.json", paper.model_copy(update={"sections": (
        section.model_copy(update={"blocks": (*section.blocks, table)}),
    )}))  # fmt: skip
    GitRepo(run.repo).init()
    write_status(run)
    for text in (reader(run.path.parent).get(f"{RUN}/overview").text, html(collect(run))):
        part = text[text.index("<h4>Table 1") : text.index("<h3>Checks of")]
        assert 'alt="Table 1 of the paper"' in part and "plot narrow" in part and ">paper</text>" in part
        assert Seen(part).link("^E1$").endswith("E1") and "onerror" not in Page(part).names


@pytest.mark.parametrize("inner", HOSTILE_DRAWINGS.values(), ids=HOSTILE_DRAWINGS)
def test_a_drawing_that_a_stranger_put_into_a_run_becomes_shapes_and_words_and_nothing_else(
    run: RunDir, inner: str
) -> None:
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" onload="alert(1)">'
    (run.claims / "pages" / "c1.svg").write_text(f'{head}<rect width="7" height="7"/>{inner}</svg>')
    text = reader(run.path.parent).get(f"{RUN}/claim/C1").text
    drawing = text[text.index("<svg") : text.index("</svg>")]
    page = Page(drawing)
    assert page.tags <= {"svg", "g", "path", "rect", "text", "use"} and '<rect width="7" height="7">' in drawing
    assert not {name for name in page.names if name.startswith("on") or name in ("style", "name")}
    assert page.values["class"] == ["plot narrow"] and all(name.startswith("plot-C1-") for name in page.values["id"])
    # What is used must be a single shape: groups of groups would be drawn for ever.
    assert not {name.removeprefix("#") for name in page.values["href"]} & set(page.values["id"])
    assert "evil" not in drawing and "javascript" not in drawing and "\u202e" not in drawing


@pytest.mark.parametrize(
    "drawing",
    [
        '<!DOCTYPE svg [<!ENTITY a "aaaa">]><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">&a;</svg>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><g>',
        '<svg xmlns="http://www.w3.org/2000/svg"><g></g></svg>',
        '<html><svg viewBox="0 0 9 9"></svg></html>',
        "words",
    ],
    ids=["entities", "cut off", "no size", "no drawing", "words"],
)
def test_what_is_no_drawing_of_ours_is_left_out_and_said(run: RunDir, drawing: str) -> None:
    (run.claims / "pages" / "c1.svg").write_text(drawing)
    text = reader(run.path.parent).get(f"{RUN}/claim/C1").text
    assert "<svg" not in text and "no drawing of this program" in text


def test_every_link_of_every_page_leads_on(same: RunDir) -> None:
    browser = reader(same.path.parent)
    waiting, seen = ["/", "/view.css", "/view.js"], set[str]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = browser.get(path.replace("%25", "%2525"))  # the test client decodes an address twice
        assert answer.status_code == 200, path
        if answer.headers["content-type"].startswith("text/html"):
            page = Seen(answer.text)
            assert len(page.ids) == len(set(page.ids)), path
            waiting += [*page.own_links(), *(source for source in page.sources if source.startswith("/"))]
            assert all(not target.startswith(("http", "//", "javascript")) for _, target in page.links), path
    assert {f"{RUN}/{view}" for view in VIEWS} <= seen
    assert len(seen) > 40


def test_every_anchor_of_the_one_file_is_there(same: RunDir) -> None:
    page = Seen(html(collect(same)))
    targets = {target for _, target in page.links}
    assert {"#number-E1", "#requirement-R1", "#round-1", "#claim-C1"} <= targets
    assert {target.removeprefix("#") for target in targets} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert page.sources and all(source.startswith("data:image/png;base64,") for source in page.sources)


def test_a_long_log_is_shown_in_parts_that_miss_no_line(run: RunDir) -> None:
    lines = [f"line {number} of the log" for number in range(40_000)]
    (run.round(1) / "pytest.log").write_text("\n".join(lines) + "\n")
    browser, path, found = reader(run.path.parent), f"{RUN}/file/rounds/01/pytest.log", list[str]()
    for _ in range(100):
        page = Seen(browser.get(path).text)
        found += [line for line in page.text.splitlines() if line.startswith("line ")]
        following = [target for name, target in page.links if name == "after"]
        if not following:
            break
        path = following[0]
    assert found == lines


def test_search_finds_words_in_paper_code_logs_prompts_answers_and_plan(same: RunDir) -> None:
    browser = reader(same.path.parent)
    for words, leads in (
        ("FOLLOWS THE gradient", "paper/paper.json"),
        ("def step_size", "repo/made/core.py"),
        ("collected 3 items", "rounds/01/pytest.log"),
        ("write made/main.py", "llm/prompts/"),
        ("the answer about made/core.py", "llm/coder/"),
        ("stopping rule", "plan/plan.json"),
    ):
        page = browser.get(f"{RUN}/search", params={"q": words})
        assert any(name.startswith(leads) for name, _ in Seen(page.text).links), words
    assert "Nothing was found" in browser.get(f"{RUN}/search", params={"q": "no such words"}).text


@pytest.mark.parametrize("view", ["files", "commands", "calls"])
def test_a_long_list_is_shown_in_parts_that_miss_no_row(
    same: RunDir, view: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = reader(same.path.parent)
    whole = browser.get(f"{RUN}/{view}").text
    monkeypatch.setattr("agentsys.report.view.views.MOST_ROWS", 1)
    path, parts = f"{RUN}/{view}", list[str]()
    for _ in range(200):
        text = browser.get(path).text
        parts.append(text)
        following = [target for name, target in Seen(text).links if name == "after"]
        if not following:
            break
        path = following[0]
    rows = [row.partition("</")[0] for row in whole.split("<td>" if view != "files" else "<li>")[1:]]
    assert all(any(row in part for part in parts) for row in rows) and (view == "commands" or len(parts) > 1)


def test_search_finds_words_that_lie_across_two_parts_of_a_file(run: RunDir) -> None:
    (run.round(1) / "pytest.log").write_bytes(b"x" * ((256 << 10) - 3) + b"needle" + b"y" * 1000)
    assert "rounds/01/pytest.log" in reader(run.path.parent).get(f"{RUN}/search", params={"q": "needle"}).text


# -- strangers' text ---------------------------------------------------------------------------------------------------


def test_hostile_titles_logs_answers_and_commands_stay_text_on_every_page(tmp_path: Path) -> None:
    browser = reader(shown(tmp_path, words=HOSTILE).path.parent)
    waiting, seen, hostile = ["/"], set[str](), 0
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = browser.get(path)
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        page = Page(answer.text)
        assert not {name for name in page.names if name.startswith("on") or name == "style"}, path
        assert answer.text.count("<script") == 1 and "x" not in page.values["src"], path
        assert "\x1b" not in answer.text and "\x07" not in answer.text
        hostile += "<script>document.title = 'taken'" in page.text
        waiting += Seen(answer.text).own_links()
    assert hostile > 15


def test_hostile_words_in_an_address_stay_text(same: RunDir) -> None:
    browser = reader(same.path.parent)
    for path in (
        f"{RUN}/search?q=<script>alert(1)</script>",
        f"{RUN}/<script>alert(1)</script>",
        f"{RUN}/file/<script>",
    ):
        assert "<script>alert" not in browser.get(path).text


# -- a reader who knows nothing ----------------------------------------------------------------------------------------


class Walk:
    """Follows visible links from the first page, in the served form or in the one file."""

    def __init__(self, browser: TestClient | None, page: str = "") -> None:
        self._browser = browser
        self._file = page
        self.clicks = 0
        self.page = Seen(browser.get("/").text if browser is not None else page)

    def click(self, words: str) -> Walk:
        target = self.page.link(words)
        self.clicks += 1
        if self._browser is not None:
            self.page = Seen(self._browser.get(target.partition("#")[0]).text)
        else:
            _, _, rest = self._file.partition(f'<section id="{target.removeprefix("#")}"')
            assert rest, target
            self.page = Seen(rest.partition('<section id="')[0])
        return self


@pytest.fixture(params=["served", "one file"])
def walk(request: pytest.FixtureRequest, same: RunDir) -> Walk:
    if request.param == "served":
        return Walk(reader(same.path.parent)).click("A Made-up Paper")
    return Walk(None, html(collect(same)))


def test_a_reader_finds_why_a_run_is_unverified(walk: Walk) -> None:
    text = walk.page.text
    assert "not verified: pytest failed (2 passed, 1 failed)" in text
    assert text.index("not verified") < text.index("AssertionError: 0.5 != 0.25") < text.index("Numbers of the paper")
    walk.click("rounds/01/pytest.log")
    assert "1 failed, 2 passed" in walk.page.text and walk.clicks <= 2


def test_a_reader_finds_which_number_differs_most_and_where_its_code_is(walk: Walk) -> None:
    assert "Most different: E1 loss, paper 0.25, here 0.4 (60.0% off" in " ".join(walk.page.text.split())
    walk.click("^E1 loss")
    assert "function update in made/core.py:1" in " ".join(walk.page.text.split())
    walk.click("^R1")
    assert "return x" in walk.page.text and "1 of 1 faults planted in it were noticed" in walk.page.text
    assert QUOTE in walk.page.text and walk.clicks <= 3


def test_a_reader_finds_what_the_most_expensive_call_was(walk: Walk) -> None:
    walk.click("coder made/core.py 01")
    text = " ".join(walk.page.text.split())
    assert "$0.09" in text and "the answer about made/core.py" in text and "write made/core.py" in text
    assert walk.clicks <= 2


def test_a_reader_finds_what_the_control_of_a_claim_showed(walk: Walk) -> None:
    walk.click("^C1$")
    assert "the rule fails on it, as it must: 0 (-0.196324 to 0.196324), n = 5" in walk.page.text
    assert walk.clicks <= 2


def test_a_requirement_stands_beside_its_place_in_the_paper(same: RunDir) -> None:
    browser = reader(same.path.parent)
    page = Seen(browser.get(f"{RUN}/requirement/R1").text)
    assert len(page.sources) == 2
    for source in page.sources:
        answer = browser.get(source)
        assert answer.headers["content-type"] == "image/png" and answer.content.startswith(b"\x89PNG")


def test_a_place_in_another_pdf_than_was_read_is_not_shown(run: RunDir) -> None:
    with (run.paper / "source.pdf").open("ab") as file:
        file.write(b"\n% another file")
    browser = reader(run.path.parent)
    assert browser.get(Seen(browser.get(f"{RUN}/requirement/R1").text).sources[0]).status_code == 404


def test_the_first_screen_says_what_counts_in_numbers_that_lead_to_what_is_behind_them(same: RunDir) -> None:
    for text in (reader(same.path.parent).get(f"{RUN}/overview").text, html(collect(same))):
        first = " ".join(Seen(text[text.index('<dl class="tiles">') : text.index("What failed")]).text.split())
        for words in (
            "claims verified1 of 1",
            "checks passed6 of 7",
            "requirements shown1 of 3",
            "faults noticed1 of 1",
        ):
            assert words in first
        assert "cost$0.12" in first and "time7:50" in first
        assert Seen(text).link("^requirements shown").endswith("requirements")


def test_a_run_that_was_cut_off_has_no_heading_with_nothing_below_it(tmp_path: Path) -> None:
    run = make(tmp_path, "interrupted")
    run.write(record("interrupted", stage="verify", reason="interrupted", hint=""))
    assert "Why it ended so" not in reader(run.path).get(f"{RUN}/overview").text


def test_the_list_of_runs_names_the_paper_first_and_says_what_became_of_its_claims(same: RunDir) -> None:
    page = Seen(reader(same.path.parent).get("/").text)
    assert page.link("^A Made-up Paper$") == f"{RUN}/overview" and "1 verified" in page.text and RUN_ID in page.text


CODE = '''@frozen
class Step:
    """Two lines
    of words, <b>not bold</b>."""

    def of(self, x: float) -> float:  # </span><script>alert(1)</script>
        return f"{x:.3f} </pre>" if x < 1e-3 else None
'''


def test_code_has_colours_and_loses_no_character_of_itself() -> None:
    lines = [*CODE.splitlines(), "x = '\x1b[31m\u202e'", "unclosed = '''", "", "\tend"]
    shown = coloured(lines, "made/core.py")
    assert [Seen(str(line)).text for line in shown] == [*CODE.splitlines(), "x = ''", "unclosed = '''", "", "\tend"]
    page = Page("".join(shown))
    assert page.tags == {"span"} and set(page.values["class"]) == {"k", "f", "s", "c", "m"}


def test_what_is_no_python_or_long_stays_without_colours_and_harmless() -> None:
    for path, lines in (("a.yaml", ["def <b>"]), ("a.py", ["def <b>", "x" * (64 << 10)])):
        assert coloured(lines, path)[0] == "def &lt;b&gt;"


def test_code_of_a_requirement_and_of_a_file_has_colours(same: RunDir) -> None:
    browser = reader(same.path.parent)
    for view in ("requirement/R1", "file/repo/made/core.py"):
        assert '<span class="k">def</span> <span class="f">update</span>' in browser.get(f"{RUN}/{view}").text


# -- live, many, any ---------------------------------------------------------------------------------------------------


def test_a_run_that_goes_on_says_where_it_stands_and_when_it_has_ended(run: RunDir) -> None:
    from agentsys.core.rundir import process_start

    running = record("running", stage="verify", exit_code=None, pid=os.getpid(), pid_started=process_start(os.getpid()))
    run.write(running)
    browser = reader(run.path.parent)
    assert f'data-live="{RUN}/live"' in browser.get(f"{RUN}/overview").text
    first = browser.get(f"{RUN}/live")
    assert "running: verify" in first.text and "verifier works" in first.text and "x-run-ended" not in first.headers
    assert "2 calls, 93k tokens in" in first.text and "pytest exit code 1" in first.text
    event = {
        "v": 1,
        "seq": 3,
        "ts": "2026-01-02T03:06:07Z",
        "run": RUN_ID,
        "type": "warning",
        "data": {"message": "new words"},
    }
    with run.events_file.open("a") as file:
        file.write(json.dumps(event) + "\n")
    assert "warning: new words" in browser.get(f"{RUN}/live").text
    run.write(record("unverified", rounds=1))
    assert browser.get(f"{RUN}/live").headers["x-run-ended"] == "yes"


def test_the_list_of_runs_sorts_by_any_column_and_shows_damaged_ones(tmp_path: Path) -> None:
    for name, cost in (("a", 3.0), ("b", 1.0), ("c", 2.0)):
        folder = RunDir(tmp_path / name)
        folder.path.mkdir()
        folder.write(record("verified", id=name, usage={"calls": 1, "cost": cost}))
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "run.json").write_text("{")
    browser = reader(tmp_path)

    def order(query: str) -> list[str]:
        links = Seen(browser.get(f"/?{query}").text).links
        return [target.split("/")[2] for _, target in links if target.startswith("/runs/")]

    assert order("sort=price") == ["d", "b", "c", "a"]
    assert order("sort=price&down=1") == ["a", "c", "b", "d"]
    assert sorted(order("sort=nothing")) == ["a", "b", "c", "d"]
    assert "damaged" in browser.get("/").text


def test_two_runs_are_compared_line_by_line(tmp_path: Path) -> None:
    first, second = shown(tmp_path / "one"), shown(tmp_path / "two", status="verified")
    (tmp_path / "runs").mkdir()
    first.path.rename(tmp_path / "runs" / "first")
    second.path.rename(tmp_path / "runs" / "second")
    text = reader(tmp_path / "runs").get("/compare?run=first&run=second").text
    rows = [" ".join(Seen(row).text.split()) for row in text.split("<tr")]
    assert any(row.endswith("pytestfailedpassedyes") for row in rows)
    assert any(row.endswith("installpassedpassed") for row in rows)
    assert "Choose two runs" in reader(tmp_path / "runs").get("/compare?run=first").text


@pytest.mark.parametrize("state", STATES)
def test_every_view_of_every_kind_of_run_can_be_opened(tmp_path: Path, state: str) -> None:
    browser = reader(make(tmp_path, state).path)
    for view in VIEWS:
        answer = browser.get(f"{RUN}/{view}")
        assert answer.status_code == 200 and "<h2" in answer.text


def test_a_run_that_has_just_begun_can_be_opened(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    run.write(record("interrupted", stage="read"))
    browser = reader(run.path)
    assert all(browser.get(f"/runs/run/{view}").status_code == 200 for view in VIEWS)


def test_a_damaged_ledger_paper_and_event_are_passed_over(run: RunDir) -> None:
    for file in (run.llm / "ledger.jsonl", run.paper / "paper.json", run.events_file):
        file.write_bytes(b"\xff{\n[1]\n" + file.read_bytes())
    browser = reader(run.path.parent)
    assert "coder" in browser.get(f"{RUN}/calls").text
    assert "python -m pytest" in browser.get(f"{RUN}/commands").text
    assert browser.get(f"{RUN}/requirement/R1").status_code == 200
