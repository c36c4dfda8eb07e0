"""Error bodies as endpoints and gateways write them: what each means, how long to wait, and how large the window is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from agentsys.llm import faults
from agentsys.llm.faults import Faults
from agentsys.llm.openai_provider import _Form, _simpler
from agentsys.llm.redact import Redactor

FORMS = yaml.safe_load(Path(__file__).with_name("error_forms.yaml").read_text())


@pytest.mark.parametrize("name", FORMS)
def test_error_is_told_by_its_words_whoever_wrote_it(name: str) -> None:
    form = FORMS[name]
    of = Faults("OPENAI_API_KEY", "OPENAI_BASE_URL or `base_url`", "/v1", Redactor(["test-key"]))
    body = form["body"] if isinstance(form["body"], str) else json.dumps(form["body"])
    good = form["status"] == 200
    fault = of.of_error(body) if good else of.of_status(form["status"], body, form.get("headers", {}))
    assert type(fault) is getattr(faults, form["kind"]), fault.message
    if "wait" in form:
        assert fault.retry_after == pytest.approx(form["wait"], abs=0.51)
    if "window" in form:
        assert getattr(fault, "window", 0) == form["window"]
    assert form.get("words", "") in fault.message


SYSTEM = [
    "System role not supported",
    "Developer instruction is not enabled for models/gemma-3-27b-it",
    "Conversation roles must alternate user/assistant/user/assistant/...",
    "'system' is not one of ['user', 'assistant'] - 'messages.0.role'",
    "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
    "Only user and assistant roles are supported!",
    "First message must be from user",
    "The first message must have role 'user'",
    "invalid role: system",
    "Invalid role 'system'",
    "System messages are not supported by this model",
    "This model does not support system prompts",
    "This model doesn't support system messages.",
    "role 'system' is not allowed",
    "Role must be in the set ['user','assistant']",
    "Jinja Exception: System role not supported",
    "messages.0.role: Input should be 'user' or 'assistant'",
    'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter',
    "unknown message role: system",
    "After the optional system message, conversation roles must alternate user/assistant/user/assistant/...",
    "Expected last role User or Tool (or Assistant with prefix True) for serving but got system",
    "System message must be at the beginning",
    'Error rendering prompt with jinja template: "Conversations must start with a user prompt"',
    "The model does not accept system instructions",
    "system_instruction is not supported",
    "'role' must be 'user' or 'assistant'",
    "Role `system` is not supported",
    "The system role is unavailable for this model",
    "'messages' must contain only user and assistant roles",
    "Error: chat template does not support system role",
]
"""How endpoints say that a model has no role for the rules."""


@pytest.mark.parametrize("words", SYSTEM)
def test_refused_system_role_is_told_by_its_words(words: str) -> None:
    simpler = _simpler(_Form(), 400, json.dumps({"error": {"message": words}}))
    assert simpler is not None
    assert not simpler.system
    assert simpler.stream


@pytest.mark.parametrize(
    "words",
    [
        "System overloaded, not supported now",
        "The file system is not supported",
        "Unsupported parameter: 'temperature' is not supported with this model.",
        "user role quota exceeded",
        "operating system not allowed",
    ],
)
def test_other_refusals_leave_the_system_role_alone(words: str) -> None:
    simpler = _simpler(_Form(), 400, json.dumps({"error": {"message": words}}))
    assert simpler is None or simpler.system
