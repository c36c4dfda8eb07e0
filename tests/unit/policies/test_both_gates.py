"""The same text gets the same verdict as a command, in a script, a recipe, a workflow, a program and a notebook."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys_policies.engine import Policy
from benchmarks.policy import Report, gates
from benchmarks.policy_gates import KINDS, Case, audit, read_cases, verdicts

CASES = Path(__file__).with_name("gate_cases.yaml")
POLICY = Policy.load()
REST = (
    # A link's target is relative to the link, which only the file system knows.
    "ln -sf ../data build/data",
)


def known_gap(case: Case) -> bool:
    return any(part in str(case.body) for part in REST)


@pytest.mark.parametrize(
    "case", [case for case in read_cases(CASES) if not known_gap(case)], ids=lambda c: f"{c.kind}-{c.wanted}-{c.number}"
)
def test_every_gate_gives_the_wanted_verdict_and_the_same_one(case: Case) -> None:
    told = verdicts(POLICY, case)
    assert len(set(told.values())) == 1, told
    assert (set(told.values()) == {"allow"}) is (case.wanted == "pass"), told


def test_there_are_enough_cases_of_every_kind_and_half_of_them_must_stop() -> None:
    cases = read_cases(CASES)
    assert len(cases) >= 120
    assert {case.kind for case in cases} == set(KINDS)
    stopped = sum(case.wanted == "stop" for case in cases)
    assert 0.4 <= stopped / len(cases) <= 0.6


def test_the_benchmark_prints_a_bar_that_is_missed_as_missed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{kind}: {{stop: [], pass: []}}" for kind in KINDS if kind != "shell"]
    (tmp_path / "c.yaml").write_text("shell: {stop: [ls], pass: [sudo ls]}\n" + "\n".join(lines))
    report = Report()
    gates(POLICY, tmp_path / "c.yaml", report)
    assert report.missed == 2
    assert "MISS both gates: must stop, stopped" in capsys.readouterr().out


def test_a_finding_names_the_line_on_which_its_command_stands() -> None:
    text = "set -eu\npython run.py\nif true; then\n  git push\nfi\n"
    found = audit(POLICY, {"scripts/run.sh": text}).findings
    assert [(item.rule, item.evidence.path, item.evidence.line) for item in found] == [
        ("command.exfiltration", "scripts/run.sh", 4)
    ]
    recipe = "all:\n\tls\nX = 1\n\npush:\n\tgit push\n"
    assert audit(POLICY, {"Makefile": recipe}).findings[0].evidence.line == 6
    container = "FROM x\nRUN ls && \\\n  ls\nRUN git push\n"
    assert audit(POLICY, {"Dockerfile": container}).findings[0].evidence.line == 4


def test_a_text_file_that_is_run_is_judged_and_one_that_is_only_read_is_not() -> None:
    text = "import os\nos.remove('/etc/hosts')\n"
    run = audit(POLICY, {"core.txt": text, "a.py": "exec(open('core.txt').read())\n"})
    assert run.decision == "block"
    assert run.findings[0].evidence.path == "core.txt"
    assert audit(POLICY, {"core.txt": text, "a.py": "print(open('core.txt').read())\n"}).allows


def test_a_text_file_that_is_run_and_cannot_be_parsed_is_not_examined() -> None:
    decision = audit(POLICY, {"core.txt": "def (", "a.py": "exec(open('core.txt').read())\n"})
    assert decision.status == "incomplete"
    assert "core.txt: run as a program" in decision.scanners[0].skipped[0]


@pytest.mark.parametrize("text", ["jobs: [", "x: &a [*a", "run: " + "[" * 5000])
def test_a_workflow_that_cannot_be_read_is_not_allowed(text: str) -> None:
    assert not audit(POLICY, {".github/workflows/a.yml": text}).allows


@pytest.mark.parametrize("text", ["$(" * 5000, "A = $(A)\nall:\n\techo $(A)\n", "all:\n\t" + "$(shell " * 200])
def test_a_monstrous_makefile_gets_a_decision(text: str) -> None:
    audit(POLICY, {"Makefile": text})


def test_many_values_of_many_variables_are_judged_in_time() -> None:
    loops = "".join(f"for v{n} in a{n} b{n} c{n} /srv/d{n}; do " for n in range(12))
    words = " ".join(f'"$v{n}"' for n in range(12))
    decision = POLICY.check_command(["bash", "-c", f"{loops} rm -rf {words}; {'done; ' * 12}"])
    assert decision.decision == "block"


LOADS = "import pickle\n\nwith open('data/m.pkl', 'rb') as file:\n    print(pickle.load(file))\n"
FETCHES = "set -eu\ncurl -L -o data/m.pkl https://zenodo.org/records/1/files/m.pkl\npython run.py\n"


@pytest.mark.parametrize(
    ("script", "program", "found"),
    [
        (FETCHES, LOADS, ["run.py"]),
        (FETCHES.replace("curl -L -o", "cd data && wget -O").replace("data/m", "m"), LOADS, ["run.py"]),
        ("set -eu\npython run.py\n", LOADS, []),
        (FETCHES, LOADS.replace("m.pkl", "own.pkl"), []),
        (FETCHES, LOADS.replace("pickle.load(file)", "file.read()"), []),
    ],
)
def test_a_pickle_that_a_script_fetches_is_not_loaded_by_a_program_beside_it(
    script: str, program: str, found: list[str]
) -> None:
    decision = audit(POLICY, {"reproduce.sh": script, "run.py": program})
    assert [row.evidence.path for row in decision.findings if row.rule == "code.remote-pickle"] == found
