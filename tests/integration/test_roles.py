"""Each role asks its own model: seen in the requests that arrive, and in every place that names the models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agentsys.core.artifacts import FIRST_DEMANDED, Check, ReviewFinding, Verdict
from agentsys.core.errors import PrerequisiteError
from agentsys.core.events import EventLog
from agentsys.core.rundir import RunDir
from agentsys.core.runrecord import RunRecord
from agentsys.core.settings import ROLES, Settings
from agentsys.llm.factory import build_providers
from agentsys.paper import read_paper
from agentsys.paper import write_paper as store_paper
from agentsys.plan.files import save_plan
from agentsys.run.assemble import Team, assemble
from integration.endpoint_run import KEY, PROMPT, Run, plain
from integration.faulty_endpoint import ok, serving
from integration.judge_endpoint import judging, reader
from integration.test_evaluate import run as evaluate
from scripted.recording import write_paper
from unit.evaluate.four import write_all
from unit.verify.delivered import WHOLE
from unit.verify.tiny import GREEN, write_repo

MET = {
    "requirement": "R1",
    "state": "met",
    "paper": "For a constant stream, c_t equals the constant for every t.",
    "code": "def mean",
}
OWN = {role: f"model-of-{role}" for role in ROLES}


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_sends_the_name_of_its_own_model(role: str, tmp_path: Path) -> None:
    run = Run(tmp_path)
    async with serving(ok("fine")) as endpoint:
        model = run.model(endpoint, model="model-of-all", agent_models=OWN)
        await model.ask(role, "item", PROMPT, plain)
        await model.close()
        others = run.model(endpoint, model="model-of-all", agent_models={r: m for r, m in OWN.items() if r != role})
        await others.ask(role, "other item", PROMPT, plain)
        await others.close()
    without = OWN["reviewer"] if role == "checker" else "model-of-all"
    assert [request.body["model"] for request in endpoint.requests] == [OWN[role], without]


def verified_run(folder: Path) -> RunDir:
    """A run directory whose tree passed every check, with one file to be reviewed."""
    run = RunDir(folder / "run")
    write_repo(run.repo, GREEN)
    store_paper(read_paper(write_paper(folder)), run.paper)
    model, *others = WHOLE.files
    files = (model.model_copy(update={"requirements": ("R1",)}), *others)
    save_plan(run.plan, WHOLE.model_copy(update={"files": files}))
    return run


def team_of(run: RunDir, url: str, **models: str) -> Team:
    settings = Settings.model_validate({"model": "model-of-all", "base_url": url, "agent_models": models})
    return assemble(run, RunRecord(id="run"), settings, EventLog(None, "test"), None)


@pytest.mark.parametrize(
    ("models", "asked"), [({"reviewer": "model-of-reviewer"}, "model-of-reviewer"), ({}, "model-of-all")]
)
async def test_the_reviewers_request_names_its_own_model(
    models: dict[str, str], asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    run = verified_run(tmp_path)
    async with serving(ok(json.dumps({"rows": [MET]}))) as endpoint:
        team = team_of(run, endpoint.url, **models)
        context = team.context
        context.git.commit("First version")
        checks = tuple(Check(name=name, state="passed") for name in FIRST_DEMANDED)
        verdict = Verdict(round=1, tree=context.ws.code_tree(), checks=checks, demanded=FIRST_DEMANDED, backend="fake")
        context.rounds.write_verdict(verdict)
        reviewer = next(each for each in team.agents if "review" in each.steps)
        await reviewer.act("review")
        await team.close()
    assert [request.body["model"] for request in endpoint.requests] == [asked]
    assert "tiny/model.py" in json.dumps(endpoint.requests[0].body)


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ([], set()),
        (["--set", "agent_models.judge=of-settings"], {"of-settings"}),
        (["--set", "agent_models.judge=of-settings", "--judge", "of-option"], {"of-option"}),
        (["--set", "agent_models.coder=of-coder", "--set", "model=of-all", "--judge", "of-option"], {"of-option"}),
    ],
)
def test_the_judges_requests_name_the_model_of_the_option_or_of_the_settings(
    words: list[str], asked: set[str], tmp_path: Path
) -> None:
    write_all(tmp_path)
    with judging(reader) as judge:
        done = evaluate(tmp_path, "--samples", "1", *words, judge=judge)
    assert done.returncode == 0, done.stderr
    assert set(judge.models) == asked


def test_config_show_lists_the_model_of_every_role(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from agentsys.cli.app import app

    monkeypatch.setenv("HOME", str(tmp_path))
    words = [word for role, name in OWN.items() for word in ("--set", f"agent_models.{role}={name}")]
    shown = json.loads(CliRunner().invoke(app, ["config", "show", "--json", *words]).output)
    assert {row["key"]: row["value"] for row in shown if row["key"].startswith("agent_models.")} == {
        f"agent_models.{role}": name for role, name in OWN.items()
    }


@pytest.mark.parametrize("role", ROLES)
def test_a_budget_is_refused_where_the_price_of_one_roles_model_is_unknown(role: str) -> None:
    settings = Settings(model="gpt-5", budget=1.0, agent_models={role: "no-price-for-this"})
    with pytest.raises(PrerequisiteError, match="no-price-for-this"):
        build_providers(settings, {"OPENAI_API_KEY": KEY})


def test_the_seal_of_the_audit_names_every_model(tmp_path: Path) -> None:
    from agentsys.audit.record import seal_audit

    run = verified_run(tmp_path)
    team = team_of(run, "http://127.0.0.1:9/v1", **OWN)
    run.audit.mkdir(exist_ok=True)
    seal_audit(team.context, "verified")
    manifest = json.loads((run.audit / "manifest.json").read_text())
    assert manifest["facts"]["models"] == sorted({"model-of-all", *OWN.values()})


def test_the_doctor_asks_every_model_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from agentsys.cli.doctor import models

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with judging(lambda prompt, number: "ready") as endpoint:
        settings = Settings(model="model-of-all", base_url=endpoint.url, agent_models={**OWN, "coder": "model-of-all"})
        named, row = models.configured(settings), models.answers(settings)
    expected = {"model-of-all", *OWN.values()} - {OWN["coder"]}
    assert sorted(endpoint.models) == sorted(expected)
    assert row is not None and row.status == "ok"
    assert all(f"`{name}`" in named.detail and f"`{name}`" in row.detail for name in expected)
    assert "`model-of-reviewer` through openai (reviewer)" in named.detail


def test_the_doctor_names_the_one_model_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    from agentsys.cli.doctor import models

    pytest.importorskip("anthropic", reason="the extra `anthropic` is not installed")
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with judging(lambda prompt, number: "ready") as endpoint:
        monkeypatch.setattr("agentsys.llm.openai_provider.OpenAIProvider.endpoint", endpoint.url)
        row = models.answers(Settings(model="gpt-5", agent_models={"judge": "claude-sonnet-4-5"}))
    assert row is not None and row.status == "fail"
    assert "`claude-sonnet-4-5`: the connection" in row.detail and "`gpt-5`" not in row.detail
    assert endpoint.models == ["gpt-5"]


CHEAT = {
    "requirement": "R1",
    "state": "wrong",
    "about": "check",
    "file": "reproduce.sh",
    "code": "python -m tiny.run",
    "what": "the script runs something else than what is tested",
}


async def reviewed(folder: Path, finding: dict[str, str]) -> tuple[list[ReviewFinding], str]:
    """What a review keeps of one finding, and what the reviewer was sent."""
    run = verified_run(folder)
    write_repo(run.repo, {"data/curve.csv": "1,2\n", "configs/full.yaml": "n: 2\n"})
    async with serving(ok(json.dumps({"rows": [MET, finding]}))) as endpoint:
        team = team_of(run, endpoint.url)
        context = team.context
        context.git.commit("First version")
        checks = tuple(Check(name=name, state="passed") for name in FIRST_DEMANDED)
        verdict = Verdict(round=1, tree=context.ws.code_tree(), checks=checks, demanded=FIRST_DEMANDED, backend="fake")
        context.rounds.write_verdict(verdict)
        await next(each for each in team.agents if "review" in each.steps).act("review")
        await team.close()
    (request,) = endpoint.requests
    return list(context.rounds.reviews()[1].findings), json.dumps(request.body)


@pytest.mark.parametrize(
    ("change", "severity", "path"),
    [
        ({}, "wrong", "reproduce.sh"),
        ({"file": "tests/test_model.py", "code": "assert mean([1.0, 3.0]) == 2.0"}, "wrong", "tests/test_model.py"),
        ({"code": "echo 1.935 > results/results.json"}, "doubt", "reproduce.sh"),
        ({"file": "elsewhere.py"}, "doubt", "tiny/model.py"),
        ({"about": "paper"}, "doubt", "reproduce.sh"),
        ({"state": "met", "code": "a line that is not there"}, "doubt", "reproduce.sh"),
    ],
)
async def test_a_cheat_that_the_reviewer_can_point_to_is_a_finding_and_anything_less_is_a_doubt(
    change: dict[str, str], severity: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    (row,), _ = await reviewed(tmp_path, CHEAT | change)
    assert (row.severity, row.path) == (severity, path)
    assert row.read_with == ("tiny/model.py" if path != "tiny/model.py" else "")


async def test_the_reviewer_sees_script_configuration_tests_and_names_of_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    _, sent = await reviewed(tmp_path, CHEAT)
    for words in (
        "python -m tiny.run",
        "n: 2",
        "def test_mean",
        "data/curve.csv (4 bytes)",
        "look right without being",
    ):
        assert words in sent, words
    # What is the same for every file of a review stands before what is not.
    assert sent.index("# How a file is reviewed") < sent.index("compare `tiny/model.py`")
