"""A repository without the paper's own method is not verified, whatever else it does."""

from __future__ import annotations

import pytest

from agentsys.core.artifacts import FileSpec, Plan, Requirement
from agentsys.verify.fidelity.central import central_diagnostics, central_missing
from unit.verify.tiny import PLACE, PLAN

CORE = b"def step(x: float) -> float:\n    return x\n"


def planned(kind: str, status: str = "paper", symbols: tuple[str, ...] = ("step",)) -> Plan:
    row = Requirement.model_validate(
        {"id": "R1", "what": "the step", "kind": kind, "status": status, "place": PLACE, "owner": "m/core.py"}
    )
    spec = FileSpec(path="m/core.py", purpose="method", requirements=("R1",), symbols={"R1": symbols})
    return PLAN.model_copy(update={"requirements": (row,), "files": (spec,)})


def missing(plan: Plan, core: bytes = CORE) -> list[str]:
    return [row.why for row in central_missing(plan, {"m/core.py": core, "configs/full.yaml": b"eta: 1\n"})]


@pytest.mark.parametrize("kind", ["model", "loss", "algorithm"])
def test_a_method_that_is_declared_unresolved_is_missing_even_where_its_file_is_there(kind: str) -> None:
    assert missing(planned(kind, "unresolved")) == ["is declared unresolved"]


@pytest.mark.parametrize("kind", ["data", "training", "evaluation", "hyperparameter", "other"])
def test_what_is_not_the_method_may_stay_unresolved(kind: str) -> None:
    assert missing(planned(kind, "unresolved")) == []


@pytest.mark.parametrize("status", ["paper", "inferred"])
def test_a_method_that_a_function_carries_is_there(status: str) -> None:
    assert missing(planned("algorithm", status)) == []
    assert missing(planned("algorithm", status, ())) == []


def test_a_method_whose_functions_are_not_there_is_missing() -> None:
    assert missing(planned("algorithm"), b"def other() -> None: ...\n") == ["is not there (`step`)"]
    assert missing(planned("algorithm", symbols=()), b"ETA = 1.0\n") == ["is carried by no function"]


def test_a_setting_carries_a_size_of_a_model_and_no_procedure() -> None:
    assert missing(planned("model", symbols=("config:eta",))) == []
    assert missing(planned("algorithm", symbols=("config:eta",))) == ["is carried by no function"]


def test_the_debugger_is_told_where_and_what_to_do() -> None:
    (item,) = central_diagnostics(planned("algorithm", "unresolved"), {"m/core.py": CORE}, "results")
    assert (item.kind, item.check, item.path, item.symbol) == ("result", "results", "m/core.py", "R1")
    assert "declared unresolved" in item.message and "`inferred`" in item.message
