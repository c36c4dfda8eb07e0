"""Swallowed exceptions around the method and lines kept from the type checker are named; honest handlers are not."""

from __future__ import annotations

import pytest

from agentsys.verify.fidelity.dodged import find_dodges
from agentsys.verify.fidelity.evidence import gather
from unit.verify.fidelity.test_central import CORE, planned


def dodges(run: str, path: str = "m/run.py") -> list[tuple[str, int]]:
    files = {"m/core.py": CORE, path: run.encode()}
    found = find_dodges(files, gather(planned("algorithm"), files))
    return [(item.kind, item.line) for item in found]


@pytest.mark.parametrize(
    "body",
    [
        "try:\n    y = step(1.0)\nexcept Exception:\n    pass\n",
        "try:\n    y = core.step(1.0)\nexcept ValueError:\n    y = 3.0\n",
        "try:\n    y = [step(v) for v in x]\nexcept Exception as error:\n    print(error)\n",
        "def main() -> int:\n    try:\n        step(1.0)\n    except Exception:\n        return 0\n    return 1\n",
    ],
)
def test_a_handler_that_goes_on_without_the_method_is_named(body: str) -> None:
    assert [kind for kind, _ in dodges(body)] == ["swallowed"]


def test_suppress_is_a_handler_that_goes_on() -> None:
    assert dodges("with contextlib.suppress(Exception):\n    step(1.0)\n") == [("swallowed", 1)]


@pytest.mark.parametrize(
    "body",
    [
        "try:\n    y = step(1.0)\nexcept ValueError as error:\n    raise RuntimeError from error\n",
        "try:\n    y = step(1.0)\nexcept ValueError:\n    sys.exit(3)\n",
        "def main() -> int:\n    try:\n        step(1.0)\n    except ValueError:\n        return 2\n    return 0\n",
        "try:\n    y = json.loads(text)\nexcept ValueError:\n    y = None\n",
        "try:\n    import torch\nexcept ImportError:\n    torch = None\nstep(1.0)\n",
    ],
)
def test_a_handler_that_ends_the_program_or_is_not_about_the_method_is_not_named(body: str) -> None:
    assert dodges(body) == []


def test_tests_may_catch_what_they_provoke() -> None:
    assert dodges("try:\n    step(1.0)\nexcept ValueError:\n    pass\n", "tests/test_core.py") == []


def test_lines_kept_from_the_type_checker_are_named() -> None:
    text = "x: int = 'a'  # type: ignore[assignment]\n# pyright: basic\ns = '# type: ignore'\n"
    assert dodges(text) == [("unchecked", 1), ("unchecked", 2)]
    assert dodges("@no_type_check\ndef f(): ...\n") == [("unchecked", 2)]
