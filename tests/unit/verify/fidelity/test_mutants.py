"""Planted faults: what is planted, what is left alone, and that the choice is the same every time."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from agentsys.verify.fidelity.evidence import gather
from agentsys.verify.fidelity.faults import function_faults, plant
from agentsys.verify.fidelity.mutants import Target, all_targets, choose, plan_targets

from .made import FILES, plan, record


def faults(body: str, head: str = "def f(x: int, y: float, out: list) -> None:") -> list[tuple[str, str]]:
    """(kind, the line with the fault in it) of every fault of a function with this body."""
    source = (head + "\n    " + body.replace("\n", "\n    ") + "\n").encode()
    (function,) = ast.parse(source).body
    found: list[tuple[str, str]] = []
    for item in function_faults(source, function):
        changed = plant(source, item)
        ast.parse(changed)
        found.append((item.kind, changed.decode().splitlines()[item.line - 1].strip()))
    return found


@pytest.mark.parametrize(
    ("body", "kind", "after"),
    [
        ("return -x", "sign flipped", "return (x)"),
        ("return x + y", "+ became -", "return (x - y)"),
        ("return x * y", "* became /", "return (x / y)"),
        ("return x / y", "/ became *", "return (x * y)"),
        ("return x / y", "divisor dropped", "return (x)"),
        ("return x - y", "term dropped", "return (x)"),
        ("return 2 * (x + y)", "+ became -", "return 2 * ((x - y))"),
        ("return np.sqrt(x)", "sqrt dropped", "return (x)"),
        ("return x.exp()", "exp dropped", "return (x)"),
        ("return x.detach() * y", "detach dropped", "return (x) * y"),
        ("return x.sum(axis=1)", "wrong axis", "return x.sum(axis=0)"),
        ("return softmax(x, dim=-1)", "wrong dim", "return softmax(x, dim=-2)"),
        ("return x.mean()", "mean became sum", "return x.sum()"),
        ("return min(x, y)", "min became max", "return max(x, y)"),
        ("return np.where(x, y, 0.5)", "branches of where swapped", "return np.where(x, 0.5, y)"),
        ("return x == y", "== became !=", "return (x != y)"),
        ("return x < y", "comparison off by one", "return x < (y + 1)"),
        ("while x < y:\n    x = g(x)", "< became <=", "while (x <= y):"),
        ("if x < 3:\n    return y", "< became <=", "if (x <= 3):"),
        ("return 0.5 * x", "constant changed", "return 0.75 * x"),
        ("return 3 * x", "constant changed", "return 4 * x"),
        ("x += y", "update removed", "pass"),
        ("x = x - y", "update removed", "pass"),
        ("out[0] = x", "update removed", "pass"),
        ("opt.step()", "call of step removed", "pass"),
        ("if out:\n    return x", "condition negated", "if not (out):"),
        ("return x if out else y", "condition negated", "return x if not (out) else y"),
    ],
)
def test_fault_is_planted(body: str, kind: str, after: str) -> None:
    assert (kind, after) in faults(body)


@pytest.mark.parametrize(
    "body",
    [
        '"""Say 1 + 2."""',
        'raise ValueError(f"{x + 1} of {2 * y}")',
        "if x < 1:\n    raise ValueError(1 + 2)",
        "assert x > 1",
        "print(x + 1)",
        'log.info("%d", x + 1)',
        'return f"{x + 1:.3f}"',
        'return "a" + "b"',
        "return g(x, eps=1e-8, dtype=int)",
        "return 1e-12",
        "return True",
        "z: 'int | 3' = g(x)",
        "import os",
    ],
)
def test_what_no_test_has_to_notice_is_left_alone(body: str) -> None:
    assert faults(body) == []


def test_equal_up_to_measure_zero_is_not_planted() -> None:
    kinds = {kind for kind, _ in faults("return rng.random() < y / x")}
    assert "< became <=" not in kinds and "comparison off by one" in kinds


@pytest.mark.parametrize("name", ["plot", "_draw_curve", "save_table"])
def test_functions_that_show_results_are_left_alone(name: str) -> None:
    assert faults("return x + 1", f"def {name}(x):") == []


def test_an_update_needs_a_value_from_before() -> None:
    assert ("update removed", "pass") not in faults("z = x + y\nreturn z")


def test_early_return_needs_an_argument_of_the_returned_type() -> None:
    kind = "returned its argument unchanged"
    assert (kind, "return x") in faults("z = g(x)\nreturn z", "def f(x: Tensor, y: float) -> Tensor:")
    assert kind not in {found for found, _ in faults("z = g(x)\nreturn z", "def f(x: Tensor) -> float:")}
    assert kind not in {found for found, _ in faults("return x", "def f(x: Tensor) -> Tensor:")}
    assert faults("...", "def f(x: Tensor) -> Tensor:") == []


def test_text_before_the_fault_may_hold_any_letter() -> None:
    assert ("+ became -", "return 'ä€𝛼' or (x - y)") in faults("return 'ä€𝛼' or x + y")


def test_a_fault_over_several_lines_stays_one_expression() -> None:
    found = dict(faults("return (\n    x\n    + y\n) * 2.0"))
    assert "+ became -" in found and "* became /" in found


def test_targets_are_the_functions_of_core_requirements() -> None:
    made = plan({"R1": ("Model",), "R2": ("scale", "absent")})
    found = plan_targets(made, gather(made, FILES, record()), FILES)
    assert {(item.symbol, item.requirements) for item in found} == {
        ("Model.__init__", ("R1",)), ("Model.step", ("R1",)), ("scale", ("R2",)),
    }  # fmt: skip
    unnamed = plan({"R1": ()})
    found = plan_targets(unnamed, gather(unnamed, FILES, record()), FILES)
    assert {item.symbol for item in found} == {"Model.__init__", "Model.step", "scale", "unused", "_helper"}
    other = plan({"R1": ("Model",)}, kind="data")
    assert plan_targets(other, gather(other, FILES, record()), FILES) == []


def test_choice_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    targets = all_targets(FILES)
    first, again = (choose(FILES, targets, 4, seed=1) for _ in range(2))
    assert first == again and len(first) == 4
    assert any(
        [item.mutant for item in choose(FILES, targets, 4, seed=seed)] != [m.mutant for m in first]
        for seed in range(2, 6)
    )


def test_choice_goes_round_the_functions_and_changes_one_file_each() -> None:
    targets = [Target("made/core.py", name) for name in ("scale", "Model.step", "unused")]
    chosen = choose(FILES, targets, 3)
    assert Counter(item.mutant.symbol for item in chosen) == Counter(["scale", "Model.step", "unused"])
    assert len({item.source for item in chosen}) == 3 and all(item.source != FILES["made/core.py"] for item in chosen)


def test_choice_ends_when_the_faults_are_used_up() -> None:
    chosen = choose(FILES, [Target("made/core.py", "unused")], 50)
    assert 1 <= len(chosen) < 10 and len({item.source for item in chosen}) == len(chosen)


def test_files_that_are_no_text_and_absent_symbols_hold_no_fault() -> None:
    assert choose({"a.py": b"\xff\xfe"}, [Target("a.py", "f"), Target("b.py", "f")], 5) == []
