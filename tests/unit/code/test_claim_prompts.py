"""What of paper and repository is shown to who writes a claim's program, and to who checks it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agentsys.code.claim_programs import Draft, ask_programs
from agentsys.code.claim_review import review_programs
from agentsys.core.artifacts import DataSource, Plan
from agentsys.core.errors import NoUsableAnswer
from agentsys.core.events import EventLog
from agentsys.core.files import write_json
from agentsys.core.settings import Settings
from agentsys.llm.types import Prompt
from agentsys.paper import read_paper
from agentsys.plan.claims.contract import Contract
from agentsys.plan.context import Context
from agentsys.plan.data import FILE, DataState, Held
from agentsys.verify.claims.cells import climb
from scripted.claims import LAST_VALUE, WRONG_CLAIM, WRONG_CONTRACT
from scripted.recording import write_paper
from unit.verify.tiny import MODEL, PLAN

SILENCE, CHOICE = "the start, taken as zero", "each seed averages 200 runs"
FILLER = "Nothing in this sentence is about the method. "
STATED, DEFINED = "With b = 0.5 the last corrected value is 97.0.", "The mean is divided by one minus the power."


class Model:
    """Keeps the prompts, and answers none of them."""

    def __init__(self) -> None:
        self.prompts: dict[str, Prompt] = {}

    async def ask(self, role: str, item: str, prompt: Prompt, parse: Any) -> str:
        self.prompts[item] = prompt
        raise NoUsableAnswer("no answer", "")


def paper_of(folder: Path, filler: int) -> Path:
    sections = {"1 Introduction": FILLER * filler, "2 Method": DEFINED, "3 Results": STATED}
    text = "\n\n".join(f"## {title}\n\n{body}" for title, body in sections.items())
    return write_paper(folder, f"# Corrected Means\n\n## Abstract\n\nA mean without bias.\n\n{text}\n")


async def prompts_of(
    folder: Path, filler: int, sources: tuple[DataSource, ...] = (), rests_on: Sequence[dict[str, str]] = ()
) -> dict[str, Prompt]:
    """Return the prompts on a claim of section 3; the ledger names section 2, and the first of `sources` is here."""
    place = {"section": "3"}
    whole = {**WRONG_CONTRACT, "kind": "number", "text": WRONG_CLAIM["text"], "place": place}
    whole["target"] = {"value": 97.0, "where": place}
    whole |= {"silent": [SILENCE], "choices": [CHOICE], "datasets": list(rests_on)}
    contracts = [Contract.model_validate({**whole, "claim": name}) for name in ("C1", "C2")]
    (folder / "repo" / "tiny").mkdir(parents=True)
    (folder / "repo" / "tiny" / "model.py").write_text(MODEL)
    data = PLAN.model_dump(mode="json")
    data["requirements"] = [{**data["requirements"][0], "place": {"section": "2"}}]
    plan, model = Plan.model_validate(data).model_copy(update={"data": sources}), Model()
    write_json(folder / FILE, DataState(sources=tuple(Held(name=row.name, state="here") for row in sources[:1])))
    run = SimpleNamespace(repo=folder / "repo", claims=folder / "claims", path=folder)
    (folder / "data" / "rain").mkdir(parents=True)
    (folder / "data" / "rain" / "rain.csv").write_text("1\n")
    events, settings = EventLog(None, "r"), Settings(data_dir=folder / "data" if rests_on else None)
    ws = SimpleNamespace(paper=read_paper(paper_of(folder, filler)), run=run, settings=settings, events=events)
    ws.code_tree, ws.require_plan = lambda: "tree", lambda: plan
    context = Context(ws, None, model, None, None, None, None, None)  # type: ignore[arg-type]
    for checks in (False, True):
        await ask_programs(context, plan, [Draft(row, climb(row), checks=checks) for row in contracts], {})
    await review_programs(context, [Draft(row, climb(row), text=LAST_VALUE) for row in contracts], 1)
    return model.prompts


JUDGES = ("claims/check_c1.py", "claims/review_c1_c2")


def text_of(prompt: Prompt) -> str:
    return "\n".join(part.text for part in (*prompt.prefix, *prompt.body))


@pytest.mark.parametrize("item", JUDGES)
async def test_who_judges_a_program_sees_a_short_paper_whole_and_of_a_long_one_what_ledger_and_claim_name(
    tmp_path: Path, item: str
) -> None:
    short = text_of((await prompts_of(tmp_path / "a", 100))[item])
    assert FILLER in short and DEFINED in short and STATED in short
    long = text_of((await prompts_of(tmp_path / "b", 1000))[item])
    assert FILLER not in long and DEFINED in long and STATED in long


async def test_who_writes_a_program_sees_the_repository_and_the_sections_of_its_claim(tmp_path: Path) -> None:
    shown = text_of((await prompts_of(tmp_path, 300))["claims/c1.py"])
    assert "def mean" in shown and STATED in shown and DEFINED not in shown
    assert "96.5" not in shown and "97.5" not in shown


@pytest.mark.parametrize("item", ["claims/c1.py", "claims/check_c1.py"])
async def test_who_writes_a_program_is_told_of_the_data_that_is_here_and_of_no_other(tmp_path: Path, item: str) -> None:
    sources = tuple(
        DataSource(name=name, kind="url", identifier=f"https://example.org/{name}.csv") for name in ("rain", "snow")
    )
    shown = text_of((await prompts_of(tmp_path / "a", 10, sources))[item])
    assert "`data/rain/`" in shown and "snow" not in shown
    assert "data/" not in text_of((await prompts_of(tmp_path / "b", 10))[item])


@pytest.mark.parametrize("item", ["claims/c1.py", "claims/check_c1.py"])
async def test_who_writes_a_program_is_told_which_of_its_claims_data_is_not_here(tmp_path: Path, item: str) -> None:
    sources = tuple(
        DataSource(name=name, kind="url", identifier=f"https://example.org/{name}.csv") for name in ("rain", "snow")
    )
    rests = [{"name": "Rain"}, {"name": "the snow series"}]
    shown = text_of((await prompts_of(tmp_path, 10, sources, rests))[item])
    assert "Data that is not here: snow." in shown and "FileNotFoundError" in shown


async def test_who_checks_a_program_sees_no_code(tmp_path: Path) -> None:
    shown = text_of((await prompts_of(tmp_path, 10))["claims/check_c1.py"])
    assert "tiny" not in shown and "def mean" not in shown


async def test_prompts_on_claims_begin_with_what_they_have_in_common(tmp_path: Path) -> None:
    prompts = await prompts_of(tmp_path, 10)
    for one, other in (("claims/c1.py", "claims/c2.py"), JUDGES, ("claims/check_c1.py", "claims/check_c2.py")):
        assert prompts[one].prefix == prompts[other].prefix
        assert len(prompts[one].prefix) == 2 and prompts[one].body != prompts[other].body


@pytest.mark.parametrize("item", ["claims/c1.py", *JUDGES])
async def test_what_was_agreed_where_the_paper_leaves_it_open_is_told_to_all_three(tmp_path: Path, item: str) -> None:
    shown = text_of((await prompts_of(tmp_path, 10))[item])
    assert SILENCE in shown and CHOICE in shown
