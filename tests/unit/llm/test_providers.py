"""A provider is one class and one row, or an entry point of another distribution."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agentsys.core.errors import PrerequisiteError, UsageError
from agentsys.core.events import EventLog
from agentsys.core.providers import BUILT_IN, provider_table
from agentsys.core.settings import Settings
from agentsys.core.settings_layers import load_settings
from agentsys.llm.factory import build_model, build_providers, provider_of
from agentsys.llm.types import Part, Prompt
from integration.faulty_endpoint import ok, serving

KEY = "test-key-0123456789"
MODULE = """\
from agentsys.llm.openai_provider import OpenAIProvider


class Example(OpenAIProvider):
    name = "example"
    key_variables = ("EXAMPLE_API_KEY", "OTHER_API_KEY")
    endpoint_variable = "EXAMPLE_BASE_URL"
    endpoint = "https://models.example/v1"
    models = ("example-*",)
    reserved = ("seed",)
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Lay another distribution beside agentsys, as an installer would."""

    def lay(module: str = MODULE, row: str = "example = example_provider:Example", name: str = "example") -> None:
        site = tmp_path / f"site-{name}"
        facts = site / f"{name}-1.0.dist-info"
        facts.mkdir(parents=True)
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text(f"[agentsys.providers]\n{row}\n")
        (site / f"{name}_provider.py").write_text(module)
        monkeypatch.syspath_prepend(site)

    yield lay
    for name in [name for name in sys.modules if name.endswith("_provider") and "." not in name]:
        del sys.modules[name]


def test_every_row_of_the_table_is_a_provider_that_says_this_name() -> None:
    assert {"openai", "anthropic"} <= BUILT_IN.keys()
    for name in BUILT_IN:
        found = provider_of("any-model", Settings(provider=name), {})
        assert found.name == name and found.key_variables and found.endpoint_variable


@pytest.mark.parametrize("provider", ["auto", "example"])
async def test_a_provider_of_another_distribution_answers_over_its_own_endpoint(
    install: Install, tmp_path: Path, provider: str
) -> None:
    install()
    settings, _ = load_settings(sets=[f"provider={provider}", "model=example-1"], env={}, cwd=tmp_path)
    async with serving(ok("fine")) as endpoint:
        environ = {"OTHER_API_KEY": KEY, "EXAMPLE_BASE_URL": endpoint.url}
        model = build_model(settings, tmp_path / "llm", EventLog(None, "test"), environ=environ)
        prompt = Prompt((), (Part("task", "the task"),))
        assert await model.ask("planner", "plan", prompt, lambda text: text) == "fine"
        await model.close()
    assert endpoint.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert endpoint.requests[0].body["model"] == "example-1"


@pytest.mark.parametrize(
    ("settings", "environ", "words"),
    [
        ({}, {}, "EXAMPLE_API_KEY or OTHER_API_KEY is not set"),
        ({"model_params": {"seed": 1}}, {"EXAMPLE_API_KEY": KEY}, "may not set `seed` for the provider `example`"),
        ({"model_params": {"messages": []}}, {"EXAMPLE_API_KEY": KEY}, "may not set `messages`"),
        ({"base_url": "ftp://host"}, {"EXAMPLE_API_KEY": KEY}, "not an http address"),
    ],
)
def test_what_a_provider_needs_is_told_with_its_own_names(
    install: Install, settings: dict[str, object], environ: dict[str, str], words: str
) -> None:
    install()
    with pytest.raises(PrerequisiteError, match=words) as caught:
        build_providers(Settings.model_validate({"model": "m", "provider": "example"} | settings), environ)
    assert "OPENAI" not in caught.value.message + caught.value.hint


def test_an_endpoint_of_the_users_own_wins_over_a_pattern(install: Install) -> None:
    install()
    environ = {"OPENAI_BASE_URL": "http://localhost/v1"}
    assert provider_of("example-1", Settings(), environ).name == "openai"
    assert provider_of("example-1", Settings(), {}).name == "example"
    assert provider_of("gpt-5", Settings(), {}).name == "openai"


@pytest.mark.parametrize("installed", [False, True])
def test_an_unknown_provider_is_refused_with_all_names_and_its_layer(
    install: Install, installed: bool, tmp_path: Path
) -> None:
    if installed:
        install()
    with pytest.raises(UsageError) as caught:
        load_settings(sets=["provider=opnai"], env={}, cwd=tmp_path)
    *names, last = (f"'{name}'" for name in ("auto", *BUILT_IN, *(["example"] if installed else [])))
    expected = f"{', '.join(names)} or {last}"
    assert caught.value.message == f"setting `provider` in `--set` is not usable: input should be {expected}"
    assert caught.value.exit_code == 2


def test_an_unknown_role_is_refused_with_all_names_and_its_layer(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings(sets=["agent_models.codr=x"], env={}, cwd=tmp_path)
    assert caught.value.message == (
        "setting `agent_models.codr` in `--set` is not usable: input should be "
        "'planner', 'analyzer', 'coder', 'debugger', 'auditor', 'reviewer', 'checker' or 'judge'"
    )


@pytest.mark.parametrize(
    ("module", "row"),
    [
        ("import not_there_at_all\n", "example = example_provider:Example"),
        ("", "example = example_provider:Example"),
        ("Example = 3\n", "example = example_provider:Example"),
        ("class Example:\n    name = 'example'\n", "example = example_provider:Example"),
        (MODULE, "sample = example_provider:Example"),
    ],
    ids=["import fails", "no class", "no class but a number", "no provider", "another name"],
)
def test_a_provider_that_cannot_be_used_is_a_missing_prerequisite(install: Install, module: str, row: str) -> None:
    install(module, row)
    name = row.partition(" ")[0]
    for provider in (name, "auto"):
        with pytest.raises(PrerequisiteError, match="example_provider:Example") as caught:
            build_providers(Settings(provider=provider, model="example-1"), {"EXAMPLE_API_KEY": KEY})
        assert caught.value.hint
    # Another one that is named does not suffer.
    assert build_providers(Settings(provider="openai", model="m"), {"OPENAI_API_KEY": KEY})


def test_a_name_that_is_taken_is_refused_and_never_decided_by_chance(install: Install) -> None:
    install(row="openai = example_provider:Example")
    with pytest.raises(PrerequisiteError, match="two packages bring a model provider `openai`"):
        provider_table()
