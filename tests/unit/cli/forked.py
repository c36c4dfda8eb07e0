"""The command line, loaded once: a server that forks a process of its own for every call.

`python forked.py` takes one call a line on standard input, as JSON, and answers each with its exit code. A start of
Python and the modules of the command line are most of what a short command takes, and the same for all of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

STAND_IN = Path(__file__).parent / "stand_in.py"


class Forked:
    """Runs commands as a shell would start them: own process, folder, environment; no terminal, no input."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._server = subprocess.Popen(
            [sys.executable, __file__], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(
        self, args: Sequence[str], *, end: str, folder: Path, env: Mapping[str, str], streams: Path
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; `end` is the stand-in's for the pipeline, or empty for the real one."""
        out, err = streams / "stdout", streams / "stderr"
        call = {
            "args": list(args),
            "end": end,
            "folder": str(folder),
            "env": dict(env),
            "streams": [str(out), str(err)],
        }
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.write(json.dumps(call) + "\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        return subprocess.CompletedProcess(args, code, out.read_text("utf-8"), err.read_text("utf-8"))

    def close(self) -> None:
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.close()
        self._server.stdout.close()
        assert self._server.wait(timeout=60) == 0


def _serve() -> dict[str, Any] | None:
    """Answer calls until there are none; in the process of a call, return it."""
    for line in sys.stdin:
        process = os.fork()
        if not process:
            return json.loads(line)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
    return None


def _become(call: Mapping[str, Any]) -> None:
    os.chdir(call["folder"])
    os.environ.clear()
    os.environ.update(call["env"])
    for number, name in enumerate([os.devnull, *call["streams"]]):
        opened = os.open(name, os.O_RDONLY if not number else os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["agentsys", *call["args"]]
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  (what the server read ahead is not this process's input)


if __name__ == "__main__":
    import stand_in

    import agentsys.cli.app
    import agentsys.llm.openai_provider
    import agentsys.paper.remote.library
    import agentsys.report.pages
    import agentsys.report.summary
    import agentsys.run.assemble
    import agentsys.run.chat
    from agentsys.__main__ import main

    if (call := _serve()) is not None:
        _become(call)
        if call["end"]:
            stand_in.install(call["end"])
            agentsys.cli.app.main(call["args"])
        else:
            main()
