"""What reaches into the test run is found in the source; ordinary fixtures and mocks of single tests are not."""

from __future__ import annotations

import pytest

from agentsys.verify.source.hooks import hook_findings

CODE = {
    "pkg/__init__.py": b"",
    "pkg/core.py": b"LIMIT = 3\n\ndef run(): pass\n\nclass Model:\n    def step(self): pass\n",
}
FIXTURE = (
    "import pytest\nimport pkg.core\nfrom unittest import mock\n\n"
    "@pytest.fixture({auto})\ndef fix(monkeypatch, request):\n    {body}\n"
)

REACHES = {
    "hook": ("conftest.py", "import pytest\ndef pytest_runtest_makereport(item, call): pass\n"),
    "hook in a class": ("tests/test_a.py", "class Plugin:\n    def pytest_collection_modifyitems(self, items): pass\n"),
    "hook in the package": ("pkg/testing.py", "def pytest_runtest_call(item): pass\n"),
    "hook by import": ("conftest.py", "from pkg.core import run as pytest_runtest_call\n"),
    "hook by mark": ("pkg/testing.py", "import pytest\n@pytest.hookimpl(specname='x')\ndef f(): pass\n"),
    "plugins": ("conftest.py", "pytest_plugins = ['pkg.testing']\n"),
    "plugins by annotation": ("conftest.py", "pytest_plugins: list[str] = ['pkg.testing']\n"),
    "plugins by dictionary": ("conftest.py", "globals()['pytest_plugins'] = ['pkg.testing']\n"),
    "ignored files": ("conftest.py", "collect_ignore = ['tests/test_core.py']\n"),
    "ignored globs": ("tests/conftest.py", "collect_ignore_glob = ['*']\n"),
    "plugin manager": ("tests/conftest.py", "def f(config):\n    config.pluginmanager.register(object())\n"),
    "pytest changed": ("pkg/core.py", "import _pytest.runner\n_pytest.runner.call_and_report = None\n"),
    "autouse": ("conftest.py", FIXTURE.format(auto="autouse=True", body="monkeypatch.setattr(pkg.core, 'run', 1)")),
    "autouse by text": ("tests/conftest.py", FIXTURE.format(auto="autouse=1", body="mock.patch('pkg.core.run')")),
    "autouse by object": (
        "tests/test_a.py",
        FIXTURE.format(auto="autouse=True", body="mock.patch.object(pkg.core.Model, 'step')"),
    ),
    "autouse in the test's module": (
        "conftest.py",
        FIXTURE.format(auto="autouse=True", body="monkeypatch.setattr(request.module, 'run', 1)"),
    ),
    "used by mark": (
        "tests/test_a.py",
        FIXTURE.format(auto="", body="monkeypatch.setattr(pkg.core, 'run', 1)")
        + "pytestmark = pytest.mark.usefixtures('fix')\n",
    ),
    "assignment": ("conftest.py", "import pkg.core as c\nc.run = lambda: 1\n"),
    "assignment in a function": ("tests/helpers.py", "from pkg import core\ndef f():\n    core.Model.step = None\n"),
    "setattr": ("conftest.py", "import pkg.core\nsetattr(pkg.core, 'run', None)\n"),
    "patch started": ("conftest.py", "from unittest import mock\nmock.patch('pkg.core.run').start()\n"),
    "sitecustomize": ("src/sitecustomize.py", "import sys\n"),
    "usercustomize": ("usercustomize/__init__.py", "import sys\n"),
    "path file": ("data/x.pth", "import sys\n"),
}


@pytest.mark.parametrize("name", REACHES)
def test_what_reaches_into_the_test_run_is_found(name: str) -> None:
    path, text = REACHES[name]
    found = hook_findings({**CODE, path: text.encode()})
    assert found and {(item.kind, item.check, item.path) for item in found} == {("test", "pytest", path)}


AUTO = "autouse=True"
ORDINARY = {
    "fixtures": ("conftest.py", "import pytest\n\n@pytest.fixture(autouse=True)\ndef seed():\n    yield 0\n"),
    "a constant": ("conftest.py", FIXTURE.format(auto=AUTO, body="monkeypatch.setattr(pkg.core, 'LIMIT', 1)")),
    "arguments": ("conftest.py", FIXTURE.format(auto=AUTO, body="monkeypatch.setattr(__import__('sys'), 'argv', [])")),
    "asked for by one test": ("conftest.py", FIXTURE.format(auto="", body="monkeypatch.setattr(pkg.core, 'run', 1)")),
    "in one test": (
        "tests/test_a.py",
        "from unittest import mock\nfrom pkg import core\n\ndef test_x(monkeypatch):\n"
        "    monkeypatch.setattr(core, 'run', 1)\n    with mock.patch.object(core, 'run'):\n        pass\n",
    ),
    "an attribute of an object": (
        "tests/test_a.py",
        "from pkg.core import Model\n\ndef test_x():\n    m = Model()\n    m.rate = 0.1\n",
    ),
    "marks": ("tests/test_a.py", "import pytest\n\n@pytest.mark.parametrize('x', [1])\ndef test_x(x):\n    assert x\n"),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_tests_raise_no_finding(name: str) -> None:
    path, text = ORDINARY[name]
    assert hook_findings({**CODE, path: text.encode()}) == []


def test_a_file_that_is_no_python_is_passed_over() -> None:
    assert hook_findings({"conftest.py": b"def (\n", "x.py": b"\xff\x00"}) == []
