"""Requirements that reach around the package index are named; all others pass."""

from __future__ import annotations

import pytest

from agentsys_sandbox.packages.requirements import denied

GOOD = [
    "numpy",
    "numpy==2.1.0",
    "torch>=2,<3  # comment",
    "a[b,c]~=1.0; python_version > '3'",
    "",
    "# https://in.a/comment",
]
BAD = [
    "git+https://h/x",
    "x @ https://h/x.whl",
    "https://h/x.whl",
    "-r other.txt",
    "--extra-index-url http://h",
    "-e .",
]
BAD += [
    "./x",
    "../x",
    "/x/y.whl",
    "~/x",
    "x @ ./y",
    "x @ file:///etc/passwd",
    "a\nb",
    "a\\",
    "x @/etc",
    "a\r--index-url x",
]


@pytest.mark.parametrize("line", GOOD)
def test_plain_requirements_pass(line: str) -> None:
    assert denied([line]) == ""


@pytest.mark.parametrize("line", BAD)
def test_everything_that_leads_elsewhere_is_named(line: str) -> None:
    assert denied(["numpy", line])
