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


HASH = "--hash=sha256:" + "a" * 64


def test_lines_are_read_without_comments_and_options_and_with_hashes() -> None:
    text = "# pins\nnumpy==2.1.3  # arrays\n--extra-index-url https://x.invalid/whl\n-f wheels\nsix==1.0 \\\n    --hash=sha256:aa\n\n"
    found = read(requirements_txt=text)
    assert [line.split() for line in found.lines] == [["numpy==2.1.3"], ["six==1.0", "--hash=sha256:aa"]]
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
    assert (
        found.lines == ["numpy"]
        and found.constraints == ["numpy==2.1.3 --hash=sha256:aa", "scipy==1.16.0"]
        and not found.faults
    )


TEXT = 'numpy[extra]==2.1.3 ; python_version >= "3.9"  # é\r\nsix==1.0 \\\r\n    --hash=sha256:aa\r\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_files_are_read_in_every_encoding_that_pip_reads(encoding: str) -> None:
    mark = "\ufeff" if encoding.endswith(("le", "be")) else ""
    found = read_requirements({"requirements.txt": (mark + TEXT).encode(encoding)}, RepoFacts())
    assert not found.faults
    assert [line.split()[0] for line in found.lines] == ["numpy[extra]==2.1.3", "six==1.0"]


def test_coding_line_is_honoured() -> None:
    data = "# -*- coding: latin-1 -*-\nnumpy==2.1.3  # Größe\n".encode("latin-1")
    assert read_requirements({"requirements.txt": data}, RepoFacts()).lines == ["numpy==2.1.3"]


@pytest.mark.parametrize(
    "line",
    [
        "git+https://host.invalid/a/b.git@v1#egg=b",
        "-e git+ssh://git@host.invalid/a/b.git",
        "https://host.invalid/b-1-py3-none-any.whl",
        "./vendored/b",
        "--editable=../b",
        "file:///srv/b",
        "b @ git+https://host.invalid/a/b.git",
        "b[extra]@https://host.invalid/b-1-py3-none-any.whl",
        "b-1-py3-none-any.whl",
    ],
)
def test_place_outside_the_index_is_refused_with_the_reason_and_not_called_invalid(line: str) -> None:
    (fault,) = read(requirements_txt=f"six\n{line}\n").faults
    assert "is refused: it asks for a place outside the package index" in fault.message
    assert "not a valid" not in fault.message and fault.line == 2


def test_options_of_a_build_are_left_out_and_said() -> None:
    found = read(requirements_txt='six==1.0 --config-settings "a=b" --hash=sha256:aa\n-rrequirements_dev.txt\n')
    assert found.lines == ["six==1.0 --hash=sha256:aa"]
    assert found.ignored == ['--config-settings "a=b"']
    assert [fault.message for fault in found.faults] == ["`requirements_dev.txt` does not exist"]


CONDA = """\
name: x
channels: [pytorch, conda-forge]
dependencies:
  - python=3.9
  - conda-forge::numpy=1.26
  - scipy=1.11.4=py311h64a7726_0
  - pytorch==2.1.0
  - pytorch-cuda=11.8
  - pandas >=2,<3
  - matplotlib-base 3.8.*
  - opencv
  - pip
  - pip:
      - transformers==4.36.2
      - -r more.txt
"""


def test_conda_file_is_translated_where_nothing_else_says_what_is_needed() -> None:
    found = read_requirements({"environment.yml": CONDA.replace("      - -r more.txt\n", "").encode()}, RepoFacts())
    assert found.lines == [
        "numpy==1.26.*",
        "scipy==1.11.4",
        "torch==2.1.0",
        "pandas>=2,<3",
        "matplotlib==3.8.*",
        "opencv-python-headless",
        "transformers==4.36.2",
    ]
    assert (found.source, found.faults) == ("environment.yml", [])
    assert found.ignored == ["python=3.9", "pytorch-cuda=11.8", "pip"]
    both = {"environment.yml": CONDA.encode(), "requirements.txt": b"six\n"}
    assert read_requirements(both, RepoFacts()).lines == ["six"]


@pytest.mark.parametrize(
    "text", ["dependencies: [numpy=1.20|1.21]", "dependencies: [", "name: x", "- a", "dependencies: ['numpy @ b']"]
)
def test_conda_file_that_has_no_counterpart_is_a_fault_and_nothing_is_guessed(text: str) -> None:
    found = read_requirements({"environment.yml": text.encode()}, RepoFacts())
    (fault,) = found.faults
    assert "environment.yml" in fault.message and fault.path == "environment.yml"
