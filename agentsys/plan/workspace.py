"""One run on disk, typed: the only memory that the team has.

An artefact is fresh if it exists and the hash of what it was made from (paper, request, its part of the plan, its
analysis) still matches; the hashes are kept in `inputs.json`. Model and prompt templates are not among them: a run that
is resumed with another model, or after an upgrade, keeps what was paid for. run.json says what was used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from agentsys.core.artifacts import FileSpec, Plan, Requirement
from agentsys.core.events import EventLog
from agentsys.core.files import sha256_bytes, write_atomic, write_json
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.core.tree import PAGES, read_tree, tree_hash
from agentsys.paper import load_paper
from agentsys.paper.model import Paper
from agentsys.plan.files import load_plan
from agentsys.plan.generated import generated_files
from agentsys.plan.rules import needed_interfaces

ANALYSED: frozenset[str] = frozenset({"source", "test"})
"""Kinds of files that get an analysis; scripts and documents are written from the plan alone."""
CONTRACTS = "contracts.json"
"""File of the contracts in a folder of claims."""
_INPUTS = "inputs.json"
DELIVERED_BY_TOOLING = PAGES | {"requirements.lock", ".gitignore"}
"""Files that follow from the others; they do not count when it is asked whether the code has changed."""


class Workspace:
    """Paper, plan, analyses and repository of one run, and whether they are fresh."""

    def __init__(self, run: RunDir, settings: Settings, events: EventLog, request: str = "") -> None:
        self.run = run
        self.settings = settings
        self.events = events
        self.request = request

    # -- paper and plan ------------------------------------------------------------------------------------------------

    @cached_property
    def paper(self) -> Paper:
        return load_paper(self.run.paper)

    def plan(self) -> Plan | None:
        """Return the plan if it is complete and was made from this paper and this request."""
        plan = load_plan(self.run.plan)
        return plan if plan is not None and self.fresh("plan", self.plan_inputs()) else None

    def require_plan(self) -> Plan:
        """Return the plan. Raises: RuntimeError where there is none."""
        plan = load_plan(self.run.plan)
        if plan is None:
            raise RuntimeError("no plan on disk")
        return plan

    def plan_inputs(self) -> str:
        return self._hash(self.paper.sha256, self.request)

    def data_inputs(self, plan: Plan) -> str:
        """Return the hash of what was asked for when the data of a plan was looked for."""
        return self._hash(*(source.model_dump_json() for source in plan.data))

    # -- claims --------------------------------------------------------------------------------------------------------

    @cached_property
    def given(self) -> tuple[str, ...]:
        """The claims that were handed in; empty where they are read from the paper."""
        file = self.run.claims / "given.json"
        return tuple(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else ()

    @property
    def asked(self) -> str:
        """All that the user asked for: what is claimed steers what is built, as a request does."""
        return "\n".join(filter(None, (self.request, *self.given)))

    def claim_inputs(self) -> str:
        """Return the hash of what the contracts are made from, and of the contracts as they lie there."""
        file = self.run.claims / CONTRACTS
        return self._hash(self.plan_inputs(), *self.given, sha256_bytes(file.read_bytes()) if file.is_file() else "")

    # -- analyses ------------------------------------------------------------------------------------------------------

    def analysis_file(self, path: str) -> Path:
        return self.run.analysis / f"{path}.md"

    def analysis(self, path: str) -> str:
        """Return the analysis of a planned file, or an empty text."""
        file = self.analysis_file(path)
        return file.read_text(encoding="utf-8") if file.is_file() else ""

    def analyses_missing(self, plan: Plan) -> list[FileSpec]:
        """Return the planned files whose analysis is not there or not fresh."""
        return [
            spec
            for spec in plan.files
            if spec.kind in ANALYSED
            and not (self.analysis(spec.path) and self.fresh(f"analysis/{spec.path}", self.analysis_inputs(plan, spec)))
        ]

    def analysis_inputs(self, plan: Plan, spec: FileSpec) -> str:
        return self._hash(self.paper.sha256, self._share(plan, spec))

    # -- repository ----------------------------------------------------------------------------------------------------

    def files_missing(self, plan: Plan) -> list[FileSpec]:
        """Return the planned files that are not written or not fresh."""
        return [
            spec
            for spec in plan.files
            if not (self.run.repo / spec.path).is_file()
            or not self.fresh(f"repo/{spec.path}", self.code_inputs(plan, spec))
        ]

    def generated_missing(self, plan: Plan) -> dict[str, str]:
        """Return the files made without a model that are not there, or whose part of the plan has changed."""
        return {
            path: text
            for path, text in generated_files(plan).items()
            if not (self.run.repo / path).is_file() or not self.fresh(f"repo/{path}", self._hash(text))
        }

    def mark_generated(self, path: str, text: str) -> None:
        self.mark({f"repo/{path}": self._hash(text)})

    def code_inputs(self, plan: Plan, spec: FileSpec) -> str:
        return self._hash(self._share(plan, spec), self.analysis(spec.path))

    def code_tree(self) -> str:
        """Return a hash of the repository's files, without results and without what is generated at the end."""
        return code_hash(self.run.repo)

    # -- freshness -----------------------------------------------------------------------------------------------------

    @cached_property
    def _inputs(self) -> dict[str, str]:
        file = self.run.path / _INPUTS
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}

    def fresh(self, artefact: str, inputs: str) -> bool:
        return self._inputs.get(artefact) == inputs

    def mark(self, entries: Mapping[str, str]) -> None:
        """Remember what artefacts were made from. Call it after they are on disk."""
        self._inputs.update(entries)
        write_atomic(self.run.path / _INPUTS, json.dumps(self._inputs, indent=0, sort_keys=True) + "\n", durable=False)

    def requirements_of(self, plan: Plan, spec: FileSpec) -> list[Requirement]:
        return [row for row in plan.requirements if row.id in spec.requirements]

    def _share(self, plan: Plan, spec: FileSpec) -> str:
        """Return the part of the plan that one file depends on."""
        rows = [row.model_dump_json() for row in self.requirements_of(plan, spec)]
        needed = needed_interfaces(plan, spec)
        configuration = [plan.config_full, plan.config_smoke, plan.package]
        return json.dumps([spec.model_dump(mode="json"), rows, needed, configuration], default=str)

    @staticmethod
    def _hash(*parts: str) -> str:
        return sha256_bytes("\0".join(parts))[:32]


def experiment_inputs(run: RunDir) -> str:
    """Return the hash of what the verdicts on claims rest on: the code and the committed contracts."""
    file = run.repo / "claims" / CONTRACTS
    return sha256_bytes(f"{code_hash(run.repo)}\0{sha256_bytes(file.read_bytes()) if file.is_file() else ''}")


def forget(run: RunDir, artefact: str) -> None:
    """Have an artefact made again, whatever it was made from."""
    file = run.path / _INPUTS
    known: dict[str, str] = json.loads(file.read_bytes())
    write_json(file, {name: inputs for name, inputs in known.items() if name != artefact})


def code_hash(repo: Path, files: Mapping[str, bytes] | None = None) -> str:
    """Return the hash of a repository's code, without results and without what the tooling adds at the end.

    Args:
        files: the repository's files, if they were read already.
    """
    known = read_tree(repo) if files is None else files
    return tree_hash({path: data for path, data in known.items() if path not in DELIVERED_BY_TOOLING})
