"""Where settings come from: flag > `--set` > environment > `--config` > `./agentsys.toml` > user file > default.

Layers are merged key by key, and each value remembers its layer. Secrets are not settings: no layer may hold one.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from pydantic import ValidationError

from agentsys.core.errors import UsageError
from agentsys.core.ownership import is_own
from agentsys.core.runrecord import RunRecord, SettingValue
from agentsys.core.settings import Settings
from agentsys.core.settings_text import FIELDS, PATHS, TABLES, converted, flatten, read_toml, unflatten, written_value
from agentsys.core.text import clean_line

ENV_PREFIX = "AGENTSYS_"
LOCAL_FILE = "agentsys.toml"
FROM_LOCAL = frozenset({"call_timeout", "concurrency", "display", "ocr", "reader", "runs_dir", "stop_after"})
"""All that a file which happens to lie in the working directory may set: what judges, bounds, spends or sends is the
user's own, and so is every key that is not named here."""

_FILES = PATHS | {"policy"}
_NAMES = frozenset({"", "default", "none"})
"""Values of such keys that name no file."""

REMOVED = {
    "keep_sandbox": "remove it: it had no effect",
    "index_gateway": "remove it: packages are fetched on this machine, and a sandbox has no network at any time",
}
"""Settings of earlier versions, and what to do about each. Those that a stored run holds are passed over."""

_OTHER_VARIABLES = frozenset({"RAISE", "CACHE_DIR", "NOUGAT_PYTHON", "MCP_TOKEN"})
MOST_SHOWN = 20
_NOT_STORED = frozenset({"display", "runs_dir", "stop_after"})
"""How it is shown, where it lies and where it pauses may differ at each start of the same run."""
_SECRET = re.compile(
    r"(?i)(api[_-]?key|secret|passw|credential|authorization|bearer|(access|auth|session|id)_?token|^token$)"
)
_VARIABLE = re.compile(r"\$[A-Za-z_]\w*")
_SECRET_VALUE = re.compile(r"(?i)^\s*(bearer\s+\S|sk-[\w-]{8})")


@dataclass(frozen=True)
class Layer:
    """Values by dotted key, and the name of where they stand."""

    source: str
    values: Mapping[str, object] = field(default_factory=dict[str, object])


def user_file(env: Mapping[str, str]) -> Path:
    """Return the path of the user's configuration file."""
    base = env.get("XDG_CONFIG_HOME", "")
    home = Path(base) if base and Path(base).is_absolute() else Path(env.get("HOME") or Path.home()) / ".config"
    return home / "agentsys" / "config.toml"


def load_settings(
    *,
    flags: Mapping[str, object] | None = None,
    sets: Sequence[str] = (),
    config: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> tuple[Settings, dict[str, SettingValue]]:
    """Merge all layers.

    Args:
        flags: values of command line options by field name; None stands for an option that was not given.
        sets: `key.path=value` of each `--set`.
        config: the file of `--config`.
        env: environment variables; the process's own by default.
        cwd: the working directory, where `agentsys.toml` is looked for.

    Returns: the settings, and for each dotted key its value and layer.
    Raises: UsageError naming the layer, the key and, for an unknown one, the nearest known key.
    """
    environment = os.environ if env is None else env
    layers = [
        *_file_layers(config, environment, cwd or Path.cwd()),
        env_layer(environment),
        set_layer(sets),
        flag_layer(flags or {}),
    ]
    return merge(layers)


def resume_settings(
    record: RunRecord, *, flags: Mapping[str, object] | None = None, sets: Sequence[str] = ()
) -> tuple[Settings, dict[str, SettingValue]]:
    """Take a run's own settings again, with only flags and `--set` on top, so that a run does not drift.

    Raises: UsageError where this user did not choose them, and they are not what this user's own configuration says.
    """
    stored = {
        key: item.value
        for key, item in record.settings.items()
        if key.partition(".")[0] in FIELDS and key not in _NOT_STORED
    }
    if not is_own(record) and (others := _others(stored, flags, sets)):
        rows = list(others.items())[:MOST_SHOWN]
        shown = " ".join(f"--set {clean_line(key, 80)}={clean_line(value, 80)}" for key, value in rows)
        raise UsageError(
            f"run `{record.id}` comes from elsewhere: {len(others)} of its settings are not yours",
            f"look at each, and give it as it is there or as you want it: `{shown}`",
        )
    settings, sources = merge([Layer("run", flatten(stored)), set_layer(sets), flag_layer(flags or {})])
    for key, item in sources.items():
        if item.source == "run":
            item.source = record.settings.get(key, record.settings.get(key.partition(".")[0], item)).source
    return settings, sources


def reproduction_settings(
    record: RunRecord, *, flags: Mapping[str, object] | None = None, sets: Sequence[str] = ()
) -> tuple[Settings, dict[str, SettingValue]]:
    """Take a run's own settings, or this user's where somebody else chose those of the run: it needs none of them."""
    return (resume_settings if is_own(record) else _own_settings)(record, flags=flags, sets=sets)


def _own_settings(
    _: RunRecord, *, flags: Mapping[str, object] | None = None, sets: Sequence[str] = ()
) -> tuple[Settings, dict[str, SettingValue]]:
    return load_settings(flags=flags, sets=sets)


def _others(stored: Mapping[str, object], flags: Mapping[str, object] | None, sets: Sequence[str]) -> dict[str, object]:
    """Return the settings of a run that this user neither gives now nor has configured so."""
    own, sources = load_settings(flags=flags, sets=sets)
    values = flatten(own.model_dump(mode="json"))
    given = {key for key, item in sources.items() if item.source in ("flag", "--set")}
    return {
        key: value
        for key, value in flatten(stored).items()
        if key.partition(".")[0] not in FROM_LOCAL and key not in given and values.get(key) != value
    }


def merge(layers: Sequence[Layer]) -> tuple[Settings, dict[str, SettingValue]]:
    """Lay `layers` over the defaults, lowest first."""
    leaves: dict[str, object] = {}
    origin: dict[str, str] = {}
    for layer in layers:
        for key, value in layer.values.items():
            _check_key(key, layer.source)
            _check_secret(key, value, layer.source)
            leaves[key] = _absolute(key, converted(key, value))
            origin[key] = layer.source
    settings = _validated(leaves, origin)
    shown = flatten(settings.model_dump(mode="json"))
    return settings, {key: SettingValue(value=value, source=origin.get(key, "default")) for key, value in shown.items()}


def set_layer(sets: Sequence[str]) -> Layer:
    """Read `key.path=value` pairs; a later one wins."""
    values: dict[str, object] = {}
    for pair in sets:
        key, sign, text = pair.partition("=")
        if not sign or not key.strip():
            raise UsageError(f"`--set {pair}` has no `=`", "write `--set key.path=value`")
        value = written_value(key.strip(), text.strip())
        values |= flatten({key.strip(): value})
    return Layer("--set", values)


def flag_layer(flags: Mapping[str, object]) -> Layer:
    """Keep the options that were given."""
    return Layer("flag", {key: value for key, value in flags.items() if value is not None})


def env_layer(env: Mapping[str, str]) -> Layer:
    """Read `AGENTSYS_<FIELD>`; a name that is nearly a field's is taken for a slip, others are left alone."""
    values: dict[str, object] = {}
    for name, text in env.items():
        rest = name.removeprefix(ENV_PREFIX)
        if rest == name or rest in _OTHER_VARIABLES:
            continue
        if rest.lower() in REMOVED:
            raise UsageError(f"environment variable `{name}` is no setting", REMOVED[rest.lower()])
        if rest.lower() in FIELDS:
            values |= flatten({rest.lower(): written_value(rest.lower(), text)})
        elif near := difflib.get_close_matches(rest.lower(), FIELDS, n=1, cutoff=0.75):
            wanted = ENV_PREFIX + near[0].upper()
            raise UsageError(f"environment variable `{name}` is no setting", f"did you mean `{wanted}`?")
    return Layer("env", values)


def config_files(config: Path | None, env: Mapping[str, str], cwd: Path) -> Iterator[tuple[Path, bool]]:
    """Yield each configuration file that would be read, lowest first, and whether it exists."""
    for path in (user_file(env), cwd / LOCAL_FILE):
        yield path, path.is_file()
    if config is not None:
        yield config, config.is_file()


def _file_layers(config: Path | None, env: Mapping[str, str], cwd: Path) -> Iterator[Layer]:
    for path, exists in config_files(config, env, cwd):
        # A file that was asked for must be there; the others are optional.
        if not exists and path is not config:
            continue
        values = read_toml(path)
        named = config is not None and (cwd / config).absolute() == path.absolute()
        local = path == cwd / LOCAL_FILE and not named
        heads = {key.partition(".")[0] for key in values} if local else set[str]()
        for key in sorted(heads.intersection(FIELDS) - FROM_LOCAL):
            raise UsageError(
                f"`{key}` may not be set by `{path}`, which lies in the working directory",
                f"put it into `{user_file(env)}`, or name the file with `--config {LOCAL_FILE}`",
            )
        yield Layer(str(path), _beside(path, values) if path == user_file(env) else values)


def _beside(file: Path, values: Mapping[str, object]) -> dict[str, object]:
    """Take names of files in the user's own file as lying beside it: no working folder can put another one in place."""
    return {
        key: str(file.parent / value) if key in _FILES and isinstance(value, str) and value not in _NAMES else value
        for key, value in values.items()
    }


def _check_key(key: str, source: str) -> None:
    head, _, rest = key.partition(".")
    if head in FIELDS and (not rest or head in TABLES):
        return
    near = difflib.get_close_matches(head, FIELDS, n=1, cutoff=0.5)
    known = f"did you mean `{near[0]}`?" if near else "`agentsys config show` lists every key"
    hint = REMOVED.get(head, known)
    raise UsageError(f"unknown setting `{key}` in {_named(source)}", hint)


def _check_secret(key: str, value: object, source: str) -> None:
    """Refuse what looks like a secret: settings are stored in every run directory."""
    if isinstance(value, str) and key.startswith("extra_headers.") and _VARIABLE.fullmatch(value):
        return
    found = any(_SECRET.search(part) for part in key.split(".")) or _holds_secret(value)
    if key == "base_url" and isinstance(value, str):
        url = urlsplit(value)
        found = bool(url.username or url.password or _SECRET.search(url.query))
    if found:
        raise UsageError(
            f"setting `{key}` in {_named(source)} looks like a secret",
            "keys are read only from the provider's environment variable, such as OPENAI_API_KEY, or `--env-file`",
        )


def _holds_secret(value: object) -> bool:
    if isinstance(value, str):
        return bool(_SECRET_VALUE.match(value))
    if isinstance(value, list):
        return any(_holds_secret(item) for item in cast("list[object]", value))
    if isinstance(value, dict):
        items = cast("dict[object, object]", value).items()
        return any(_SECRET.search(str(key)) or _holds_secret(item) for key, item in items)
    return False


def _absolute(key: str, value: object) -> object:
    """Make file names independent of the working directory: a run may be resumed from elsewhere."""
    if key in PATHS and isinstance(value, str | Path) and str(value):
        return Path(value).absolute()
    if key == "policy" and isinstance(value, str) and Path(value).suffix in (".yaml", ".yml"):
        return str(Path(value).absolute())
    return value


def _validated(leaves: Mapping[str, object], origin: Mapping[str, str]) -> Settings:
    try:
        return Settings.model_validate(unflatten(leaves))
    except ValidationError as error:
        fault = error.errors()[0]
        place = [str(part) for part in fault["loc"]]
        key = ".".join(place[:2]) if ".".join(place[:2]) in origin else place[0]
        where = _named(origin.get(key, "default"))
        raise UsageError(f"setting `{key}` in {where} is not usable: {_lower(fault['msg'])}") from error


def _named(source: str) -> str:
    return {"env": "the environment", "flag": "the command line"}.get(source, f"`{source}`")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
