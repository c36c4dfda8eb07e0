"""How tests ended against planted faults in the round before: where a repair can have no part in it, it stands.

The outcome of a test against a fault rests on the test's file and on what that imports. Where none of this has
changed, nor the environment, the trial is not made again, and the test has shown that it passes each time without one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from agentsys.verify.checks.base import Bench
from agentsys.verify.checks.reach import unreached
from agentsys.verify.checks.sessions import environment, visible_files
from agentsys.verify.fidelity.planting import base

FILE = "outcomes.json"


class Outcomes(BaseModel):
    """`rounds/NN/outcomes.json`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    environment: str
    """Hash of what was installed, where, by which version."""
    files: dict[str, str]
    """SHA-256 of each file that the tests could see."""
    words: dict[str, dict[str, str]] = {}
    """Key of a fault -> test -> how it ended."""
    steady: tuple[str, ...] = ()
    """Tests that passed without a fault each time."""


NOTHING = Outcomes(environment="", files={})


def keep_outcomes(bench: Bench, words: Mapping[str, Mapping[str, str]], steady: Collection[str]) -> None:
    """Store the outcomes of tests that pass without a fault each time."""
    kept = {key: {test: word for test, word in row.items() if test in steady} for key, row in words.items()}
    files, names = visible_files(bench), tuple(sorted(steady))
    found = Outcomes(environment=environment(bench), files=files, words=kept, steady=names)
    bench.log(FILE, found.model_dump_json() + "\n")


def formerly_noticed(bench: Bench) -> dict[str, frozenset[str]]:
    """Return which faults each test noticed in the latest round that planted some, whatever has changed since.

    Returns: test without parameters -> keys of faults.
    """
    past = _latest(bench)
    found: dict[str, set[str]] = {}
    for key, row in past.words.items() if past is not None else ():
        for test, word in row.items():
            if word == "asserted":
                found.setdefault(base(test), set()).add(key)
    return {test: frozenset(keys) for test, keys in found.items()}


def known_outcomes(bench: Bench) -> Outcomes:
    """Return what the latest round that planted faults saw and still holds."""
    past = _latest(bench)
    if past is None or past.environment != environment(bench):
        return NOTHING
    now = visible_files(bench)
    changed = {name for name in now.keys() | past.files.keys() if now.get(name) != past.files.get(name)}
    still = unreached(bench.job.files, changed)
    steady = {test for test in past.steady if test.partition("::")[0] in still}
    words = {key: {test: word for test, word in row.items() if test in steady} for key, row in past.words.items()}
    return past.model_copy(update={"words": words, "steady": tuple(sorted(steady))})


def _latest(bench: Bench) -> Outcomes | None:
    stored = bench.earlier(FILE)
    return _read(stored[0]) if stored else None


def _read(file: Path) -> Outcomes | None:
    try:
        return Outcomes.model_validate_json(file.read_bytes())
    except ValidationError:
        return None
