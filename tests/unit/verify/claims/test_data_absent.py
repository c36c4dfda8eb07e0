"""Claims whose data is not here: what is lacking is named, and nothing is said of the claim."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from agentsys.code.claim_programs import Draft, give_up_without_data
from agentsys.core.artifacts import DataSource
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.plan.claims.amendment import freeze
from agentsys.plan.claims.contract import Dataset
from agentsys.verify.claims.cells import climb
from agentsys.verify.claims.data import data_absent, rested_on
from agentsys.verify.claims.record import Findings, write_record
from unit.verify.claims.judging import contract
from unit.verify.delivered import WHOLE

SOURCES = tuple(
    DataSource(name=name, kind="url", identifier=f"https://example.org/{name}.csv") for name in ("rain", "snow")
)


PLAN = WHOLE.model_copy(update={"data": SOURCES})


def with_data(folder: Path, names: tuple[str, ...]) -> tuple[RunDir, Settings]:
    """A run, and settings whose data folder holds these sources."""
    run, data = RunDir(folder / "run"), folder / "data"
    run.repo.mkdir(parents=True)
    data.mkdir()
    (data / "notes.txt").write_text("a folder that holds something\n")
    for name in names:
        (data / name).mkdir()
        (data / name / f"{name}.csv").write_text("1\n")
    return run, Settings(data_dir=data)


@pytest.mark.parametrize(("absent", "verdict"), [(True, "blocked"), (False, "inconclusive")])
def test_a_claim_without_rows_is_blocked_where_its_data_is_not_here(tmp_path: Path, absent: bool, verdict: str) -> None:
    (judged,) = write_record(tmp_path, freeze((contract(),)), [], {"C1": Findings(data_absent=absent)})
    assert judged.decision.verdict == verdict


@pytest.mark.parametrize(
    ("names", "here", "absent"),
    [
        (("RAIN data set",), (), ["rain"]),
        (("Rain", "snow"), (), ["rain", "snow"]),
        (("rain", "snow"), ("rain",), ["snow"]),
        (("hail",), (), []),
        (("?",), (), []),
        ((), (), []),
    ],
)
def test_the_sources_that_a_claim_rests_on_and_that_are_not_here_are_named(
    tmp_path: Path, names: tuple[str, ...], here: tuple[str, ...], absent: list[str]
) -> None:
    run, settings = with_data(tmp_path, here)
    asked = contract(datasets=[Dataset(name=name) for name in names])
    assert rested_on(asked, data_absent(run, PLAN, settings)) == absent


@pytest.mark.parametrize(
    ("here", "fault", "given_up"),
    [
        ((), "exit code 1: FileNotFoundError: rain.csv", True),
        ((), "exit code 1: ValueError: 3", False),
        ((), "exit code 1: FileNotFoundError: configs/fulll.yaml", False),
        (("rain",), "exit code 1: FileNotFoundError: rain.csv", False),
    ],
)
def test_a_program_is_not_asked_for_again_because_data_that_is_not_here_was_not_found(
    tmp_path: Path, here: tuple[str, ...], fault: str, given_up: bool
) -> None:
    run, settings = with_data(tmp_path, here)
    asked = contract(datasets=[Dataset(name="rain")])
    draft = Draft(asked, climb(asked), faults=(fault,))
    context = SimpleNamespace(ws=SimpleNamespace(run=run), settings=settings)
    give_up_without_data(context, PLAN, [draft])  # type: ignore[arg-type]
    assert draft.given_up == (fault if given_up else "")
