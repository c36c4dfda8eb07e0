"""Real output of uv, pip, pytest and pyright (data/)."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.plan.repo_facts import RepoFacts
from agentsys.verify.logs.diagnostics import from_output, order_and_merge
from agentsys.verify.logs.install_log import diagnose_install, is_infrastructure
from agentsys.verify.logs.junit import parse_junit
from agentsys.verify.logs.pyright_report import parse_pyright

DATA = Path(__file__).parent / "data"
NO_FILE = "FileNotFoundError: [Errno 2] No such file or directory:"
KNOWN = RepoFacts(
    files=frozenset(
        {
            "pkg/__init__.py",
            "pkg/model.py",
            "tests/test_m.py",
            "tests/test_c.py",
            "tests/test_s.py",
            "configs/full.yaml",
        }
    ),
    texts={"requirements.txt": "pytest\nNumPy==99.0.0\n"},
    installed=frozenset({"scikit-learn", "pytest"}),
)


@pytest.mark.parametrize(
    ("log", "symbol", "said"),
    [
        ("uv-no-version", "numpy", "no version"),
        ("uv-no-distribution", "agentsys-no-such-dist", "no distribution"),
        ("uv-conflict", "scipy", "conflicts"),
        ("uv-invalid", "numpy", "not valid"),
        ("uv-python", "numpy", "another Python version"),
        ("uv-build", "numpy", "could not be built"),
        ("uv-own-pin", "numpy", "no version"),
        ("pip-no-version", "numpy", "no version"),
        ("pip-no-distribution", "agentsys-no-such-dist", "no version"),
        ("pip-conflict", "scipy", "conflicts"),
        ("pip-build", "numpy", "could not be built"),
    ],
)
def test_a_bad_pin_is_named(log: str, symbol: str, said: str) -> None:
    text = (DATA / f"{log}.txt").read_text()
    found = diagnose_install(text, KNOWN)
    assert (found.kind, found.symbol) == ("bad_pin", symbol)
    assert said in found.message
    assert found.line == (2 if symbol == "numpy" else None)
    assert not is_infrastructure(text)


def test_a_project_that_does_not_build_is_its_own_fault() -> None:
    found = diagnose_install((DATA / "build-own-project.txt").read_text(), KNOWN)
    assert (found.kind, found.path) == ("install", "pyproject.toml")
    assert "Unable to determine which files to ship" in found.message


def test_a_dead_network_is_no_fault_of_the_requirements() -> None:
    assert is_infrastructure((DATA / "uv-no-network.txt").read_text())
    assert is_infrastructure("SSLCertVerificationError ... \nERROR: No matching distribution found for six==1.16.0")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["a" * 300000, "a." * 150000, "\n" * 300000, " \n" * 150000, "Because " + "a" * 300000]
)
def test_a_hostile_log_is_read_in_reasonable_time(text: str) -> None:
    is_infrastructure(text)
    assert diagnose_install(text, KNOWN).kind == "install"


def test_a_build_script_that_wants_the_network_is_the_requirements_fault() -> None:
    text = "error: Failed to build `x==1.0`\n  cause: urllib3: NewConnectionError: Connection refused\n"
    assert not is_infrastructure(text)
    assert diagnose_install(text, KNOWN).symbol == "x"


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_twelve_tests_with_one_cause_are_one_diagnostic(version: str) -> None:
    report = parse_junit((DATA / f"junit-m-{version}.xml").read_bytes(), KNOWN)
    assert report is not None
    assert (report.passed, report.failed, report.errors, report.skipped) == (0, 6, 1, 1)
    merged = order_and_merge(report.diagnostics)
    assert [(item.path, item.line) for item in merged] == [
        ("pkg/model.py", 2),
        ("tests/test_m.py", 16),
        ("tests/test_m.py", 33),
    ]
    assert "5 times" in merged[0].message and "test_many(2)" in merged[0].message
    assert merged[0].frames[-1] == "pkg/model.py:2 in scale"
    assert "assert 1.5 == 2.0" in merged[1].message


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_collection_errors_say_syntax_dependency_and_wrong_name(version: str) -> None:
    report = parse_junit((DATA / f"junit-all-{version}.xml").read_bytes(), KNOWN)
    assert report is not None and report.errors == 3 and report.passed == 0
    merged = order_and_merge(report.diagnostics)
    assert [(item.kind, item.path) for item in merged] == [
        ("syntax", "tests/test_s.py"),
        ("missing_dependency", "tests/test_d.py"),
        ("wrong_import", "tests/test_c.py"),
    ]
    assert merged[1].symbol == "opencv-python-headless"


def test_a_report_that_is_cut_off_or_declares_entities_is_none() -> None:
    whole = (DATA / "junit-m-3.11.xml").read_bytes()
    assert parse_junit(whole[:-40], KNOWN) is None
    declared = whole.replace(b"?>", b"?><!DOCTYPE testsuites [<!ENTITY a 'b'>]>", 1)
    assert parse_junit(declared, KNOWN) is None


def test_pyright_errors_become_diagnostics_and_one_file_that_does_not_parse_is_one() -> None:
    report = parse_pyright((DATA / "pyright.json").read_text(), KNOWN)
    assert report is not None and report.files == 17 and report.errors == len(report.diagnostics)
    merged = order_and_merge(report.diagnostics)
    kinds = [(item.kind, item.path, item.symbol) for item in merged]
    assert kinds[0] == ("syntax", "test_s.py", "")
    assert ("missing_dependency", "missing.py", "opencv-python-headless") in kinds
    assert ("wrong_import", "attribute.py", "math.cosine") in kinds
    assert [kind for kind, *_ in kinds].count("syntax") == 1
    assert kinds[-1][0] == "type" and merged[-1].line == 14


@pytest.mark.parametrize("text", ["", "Out of memory", "{}", '{"version": "1"}', "[1"])
def test_what_is_no_pyright_report_is_none_and_not_zero_errors(text: str) -> None:
    assert parse_pyright(text, KNOWN) is None


@pytest.mark.parametrize(
    ("error", "kind", "symbol"),
    [
        ("ModuleNotFoundError: No module named 'sklearn.externals'", "wrong_import", "sklearn.externals"),
        ("ModuleNotFoundError: No module named 'PIL'", "missing_dependency", "pillow"),
        ("ModuleNotFoundError: No module named 'yaml'", "missing_dependency", "pyyaml"),
        ("ModuleNotFoundError: No module named 'einops.layers'", "missing_dependency", "einops"),
        ("ModuleNotFoundError: No module named 'distutils'", "wrong_import", "distutils"),
        ("ModuleNotFoundError: No module named 'pkg.modle'", "wrong_import", "pkg.modle"),
        ("ModuleNotFoundError: No module named 'pkgg'", "wrong_import", "pkgg"),
        ("ImportError: cannot import name 'Net' from 'pkg.model' (x)", "wrong_import", "pkg.model.Net"),
        ("ImportError: libGL.so.1: cannot open shared object file: No such file", "import", "libGL.so.1"),
        ("AttributeError: module 'numpy' has no attribute 'float'", "wrong_import", "numpy.float"),
        ("MemoryError", "oom", "main"),
        ("torch.cuda.OutOfMemoryError: CUDA out of memory.", "oom", "main"),
        (f"{NO_FILE} 'configs/smoke.yaml'", "missing_file", "configs/smoke.yaml"),
        (f"{NO_FILE} '/data/mnist'", "runtime", "main"),
        ("ValueError: shapes do not fit", "runtime", "main"),
        ("KeyError: 'lr'", "runtime", "main"),
    ],
)
def test_kinds_are_told_apart(error: str, kind: str, symbol: str) -> None:
    text = f'Traceback (most recent call last):\n  File "/work/repo/pkg/model.py", line 7, in main\n    go()\n{error}\n'
    found = from_output(text, "smoke", "runtime", KNOWN)
    assert found is not None
    assert (found.kind, found.symbol, found.path, found.line) == (kind, symbol, "pkg/model.py", 7)


def test_a_misspelt_module_of_ours_is_met_with_the_right_name() -> None:
    text = 'Traceback (most recent call last):\n  File "/work/repo/run.py", line 1, in <module>\n    import x\n'
    found = from_output(text + "ModuleNotFoundError: No module named 'pkg.modle'\n", "smoke", "runtime", KNOWN)
    assert found is not None and "`pkg.model`" in found.message


def test_a_child_process_that_failed_is_met_with_what_the_child_said() -> None:
    child = 'Traceback (most recent call last):\n  File "/work/repo/pkg/model.py", line 2, in f\n    go()\n'
    child += "ValueError: bad rate\n"
    parent = 'Traceback (most recent call last):\n  File "/work/repo/run.py", line 9, in main\n    call()\n'
    parent += "subprocess.CalledProcessError: Command '['python']' returned non-zero exit status 1.\n"
    found = from_output(child + parent, "smoke", "runtime", KNOWN)
    assert found is not None and found.message == "ValueError: bad rate"
    alone = from_output(parent, "smoke", "runtime", KNOWN)
    assert alone is not None and alone.message.startswith("CalledProcessError")
