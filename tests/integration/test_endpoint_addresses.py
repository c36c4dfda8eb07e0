"""Addresses over real HTTP as users have them: queries, deployments, headers, blanks and missing schemes."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.core.errors import PrerequisiteError, UsageError
from agentsys.core.events import EventLog
from agentsys.core.settings import Settings
from agentsys.core.settings_layers import load_settings
from agentsys.llm.factory import build_model
from agentsys.llm.openai_provider import parts_of
from integration.endpoint_run import Run, ask, plain
from integration.faulty_endpoint import ok, serving


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


async def test_query_of_the_address_stands_in_every_request(run: Run) -> None:
    async with serving(ok(""), ok("fine")) as endpoint:
        address = f"http://127.0.0.1:{endpoint.port}/openai/deployments/mine?api-version=2024-10-21"
        assert await ask(run.model(endpoint, base_url=address), plain) == "fine"
    path = "/openai/deployments/mine/chat/completions?api-version=2024-10-21"
    assert [request.path for request in endpoint.requests] == [path, path]


@pytest.mark.parametrize(
    ("address", "path", "query"),
    [
        ("https://r.openai.azure.com/?api-version=1", "/openai/deployments/gpt%2F5", {"api-version": "1"}),
        ("https://r.openai.azure.com", "/openai/v1", {}),
        ("https://r.openai.azure.com/openai/v1/", "/openai/v1", {}),
        (
            "https://r.openai.azure.com/openai/deployments/d?api-version=1",
            "/openai/deployments/d",
            {"api-version": "1"},
        ),
        ("https://host.example/v1/chat/completions", "/v1", {}),
        ("https://host.example/v1/?a=b&empty=", "/v1", {"a": "b", "empty": ""}),
    ],
)
def test_address_is_parted_into_what_the_sdk_takes(address: str, path: str, query: dict[str, str]) -> None:
    found, fields = parts_of(address, "gpt/5")
    assert (found.partition(".com")[2] or found.partition(".example")[2]) == path
    assert fields == query


async def test_query_and_headers_of_the_settings_are_sent_and_secrets_come_from_the_environment(
    run: Run, tmp_path: Path
) -> None:
    sets = [
        "extra_query.api-version=2024-10-21",
        "extra_headers.X-Team=vision",
        "extra_headers.api-key=$MY_GATEWAY_KEY",
    ]
    environ = {"OPENAI_API_KEY": "test-key-0123456789", "MY_GATEWAY_KEY": "gateway-secret-1"}
    async with serving(ok("the key is gateway-secret-1")) as endpoint:
        sets = [*sets, "model=m", f"base_url={endpoint.url}"]
        settings, _ = load_settings(sets=sets, env={}, cwd=tmp_path)
        model = build_model(settings, tmp_path / "llm", EventLog(None, "test"), environ=environ)
        assert await ask(model, plain) == "the key is [redacted]"
    [request] = endpoint.requests
    assert request.path == "/v1/chat/completions?api-version=2024-10-21"
    assert (request.headers["x-team"], request.headers["api-key"]) == ("vision", "gateway-secret-1")
    assert "gateway-secret" not in settings.model_dump_json()


@pytest.mark.parametrize("pair", ["extra_headers.api-key=abc", "extra_headers.Authorization=Bearer 123456789"])
def test_header_that_holds_a_secret_is_refused_as_a_setting(tmp_path: Path, pair: str) -> None:
    with pytest.raises(UsageError, match="looks like a secret"):
        load_settings(sets=[pair], env={}, cwd=tmp_path)


def test_header_whose_variable_is_not_set_is_refused_by_name(tmp_path: Path) -> None:
    settings = Settings(model="m", base_url="http://localhost/v1", extra_headers={"X-Key": "$NOT_THERE"})
    with pytest.raises(PrerequisiteError, match="NOT_THERE"):
        build_model(settings, tmp_path, EventLog(None, "test"), environ={})


@pytest.mark.parametrize("around", [" {url}\n", "\t{url}/", '"{url}"', "{url}/chat/completions"])
async def test_address_is_trimmed_of_what_copying_brings(run: Run, around: str) -> None:
    async with serving(ok("fine")) as endpoint:
        assert await ask(run.model(endpoint, base_url=around.replace("{url}", endpoint.url)), plain) == "fine"
    assert endpoint.requests[0].path == "/v1/chat/completions"


@pytest.mark.parametrize(
    "address", ["localhost:8000/v1", "http://local host/v1", "http://a\nb/v1", "//host/v1", "http:/v1"]
)
@pytest.mark.parametrize("variable", [False, True], ids=["setting", "environment"])
def test_address_that_cannot_be_used_is_refused_by_name_before_any_call(
    tmp_path: Path, address: str, variable: bool
) -> None:
    settings = Settings(model="m", base_url="" if variable else address)
    environ = {"OPENAI_API_KEY": "x"} | ({"OPENAI_BASE_URL": address} if variable else {})
    with pytest.raises(PrerequisiteError, match="not an http address") as caught:
        build_model(settings, tmp_path, EventLog(None, "test"), environ=environ)
    assert "OPENAI_BASE_URL or `base_url`" in caught.value.hint
    assert caught.value.exit_code == 3
