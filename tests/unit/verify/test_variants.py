"""Variants of a repository, run for real by this Python: what is wrapped fails, or gives something else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from agentsys.verify.dependence.functions import Function
from agentsys.verify.dependence.instrument import Mode, takes_seed, variant, with_fewer_seeds, with_other_seeds

CORE = '''"""The method."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    left: float
    right: int


def plain(x: float) -> float:
    return x + 1.0


def curve(n: int) -> list[float]:
    return [1.0 / (i + 1) for i in range(n)]


def pair() -> Pair:
    return Pair(2.0, 3)


def table() -> dict[str, tuple[float, ...]]:
    return {"a": (1.0, 2.0)}


def steps() -> Iterator[float]:
    got = yield 1.0
    yield got or 2.0


async def later() -> float:
    return 3.0


async def stream() -> AsyncIterator[float]:
    yield 4.0


@contextmanager
def opened() -> Iterator[float]:
    yield 5.0


@functools.lru_cache(maxsize=None)
def cached() -> float:
    return 6.0


twice = lambda: 7.0


class Model:
    class Inner:
        def value(self) -> float:
            return 8.0

    def __init__(self) -> None:
        self.weight = 1.0
        self.kept = 2.0
        self.history: list[float] = []

    @staticmethod
    def fixed() -> float:
        return 9.0

    @classmethod
    def made(cls) -> float:
        return 10.0

    @property
    def size(self) -> float:
        return 11.0

    @size.setter
    def size(self, value: float) -> None:
        self.weight = value

    @functools.cached_property
    def slow(self) -> float:
        return 12.0

    def step(self) -> None:
        self.weight = self.weight / 2
        self.history.append(self.weight)


def fill(values: list[float]) -> None:
    values[:] = [1.0, 2.0]


def everything() -> dict[str, object]:
    with opened() as inside:
        pass
    async def read() -> list[float]:
        return [await later(), *[item async for item in stream()]]
    model, filled, given = Model(), [0.0, 0.0], steps()
    model.step()
    fill(filled)
    return {
        "plain": plain(1.0), "curve": curve(3), "pair": [pair().left, pair().right], "table": table()["a"],
        "steps": [next(given), given.send(5.0)], "later": asyncio.run(read()), "opened": inside, "cached": cached(),
        "inner": Model.Inner().value(), "fixed": Model.fixed(), "made": Model.made(), "size": model.size,
        "slow": model.slow, "step": [model.weight, model.history[0]], "kept": model.kept, "fill": filled,
    }
'''
RUN = """\
import json
from pkg.core import everything, plain
def here(x):
    return plain(x) * 2.0
if __name__ == "__main__":
    print(json.dumps({"here": here(1.0), **everything()}))
"""
NAMES = {
    **dict.fromkeys(("plain", "curve", "pair", "table", "steps", "later", "stream", "opened", "cached"), False),
    **dict.fromkeys(("Model.Inner.value", "Model.fixed", "Model.made", "Model.size", "Model.slow"), False),
    **dict.fromkeys(("Model.step", "fill"), True),
}
FUNCTIONS = [Function("pkg/core.py", name, alters) for name, alters in NAMES.items()]
HERE = Function("pkg/run.py", "here")
REPO = {"pkg/__init__.py": b"", "pkg/core.py": CORE.encode(), "pkg/run.py": RUN.encode()}


def put(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def run(root: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *argv], cwd=root, capture_output=True, text=True, timeout=120, env={})


def numbers(root: Path, modes: dict[Function, Mode], strength: float = 0.03) -> dict[str, object]:
    root.mkdir()
    put(root, variant(REPO, modes, str(root / "called"), strength=strength))
    done = run(root, "-m", "pkg.run")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_kind_of_function_gives_something_else_and_nothing_else_does(tmp_path: Path) -> None:
    before = numbers(tmp_path / "a", {})
    after = numbers(tmp_path / "b", dict.fromkeys((*FUNCTIONS, HERE), "perturb"))
    assert {name for name in before if before[name] == after[name]} == {"kept"}
    noted = set((tmp_path / "b/called").read_text().splitlines())
    keys = {item.key for item in (*FUNCTIONS, HERE)}
    assert keys <= noted
    assert noted - keys == {f"{key} changed" for key in keys}


@pytest.mark.parametrize("function", [*FUNCTIONS, HERE], ids=lambda item: item.name)
def test_every_kind_of_function_can_be_made_to_fail(tmp_path: Path, function: Function) -> None:
    put(tmp_path, variant(REPO, {function: "raise"}, str(tmp_path / "called")))
    done = run(
        tmp_path,
        "-I",
        "-c",
        "import sys; sys.path.insert(0, '.'); import runpy; runpy.run_module('pkg.run', run_name='__main__')",
    )
    assert done.returncode == 1 and f"{function.key} was made to fail" in done.stderr


@pytest.mark.parametrize("mode", ["watch", "text"])
def test_where_only_the_text_is_another_every_value_is_the_same(tmp_path: Path, mode: Mode) -> None:
    before = numbers(tmp_path / "a", {})
    assert numbers(tmp_path / "b", dict.fromkeys((*FUNCTIONS, HERE), mode)) == before
    for path in ("pkg/core.py", "pkg/run.py"):
        assert (tmp_path / "b" / path).read_bytes() != (tmp_path / "a" / path).read_bytes()
    assert (tmp_path / "b" / "called").exists() is (mode == "watch")


def test_the_same_value_is_always_changed_to_the_same_one(tmp_path: Path) -> None:
    files = {**REPO, "pkg/run.py": b"from pkg.core import plain\nprint([plain(1.0) for _ in range(3)])\n"}
    put(tmp_path, variant(files, {FUNCTIONS[0]: "perturb"}, str(tmp_path / "called"), strength=0.3))
    first, second, third = json.loads(run(tmp_path, "-m", "pkg.run").stdout)
    assert first == second == third > 2.0


def test_arguments_are_changed_where_a_function_is_to_depend_on_what_it_is_given(tmp_path: Path) -> None:
    fixed = Function("pkg/core.py", "pair")
    after = numbers(tmp_path / "a", {FUNCTIONS[0]: "arguments", fixed: "arguments"})
    assert after["plain"] != 2.0 and after["pair"] == [2.0, 3]


def test_worker_processes_and_programs_started_without_an_environment_run_the_variant_too(tmp_path: Path) -> None:
    text = (
        "import multiprocessing, subprocess, sys\nfrom pkg.core import plain\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n        print(pool.map(plain, [1.0])[0])\n"
        "    code = 'import sys; sys.path.insert(0, \".\"); from pkg.core import plain; print(plain(1.0))'\n"
        "    sys.stdout.flush()\n"
        "    subprocess.run(['env', '-i', sys.executable, '-I', '-S', '-c', code], check=True)\n"
    )
    files = {**REPO, "pkg/run.py": text.encode()}
    put(tmp_path, variant(files, {FUNCTIONS[0]: "perturb"}, str(tmp_path / "called"), strength=0.03))
    done = run(tmp_path, "-m", "pkg.run")
    assert [float(line) != 2.0 for line in done.stdout.split()] == [True, True], done.stderr


AWKWARD = """\
#!/usr/bin/env python
# -*- coding: utf-8 -*-
'''Ä docstring; more.'''; FIRST = 1
from functools import wraps
def outer(f):
    @wraps(f)
    def inner(*args): return f(*args)
    return inner
if FIRST:
\t@outer
\tdef tabbed(x): return x
else:
\tdef tabbed(x): return -x
class A:
    def f(self): return self.g(1.0)
    def g(self, x):
        s = "é"; return x
print(tabbed(1.0), A().f())
"""


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_tabs_branches_line_ends_and_signs_outside_ascii_stay_valid(tmp_path: Path, ends: str) -> None:
    names = ("tabbed", "A.g")
    files = {"one.py": AWKWARD.replace("\n", ends).encode()}
    modes: dict[Function, Mode] = dict.fromkeys([Function("one.py", name) for name in names], "perturb")
    put(tmp_path, variant(files, modes, str(tmp_path / "called"), strength=0.03))
    done = run(tmp_path, "one.py")
    assert [float(number) > 1.0 for number in done.stdout.split()] == [True, True], done.stderr


SEEDED = b"import random\ndef draw(seed):\n    return random.Random(seed).random()\nprint(draw(1))\n"


def test_every_seed_becomes_another_one_and_code_without_seeds_is_told_apart(tmp_path: Path) -> None:
    put(tmp_path / "a", {"one.py": SEEDED})
    put(tmp_path / "b", variant({"one.py": SEEDED}, {}, "", other_seed=True))
    assert takes_seed({"one.py": SEEDED}) and not takes_seed(REPO) and not takes_seed({"tests/test_x.py": SEEDED})
    assert run(tmp_path / "a", "one.py").stdout != run(tmp_path / "b", "one.py").stdout
    assert run(tmp_path / "b", "one.py").stdout == run(tmp_path / "b", "one.py").stdout


def test_files_that_hold_no_wanted_function_stay_what_they_are() -> None:
    files = {**REPO, "notes.md": b"x", "pkg/broken.py": b"def f(:\n", "tests/test_core.py": CORE.encode()}
    changed = variant(files, {HERE: "raise"}, "/x")
    assert {name for name in files if changed[name] != files[name]} == {"pkg/run.py"}


def test_what_the_method_returns_can_be_made_nothing_or_enormous(tmp_path: Path) -> None:
    nothing = numbers(tmp_path / "a", dict.fromkeys(FUNCTIONS, "scale"), strength=0.0)
    enormous = numbers(tmp_path / "b", dict.fromkeys(FUNCTIONS, "scale"), strength=1e6)
    assert (nothing["plain"], nothing["curve"], nothing["pair"], nothing["fill"]) == (
        0.0,
        [0.0] * 3,
        [0.0, 0],
        [0.0, 0.0],
    )
    assert (enormous["plain"], enormous["pair"], enormous["fill"]) == (2e6, [2e6, 3], [1e6, 2e6])


@pytest.mark.parametrize(
    ("config", "other"),
    [
        (b"seed: 3\nsteps: 3\n", {"seed": 7922, "steps": 3}),
        (b"run: {seeds: [1, 2], data_seed: 4}\n", {"run": {"seeds": [7920, 7921], "data_seed": 7923}}),
        (
            b"torch: {random_state: 0}\nseeded: true\nseed: null\n",
            {"torch": {"random_state": 7919}, "seeded": True, "seed": None},
        ),
    ],
)
def test_other_seeds_are_put_in_a_configuration_and_nothing_else_changes(config: bytes, other: object) -> None:
    assert yaml.safe_load(with_other_seeds(config)) == other


def test_a_configuration_without_seeds_stays_as_it_is() -> None:
    assert with_other_seeds(b"steps: 3  # all\n") == b"steps: 3  # all\n"
    assert with_other_seeds(b"a: [\n") == b"a: [\n"


def test_a_number_of_seeds_is_no_seed() -> None:
    for config in (b"seeds: 20\n", b"n_seed: 5\n", b"num_seeds: [3]\n"):
        assert with_other_seeds(config) == config


@pytest.mark.parametrize(
    ("config", "fewer"),
    [
        (b"seeds: [3, 1, 4, 1]\n", {"seeds": [3, 1]}),
        (b"full: {n: 9, seeds: 10}\nsmall: {n_seeds: 5}\n", {"full": {"n": 9, "seeds": 2}, "small": {"n_seeds": 2}}),
        (b"repeats: 1\nsteps: 8\n", {"repeats": 1, "steps": 8}),
        (b"seed: 11\nfirst_seed: 4\nseeds_are_fixed: true\n", {"seed": 11, "first_seed": 4, "seeds_are_fixed": True}),
    ],
)
def test_fewer_seeds_are_the_first_ones_and_nothing_else_of_a_configuration_changes(
    config: bytes, fewer: object
) -> None:
    assert yaml.safe_load(with_fewer_seeds(config)) == fewer


def test_a_configuration_that_repeats_nothing_stays_as_it_is() -> None:
    for config in (b"steps: 3  # all\n", b"seeds: 2 # both\n", b"a: [\n"):
        assert with_fewer_seeds(config) == config
