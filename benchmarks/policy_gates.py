"""One case at every gate that could meet it: as a command, in a script, a recipe, a workflow, a program, a notebook."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from agentsys_policies.engine import Policy
from agentsys_policies.schema import Decision

KINDS = ("shell", "arguments", "python", "files", "requirements")


@dataclass(frozen=True)
class Case:
    """A text, an argument list, a program, a tree or a requirement, and what must become of it."""

    kind: str
    wanted: str
    """`stop` or `pass`."""
    number: int
    body: Any

    def __hash__(self) -> int:
        return hash((self.kind, self.wanted, self.number))


def read_cases(file: Path) -> list[Case]:
    """Read the cases. Raises: KeyError if a kind is missing."""
    loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
    return [
        Case(kind, wanted, number, body)
        for kind in KINDS
        for wanted in ("stop", "pass")
        for number, body in enumerate(loaded[kind][wanted])
    ]


def verdicts(policy: Policy, case: Case) -> dict[str, str]:
    """Return the outcome at each gate: `allow`, `review`, `block`, or `review` for what is not complete."""
    return {name: _outcome(decide()) for name, decide in _gates(policy, case)}


def _outcome(decision: Decision) -> str:
    return decision.decision if decision.status == "ok" else "review"


def _gates(policy: Policy, case: Case) -> Iterator[tuple[str, Callable[[], Decision]]]:
    match case.kind:
        case "shell":
            yield "command", lambda: policy.check_command(["bash", "-c", case.body])
            for name, text in _carriers(case.body):
                yield name, lambda name=name, text=text: audit(policy, {name: text})
        case "arguments":
            words = [str(word) for word in case.body]
            yield "command", lambda: policy.check_command(words)
            yield "shell", lambda: audit(policy, {"reproduce.sh": shlex.join(words) + "\n"})
            yield "subprocess", lambda: audit(policy, {"run.py": f"import subprocess\nsubprocess.run({words!r})\n"})
            yield "exec form", lambda: audit(policy, {"Dockerfile": f"FROM x\nRUN {json.dumps(words)}\n"})
        case "python":
            yield "file", lambda: audit(policy, {"run.py": case.body})
            yield "python -c", lambda: policy.check_command(["python", "-c", case.body])
            yield "here-document", lambda: audit(policy, {"run.sh": f"python - <<'END'\n{case.body}\nEND\n"})
        case "files":
            yield "audit", lambda: audit(policy, case.body)
        case _:
            yield "requirement", lambda: policy.check_dependencies([case.body])


def _carriers(text: str) -> Iterator[tuple[str, str]]:
    """Files in which the same shell text would be run."""
    yield "reproduce.sh", text
    yield ".github/workflows/a.yml", yaml.safe_dump({"jobs": {"a": {"steps": [{"run": text}]}}})
    yield "run.py", f"import os\nos.system({text!r})\n"
    yield "note.ipynb", json.dumps({"cells": [{"cell_type": "code", "source": f"%%bash\n{text}"}]})
    if "\n" not in text:
        yield "Makefile", "all:\n\t" + text.replace("$", "$$") + "\n"
        yield "Dockerfile", f"FROM x\nRUN {text}\n"


def audit(policy: Policy, files: dict[str, str]) -> Decision:
    """Return the code gate's decision on a tree of these files."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return policy.audit_code(Path(folder))
