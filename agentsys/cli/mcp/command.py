"""`agentsys mcp FOLDER...`: serve the tools to other agents."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Annotated

import typer

from agentsys.cli import options as opt
from agentsys.core.errors import PrerequisiteError
from agentsys.core.settings_layers import load_settings


def mcp(
    folders: Annotated[
        list[Path],
        typer.Argument(help="Folders of papers and repositories; no other file may be named.", metavar="DIR"),
    ],
    port: Annotated[
        int | None,
        typer.Option("--http", help="Serve HTTP at this port of 127.0.0.1 (0: a free one), not standard input."),
    ] = None,
    model: opt.ModelName = None,
    budget: opt.Budget = None,
    prices: opt.Prices = None,
    max_rounds: opt.MaxRounds = None,
    sandbox: opt.Sandbox = None,
    runs_dir: opt.RunsDir = None,
    config: opt.Config = None,
    sets: opt.Sets = None,
    env_file: opt.EnvFile = None,
) -> None:
    """Serve tools to other agents by the Model Context Protocol, on standard input and output, or by HTTP.

    They read papers, start, watch, cancel and resume runs, and ask for evidence. Model, key, limits, sandbox and policy
    are yours alone: a client can lower `--budget` and `--max-rounds` of each run, and nothing else. Without a model
    and its key nothing that costs money is started.
    """
    if importlib.util.find_spec("mcp") is None:
        raise PrerequisiteError("the package `mcp` is not installed", "`pip install 'agentsys[mcp]'`")
    from agentsys.cli.mcp.fence import Fence
    from agentsys.cli.mcp.jobs import Jobs
    from agentsys.cli.mcp.serve import serve_http, serve_stdio
    from agentsys.cli.mcp.tools import Tools
    from agentsys.cli.supervise import Stop, supervise

    opt.use_env_file(env_file)
    flags: dict[str, object] = {
        "model": model,
        "budget": budget,
        "prices": prices or None,
        "max_rounds": max_rounds,
        "backend": sandbox,
        "runs_dir": runs_dir,
    }
    settings, _ = load_settings(flags=flags, sets=sets or (), config=config)
    fence = Fence(folders, settings.runs_dir)
    jobs = Jobs(fence.runs_dir / ".mcp")
    jobs.forget_old()
    server = Tools(settings, _options(flags, sets or [], prices or [], config, fence.runs_dir), fence, jobs).server()
    stop = Stop()
    supervise(lambda: serve_stdio(server, jobs) if port is None else serve_http(server, jobs, port), stop)


def _options(
    flags: dict[str, object], sets: list[str], prices: list[str], config: Path | None, runs_dir: Path
) -> list[str]:
    """Return the options that give a job the settings of this server."""
    rows = [f"{name}={flags[name]}" for name in ("model", "max_rounds", "backend") if flags[name] is not None]
    found = ["--config", str(config.absolute())] if config is not None else []
    rows += [f"prices={json.dumps(prices)}"] if prices else []
    for row in [*sets, *rows, f"runs_dir={runs_dir}"]:
        found += ["--set", row]
    return found
