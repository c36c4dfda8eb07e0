"""A small repository with its plan and what its tests executed, written by hand."""

from __future__ import annotations

import json

from agentsys.core.artifacts import ExpectedResult, Experiment, FileSpec, PaperPlace, Plan, Requirement
from agentsys.verify.fidelity.evidence import Proof, TestRecord, read_tests
from agentsys.verify.results_file import Results

PLACE = PaperPlace(section="3.1", label="Eq. (2)", page=4, quote="we divide by the square root of d")
CORE = '''\
"""The method."""

import math


def scale(x: float, d: int) -> float:
    """x / sqrt(d)."""
    if d < 1:
        raise ValueError("d must be positive")
    return x / math.sqrt(d)


class Model:
    def __init__(self, rate: float) -> None:
        self.rate = rate

    def step(self, x: float) -> float:
        x = x - self.rate * x
        return x


class Child(Model):
    pass


def unused(x: float) -> float:
    return x + 1.0


def _helper(x: float) -> float:
    return x
'''
TEST = "from made.core import scale\n\n\ndef test_scale() -> None:\n    assert scale(2.0, 4) == 1.0\n"
FILES = {
    "made/__init__.py": b"",
    "made/core.py": CORE.encode(),
    "tests/test_core.py": TEST.encode(),
    "configs/full.yaml": b"train:\n  rate: 0.1\n  2: two\n",
}


def requirement(number: int, owner: str = "made/core.py", kind: str = "algorithm") -> Requirement:
    fields = {"id": f"R{number}", "what": f"requirement {number}", "place": PLACE, "owner": owner, "kind": kind}
    return Requirement.model_validate(fields)


def plan(symbols: dict[str, tuple[str, ...]], owners: dict[str, str] | None = None, kind: str = "algorithm") -> Plan:
    """A plan whose owner file carries each requirement by these symbols; no symbols: the plan names none."""
    rows = tuple(requirement(int(name[1:]), (owners or {}).get(name, "made/core.py"), kind) for name in symbols)
    named = {name: items for name, items in symbols.items() if items}
    return Plan(
        package="made",
        summary="s",
        architecture="a",
        requirements=rows,
        files=(
            FileSpec(path="made/core.py", purpose="the method", requirements=tuple(symbols), symbols=named),
            FileSpec(path="tests/test_core.py", kind="test", purpose="tests"),
        ),
        config_full={"train": {"rate": 0.1}},
        config_smoke={},
        experiments=(Experiment(name="e", what="w", full="f", smoke="s"),),
        expected=(
            ExpectedResult(id="E1", experiment="e", metric="m", value=1.0, place=PLACE, result_key="table.loss"),
        ),
    )


def record(**changes: object) -> TestRecord:
    """What the tests executed: `test_scale` passed, `test_step` failed, `test_model` passed."""
    data = {
        "outcomes": {
            "tests/test_core.py::test_scale": "passed",
            "tests/test_core.py::test_step": "failed",
            "tests/test_core.py::test_model[1]": "passed",
        },
        "functions": {
            "tests/test_core.py::test_scale": ["made/core.py:scale"],
            "tests/test_core.py::test_step": ["made/core.py:Model.step"],
            "tests/test_core.py::test_model[1]": ["made/core.py:Model.__init__", "made/core.py:scale.<locals>.inner"],
        },
        **changes,
    }
    tests = read_tests(json.dumps(data).encode())
    assert tests is not None
    return tests


PROOF = Proof(
    {("made/core.py", "scale"): ("tests/test_core.py::test_scale",), ("made/core.py", "Model.__init__"): ("t::m",)},
    frozenset({"table.loss"}),
)
"""What planted faults and changed methods showed."""
RESULTS = Results({"table": {"loss": 0.5}, "not_attempted": {"large": "needs the full data"}})
