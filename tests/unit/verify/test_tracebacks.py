"""Real output of Python 3.11, 3.12 and 3.13 (data/tracebacks-*.txt)."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.verify.logs.tracebacks import Fault, parse_faults

DATA = Path(__file__).parent / "data"
VERSIONS = ("3.11", "3.12", "3.13")
EXPECTED = {
    "chain": ("ZeroDivisionError", "pkg/model.py:2 in scale", 3),
    "during": ("ValueError", "during.py:5 in load", 2),
    "missing": ("ModuleNotFoundError", "missing.py:2 in <module>", 1),
    "deep": ("RecursionError", "deep.py:2 in down", 4),
    "group": ("ZeroDivisionError", "pkg/model.py:2 in scale", 3),
    "syntax": ("SyntaxError", "syntax.py:1 in <module>", 1),
    "imports_syntax": ("SyntaxError", "syntax.py:1 in <module>", 2),
    "typo": ("ImportError", "typo.py:1 in <module>", 1),
    "attribute": ("AttributeError", "attribute.py:3 in <module>", 1),
    "noted": ("ValueError", "noted.py:6 in <module>", 1),
    "nofile": ("FileNotFoundError", "nofile.py:3 in <module>", 1),
    "circular": ("ImportError", "circular_b.py:1 in <module>", 3),
    "threads": ("ZeroDivisionError", "pkg/model.py:2 in scale", 2),
}


def faults(version: str, name: str) -> list[Fault]:
    text = (DATA / f"tracebacks-{version}.txt").read_text()
    body = text.split(f"##### {name}\n")[1].split("##### ")[0]
    return parse_faults(body, "/work/repo")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", EXPECTED)
def test_the_root_cause_and_our_deepest_frame_are_found(version: str, name: str) -> None:
    error, deepest, own = EXPECTED[name]
    fault = faults(version, name)[-1]
    assert fault.error == error
    assert str(fault.own[-1]) == deepest
    assert len(fault.own) == own


@pytest.mark.parametrize("version", VERSIONS)
def test_messages_hold_the_text_and_nothing_of_the_frames(version: str) -> None:
    assert faults(version, "chain")[0].message == "division by zero"
    assert faults(version, "group")[-1].message == "division by zero"
    assert faults(version, "noted")[0].message.startswith("shapes (3, 4) and (5,) do not fit")


def test_output_without_a_traceback_has_no_fault() -> None:
    text = "Error: lr=0.1\nloss: 3.2\nValueError: mentioned in a log line\nEpoch 1: done\n"
    assert parse_faults(text, "/work/repo") == []


def test_frames_of_installed_packages_are_not_ours() -> None:
    text = (
        'Traceback (most recent call last):\n  File "/work/repo/a.py", line 3, in main\n    f()\n'
        '  File "/work/venv/lib/python3.11/site-packages/numpy/core.py", line 9, in f\n    raise E\n'
        '  File "/work/repo/.venv/lib/python3.11/site-packages/x.py", line 9, in g\n    raise E\n'
        "numpy.exceptions.AxisError: axis 2 is out of bounds\n"
    )
    (fault,) = parse_faults(text, "/work/repo")
    assert fault.error == "AxisError"
    assert [str(frame) for frame in fault.own] == ["a.py:3 in main"]


@pytest.mark.parametrize(
    "path", ["/work/repo/../../etc/passwd", "/work/repo/a/../../x.py", "../x.py", "/etc/passwd", "a//b.py"]
)
def test_a_printed_path_never_leads_out_of_the_repository(path: str) -> None:
    (fault,) = parse_faults(f'  File "{path}", line 1, in f\nValueError: x\n', "/work/repo")
    assert fault.own == ()


@pytest.mark.timeout(20)
def test_hostile_output_is_read_in_reasonable_time() -> None:
    for line in (
        f"a:1: in {' ' * 200000}x",
        f'  File "a", line 1, in {" " * 200000}x',
        "E" + " " * 200000,
        "a.b" * 100000,
    ):
        parse_faults(line, "/work/repo")
    assert parse_faults(f'  File "/work/repo/a.py", line {"9" * 5000}, in f\nValueError: x\n', "/work/repo") == []
    assert parse_faults("  " * 20000 + "|" * 20000 + "\n" + 'File "' * 20000, "/work/repo") == []
    assert parse_faults("\n".join(['  File "/work/repo/a.py", line 1, in f'] * 20000), "/work/repo") == []
