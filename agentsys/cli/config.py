"""`agentsys config show|path|init`: what holds, and where it comes from."""

from __future__ import annotations

import json as jsonlib
import os
from pathlib import Path
from typing import Annotated

import typer

from agentsys.cli import options as opt
from agentsys.cli.output import json_errors, show_json, table
from agentsys.core.errors import UsageError
from agentsys.core.files import write_atomic
from agentsys.core.settings_layers import LOCAL_FILE, config_files, load_settings, user_file

config = typer.Typer(name="config", no_args_is_help=True, help="Show and create configuration.", rich_markup_mode=None)

TEMPLATE = """\
# Settings of agentsys; `agentsys config show` lists every key with its value and where it comes from.
# Keys of providers do not belong here: they are read from the environment only (OPENAI_API_KEY, ANTHROPIC_API_KEY).

# model = "name-of-the-model"
# vision = "on"            # send pictures of figures; "auto" knows common names of models
# max_rounds = 5
# budget = 5.0             # US dollars
# time_limit = "2h"
# round_timeout = "20m"
# mutants = 12             # faults planted beyond those that the check `faults` needs

# [model_params]           # handed to the provider as they are
# temperature = 0.2

# [agent_models]           # for single roles: planner, analyzer, coder, debugger, auditor, reviewer, judge
# debugger = "name-of-another-model"
"""

LOCAL_TEMPLATE = """\
# Settings of agentsys for this folder. What judges, bounds, spends or sends stands in the user's own file, which
# `agentsys config init` makes, or in one that `--config FILE` names.

# concurrency = 8          # model calls under way at the same time
# runs_dir = "agentsys-runs"
# display = "plain"
# ocr = true               # recognise scanned pages
"""


@config.command("show")
def show(extra: opt.Config = None, sets: opt.Sets = None, json: opt.JsonRows = False) -> None:
    """Show every setting, its value, and the layer that it comes from."""
    with json_errors(json):
        _, sources = load_settings(sets=sets or (), config=extra)
    if json:
        rows = [{"key": key, "value": item.value, "source": item.source} for key, item in sources.items()]
        show_json(rows)
        return
    typer.echo(
        table(("key", "value", "from"), [(key, _shown(item.value), item.source) for key, item in sources.items()])
    )


@config.command("path")
def path(extra: opt.Config = None) -> None:
    """Show the configuration files in the order in which they are read; a later one wins."""
    rows = [(str(file), "read" if exists else "absent") for file, exists in config_files(extra, os.environ, Path.cwd())]
    typer.echo(table(("file", "state"), rows, limit=300))


@config.command("init")
def init(
    local: Annotated[bool, typer.Option("--local", help=f"Make `{LOCAL_FILE}` in the working directory.")] = False,
) -> None:
    """Create the user's configuration file, with every line commented out. Never overwrites one."""
    target = Path.cwd() / LOCAL_FILE if local else user_file(os.environ)
    if target.exists():
        raise UsageError(f"`{target}` is there already", "edit it, or move it away first")
    try:
        write_atomic(target, LOCAL_TEMPLATE if local else TEMPLATE)
    except OSError as error:
        raise UsageError(f"cannot write `{target}`: {error.strerror}") from error
    typer.echo(str(target))


def _shown(value: object) -> str:
    return jsonlib.dumps(value, ensure_ascii=False) if isinstance(value, str | dict | list) else str(value).lower()
