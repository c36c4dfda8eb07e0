"""What a debugger is shown follows what was seen: executed functions, callers, configuration, raw results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsys.core.artifacts import Diagnostic, Plan
from agentsys.debug.callgraph import call_graph
from agentsys.debug.evidence import BUDGET, LEADING, budget_of, gather, with_lines
from agentsys.debug.excerpts import excerpt, outline, pack
from agentsys.debug.slices import Slices
from agentsys.debug.suspects import behind_rows
from agentsys.verify.watching import Watched

STEPS = '''"""Steps."""

RATE = 0.1


def rate(step: int) -> float:
    """Rate of a step."""
    warm = min(1.0, step / 5)
    return RATE * warm


def unrelated(step: int) -> int:
    """Nothing to do with it."""
    first = step + 1
    second = first + 1
    third = second + 1
    fourth = third + 1
    fifth = fourth + 1
    return fifth
'''
FIT = "from pkg.steps import rate\n\n\ndef fit(n: int) -> float:\n    return sum(rate(step) for step in range(n))\n"
RUN = 'from pkg.fit import fit\n\n\ndef run() -> dict[str, float]:\n    return {"gap": fit(3)}\n'
TEST = "from pkg.fit import fit\n\n\ndef test_first() -> None:\n    assert fit(1) == 0.02\n"
FILES = {
    "pkg/steps.py": STEPS,
    "pkg/fit.py": FIT,
    "pkg/run.py": RUN,
    "pkg/other.py": "def other() -> int:\n    return 1\n",
    "tests/test_fit.py": TEST,
    "configs/smoke.yaml": "rate: 0.001\n",
    "reproduce.sh": "python -m pkg.run\n",
}
PLAN = Plan.model_validate(
    {
        "package": "pkg",
        "summary": "s",
        "architecture": "a",
        "requirements": [{"id": "R1", "what": "w", "place": {"section": "1"}, "owner": "pkg/fit.py"}],
        "files": [{"path": path, "purpose": "p"} for path in FILES if path.endswith(".py")],
        "config_full": {"rate": 0.1},
        "config_smoke": {"rate": 0.1},
        "experiments": [{"name": "e", "what": "w", "full": "f", "smoke": "s"}],
    }
)


def shown(folder: Path, row: Diagnostic, budget: int = 4000) -> dict[str, str]:
    tree = {path: text.encode() for path, text in FILES.items()}
    found = gather(tree, folder, PLAN, [row], budget)
    return {**found.sources, **found.raw}


def write_tests(folder: Path) -> None:
    data = {
        "outcomes": {"tests/test_fit.py::test_first": "failed", "tests/test_fit.py::test_other": "passed"},
        "functions": {
            "tests/test_fit.py::test_first": ["pkg/fit.py:fit", "pkg/steps.py:rate", "pkg/other.py:other"],
            "tests/test_fit.py::test_other": ["pkg/other.py:other"],
        },
    }
    (folder / "tests.json").write_text(json.dumps(data))


def test_the_function_that_only_the_failing_test_executed_is_shown_before_what_all_did(tmp_path: Path) -> None:
    write_tests(tmp_path)
    row = Diagnostic(
        kind="test", check="pytest", message="assert", path="tests/test_fit.py", line=5, symbol="test_first"
    )
    names = list(shown(tmp_path, row))
    assert names.index("pkg/steps.py") < names.index("pkg/other.py")
    assert names[0] == "tests/test_fit.py" and "configs/smoke.yaml" in names


def test_what_a_failing_test_compares_is_shown_with_it_before_the_code_that_it_runs(tmp_path: Path) -> None:
    test = (
        "from pkg.fit import fit\n\nBASE = {\n    'rate': 0.1,\n    'steps': 1,\n    'seed': 7,\n}\n\n\n"
        "def settings() -> dict[str, float]:\n    made = dict(BASE)\n    made['rate'] = 0.2\n    return made\n\n\n"
        "def wanted() -> float:\n    return settings()['rate'] / 10.0\n\n\n"
        "def test_first() -> None:\n    assert fit(1) == wanted()\n"
    )
    tree = {path: text.encode() for path, text in {**FILES, "tests/test_fit.py": test}.items()}
    row = Diagnostic(
        kind="test", check="pytest", message="assert", path="tests/test_fit.py", line=22, symbol="test_first"
    )
    found = gather(tree, tmp_path, PLAN, [row], 1).sources["tests/test_fit.py"]
    assert "assert fit(1) == wanted()" in found and "settings()['rate']" not in found
    found = gather(tree, tmp_path, PLAN, [row], 600).sources
    assert next(iter(found)) == "tests/test_fit.py"
    assert "made['rate'] = 0.2" in found["tests/test_fit.py"] and "'seed': 7," in found["tests/test_fit.py"]


def test_a_test_that_notices_nothing_is_shown_itself(tmp_path: Path) -> None:
    row = Diagnostic(
        kind="test",
        check="faults",
        message="passes",
        path="tests/test_fit.py",
        symbol="tests/test_fit.py::test_first[1]",
    )
    assert "assert fit(1) == 0.02" in shown(tmp_path, row, 1)["tests/test_fit.py"]


def test_a_result_and_a_sign_of_health_bring_the_function_that_writes_them_and_no_large_file(tmp_path: Path) -> None:
    padding = "\n\n".join(f"def helper_{number}() -> int:\n    return {number}" for number in range(300))
    code = (
        f"{padding}\n\n\ndef write(x: float) -> dict[str, float]:\n    return {{'gap': x, 'mean of the gap': 2 * x}}\n"
    )
    tree = {path: text.encode() for path, text in FILES.items()} | {"pkg/run.py": code.encode()}
    rows = [
        Diagnostic(
            kind="result", check="dependence", message="`gap` = 1 is not computed", path="pkg/run.py", symbol="gap"
        ),
        Diagnostic(
            kind="health", check="dependence", message="`e: mean of the gap is 1` holds", path="x", symbol="health"
        ),
    ]
    for row in rows:
        found = gather(tree, tmp_path, PLAN, [row], 400).sources["pkg/run.py"]
        assert "def write" in found and "return 150" not in found
    unknown = rows[0].model_copy(update={"symbol": "other"})
    assert "pkg/run.py" not in gather(tree, tmp_path, PLAN, [unknown], 400).sources


def test_a_definition_that_matters_is_never_cut_and_of_the_others_one_line_tells_the_names(tmp_path: Path) -> None:
    text = excerpt(STEPS, ["rate"])
    assert "warm = min(1.0, step / 5)" in text and "def unrelated" not in text
    assert "fifth = fourth + 1" not in text and "# ... left out here: unrelated(step) ..." in text
    assert "RATE = 0.1" in text


TABLED = """import math

SHORT = 1
USED = [
    1,
    2,
    3,
]
UNUSED = [
    "four and twenty blackbirds",
    "baked in a pie",
    "when the pie was opened",
]


class Fit:
    rate: float = 0.1

    def __init__(self, rate: float) -> None:
        self.rate = rate * USED[0] + math.sqrt(2.0)

    def step(self, x: float, *, half: bool = False) -> float:
        return x - self.rate * x / (2 if half else 1)

    @property
    def double(self) -> float:
        return 2 * self.rate * math.pi + self.rate


# A remark.


def first(x: float, *more: float) -> float:
    return x + sum(more) + math.sqrt(x) + SHORT + x * x


@staticmethod
def second(x: float, **named: float) -> float:
    return x + sum(named.values()) + math.sqrt(x)
"""


def test_what_is_left_out_side_by_side_is_told_in_one_line_with_what_it_takes() -> None:
    text = excerpt(TABLED, ["Fit.__init__"])
    assert "USED = [\n    1," in text and "# ... left out here: UNUSED ..." in text and "SHORT = 1" in text
    assert "    # ... left out here: step(x, half), double() ..." in text and "rate: float = 0.1" in text
    assert "# ... left out here: first(x, more), second(x, named) ..." in text and "# A remark." in text
    assert "staticmethod" not in text and "@property" not in text
    whole = excerpt(TABLED, ["second"])
    assert "# ... left out here: USED, UNUSED, class Fit(rate, step, double), first(x, more) ..." in whole
    assert "remark" not in whole
    assert outline(TABLED) == "SHORT, USED, UNUSED, class Fit(rate, step, double), first(x, more), second(x, named)"


def test_what_is_shown_is_word_for_word_the_file() -> None:
    for names in (["Fit.step"], ["second"], ["Fit", "first"], []):
        rows = [row for row in excerpt(TABLED, names).splitlines() if "left out here" not in row]
        rest = iter(TABLED.splitlines())
        assert all(row in rest for row in rows)


def test_a_type_that_does_not_fit_comes_with_its_line_of_code() -> None:
    row = Diagnostic(kind="type", check="pyright", message="m", path="a.py", line=2, detail="twice")
    gone = row.model_copy(update={"line": 9})
    other = row.model_copy(update={"kind": "test"})
    found = with_lines([row, gone, other], {"a.py": "x = 1\n    y: int = 'a'\n"})
    assert [item.detail for item in found] == ["    y: int = 'a'\ntwice", "twice", "twice"]


def test_a_health_row_brings_the_functions_that_the_run_executed_and_its_raw_results(tmp_path: Path) -> None:
    watched = {
        "seconds": 3.0,
        "functions": ["pkg/run.py:run", "pkg/fit.py:fit", "pkg/steps.py:rate"],
        "own": {"pkg/steps.py:rate": 2.0},
        "total": {"pkg/run.py:run": 3.0, "pkg/steps.py:rate": 2.0},
        "calls": [["pkg/run.py:run", "pkg/fit.py:fit"], ["pkg/fit.py:fit", "pkg/steps.py:rate"]],
    }
    (tmp_path / "watch.json").write_text(json.dumps(watched))
    (tmp_path / "results.json").write_text('{"gap": 0.0}')
    row = Diagnostic(kind="health", check="results", message="did not move", path="pkg/run.py", symbol="e: gap")
    found = shown(tmp_path, row)
    assert "warm = min(1.0, step / 5)" in found["pkg/steps.py"]
    assert found["results.json"] == '{"gap": 0.0}' and "rate: 0.001" in found["configs/smoke.yaml"]
    assert "pkg/other.py" not in found


def test_a_time_out_brings_the_slowest_function_and_the_seconds_of_each(tmp_path: Path) -> None:
    watched = {
        "seconds": 60.0,
        "functions": ["pkg/fit.py:fit", "pkg/steps.py:rate"],
        "own": {"pkg/steps.py:rate": 55.0, "pkg/fit.py:fit": 1.0},
        "total": {"pkg/fit.py:fit": 60.0, "pkg/steps.py:rate": 55.0},
    }
    (tmp_path / "watch.json").write_text(json.dumps(watched))
    row = Diagnostic(kind="timeout", check="smoke", message="did not end", path="configs/smoke.yaml")
    found = shown(tmp_path, row)
    assert "55.00      55.00  pkg/steps.py:rate" in found["seconds per function"]
    assert list(found)[:4].index("pkg/steps.py") < 4


def test_what_no_longer_fits_is_left_out_and_what_comes_after_it_may_still_fit() -> None:
    sources = {"a.py": "x = 1\n" * 10, "b.py": "y = 2\n" * 900, "c.py": "z = 3\n"}
    assert list(pack(sources, ["a.py", "b.py", "c.py"], 200)) == ["a.py", "c.py"]


def test_the_graph_follows_imports_into_other_files_and_back_to_callers() -> None:
    graph = call_graph({path: text for path, text in FILES.items() if path.endswith(".py")})
    assert graph.reach(["pkg/run.py:run"], 2) == ["pkg/run.py:run", "pkg/fit.py:fit", "pkg/steps.py:rate"]
    assert graph.callers("pkg/steps.py:rate") == ["pkg/fit.py:fit"]
    assert graph.at("pkg/steps.py", 8) == "pkg/steps.py:rate"


LOSS = "from pkg.steps import rate\n\n\ndef loss(x: float) -> float:\n    return x * x\n"
MEANS = (
    "class Mean:\n    def __init__(self) -> None:\n        self.value = 0.0\n\n"
    "    def add(self, x: float) -> float:\n        self.value = 0.5 * self.value + x\n        return self.value\n"
)
HISTORY = (
    "from dataclasses import dataclass\n\nfrom pkg.loss import loss\nfrom pkg.means import Mean\n\n\n"
    "@dataclass\nclass History:\n    losses: list[float]\n    mean: float\n    rate: float = 0.3\n\n\n"
    "def train() -> History:\n    mean, losses = Mean(), []\n    for x in (3.0, 2.0):\n"
    "        losses.append(loss(x))\n        last = mean.add(x)\n    return History(losses, last)\n"
)
ROWS = (
    "from pkg.train import train\n\n\ndef rows() -> list[dict[str, object]]:\n    history = train()\n    return [\n"
    '        {"experiment": "e", "quantity": "loss", "values": history.losses, "better": "lower"},\n'
    '        {"experiment": "e", "quantity": "mean", "value": history.mean, "below": 1.0},\n'
    '        {"experiment": "e", "quantity": "rate", "value": history.rate, "below": 1.0},\n    ]\n'
)
RUNS = {"pkg/loss.py": LOSS, "pkg/means.py": MEANS, "pkg/train.py": HISTORY, "pkg/rows.py": ROWS}


def test_a_value_is_followed_through_fields_and_methods_to_what_it_was_computed_from() -> None:
    graph = call_graph(RUNS)
    slices = Slices(graph)
    losses = slices.behind(slices.around("loss", ["pkg/rows.py:rows"]), graph.nodes)
    mean = slices.behind(slices.around("mean", ["pkg/rows.py:rows"]), graph.nodes)
    assert "pkg/loss.py:loss" in losses and "pkg/means.py:Mean.add" not in losses
    assert "pkg/means.py:Mean.add" in mean and "pkg/loss.py:loss" not in mean
    assert losses["pkg/train.py:train"] < losses["pkg/loss.py:loss"]


def suspected(folder: Path, mean: float, rate: float, config: dict[str, object]) -> list[str]:
    rows: list[dict[str, object]] = [
        {"experiment": "e", "quantity": "loss", "values": [9.0, 4.0], "better": "lower"},
        {"experiment": "e", "quantity": "mean", "value": mean, "below": 1.0},
        {"experiment": "e", "quantity": "rate", "value": rate, "below": 1.0},
    ]
    (folder / "results.json").write_text(json.dumps({"gap": 0.5, "health": rows, "not_attempted": {}}))
    graph = call_graph(RUNS)
    functions = [key for key, item in graph.nodes.items() if item.kind == "function"]
    plan = PLAN.model_copy(update={"config_smoke": config})
    return behind_rows(folder, plan, Watched(functions=tuple(functions)), graph)


def test_what_only_the_unhealthy_row_rests_on_is_suspected_before_what_healthy_ones_rest_on_too(tmp_path: Path) -> None:
    found = suspected(tmp_path, 3.5, 0.3, {})
    assert found.index("pkg/means.py:Mean.add") < found.index("pkg/train.py:train") and "pkg/loss.py:loss" not in found
    assert "pkg/means.py:Mean.add" not in suspected(tmp_path, 0.5, 2.0, {})


def test_a_default_is_suspected_only_where_the_profile_leaves_it(tmp_path: Path) -> None:
    assert "pkg/train.py:History.rate" in suspected(tmp_path, 0.5, 2.0, {})
    assert "pkg/train.py:History.rate" not in suspected(tmp_path, 0.5, 2.0, {"optim": {"rate": 2.0}})


def test_what_the_last_repair_changed_comes_first_where_it_brought_faults(tmp_path: Path) -> None:
    write_tests(tmp_path)
    row = Diagnostic(
        kind="test", check="pytest", message="assert", path="tests/test_fit.py", line=5, symbol="test_first"
    )
    tree = {path: text.encode() for path, text in FILES.items()}
    before = {**tree, "pkg/other.py": b"def other() -> int:\n    return 2\n"}
    assert next(iter(gather(tree, tmp_path, PLAN, [row], 4000, before).sources)) == "pkg/other.py"
    assert next(iter(gather(tree, tmp_path, PLAN, [row], 4000, tree).sources)) == "tests/test_fit.py"
    planted = row.model_copy(update={"check": "faults"})
    assert next(iter(gather(tree, tmp_path, PLAN, [planted], 4000, before).sources)) == "tests/test_fit.py", (
        "planted faults are tried where all else passes: no repair brought what is said of them"
    )


def test_where_every_fault_was_noticed_is_shown_though_only_the_first_are_followed(tmp_path: Path) -> None:
    typed = [
        Diagnostic(kind="type", check="pyright", message="not a float", path="pkg/steps.py", symbol="rate", line=9)
    ] * LEADING
    last = Diagnostic(kind="type", check="pyright", message="not an int", path="pkg/other.py", line=2)
    tree = {path: text.encode() for path, text in FILES.items()}
    assert "return 1" in gather(tree, tmp_path, PLAN, [*typed, last], 4000).sources["pkg/other.py"]
    assert "pkg/other.py" not in gather(tree, tmp_path, PLAN, typed, 4000).sources


def test_imports_stay_where_they_may_be_at_fault_and_go_where_a_value_is_wrong() -> None:
    text = '"""What it is for, briefly."""\n\nfrom collections.abc import Mapping\n\n\ndef f() -> None:\n    pass\n'
    assert pack({"a.py": text}, ["a.py:f"], 4000, ["a.py"])["a.py"] == text
    assert "import Mapping" not in pack({"a.py": text}, ["a.py:f"], 4000)["a.py"]


def test_less_is_shown_where_every_fault_has_its_place_and_all_where_a_value_is_wrong() -> None:
    typed = Diagnostic(kind="type", check="pyright", message="not a float", path="pkg/fit.py", line=5)
    raised = Diagnostic(kind="test", check="pytest", message="ValueError: no", path="pkg/fit.py", line=5)
    wrong = Diagnostic(kind="test", check="pytest", message="AssertionError: 1 != 2", path="tests/test_fit.py", line=5)
    idle = Diagnostic(kind="health", check="results", message="the loss does not fall", path="pkg/run.py")
    assert budget_of([typed, raised]) == BUDGET // 2
    assert BUDGET == budget_of([typed, wrong]) == budget_of([idle])


@pytest.mark.parametrize(("path", "share"), [("tests/test_fit.py", 1), ("pkg/fit.py", 2)])
def test_an_error_of_a_tests_own_line_is_followed_to_what_the_code_gave(path: str, share: int) -> None:
    row = Diagnostic(kind="test", check="pytest", message="KeyError: 'optimal_turns'", path=path, line=3)
    assert budget_of([row]) == BUDGET // share


def test_of_long_lists_of_results_the_ends_are_shown_and_every_row_of_health(tmp_path: Path) -> None:
    curve = [{"step": step, "regret": 2 * step} for step in range(1000)]
    health = [{"experiment": "e", "quantity": f"q{number}", "value": 1.0, "above": 0.0} for number in range(9)]
    results = {"gap": 0.5, "health": health, "details": {"curve": curve, "two": [1, 2]}}
    (tmp_path / "results.json").write_text(json.dumps(results))
    row = Diagnostic(kind="health", check="results", message="did not move", path="pkg/run.py", symbol="e: gap")
    gap, signs, details = shown(tmp_path, row)["results.json"].splitlines()
    assert gap == '"gap": 0.5' and json.loads("{" + signs + "}") == {"health": health}
    ends = [curve[0], curve[1], "... 997 more ...", curve[999]]
    assert json.loads("{" + details + "}") == {"details": {"curve": ends, "two": [1, 2]}}


def test_results_are_cut_at_their_end_where_details_stand(tmp_path: Path) -> None:
    details = {f"name {number}": number for number in range(2000)}
    (tmp_path / "results.json").write_text(json.dumps({"gap": 0.5, "details": details}))
    row = Diagnostic(kind="health", check="results", message="did not move", path="pkg/run.py", symbol="e: gap")
    text = shown(tmp_path, row)["results.json"]
    assert text.startswith('"gap": 0.5\n') and text.endswith("the rest stands in the log ...") and len(text) < 4100


def test_a_test_file_is_shown_with_its_imports_whatever_is_wrong(tmp_path: Path) -> None:
    write_tests(tmp_path)
    head = "import math\nfrom pathlib import Path\nfrom typing import Any\n\nimport numpy as np\nimport pytest\n"
    tree = {path: text.encode() for path, text in FILES.items()} | {"tests/test_fit.py": (head + TEST).encode()}
    message = "AssertionError: assert 0.0 == 0.02"
    row = Diagnostic(kind="test", check="pytest", message=message, path="tests/test_fit.py", symbol="test_first")
    assert "import numpy as np" in gather(tree, tmp_path, PLAN, [row], 4000).sources["tests/test_fit.py"]
