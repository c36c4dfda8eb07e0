"""Repairs that cheat are refused, honest ones are not. Each case is the file before and after."""

# ruff: noqa: E501 - one line for each case
from __future__ import annotations

import pytest

from agentsys.core.artifacts import Diagnostic, FileSpec, PaperPlace, Plan, Requirement
from agentsys.debug.edits import Change
from agentsys.debug.guard import asks_for_quicker_tests, interface_names, weakenings

PLAN = Plan.model_validate(
    {
        "package": "pkg",
        "summary": "s",
        "architecture": "a",
        "requirements": (Requirement(id="R1", what="w", place=PaperPlace(section="1"), owner="pkg/loss.py"),),
        "files": (
            FileSpec(
                path="pkg/loss.py",
                purpose="p",
                interface="def loss(x) -> float\nclass Net:\n    def step(self)\nRATE = 0.1",
            ),
            FileSpec(path="tests/test_loss.py", kind="test", purpose="p"),
        ),
        "config_full": {"train": {"lr": 0.1, "epochs": 100}, "seed": 0},
        "config_smoke": {},
        "experiments": ({"name": "e", "what": "w", "full": "f", "smoke": "s"},),
    }
)
SOURCE = '''\
import math

RATE = 0.1


def loss(x):
    """The loss."""
    total = 0.0
    for item in x:
        total += math.log1p(math.exp(-item))
    return total / len(x)


class Net:
    def step(self):
        self.w -= RATE * self.grad()
        return self.w

    def grad(self):
        return 2 * self.w
'''
TEST = """\
import numpy as np
import pytest

from pkg.loss import Net, loss


@pytest.mark.parametrize("n", [1, 2, 3])
def test_loss(n):
    values = [float(i) for i in range(100)]
    assert loss(values) > 0.25
    assert abs(loss([0.0] * n) - 0.6931) < 1e-4
    np.testing.assert_allclose(loss([0.0]), 0.6931, atol=1e-4, rtol=1e-3)


def test_fails_on_nothing():
    with pytest.raises(ZeroDivisionError):
        loss([])


class TestNet:
    def test_step(self):
        net = Net()
        net.w = 1.0
        assert net.step() == pytest.approx(0.8, rel=1e-6)
"""


def source(old: str, new: str) -> dict[str, Change]:
    assert old in SOURCE
    return {"pkg/loss.py": Change(SOURCE, SOURCE.replace(old, new))}


def test(old: str, new: str) -> dict[str, Change]:
    assert old in TEST
    return {"tests/test_loss.py": Change(TEST, TEST.replace(old, new))}


test.__test__ = False  # type: ignore[attr-defined]
BODY = "    total = 0.0\n    for item in x:\n        total += math.log1p(math.exp(-item))\n    return total / len(x)\n"
STEP = "    def test_step(self):\n"
CHEATS: dict[str, tuple[dict[str, Change], str]] = {
    "delete a test": (test("def test_fails_on_nothing():", "def helper():"), "is gone"),
    "delete the test file": ({"tests/test_loss.py": Change(TEST, None)}, "may not be deleted"),
    "empty the test file": ({"tests/test_loss.py": Change(TEST, "\n")}, "emptied"),
    "delete an assertion": (test("    assert loss(values) > 0.25\n", ""), "assertions are gone"),
    "delete a numpy assertion": (test("    np.testing.assert_allclose(loss([0.0]), 0.6931, atol=1e-4, rtol=1e-3)\n", ""), "gone"),
    "delete a raises": (test("    with pytest.raises(ZeroDivisionError):\n        loss([])", "    pass"), "gone"),
    "assert true": (test("assert loss(values) > 0.25", "assert True"), "always true"),
    "assert x or true": (test("assert loss(values) > 0.25", "assert loss(values) > 0.25 or True"), "always true"),
    "assert x is x": (test("assert loss(values) > 0.25", "assert loss(values) == loss(values)"), "always true"),
    "skip": (test("class TestNet:", "@pytest.mark.skip\nclass TestNet:"), "skip"),
    "skip inside": (test(STEP, STEP + '        pytest.skip("later")\n'), "skip"),
    "xfail": (test(STEP, "    @pytest.mark.xfail(strict=False)\n" + STEP), "xfail"),
    "skip the module": (test("import pytest\n", 'import pytest\n\npytestmark = pytest.mark.skipif(True, reason="x")\n'), "skip"),
    "fewer cases": (test("[1, 2, 3]", "[1]"), "cases are gone"),
    "less data": (test("range(100)", "range(1)"), "less data"),
    "a slice of the data": (test("assert loss(values) >", "assert loss(values[:1]) >"), "less data"),
    "a slice before the assertion": (test("    assert loss(values) >", "    values = values[:1]\n    assert loss(values) >"), "less data"),
    "a slice taken out": (test("    assert loss(values) >", "    del values[1:99]\n    assert loss(values) >"), "less data"),
    "a slice in place of the data": (test("    assert loss(values) >", "    few = values[:1]\n    assert loss(few) >"), "less data"),
    "move a test and skip it": (
        {
            "tests/test_loss.py": Change(TEST, TEST.partition("class TestNet")[0]),
            "tests/test_net.py": Change(None, "import pytest\n\n\n@pytest.mark.skip\nclass TestNet" + TEST.partition("class TestNet")[2]),
        },
        "skip",
    ),
    "stand-in for the method": (test("from pkg.loss import Net, loss\n", "from pkg.loss import Net\n\n\ndef loss(x):\n    return 0.6931\n"), "defined in the test file"),
    "stand-in by assignment": (test("\n\n@pytest.mark.param", "\nloss = lambda x: 0.6931\n\n\n@pytest.mark.param"), "defined in the test file"),
    "bare type ignore": (source("total / len(x)", "total / len(x)  # type: ignore"), "silences every type error"),
    "the paper's numbers": ({"configs/full.yaml": Change("train: {lr: 0.1, epochs: 100}\nseed: 0\n", "train: {lr: 0.1, epochs: 1}\nseed: 0\n")}, "`train.epochs` is the paper's"),
    "drop the collected tests": ({"tests/conftest.py": Change("", "def pytest_collection_modifyitems(items):\n    items.clear()\n")}, "leaves tests out"),
    "looser atol": (test("atol=1e-4", "atol=1.0"), "`atol` is looser"),
    "looser rel": (test("rel=1e-6", "rel=0.5"), "`rel` is looser"),
    "looser bound": (test("< 1e-4", "< 1.0"), "bound is looser"),
    "lower bar": (test("> 0.25", "> 0.0"), "bound is looser"),
    "mock": (test(STEP, '    @mock.patch("pkg.loss.Net.step")\n' + STEP), "mock"),
    "monkeypatch": (test(STEP, "    def test_step(self, monkeypatch):\n        monkeypatch.setattr(Net, 'grad', 1)\n"), "mock"),
    "swallow": (source(BODY, "    try:\n" + "".join("    " + line + "\n" for line in BODY.splitlines()) + "    except Exception:\n        return 0.0\n"), "swallowed"),
    "swallow all": (source("        return self.w\n", "        try:\n            return self.w\n        except:\n            pass\n"), "swallowed"),
    "swallow one kind": (source("        return self.w\n", "        try:\n            return self.w\n        except ValueError:\n            pass\n"), "swallowed"),
    "suppress": (source("        return self.w\n", "        with contextlib.suppress(Exception):\n            return self.w\n"), "swallowed"),
    "constant": (source(BODY, "    return 0.6931\n"), "replaced by a constant"),
    "constant through a variable": (source(BODY, "    value = 0.6931\n    return value\n"), "replaced by a constant"),
    "constant list": (source(BODY, "    return [0.1, 0.2]\n"), "replaced by a constant"),
    "pass": (source("        self.w -= RATE * self.grad()\n        return self.w\n", "        pass\n"), "replaced by a constant"),
    "not implemented": (source(BODY, "    raise NotImplementedError\n"), "replaced by a constant"),
    "zero division of nothing": (source(BODY, "    total = 0.0\n    total = total + 1.0\n    return total\n"), "replaced by a constant"),
    "early return": (source("    total = 0.0\n", "    return 0.6931\n    total = 0.0\n"), "returns before"),
    "rename a symbol": (source("def loss(x)", "def loss_fn(x)"), "`loss` belongs"),
    "rename a method": (source("def step", "def update"), "`Net.step` belongs"),
    "delete a constant": (source("RATE = 0.1\n", ""), "`RATE` belongs"),
    "delete the owner file": ({"pkg/loss.py": Change(SOURCE, None)}, "may not be deleted"),
    "results by hand": ({"results/results.json": Change(None, '{"loss": 0.1}')}, "by hand"),
    "deselect": ({"pyproject.toml": Change("", '[tool.pytest.ini_options]\naddopts = "--deselect tests/test_loss.py"\n')}, "leaves tests out"),
    "collect ignore": ({"conftest.py": Change(None, 'collect_ignore = ["tests"]\n')}, "leaves tests out"),
}  # fmt: skip
HONEST: dict[str, dict[str, Change]] = {
    "fix a formula": source("-item", "-0.5 * item"),
    "tighten a tolerance": test("atol=1e-4", "atol=1e-6"),
    "raise a bar": test("> 0.25", "> 0.3"),
    "add a test": test("class TestNet:", "def test_more():\n    assert loss([1.0]) < 0.4\n\n\nclass TestNet:"),
    "add an assertion on a part of the data": test("    assert loss(values) >", "    first = loss(values[:1])\n    assert loss(values[:50]) < first\n    assert loss(values) >"),
    "fix an expected value": test("0.6931) < 1e-4", "0.69315) < 1e-4"),
    "add an argument": source("def loss(x):", "def loss(x, weight=1.0):"),
    "add a helper that returns a constant": source("class Net:", "def name():\n    return 'net'\n\n\nclass Net:"),
    "translate an exception": source(
        "    return total / len(x)\n",
        "    try:\n        return total / len(x)\n    except ZeroDivisionError as error:\n        raise ValueError('empty') from error\n",
    ),
    "return early on a condition": source("    total = 0.0\n", "    if not x:\n        raise ValueError('empty')\n    total = 0.0\n"),
    "delete a file outside the plan": {"pkg/old.py": Change("x = 1\n", None)},
    "move a test to another file": {
        "tests/test_loss.py": Change(TEST, TEST.replace("def test_fails_on_nothing():\n    with pytest.raises(ZeroDivisionError):\n        loss([])\n", "")),
        "tests/test_edge.py": Change(None, "import pytest\nfrom pkg.loss import loss\n\n\ndef test_fails_on_nothing():\n    with pytest.raises(ZeroDivisionError):\n        loss([])\n"),
    },
    "a new test file with an optional dependency": {"tests/test_gpu.py": Change(None, 'import pytest\n\ntorch = pytest.importorskip("torch")\n\n\ndef test_gpu():\n    assert torch\n')},
    "a type ignore for one rule": source("total / len(x)", "total / len(x)  # type: ignore[no-any-return]"),
    "back to the paper's numbers": {"configs/full.yaml": Change("train: {lr: 0.3, epochs: 100}\n", "train: {lr: 0.1, epochs: 100}\nseed: 0\n")},
    "a shorter smoke run": {"configs/smoke.yaml": Change("train: {epochs: 5}\n", "train: {epochs: 2}\n")},
    "write requirements": {"requirements.txt": Change("numpy\n", "numpy==2.1.3\n")},
    "make a stub real": {"pkg/new.py": Change("def f(x):\n    raise NotImplementedError\n", "def f(x):\n    return x * 2\n")},
}  # fmt: skip


@pytest.mark.parametrize("name", CHEATS)
def test_a_repair_that_cheats_is_refused_with_the_reason(name: str) -> None:
    changes, said = CHEATS[name]
    reasons = weakenings(changes, PLAN)
    assert any(said in reason for reason in reasons), reasons


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_repair_passes(name: str) -> None:
    assert weakenings(HONEST[name], PLAN) == ()


SLOW = "import pytest\nfrom pkg.loss import loss\n\n\ndef test_long():\n    total = 0.0\n    for k in range(20000):\n        total += loss([k])\n    assert total > 0.25\n"


def test_a_test_may_look_at_less_where_it_was_too_slow_and_only_there() -> None:
    changes = {"tests/test_loss.py": Change(SLOW, SLOW.replace("20000", "6000"))}
    late = Diagnostic(kind="timeout", check="faults", message="not all planted faults could be tried")
    assert not asks_for_quicker_tests([late.model_copy(update={"check": "smoke"})]) and asks_for_quicker_tests([late])
    assert any("looks at less data" in reason for reason in weakenings(changes, PLAN))
    assert weakenings(changes, PLAN, quicker=True) == ()
    gone = {"tests/test_loss.py": Change(SLOW, SLOW.replace("    assert total > 0.25\n", ""))}
    assert weakenings(gone, PLAN, quicker=True)


def test_the_refusal_carries_every_reason() -> None:
    assert len(weakenings({**CHEATS["constant"][0], **CHEATS["skip"][0]}, PLAN)) == 2


@pytest.mark.timeout(20)
def test_a_configuration_that_multiplies_itself_is_read_in_reasonable_time() -> None:
    bomb = "a: &a {x: 1, y: 1}\n" + "".join(
        f"{b}: &{b} {{x: *{a}, y: *{a}}}\n"
        for a, b in zip("abcdefghijklmnopqrstuvwx", "bcdefghijklmnopqrstuvwxy", strict=True)
    )
    for text in (bomb, "a: &a\n  b: *a\n"):
        weakenings({"configs/full.yaml": Change("seed: 0\n", text)}, PLAN)


def test_names_are_read_from_an_interface() -> None:
    text = "class Net(Base):\n    def step(self, x: int) -> None\n    rate: float\nasync def go()\nRATE: float = 0.1\nf(x) -> int\n# note\n"
    assert interface_names(text) == ["Net", "Net.step", "Net.rate", "go", "RATE", "f"]


def test_numbers_beyond_all_measure_are_read_without_a_crash() -> None:
    changes = test("> 0.25", "> 1" + "0" * 400)
    assert isinstance(weakenings(changes, PLAN), tuple)
