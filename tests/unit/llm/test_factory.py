"""Which provider, model and key are taken."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from agentsys.core.errors import PrerequisiteError
from agentsys.core.events import EventLog
from agentsys.core.settings import Settings
from agentsys.llm.factory import build_model, build_providers, is_local, provider_of

KEYS = {"OPENAI_API_KEY": "test-key-openai", "ANTHROPIC_API_KEY": "test-key-anthropic"}


@pytest.mark.parametrize(
    ("model", "settings", "environ", "provider"),
    [
        ("gpt-5", {}, {}, "openai"),
        ("claude-sonnet-4-5", {}, {}, "anthropic"),
        ("claude-sonnet-4-5", {}, {"OPENAI_BASE_URL": "http://localhost/v1"}, "openai"),
        ("claude-sonnet-4-5", {"base_url": "https://router.example/v1"}, {}, "openai"),
        ("claude-sonnet-4-5", {}, {"OPENAI_BASE_URL": ""}, "anthropic"),
        ("my-model", {"provider": "anthropic"}, {}, "anthropic"),
        ("claude-sonnet-4-5", {"provider": "openai"}, {}, "openai"),
    ],
)
def test_provider_follows_the_rule_in_settings(
    model: str, settings: dict[str, object], environ: Mapping[str, str], provider: str
) -> None:
    assert provider_of(model, Settings.model_validate({"model": model} | settings), environ).name == provider


def test_roles_with_the_same_model_share_one_provider() -> None:
    settings = Settings(model="gpt-5", agent_models={"coder": "gpt-5-codex", "debugger": "gpt-5"})
    providers = build_providers(settings, KEYS)
    assert providers["debugger"] is providers[""]
    assert providers["coder"].model == "gpt-5-codex"


@pytest.mark.parametrize(
    ("settings", "environ", "words"),
    [
        ({}, KEYS, "no model is chosen"),
        ({"model": "gpt-5"}, {}, "OPENAI_API_KEY is not set"),
        ({"model": "gpt-5"}, {"OPENAI_API_KEY": "  "}, "OPENAI_API_KEY is not set"),
        ({"model": "gpt-5"}, {"OPENAI_API_KEY": "schlüssel-geheim"}, "no valid key"),
        ({"model": "gpt-5", "base_url": "https://models.example/v1"}, {}, "OPENAI_API_KEY is not set"),
        ({"model": "claude-opus-4-1"}, {"OPENAI_API_KEY": "x"}, "ANTHROPIC_API_KEY is not set"),
        ({"model": "gpt-5", "base_url": "localhost:8000/v1"}, KEYS, "not an http address"),
        ({"model": "gpt-5", "base_url": "file:///etc/passwd"}, KEYS, "not an http address"),
        ({"model": "gpt-5", "model_params": {"messages": []}}, KEYS, "may not set `messages`"),
        ({"model": "gpt-5", "model_params": {"extra_body": {"model": "x"}}}, KEYS, "may not set `model`"),
        ({"model": "gpt-5", "model_params": {"extra_headers": {"a": "b"}}}, KEYS, "may not set `extra_headers`"),
        ({"model": "gpt-5", "model_params": {"extra_body": 3}}, KEYS, "`extra_body`"),
        ({"model": "claude-opus-4-1", "model_params": {"max_tokens": "many"}}, KEYS, "`max_tokens`"),
        ({"model": "claude-opus-4-1", "model_params": {"stream": True}}, KEYS, "`stream`"),
        ({"model": "my-own", "budget": 1.0}, KEYS, "`my-own` is unknown"),
    ],
)
def test_missing_prerequisite_is_told_before_any_call_with_exit_code_3(
    tmp_path: Path, settings: dict[str, object], environ: dict[str, str], words: str
) -> None:
    with pytest.raises(PrerequisiteError, match=words.replace("`", ".")) as caught:
        build_model(Settings.model_validate(settings), tmp_path, EventLog(None, "test"), environ=environ)
    assert caught.value.exit_code == 3
    assert caught.value.hint
    assert not any(key in caught.value.message for key in [*KEYS.values(), "schlüssel"])


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:11434/v1", True),
        ("http://127.0.0.1:8000/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://192.168.1.7/v1", True),
        ("http://gpu-box:8000/v1", True),
        ("http://models.internal/v1", True),
        ("https://api.openai.com/v1", False),
        ("https://8.8.8.8/v1", False),
        ("https://localhost.evil.example/v1", False),
        ("", False),
    ],
)
def test_local_endpoints_need_no_key(url: str, local: bool) -> None:
    assert is_local(url) is local
