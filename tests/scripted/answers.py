"""Answers of the scripted runs, keyed as recordings are: role, item, attempt."""

from __future__ import annotations

import json

CORE_RIGHT = '''"""Running mean with bias correction (section 2)."""

from __future__ import annotations

from collections.abc import Iterable


def corrected_means(stream: Iterable[float], b: float) -> list[float]:
    """Return c_1, c_2, ... of Eq. (2) for a stream x_1, x_2, ..."""
    if not 0.0 <= b < 1.0:
        raise ValueError("b must lie in [0, 1)")
    means: list[float] = []
    m = 0.0
    for t, x in enumerate(stream, 1):
        m = b * m + (1.0 - b) * x
        means.append(m / (1.0 - b**t))
    return means
'''
CORE_WRONG = CORE_RIGHT.replace("enumerate(stream, 1)", "enumerate(stream, 2)")
"""The exponent of the correction is off by one: the tests catch it."""
CORE_STILL_WRONG = CORE_RIGHT.replace("enumerate(stream, 1)", "enumerate(stream, 3)")

TESTS = '''"""Checks that only a right correction passes."""

from __future__ import annotations

import pytest

from runmean.core import corrected_means


def test_a_constant_stream_is_recovered_exactly() -> None:
    assert corrected_means([3.0] * 5, 0.9) == pytest.approx([3.0] * 5)


def test_the_first_value_is_the_first_element() -> None:
    assert corrected_means([7.0], 0.99) == pytest.approx([7.0])
'''

MAIN = '''"""Run the experiment of section 3 and write results/results.json."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

from runmean.core import corrected_means


def main(profile: str) -> None:
    """Measure the last corrected value and write it down."""
    config = yaml.safe_load(Path(f"configs/{profile}.yaml").read_text())
    length = int(config["length"])
    last = corrected_means([float(i) for i in range(1, length + 1)], float(config["b"]))[-1]
    results: dict[str, object] = {"profile": profile, "scale": f"stream of {length}", "not_attempted": {}}
    results["last_value"] = last
    Path("results").mkdir(exist_ok=True)
    Path("results/results.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main(sys.argv[1])
'''

REPRODUCE = """#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "$0")"
profile="${1:-smoke}"
case "$profile" in smoke | full) ;; *) echo "unknown profile: $profile" >&2; exit 2 ;; esac
python -m runmean.main "$profile"
"""

README = """# Corrected running means

`pip install -r requirements.txt`, then `bash reproduce.sh smoke` or `bash reproduce.sh full`.
"""

REQUIREMENTS = {
    "title": "Corrected Running Means",
    "requirements": [
        {"id": "R1", "what": "m_t follows Eq. (1)", "kind": "algorithm", "place": {"section": "2", "label": "Eq. (1)"}},
        {"id": "R2", "what": "c_t follows Eq. (2)", "kind": "algorithm", "place": {"section": "2", "label": "Eq. (2)"}},
        {"id": "R3", "what": "the experiment is run", "kind": "evaluation", "place": {"section": "3"}},
    ],
}
EVALUATION = {
    "summary": "Implement the corrected running mean and its one experiment.",
    "experiments": [{"name": "ramp", "what": "a ramp", "full": "100 numbers", "smoke": "the same"}],
    "expected": [
        {
            "id": "E1",
            "experiment": "ramp",
            "metric": "last corrected value",
            "value": 91.0,
            "place": {"section": "3"},
            "result_key": "last_value",
        }
    ],
    "questions": [],
}
DESIGN = {
    "package": "runmean",
    "architecture": "core holds the method, main runs the experiment.",
    "files": [
        {
            "path": "runmean/core.py",
            "kind": "source",
            "purpose": "the method",
            "interface": "def corrected_means(stream: Iterable[float], b: float) -> list[float]",
            "depends_on": [],
            "requirements": {"R1": ["corrected_means"], "R2": ["corrected_means"]},
        },
        {
            "path": "runmean/main.py",
            "kind": "source",
            "purpose": "the experiment",
            "interface": "def main(profile: str) -> None",
            "depends_on": ["runmean/core.py"],
            "requirements": {"R3": ["main", "result:last_value"]},
        },
        {
            "path": "tests/test_core.py",
            "kind": "test",
            "purpose": "identities",
            "depends_on": ["runmean/core.py"],
            "requirements": ["R2"],
        },
        {"path": "reproduce.sh", "kind": "script", "purpose": "runs it", "depends_on": ["runmean/main.py"]},
        {"path": "README.md", "kind": "doc", "purpose": "for a person"},
    ],
    "dependencies": [
        {"name": "pytest", "specifier": ">=8,<10", "why": "tests"},
        {"name": "pyyaml", "specifier": ">=6,<7", "why": "configuration"},
    ],
}
CONFIG = {"config_full": {"b": 0.9, "length": 100}, "config_smoke": {"b": 0.9, "length": 10}}
ANALYSIS = "This file is small. " * 20


def fenced(text: str, language: str = "python") -> str:
    return f"````{language}\n{text}````\n"


def as_json(data: object) -> str:
    return f"```json\n{json.dumps(data, indent=1)}\n```\n"


def repair(cause: str, old: str, new: str) -> str:
    return (
        as_json({"cause": cause, "owner": "debugger", "instructions": [], "sections": []})
        + f"\n````edit:runmean/core.py\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n````\n"
    )


MET = [
    {
        "requirement": "R1",
        "state": "met",
        "paper": "the average of a stream x_1, x_2, ... is m_t = b m_{t-1} + (1 - b) x_t",
        "code": "m = 0.0",
        "values": [{"what": "m_0", "paper": "0", "code": "0.0"}],
    },
    {
        "requirement": "R2",
        "state": "met",
        "paper": "The corrected average is c_t = m_t / (1 - b^t)",
        "code": "means.append(m / (1.0 - b**t))",
    },
]
MET_BY_RUN = [
    {
        "requirement": "R3",
        "state": "met",
        "paper": "With b = 0.9 and the stream 1, 2, ..., 100",
        "code": 'results["last_value"] = last',
    }
]
LINE = "    for t, x in enumerate(stream, {}):"


def first_version(core: str) -> dict[tuple[str, str], str]:
    """Answers up to the first verification."""
    return {
        ("planner", "requirements"): as_json(REQUIREMENTS),
        ("planner", "evaluation"): as_json(EVALUATION),
        ("planner", "design"): as_json(DESIGN),
        ("planner", "config"): as_json(CONFIG),
        ("analyzer", "runmean/core.py"): ANALYSIS,
        ("analyzer", "runmean/main.py"): ANALYSIS,
        ("analyzer", "tests/test_core.py"): ANALYSIS,
        ("coder", "runmean/core.py"): fenced(core),
        ("coder", "runmean/main.py"): fenced(MAIN),
        ("coder", "tests/test_core.py"): fenced(TESTS),
        ("coder", "reproduce.sh"): fenced(REPRODUCE, "bash"),
        ("coder", "README.md"): fenced(README, "markdown"),
        ("planner", "settle"): as_json({"requirements": []}),
        ("reviewer", "runmean/core.py"): as_json({"rows": MET}),
        ("reviewer", "runmean/main.py"): as_json({"rows": MET_BY_RUN}),
    }
