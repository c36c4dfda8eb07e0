"""The probe scripts, run for real by this Python on tiny repositories of our own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import agentsys.verify
from unit.verify.tiny import GREEN, write_repo

PROBES = Path(agentsys.verify.__file__).parent / "probes"


def digests(repo: Path) -> dict[str, str]:
    """The SHA-256 of each Python file of a repository."""
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in repo.rglob("*.py")}


def run_probe(root: Path, name: str, job: dict[str, object], *options: str) -> list[dict[str, object]]:
    """Run a probe on `root/repo` and return the lines that it wrote; what it printed is left in `root/stdout`."""
    repo = root / "repo"
    job = {"out": str(root / "out.jsonl"), "repo": str(repo), "checked": digests(repo), **job}
    env = {"PATH": os.environ["PATH"], "HOME": str(root), "PYTEST_ADDOPTS": "--no-such-option"}
    argv = [sys.executable, "-s", str(PROBES / name), *options]
    done = subprocess.run(
        argv, input=json.dumps(job).encode(), cwd=repo, env=env, capture_output=True, timeout=280, check=False
    )
    (root / "stdout").write_bytes(done.stdout)
    return [json.loads(line) for line in (root / "out.jsonl").read_text().splitlines()]


def run_tests(
    root: Path,
    test: str,
    *options: str,
    files: dict[str, str] | None = None,
    plugins: tuple[str, ...] = (),
    **job_fields: object,
) -> list[dict[str, object]]:
    """Run pytest with the plugin on a repository with one test file; return the plugin's lines but the first."""
    repo = write_repo(root / "repo", {**GREEN, **(files or {}), "tests/test_model.py": test})
    named = {str(repo / path): path for path in ("tiny/model.py", *(files or {}))}
    fixed = ["-c", str(PROBES / "agentsys_pytest.ini"), "--rootdir", str(repo), "--confcutdir", str(repo)]
    fixed += ["-o", f"pythonpath={repo}", "-p", "no:cacheprovider", "-q"]
    job: dict[str, object] = {"files": named, "plugins": plugins, **job_fields}
    first, *lines = run_probe(root, "agentsys_pytest.py", job, *fixed, *options)
    assert first["probe"] == str(PROBES / "agentsys_probe.py")
    return lines


def done(lines: list[dict[str, object]]) -> dict[str, dict[str, object]]:
    return {str(line["done"]).rpartition("::")[2]: line for line in lines if "done" in line}


THREADS = """
import threading
import pytest
from tiny.model import mean

def test_direct():
    assert mean([1.0]) == 1.0

def test_again():
    assert mean([2.0]) == 2.0

def test_thread():
    worker = threading.Thread(target=mean, args=([1.0],))
    worker.start()
    worker.join()

def test_nothing():
    assert True

def test_fails():
    assert mean([1.0]) == 2.0

@pytest.mark.skip
def test_skipped():
    mean([1.0])

@pytest.fixture
def broken():
    raise KeyError("x")

def test_error(broken):
    pass
"""


def test_functions_of_owners_are_named_though_the_list_is_cut(tmp_path: Path) -> None:
    many = "".join(f"def f{n}(): pass\n" for n in range(500)) + "def call():\n"
    many += "".join(f"    f{n}()\n" for n in range(500))
    test = "from tiny import aaa\nfrom tiny.model import mean\n\ndef test_all():\n    aaa.call()\n    mean([1.0])\n"
    for owners in (["tiny/model.py"], []):
        place = tmp_path / f"with{len(owners)}"
        lines = run_tests(place, test, files={"tiny/aaa.py": many}, owners=owners)
        line = done(lines)["test_all"]
        names = line["functions"]
        assert isinstance(names, list) and (line["count"], len(names)) == (502, 400)
        assert ("tiny/model.py:mean" in names) is bool(owners)


def test_time_of_each_test_is_recorded(tmp_path: Path) -> None:
    test = "import time\n\ndef test_slow():\n    time.sleep(0.3)\n\ndef test_fast():\n    pass\n"
    seconds = {name: line["seconds"] for name, line in done(run_tests(tmp_path, test)).items()}
    assert isinstance(seconds["test_slow"], float) and seconds["test_slow"] >= 0.3 > float(str(seconds["test_fast"]))


def test_each_test_is_recorded_with_the_functions_that_it_executed(tmp_path: Path) -> None:
    lines = run_tests(tmp_path, THREADS)
    seen = done(lines)
    mean = ["tiny/model.py:mean"]
    assert {name: line["functions"] for name, line in seen.items()} == {
        "test_direct": mean, "test_again": mean, "test_thread": mean, "test_nothing": [], "test_fails": mean,
        "test_skipped": [], "test_error": [],
    }  # fmt: skip
    outcomes = [str(line["outcome"]) for line in seen.values()]
    assert outcomes == ["passed", "passed", "passed", "passed", "failed", "skipped", "failed"]
    assert lines[-1] == {"finish": 1, "collected": 7, "counts": {"passed": 4, "failed": 2, "skipped": 1}}


def test_what_fixtures_and_modules_execute_counts_for_their_tests_but_is_no_call(tmp_path: Path) -> None:
    test = (
        "import pytest\nfrom tiny import aaa\nfrom tiny.model import mean\n\nCASES = [aaa.call()]\n\n"
        "@pytest.fixture(scope='module')\ndef shared():\n    return mean([1.0, 3.0])\n\n"
        "def test_first(shared):\n    assert shared == 2.0\n\n"
        "def test_second(shared):\n    assert mean([1.0]) == 1.0\n\n"
        "def test_third():\n    pass\n"
    )
    seen = done(run_tests(tmp_path, test, files={"tiny/aaa.py": "def call():\n    return 1\n"}))
    module, mean = ["tiny/aaa.py:call"], ["tiny/model.py:mean"]
    assert [seen[name]["functions"] for name in seen] == [module + mean, module + mean, module]
    assert [seen[name]["calls"] for name in seen] == [[], mean, []]


def test_importing_the_method_is_not_executing_it(tmp_path: Path) -> None:
    test = "def test_import():\n    import tiny.model\n    assert tiny.model\n"
    assert done(run_tests(tmp_path, test))["test_import"]["functions"] == []


def test_another_tracer_does_not_blind_the_probe(tmp_path: Path) -> None:
    conftest = "import sys, threading\nsys.settrace(lambda *a: None)\n"
    lines = run_tests(tmp_path, THREADS, files={"tests/conftest.py": conftest})
    assert done(lines)["test_direct"]["functions"] == ["tiny/model.py:mean"]


def test_a_test_of_a_million_calls_is_recorded_and_goes_on(tmp_path: Path) -> None:
    test = (
        "from tiny.model import mean\n\ndef step(x):\n    return x + 1\n\ndef test_long():\n    mean([1.0])\n"
        "    x = 0\n    for _ in range(1000000):\n        x = step(x)\n    assert x == 1000000\n\n"
        "def test_after():\n    assert mean([1.0]) == 1.0\n"
    )
    seen = done(run_tests(tmp_path, test))
    assert [line["functions"] for line in seen.values()] == [["tiny/model.py:mean"]] * 2


def test_the_code_under_test_is_not_told_where_the_record_lies(tmp_path: Path) -> None:
    test = (
        "import os, sys\nfrom pathlib import Path\n\ndef test_hidden():\n"
        "    told = [*os.environ.values(), *sys.argv, Path('/proc/self/cmdline').read_text()]\n"
        "    assert not any('out.jsonl' in text for text in told)\n"
    )
    assert done(run_tests(tmp_path, test))["test_hidden"]["outcome"] == "passed"


SETTINGS = """
addopts = --ignore=tests/test_model.py -p no:terminal -k nothing
python_functions = check_*
testpaths = nowhere
"""


@pytest.mark.parametrize(
    ("name", "head"),
    [("pytest.ini", "[pytest]"), ("tox.ini", "[pytest]"), ("setup.cfg", "[tool:pytest]"),
     ("tests/pytest.ini", "[pytest]")],
)  # fmt: skip
def test_settings_of_the_repository_have_no_effect(tmp_path: Path, name: str, head: str) -> None:
    test = "import pytest\n\n@pytest.mark.slow\ndef test_x():\n    assert True\n"
    lines = run_tests(tmp_path, test, files={name: head + SETTINGS})
    assert done(lines)["test_x"]["outcome"] == "passed"


def test_pyproject_settings_have_no_effect(tmp_path: Path) -> None:
    text = "[tool.pytest.ini_options]\naddopts = ['--ignore=tests/test_model.py']\nxfail_strict = 'no'\n"
    lines = run_tests(tmp_path, "def test_x():\n    assert False\n", files={"pyproject.toml": text})
    assert done(lines)["test_x"]["outcome"] == "failed"


@pytest.mark.parametrize("name", ["pytest.py", "_pytest/__init__.py", "agentsys_probe.py", "pytest_mock.py"])
def test_a_module_of_the_repository_stands_in_for_nothing_of_pytest(tmp_path: Path, name: str) -> None:
    lines = run_tests(tmp_path, "def test_x():\n    assert False\n", files={name: "raise SystemExit(0)\n"})
    assert done(lines)["test_x"]["outcome"] == "failed"


def test_plugins_that_are_named_are_loaded_and_no_others(tmp_path: Path) -> None:
    test = "async def test_x():\n    assert True\n"
    options = ("-o", "asyncio_mode=auto")
    lines = run_tests(tmp_path / "with", test, *options, plugins=("pytest-asyncio",))
    assert done(lines)["test_x"]["outcome"] == "passed"
    assert done(run_tests(tmp_path / "without", test, *options))["test_x"]["outcome"] != "passed"


ENDS = """
import unittest
import pytest

@pytest.mark.skip(reason="slow")
def test_skip(): pass
@pytest.mark.xfail(reason="rounding")
def test_xfail(): assert False
@pytest.mark.xfail
def test_xpass(): pass
@pytest.mark.parametrize("x", [])
def test_empty(x): assert False
def test_importorskip(): pytest.importorskip("no_such_module_of_ours")
def test_returns(): return 1 == 2
def test_coroutine():
    async def check(): assert False
    check()
class TestInit:
    def __init__(self): pass
    def test_in_class(self): assert False
class Case(unittest.TestCase):
    def test_case(self): self.skipTest("later")
"""


def test_every_way_of_not_testing_is_told_apart(tmp_path: Path) -> None:
    lines = run_tests(tmp_path, ENDS)
    ends = {name.partition("[")[0]: line["outcome"] for name, line in done(lines).items()}
    assert ends == {
        "test_skip": "skipped", "test_xfail": "xfailed", "test_xpass": "xpassed", "test_empty": "skipped",
        "test_importorskip": "skipped", "test_returns": ends["test_returns"], "test_coroutine": "passed",
        "test_case": "skipped",
    }  # fmt: skip
    warned = {str(line["warned"]).rpartition("::")[2] for line in lines if "warned" in line}
    assert "test_coroutine" in warned and ("test_returns" in warned or ends["test_returns"] == "failed")
    assert "rounding" in str(done(lines)["test_xfail"]["reason"]) and "slow" in str(done(lines)["test_skip"]["reason"])


def test_deselected_tests_are_named(tmp_path: Path) -> None:
    hook = (
        "def pytest_collection_modifyitems(config, items):\n    config.hook.pytest_deselected(items=[items.pop(0)])\n"
    )
    lines = run_tests(tmp_path, "def test_x(): pass\ndef test_y(): pass\n", files={"conftest.py": hook})
    assert {name: line["outcome"] for name, line in done(lines).items()} == {"test_x": "deselected", "test_y": "passed"}


def test_a_test_whose_call_never_happened_has_not_passed(tmp_path: Path) -> None:
    hook = (
        "def pytest_runtest_protocol(item, nextitem):\n    place = {'nodeid': item.nodeid, 'location': item.location}\n"
        "    item.ihook.pytest_runtest_logstart(**place)\n    item.ihook.pytest_runtest_logfinish(**place)\n"
        "    return True\n"
    )
    lines = run_tests(tmp_path, "def test_x(): pass\n", files={"conftest.py": hook})
    assert done(lines)["test_x"]["outcome"] == "not run"


def test_a_test_that_ends_the_process_is_named(tmp_path: Path) -> None:
    test = "import os\n\ndef test_dies():\n    os._exit(0)\n"
    lines = run_tests(tmp_path, test)
    assert lines == [{"start": "tests/test_model.py::test_dies"}]


def run_imports(root: Path, modules: dict[str, str], folder: str = "") -> list[dict[str, object]]:
    """Import the modules of a repository with the probe; return its lines."""
    repo = write_repo(root / "repo", {f"{name}.py": text for name, text in modules.items()})
    listed = [{"name": name, "file": str(repo / f"{name}.py"), "folder": folder} for name in modules]
    return run_probe(root, "agentsys_imports.py", {"path": [str(repo)], "modules": listed})


def test_every_module_is_tried_whatever_the_others_do(tmp_path: Path) -> None:
    modules = {
        "good_a": "x = 1\n",
        "raises": "raise ValueError('no')\n",
        "exits": "import sys\nsys.exit(0)\n",
        "dies": "import os\nos._exit(0)\n",
        "dies_too": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
        "good_b": "import good_a\n",
        "nothing_there": "import no_such_module_of_ours\n",
    }
    lines = [line for line in run_imports(tmp_path, modules) if "done" in line]
    assert [line["ok"] for line in lines] == [True, False, False, False, False, True, False]
    assert "ValueError: no" in str(lines[1]["error"]) and "SystemExit" in str(lines[2]["error"])
    assert lines[3]["crash"] == 0 and lines[4]["crash"] == -9
    assert "No module named 'no_such_module_of_ours'" in str(lines[6]["error"])


def test_a_module_that_python_takes_from_elsewhere_is_a_fault(tmp_path: Path) -> None:
    (line,) = [line for line in run_imports(tmp_path, {"json": "x = 1\n"}) if "done" in line]
    assert line["ok"] is False and "not from the repository" in str(line["error"])


def test_modules_do_not_see_the_probes_arguments(tmp_path: Path) -> None:
    text = "import sys\nfrom pathlib import Path\nassert sys.argv == [''] and not sys.stdin.read()\n"
    text += "assert 'jsonl' not in Path('/proc/self/cmdline').read_text()\n"
    (line,) = [line for line in run_imports(tmp_path, {"peek": text}) if "done" in line]
    assert line["ok"], line


UNSEEN = {
    "exec": "exec('x = 1')\n",
    "eval": "x = eval('1 + 1')\n",
    "exec of a file": "exec(compile(open(__file__).read().split('#')[0] and 'x = 1', 'core.txt', 'exec'), {})\n",
    "compiled function": "import types\nf = types.FunctionType(compile('1', 'x', 'eval'), {})\n",
    "code object": "def f(): pass\nf.__code__ = f.__code__.replace(co_consts=(1,))\n",
    "marshal": "import marshal\nmarshal.loads(marshal.dumps(compile('1', 'x', 'eval')))\n",
    "timeit": "import timeit\ntimeit.timeit('1', number=1)\n",
    "interpreter": "import code\ncode.InteractiveInterpreter().runsource('x = 1')\n",
    "run by path": "import pathlib, runpy\npathlib.Path('../made.py').write_text('')\nrunpy.run_path('../made.py')\n",
    "module from elsewhere": (
        "import pathlib, sys\npathlib.Path('../gen_mod.py').write_text('x = 1')\n"
        "sys.path.insert(0, str(pathlib.Path('..').resolve()))\nimport gen_mod\n"
    ),
    "module by loader": (
        "import importlib.machinery, importlib.util, pathlib\npathlib.Path('core.txt').write_text('x = 1')\n"
        "loader = importlib.machinery.SourceFileLoader('core', 'core.txt')\n"
        "spec = importlib.util.spec_from_loader('core', loader)\n"
        "spec.loader.exec_module(importlib.util.module_from_spec(spec))\n"
    ),
    "rewritten module": (
        "import pathlib, sys\nsys.dont_write_bytecode = True\n"
        "pathlib.Path('other.py').write_text('x = 2')\nimport other\n"
    ),
}


@pytest.mark.parametrize("name", UNSEEN)
def test_code_that_no_type_checker_saw_is_named_when_it_is_executed(tmp_path: Path, name: str) -> None:
    lines = run_imports(tmp_path, {"method": UNSEEN[name], "other": "x = 1\n"})
    assert all(line["ok"] for line in lines if "done" in line), lines
    found = {str(line["unseen"]) for line in lines if "unseen" in line}
    assert found == {"other.py" if name == "rewritten module" else "method.py"}


def test_what_libraries_generate_for_themselves_is_no_finding(tmp_path: Path) -> None:
    ordinary = (
        "import ast, collections, dataclasses, enum, functools, importlib, json, re, typing, unittest.mock\n"
        "import pydantic, yaml\nimport sibling\n"
        "@dataclasses.dataclass(frozen=True, order=True)\nclass A:\n    x: int = 1\n"
        "P = collections.namedtuple('P', 'x y')\nclass N(typing.NamedTuple):\n    x: int\n"
        "class M(pydantic.BaseModel):\n    x: 'int'\n"
        "typing.get_type_hints(M)\nast.literal_eval('[1]')\nast.parse('x = 1')\nre.compile('a+')\n"
        "importlib.import_module('sibling')\nimportlib.reload(sibling)\nfunctools.singledispatch(lambda x: x)\n"
        "unittest.mock.create_autospec(A)\n"
    )
    lines = run_imports(tmp_path, {"method": ordinary, "sibling": "x = 1\n"})
    assert [line for line in lines if "unseen" in line] == []
    assert all(line["ok"] for line in lines if "done" in line), lines


def test_code_executed_unseen_by_tests_is_named_too(tmp_path: Path) -> None:
    lines = run_tests(tmp_path, "import tiny.model\n\ndef test_x():\n    exec('assert True')\n")
    (found,) = [line for line in lines if "unseen" in line]
    assert (found["unseen"], found["line"]) == ("tests/test_model.py", 4)
