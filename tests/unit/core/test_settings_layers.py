"""Settings: which layer wins, what is refused, and that no secret gets in."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from agentsys.core.errors import UsageError
from agentsys.core.ownership import mark
from agentsys.core.rundir import RunDir
from agentsys.core.runrecord import RunRecord, SettingValue
from agentsys.core.settings import Settings
from agentsys.core.settings_layers import FROM_LOCAL, load_settings, resume_settings, user_file
from agentsys.core.settings_text import FIELDS, OPTIONAL, PATHS, TABLES, TEXTS, duration, read_env_file, written_value


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_without_layers_everything_is_the_default(env: dict[str, str], tmp_path: Path) -> None:
    settings, sources = load_settings(env=env, cwd=tmp_path)
    assert settings == Settings()
    assert {item.source for item in sources.values()} == {"default"}


def test_each_layer_wins_over_the_one_below(env: dict[str, str], tmp_path: Path) -> None:
    user = write(user_file(env), "".join(f"{key} = 1\n" for key in ORDER))
    local = write(tmp_path / "agentsys.toml", "".join(f"{key} = 2\n" for key in ORDER[1:] if key in FROM_LOCAL))
    extra = write(tmp_path / "extra.toml", "".join(f"{key} = 3\n" for key in ORDER[2:]))
    env |= {f"AGENTSYS_{key.upper()}": "4" for key in ORDER[3:]}
    settings, sources = load_settings(
        flags={ORDER[5]: 6, "model": None}, sets=[f"{key}=5" for key in ORDER[4:]], config=extra, env=env, cwd=tmp_path
    )
    assert [getattr(settings, key) for key in ORDER] == [1, 2, 3, 4, 5, 6]
    assert [sources[key].source for key in ORDER] == [str(user), str(local), str(extra), "env", "--set", "flag"]


ORDER = ("attempts", "concurrency", "max_rounds", "max_tokens", "call_timeout", "round_timeout")


def test_tables_are_merged_key_by_key(env: dict[str, str], tmp_path: Path) -> None:
    write(user_file(env), "[model_params]\ntemperature = 0.5\nseed = 1\n[model_params.extra_body]\na = 1\n")
    own = write(tmp_path / "own.toml", "[model_params]\nseed = 2\n[agent_models]\ncoder = 'x'\n")
    settings, sources = load_settings(sets=["model_params.extra_body.b=2"], config=own, env=env, cwd=tmp_path)
    assert settings.model_params == {"temperature": 0.5, "seed": 2, "extra_body": {"a": 1, "b": 2}}
    assert settings.agent_models == {"coder": "x"}
    assert sources["model_params.seed"].source == str(own)
    assert sources["model_params.extra_body.b"].source == "--set"


def test_value_that_is_also_a_table_is_refused(env: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="table"):
        load_settings(sets=["model_params.a=1", "model_params.a.b=2"], env=env, cwd=tmp_path)


@pytest.mark.parametrize("layer", ["--set", "file", "local"])
def test_unknown_key_names_layer_and_nearest_key(env: dict[str, str], tmp_path: Path, layer: str) -> None:
    path = write(tmp_path / ("agentsys.toml" if layer == "local" else "extra.toml"), "max_round = 3\n")
    sets = ["max_round=3"] if layer == "--set" else []
    config = path if layer == "file" else None
    if layer == "--set":
        path.unlink()
    with pytest.raises(UsageError) as caught:
        load_settings(sets=sets, config=config, env=env, cwd=tmp_path)
    assert "`max_round`" in caught.value.message
    assert (layer if layer == "--set" else str(path)) in caught.value.message
    assert caught.value.hint == "did you mean `max_rounds`?"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("key", ["keep_sandbox", "index_gateway"])
@pytest.mark.parametrize("layer", ["--set", "file", "env"])
def test_a_setting_that_is_gone_says_so_and_suggests_no_other(
    layer: str, key: str, env: dict[str, str], tmp_path: Path
) -> None:
    config = write(tmp_path / "extra.toml", f"{key} = true\n") if layer == "file" else None
    sets = [f"{key}=true"] if layer == "--set" else []
    with pytest.raises(UsageError, match=rf"(?i){key}") as caught:
        load_settings(
            sets=sets,
            config=config,
            env=env | ({f"AGENTSYS_{key.upper()}": "1"} if layer == "env" else {}),
            cwd=tmp_path,
        )
    assert caught.value.hint.startswith("remove it")
    assert caught.value.exit_code == 2


def test_nearly_a_variable_is_refused_and_a_foreign_one_is_left_alone(env: dict[str, str], tmp_path: Path) -> None:
    load_settings(env=env | {"AGENTSYS_RAISE": "1", "AGENTSYS_CACHE_DIR": "/x", "AGENTSYS_ZZZZ": "1"}, cwd=tmp_path)
    with pytest.raises(UsageError, match="AGENTSYS_BUDGT"):
        load_settings(env=env | {"AGENTSYS_BUDGT": "5"}, cwd=tmp_path)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("20m", 1200), ("2h", 7200), ("1h30m", 5400), ("0.5h", 1800)]
)
def test_durations(text: str, seconds: float, env: dict[str, str], tmp_path: Path) -> None:
    assert duration(text) == seconds
    assert load_settings(sets=[f"time_limit={text}"], env=env, cwd=tmp_path)[0].time_limit == seconds


@pytest.mark.parametrize("text", ["", "h", "2 h 5", "-5m", "1m2h", "ten", "1e3"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration"):
        duration(text)


def test_text_stays_text_and_none_clears(env: dict[str, str], tmp_path: Path) -> None:
    write(user_file(env), "budget = 5.0\n")
    settings, _ = load_settings(sets=["model=007", "budget=none", "agent_models.coder=4"], env=env, cwd=tmp_path)
    assert (settings.model, settings.budget, settings.agent_models) == ("007", None, {"coder": "4"})


def test_kinds_of_fields_follow_from_their_types() -> None:
    assert {"model", "provider", "backend", "image", "review", "stop_after"} <= TEXTS
    assert not TEXTS & {"max_rounds", "budget", "docker_hosts", "model_params", "gpu", "time_limit"}
    assert {"replay", "review", "advisories", "source", "nougat_model", "data_dir"} == PATHS
    assert PATHS | {"budget", "max_tokens", "time_limit"} == OPTIONAL
    assert {"model_params", "agent_models", "extra_headers", "extra_query"} == TABLES


def test_line_break_in_a_value_cannot_bring_in_another_key() -> None:
    assert written_value("max_rounds", "1\nbudget = 2") == "1\nbudget = 2"


@pytest.mark.parametrize("pair", ["max_rounds=-1", "budget=abc", "agent_models.codr=x", "model_params=5"])
def test_unusable_value_names_key_and_layer(pair: str, env: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings(sets=[pair], env=env, cwd=tmp_path)
    assert pair.partition("=")[0] in caught.value.message
    assert "--set" in caught.value.message


@pytest.mark.parametrize(
    "pair",
    [
        "model_params.api_key=x",
        "model_params.extra_body.password=x",
        "model_params.extra_headers={Authorization = 'x'}",
        "model_params.x=sk-1234567890",
        "base_url=https://user:pass@host/v1",
        "base_url=https://host/v1?api_key=x",
    ],
)
def test_secrets_are_refused_in_every_layer(pair: str, env: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="looks like a secret") as caught:
        load_settings(sets=[pair], env=env, cwd=tmp_path)
    assert "sk-123" not in str(caught.value)
    assert "pass@" not in str(caught.value)


def test_token_counts_are_no_secrets(env: dict[str, str], tmp_path: Path) -> None:
    sets = ["model_params.max_completion_tokens=100", "model_params.max_tokens=5"]
    assert load_settings(sets=sets, env=env, cwd=tmp_path)[0].model_params["max_completion_tokens"] == 100


BARRED = [
    "agent_models",
    "advisories",
    "allow_weak_sandbox",
    "arxiv_url",
    "attempts",
    "backend",
    "base_url",
    "budget",
    "claim_budget",
    "claim_jobs",
    "claims",
    "cpus",
    "data",
    "data_budget",
    "data_dir",
    "data_mirrors",
    "denied_packages",
    "derived_tests",
    "docker_hosts",
    "extra_headers",
    "extra_query",
    "gpu",
    "gpu_driver",
    "image",
    "max_pages",
    "max_rounds",
    "max_tokens",
    "memory_mb",
    "model",
    "model_params",
    "mutants",
    "nougat_model",
    "offline",
    "package_cooldown_days",
    "policy",
    "prices",
    "provider",
    "replay",
    "review",
    "reviews",
    "round_timeout",
    "full_seconds",
    "runtime",
    "source",
    "strict_replay",
    "time_limit",
    "vision",
]
LITERAL = {
    "model_params": "{seed = 1}",
    "agent_models": "{judge = 'x'}",
    "extra_headers": "{X-Team = 'x'}",
    "extra_query": "{a = 'x'}",
    "docker_hosts": "['x']",
    "denied_packages": "[]",
}


def test_every_setting_is_either_free_or_barred_in_a_file_of_the_working_directory() -> None:
    assert sorted(FROM_LOCAL | set(BARRED)) == sorted(FIELDS)
    assert not FROM_LOCAL & set(BARRED)


def test_the_documentation_names_every_setting_that_a_folder_may_make_and_every_one_that_it_may_not() -> None:
    text = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text(encoding="utf-8")
    part = text.partition("### What a folder may set")[2].partition("Put them into your own file")[0]
    free, _, barred = part.partition("and nothing else")
    assert set(re.findall(r"`([a-z_]+)`", free)) - {"agentsys"} == FROM_LOCAL
    assert sorted(re.findall(r"`([a-z_]+)`", barred)) == sorted(BARRED)


@pytest.mark.parametrize("key", BARRED)
def test_a_file_in_the_working_directory_cannot_set_what_judges_bounds_spends_or_sends(
    key: str, env: dict[str, str], tmp_path: Path
) -> None:
    value = getattr(Settings(), key)
    plain = str(value).lower() if isinstance(value, bool | int | float) else "'x'" if key not in {"budget"} else "1"
    path = write(tmp_path / "agentsys.toml", f"{key} = {LITERAL.get(key, plain)}\n")
    with pytest.raises(UsageError, match=f"`{key}` may not be set by `{path}`"):
        load_settings(env=env, cwd=tmp_path)


@pytest.mark.parametrize("name", ["agentsys.toml", "./agentsys.toml"])
def test_a_file_of_the_working_directory_may_set_everything_where_the_user_names_it(
    name: str, env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "agentsys.toml", "base_url = 'http://elsewhere'\nallow_weak_sandbox = true\n")
    monkeypatch.chdir(tmp_path)
    assert load_settings(env=env, cwd=tmp_path, config=Path(name))[0].base_url == "http://elsewhere"
    assert load_settings(env=env, cwd=tmp_path / "elsewhere", config=path)[0].allow_weak_sandbox


def test_a_policy_that_the_users_file_names_lies_beside_it_and_not_in_the_working_directory(
    env: dict[str, str], tmp_path: Path
) -> None:
    write(user_file(env), "policy = 'rules'\nreview = 'review.yaml'\n")
    settings = load_settings(env=env, cwd=tmp_path)[0]
    assert settings.policy == str(user_file(env).parent / "rules")
    assert settings.review == user_file(env).parent / "review.yaml"
    write(user_file(env), "policy = 'default'\n")
    assert load_settings(env=env, cwd=tmp_path)[0].policy == "default"


@pytest.mark.parametrize(("name", "content"), [("a", None), ("b", b"x = "), ("c", b"\xff"), ("d", b"#" * (1 << 21))])
def test_config_file_that_cannot_be_read_is_named(
    name: str, content: bytes | None, env: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / f"{name}.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=str(path)):
        load_settings(config=path, env=env, cwd=tmp_path)


def test_recording_is_found_from_another_directory(env: dict[str, str], tmp_path: Path) -> None:
    replay = load_settings(sets=["replay=rec"], env=env, cwd=tmp_path)[0].replay
    assert replay is not None
    assert replay.is_absolute()


def test_resume_keeps_the_runs_settings_and_takes_only_what_is_given(env: dict[str, str], tmp_path: Path) -> None:
    sets = ["model_params.seed=1", "stop_after=plan"]
    _, sources = load_settings(flags={"model": "m", "budget": 1.0}, sets=sets, env=env, cwd=tmp_path)
    stored = sources | {"gone_since": SettingValue(value=1, source="flag")}
    record = RunRecord(id="r", settings=stored, owner=mark("r", stored))
    settings, again = resume_settings(record, flags={"budget": 2.0})
    assert (settings.model, settings.budget, settings.model_params) == ("m", 2.0, {"seed": 1})
    assert settings.stop_after == ""
    assert (again["model"].source, again["model_params.seed"].source, again["budget"].source) == (
        "flag",
        "--set",
        "flag",
    )


def test_a_run_of_an_earlier_version_resumes_with_settings_that_are_gone_since(tmp_path: Path) -> None:
    stored = {key: {"value": value, "source": "default"} for key, value in Settings().model_dump(mode="json").items()}
    stored |= {
        "model": {"value": "m", "source": "flag"},
        "keep_sandbox": {"value": True, "source": "/home/me/agentsys.toml"},
        "agent_models.coder": {"value": "c", "source": "--set"},
    }
    del stored["agent_models"]
    run = RunDir(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"schema_version": 1, "id": "old", "settings": stored}))
    settings, sources = resume_settings(run.read(), flags={"budget": 1.0, "model": "m"}, sets=["agent_models.coder=c"])
    assert settings == Settings(model="m", agent_models={"coder": "c"}, budget=1.0)
    assert "keep_sandbox" not in sources
    with pytest.raises(UsageError, match="keep_sandbox"):
        resume_settings(run.read(), sets=["keep_sandbox=true"])


def test_resume_understands_settings_that_were_stored_whole() -> None:
    stored = {
        key: SettingValue(value=value, source="argument")
        for key, value in Settings(model_params={"a": {"b": 1}}).model_dump(mode="json").items()
    }
    record = RunRecord(id="r", settings=stored, owner=mark("r", stored))
    settings, _ = resume_settings(record, sets=["model_params.a.c=2"])
    assert settings.model_params == {"a": {"b": 1, "c": 2}}


ENVIRONMENT = """\
# a comment

export A=1
B='two words' # a note
C=a=b#c
 D = x   # a note
E="a\\"b # c"
F='$A ${A}'
G=
H="one
two"
A=2
"""


@pytest.mark.parametrize("encode", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_environment_file_is_read_with_quotes_and_comments(tmp_path: Path, encode: str, end: str) -> None:
    path = tmp_path / "env"
    path.write_bytes(ENVIRONMENT.replace("\n", end).encode(encode))
    assert read_env_file(path) == {
        "A": "2",
        "B": "two words",
        "C": "a=b#c",
        "D": "x",
        "E": 'a"b # c',
        "F": "$A ${A}",
        "G": "",
        "H": f"one{end}two",
    }


@pytest.mark.parametrize(
    "line", ["sk-secret-secret", "secret.name=1", "S='secret", "S=sec\0ret", "=secret", "two secrets=1", "'s x'=secret"]
)
def test_faulty_line_of_an_environment_file_is_named_and_not_shown(line: str, tmp_path: Path) -> None:
    path = write(tmp_path / "env", f"A=1\n{line}\n")
    with pytest.raises(UsageError, match="line 2 ") as caught:
        read_env_file(path)
    assert "sec" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    ("content", "words"), [(None, "cannot read"), (b"A=\xff", "UTF-8"), (b"#" * (1 << 21), "1 MiB")]
)
def test_environment_file_that_cannot_be_read_is_named(content: bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "env"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match="environment file") as caught:
        read_env_file(path)
    assert words in caught.value.message and str(path) in caught.value.message
