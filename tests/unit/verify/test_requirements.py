# ruff: noqa: E501 - whole files in one line
from __future__ import annotations

import pytest

from agentsys.plan.repo_facts import RepoFacts
from agentsys.plan.requirements import Requirements, read_requirements


def read(**files: str) -> Requirements:
    named = {
        name.replace("__", "/").replace("_txt", ".txt").replace("_toml", ".toml"): text.encode()
        for name, text in files.items()
    }
    return read_requirements(named, RepoFacts())


def test_lines_are_read_without_comments_options_and_hashes() -> None:
    text = "# pins\nnumpy==2.1.3  # arrays\n--extra-index-url https://x.invalid/whl\n-f wheels\nsix==1.0 \\\n    --hash=sha256:aa\n\n"
    found = read(requirements_txt=text)
    assert found.lines == ["numpy==2.1.3", "six==1.0"]
    assert len(found.ignored) == 2 and not found.faults and found.source == "requirements.txt"


@pytest.mark.parametrize("line", ["numpy>>2", "numpy==", "import numpy", "numpy 2.0", "pip install numpy"])
def test_a_line_that_is_no_requirement_is_named_with_its_place(line: str) -> None:
    found = read(requirements_txt=f"six\n{line}\n")
    (fault,) = found.faults
    assert (fault.kind, fault.path, fault.line) == ("bad_pin", "requirements.txt", 2)


def test_included_files_are_followed_inside_the_repository_only() -> None:
    found = read(requirements_txt="-r base.txt\n-r ../../etc/passwd\n-r requirements.txt\n", base_txt="numpy\n")
    assert found.lines == ["numpy"]
    assert [fault.line for fault in found.faults] == [2]


def test_the_project_and_its_test_extras_are_taken_from_pyproject() -> None:
    text = '[project]\nname = "x"\nversion = "1"\ndependencies = ["numpy"]\n[project.optional-dependencies]\ntest = ["pytest"]\ndoc = ["sphinx"]\n[dependency-groups]\ndev = ["ruff", {include-group = "x"}]\n'
    found = read(pyproject_toml=text)
    assert found.project and found.lines == ["pytest", "ruff"] and found.source == "pyproject.toml"


def test_a_pyproject_with_tool_settings_alone_is_no_project() -> None:
    found = read(pyproject_toml="[tool.ruff]\n", requirements_txt="numpy\n-e .\n")
    assert found.lines == ["numpy"]
    assert read(pyproject_toml="[tool.ruff]\n").source == ""


def test_a_pyproject_that_does_not_parse_is_a_fault_and_no_crash() -> None:
    (fault,) = read(pyproject_toml="[project\n").faults
    assert (fault.kind, fault.path) == ("syntax", "pyproject.toml")
    assert not read(pyproject_toml='project = 3\ndependency-groups = "x"\n').faults


def test_constraints_files_restrict_versions_without_asking_for_packages() -> None:
    found = read(
        requirements_txt="numpy\n-c pins.txt\n", pins_txt="# all\nnumpy==2.1.3 --hash=sha256:aa\nscipy==1.16.0\n"
    )
    assert found.lines == ["numpy"] and found.constraints == ["numpy==2.1.3", "scipy==1.16.0"] and not found.faults
