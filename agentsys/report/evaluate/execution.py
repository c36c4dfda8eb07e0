"""Runs a repository's own reproduction script in the sandbox: the evidence for what was executed and measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from agentsys.core.text import cut
from agentsys.plan.repo_facts import RepoFacts
from agentsys.plan.requirements import read_requirements
from agentsys.report.evaluate.observed import observed_plan
from agentsys.report.evaluate.subject import text_of
from agentsys_sandbox.base import REPO, WORK, Sandbox, SandboxError
from agentsys_sandbox.spec import Package

Refuses = Callable[[Sequence[Package]], str]
"""Says why these packages may not be installed; an empty text where they may."""
SCRIPT = "reproduce.sh"
LOG_CHARS = 20_000
OUTPUT_CHARS = 40_000
_MARK = "agentsys-before-run"
_FIND = (
    f"find {REPO} -newer {WORK}/{_MARK} -type f -size -400k -not -path '*/.git/*' -not -name '*.pyc' | sort | head -60"
)


@dataclass(frozen=True)
class Execution:
    """What a run of the script printed and wrote; `because` says why there is none."""

    ran: bool
    log: str = ""
    outputs: str = ""
    """Texts of the files that are newer than the start of the run."""
    because: str = ""


async def execute(
    files: Mapping[str, bytes],
    factory: Callable[[], Sandbox] | None,
    timeout: float,
    refuses: Refuses = lambda _: "",
) -> Execution:
    """Resolve, install what is not refused, then run `bash reproduce.sh` without arguments and without network.

    Raises: SandboxError if no sandbox could be opened.
    """
    if SCRIPT not in files:
        return Execution(False, because=f"there is no `{SCRIPT}` at the repository's root")
    if factory is None:
        return Execution(False, because="nothing was run, as asked for")
    plan, _ = observed_plan(files)
    wanted = read_requirements(files, RepoFacts(files=frozenset(files), plan=plan))
    async with factory() as sandbox:
        try:
            await sandbox.write_files(files)
            project = files if wanted.project else None
            found = await sandbox.resolve(
                wanted.lines, constraints=wanted.constraints, project=project, timeout=timeout
            )
            result = found.result
            if found.lock is not None:
                if why := refuses(found.lock.packages):
                    return Execution(False, because=why)
                result = (await sandbox.install(found.lock, project=found.project, timeout=timeout)).result
            if not result.ok:
                last = cut(result.text().strip(), LOG_CHARS)
                return Execution(False, last, because="the requirements could not be installed")
            return await _run(sandbox, timeout)
        except SandboxError as error:
            return Execution(False, because=f"the sandbox failed: {error}")


async def _run(sandbox: Sandbox, timeout: float) -> Execution:
    # The file system's clock may be coarse: what the run writes must be newer than the mark.
    await sandbox.exec(
        ["sh", "-c", f"touch -d '2 seconds ago' {WORK}/{_MARK} && find {REPO} -exec touch -d '1 hour ago' {{}} +"],
        cwd=WORK,
    )
    result = await sandbox.exec(["bash", SCRIPT], timeout=timeout)
    log = f"{cut(result.text().strip(), LOG_CHARS)}\n[{result.outcome.value}, exit code {result.exit_code}]"
    found = await sandbox.exec(["sh", "-c", _FIND], cwd=WORK)
    shown: list[str] = []
    for path in found.stdout.decode("utf-8", "replace").splitlines():
        text = text_of(await sandbox.read_file(path, max_bytes=OUTPUT_CHARS) or b"\0")
        name = PurePosixPath(path).relative_to(REPO).as_posix() if path.startswith(f"{REPO}/") else path
        shown.append(f"== {name}\n{cut(text, OUTPUT_CHARS // 4) if text is not None else '(binary)'}")
    return Execution(True, log, cut("\n\n".join(shown), OUTPUT_CHARS))
