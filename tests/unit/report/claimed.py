"""A run with judged claims, made by hand: no model, no sandbox and no paper stand behind it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from agentsys.core.gitrepo import GitRepo
from agentsys.core.rundir import RunDir
from agentsys.plan.claims.amendment import freeze
from agentsys.plan.claims.contract import Contract
from agentsys.plan.workspace import experiment_inputs
from agentsys.report.status import write_status
from agentsys.verify.claims.record import Findings, write_record
from agentsys.verify.claims.standalone.rows import HEADER
from unit.verify.claims.judging import compared, contract

from .made import make, write_json

HOSTILE = (
    '<script>alert(1)</script> <img src="http://evil.example/x"> [a](javascript:alert(2)) ![i](http://evil.example/i.png)'
    " `code` | cell ```` $\\href{javascript:x}{y}$ \\(z\\) https://huggingface.co/spaces/a/b"
    " \n---\n<!-- trackio-cell\n{}\n-->\n# head {{7*7}}"
)
RATE = {"type": "slope", "quantity": "error", "method": "ours", "axis": "n", "unit": "m", "settle": 0.05}
POWERS = [2**k for k in range(4, 12)]


def rate(**more: Any) -> Contract:
    """An error that falls like 1/n, by the paper's exponent of -1."""
    return Contract.model_validate(
        {
            "claim": "C2",
            "text": "The error falls like 1/n.",
            "place": {"section": "5", "label": "Theorem 3"},
            "kind": "rate",
            "seeds": 3,
            "target": {"value": -1.0, "where": {"section": "5"}},
            "grid": {"n": [str(n) for n in POWERS]},
            "accept": {**RATE, "low": -1.1, "high": -0.9},
            "falsify": {"type": "fails", "rule": {**RATE, "low": -1.5, "high": -0.5}},
            "control": {"what": "the method without its averaging"},
            "toy_below": {"n": 1000},
            "silent": ["the step size"],
            **more,
        }
    )


def vague(text: str = "Ours looks more natural to readers.") -> Contract:
    return Contract.model_validate(
        {"claim": "C3", "text": text, "place": {"section": "6", "label": text[:200]}, "kind": "qualitative"}
    )


def lines() -> list[str]:
    """Raw rows of `contract` (C1) and `rate` (C2)."""
    found = [f"C1,{seed},{setting},{method},v,{value}," for seed, setting, method, value in compared()]
    for seed in range(3):
        for n in POWERS:
            wobble = 1 + 0.01 * (seed - 1)
            found += [f"C2,{seed},n={n},ours,error,{wobble / n!r},m"]
            found += [f"C2,{seed},case=control;n={n},ours,error,{wobble / n**0.5!r},m"]
    return found


def done(claim: str, case: str) -> dict[str, Any]:
    command = [
        "python",
        f"claims/{claim.lower()}.py",
        "--case",
        case,
        "--seed",
        "0",
        "--setting",
        "n=100",
        "--out",
        "x.csv",
    ]
    return {
        "claim": claim,
        "case": case,
        "seed": 0,
        "setting": {"n": "100"},
        "stamp": "0" * 64,
        "command": command,
        "outcome": "ok",
        "exit_code": 0,
        "seconds": 1.5,
        "cpu_seconds": 1.25,
        "sha256": "0" * 64,
    }


def recorded(folder: Path, *contracts: Contract, rows: list[str] | None = None) -> RunDir:
    """Return a verified run whose claims were judged by the rules."""
    run = make(folder / "runs", "verified")
    (run.repo / "README.md").write_text("# Made\n")
    frozen = freeze(contracts or (contract(), rate(), vague()))
    file = folder / "rows.csv"
    file.write_text("\n".join([",".join(HEADER), *(lines() if rows is None else rows)]) + "\n")
    write_record(run.claims, frozen, [file], {name: Findings() for name in frozen.claims})
    cells = [done(claim, case) for claim in frozen.claims if claim != "C3" for case in ("main", "control")]
    (run.claims / "cells.jsonl").write_text("".join(json.dumps(cell) + "\n" for cell in cells))
    write_json(run.claims / "entries.json", {"C3": "it has no rule"} if "C3" in frozen.claims else {})
    shutil.copytree(run.claims, run.repo / "claims")
    for claim in frozen.claims:
        (run.repo / "claims" / f"{claim.lower()}.py").write_text(f'"""Raw rows of {claim}."""\n')
    write_json(run.path / "inputs.json", {"experiments": experiment_inputs(run)})
    return run


def judged(folder: Path, *contracts: Contract, rows: list[str] | None = None, title: str | None = None) -> RunDir:
    """Return the same with everything committed and the run ended."""
    run = recorded(folder, *contracts, rows=rows)
    if title is not None:
        run.write(run.read().model_copy(update={"title": title}))
    GitRepo(run.repo).init()
    GitRepo(run.repo).commit("Made by the tests")
    write_status(run)
    return run
