"""The coder: one file an answer, all at the same time; whole files again after a diagnosis.

The interfaces of the plan are contracts: each file is held to its own when it is accepted, so that the others can be
written against it without waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from agentsys.code.config_keys import Values, split_keys, write_keys
from agentsys.code.interface_check import interface_violations
from agentsys.core.artifacts import Diagnosis, FileSpec, Plan
from agentsys.core.errors import EditError
from agentsys.core.events import Step
from agentsys.core.files import write_atomic
from agentsys.core.paths import safe_path
from agentsys.core.rounds import Round
from agentsys.debug.edits import Change
from agentsys.debug.guard import asks_for_quicker_tests, weakenings
from agentsys.debug.rollback import discard_unfinished
from agentsys.debug.textcheck import check_text
from agentsys.llm.client import AnswerError
from agentsys.llm.parse import extract_files
from agentsys.llm.types import Prompt
from agentsys.plan.context import Agent, fan_out
from agentsys.plan.interfaces import interface_digest
from agentsys.plan.prompt_text import diagnostics_text
from agentsys.plan.rules import needed_by
from agentsys.plan.traceability import missing_symbols


class Coder(Agent):
    """Writes the repository's files. Each is parsed before it is accepted."""

    name = "coder"
    description = "writes the files of the repository, each from its analysis and the agreed interfaces"
    steps: tuple[Step, ...] = ("code",)

    async def act(self, step: Step) -> str:
        context = self._context
        plan = context.ws.require_plan()
        handed = context.rounds.handed_to("coder")
        return await (self._again(plan, *handed) if handed else self._write(plan))

    async def _write(self, plan: Plan) -> str:
        context = self._context
        for path, text in context.ws.generated_missing(plan).items():
            write_atomic(safe_path(context.ws.run.repo, path), text)
            context.ws.mark_generated(path, text)
        todo = context.ws.files_missing(plan)
        await fan_out(todo, lambda spec: self._one(plan, spec))
        first = not context.rounds.all()
        context.git.commit("First version" if first else "Write again what the revised plan asks for")
        return f"{len(todo)} files written"

    async def _one(self, plan: Plan, spec: FileSpec) -> None:
        context = self._context
        revised_test = context.rounds.revision() > 0 and spec.kind == "test"
        accept = self._guarded(plan, spec) if revised_test else partial(accepted, spec)
        item = context.rounds.item(spec.path)
        self._keep(plan, spec, await context.model.ask(self.name, item, self._prompt(plan, spec), accept))

    def _keep(self, plan: Plan, spec: FileSpec, text: str) -> None:
        ws = self._context.ws
        file = safe_path(ws.run.repo, spec.path)
        write_atomic(file, text, durable=False)
        if spec.path.endswith(".sh"):
            file.chmod(0o755)
        ws.mark({f"repo/{spec.path}": ws.code_inputs(plan, spec)})
        ws.events.emit("file.written", stage="code", path=f"repo/{spec.path}", lines=text.count("\n"))

    def _prompt(self, plan: Plan, spec: FileSpec) -> Prompt:
        context = self._context
        return context.about_file(
            plan,
            spec,
            "code/code",
            analysis=context.quote(context.ws.analysis(spec.path)),
        )

    # -- after a diagnosis ---------------------------------------------------------------------------------------------

    async def _again(self, plan: Plan, last: Round, diagnosis: Diagnosis) -> str:
        """Write whole files again. A half-done attempt of a killed process is dropped first."""
        context = self._context
        if context.git.head() == last.base:
            discard_unfinished(context, last.number)
            named = list(dict.fromkeys(row.path for row in diagnosis.instructions))
            todo = [spec for name in named for spec in plan.files if spec.path == name]
            # All prompts first: an answer that comes from the disk must not change what a later prompt shows.
            prompts = {spec.path: self._rewrite_prompt(plan, spec, last, diagnosis) for spec in todo}

            keys: dict[str, Values] = {}

            async def work(spec: FileSpec) -> None:
                keys.update(await self._rewrite(plan, spec, last.number, prompts[spec.path]))

            await fan_out(todo, work)
            write_keys(context.ws.run.repo, keys)
            context.git.commit(f"Round {last.number}: {diagnosis.cause[:160]}")
            write_atomic(context.ws.run.round(last.number) / "patch.diff", context.git.diff(last.base))
        context.rounds.acted(last)
        return f"{len(diagnosis.instructions)} files written again after round {last.number}"

    def _current(self, spec: FileSpec) -> str:
        file = self._context.ws.run.repo / spec.path
        return file.read_text(encoding="utf-8") if file.is_file() else ""

    def _rewrite_prompt(self, plan: Plan, spec: FileSpec, last: Round, diagnosis: Diagnosis) -> Prompt:
        context = self._context
        verdict = context.rounds.latest_for_tree(context.ws.code_tree()) or last
        concerned = [row for row in verdict.verdict.diagnostics if row.path in ("", spec.path)] or list(
            verdict.verdict.diagnostics
        )
        told = [row.instruction for row in diagnosis.instructions if row.path == spec.path]
        told += [
            f"`{row.path}`: {row.instruction}" for row in diagnosis.instructions if row.path.startswith("configs/")
        ]
        users = [other.path for other in plan.files if spec.path in other.depends_on and other.kind != "test"]
        return context.about_file(
            plan,
            spec,
            "code/rewrite",
            diagnosis.sections,
            instruction=context.quote("\n".join(told)),
            cause=context.quote(diagnosis.cause),
            diagnostics=context.quote(diagnostics_text(concerned)),
            current=context.quote(self._current(spec)),
            analysis=context.quote(context.ws.analysis(spec.path)),
            interfaces=interface_digest(context.ws.run.repo, [*needed_by(plan.files, spec), *users]),
        )

    async def _rewrite(self, plan: Plan, spec: FileSpec, number: int, prompt: Prompt) -> dict[str, Values]:
        """Write a file again; return the configuration keys that it brings along."""
        last = self._context.rounds.last()
        quicker = last is not None and asks_for_quicker_tests(last.verdict.diagnostics)
        item, accept = f"round-{number:02d}/{spec.path}", self._guarded(plan, spec, quicker=quicker)

        def parse(answer: str) -> tuple[str, dict[str, Values]]:
            rest, keys = split_keys(answer, self._context.ws.run.repo)
            return accept(rest), keys

        text, keys = await self._context.model.ask(self.name, item, prompt, parse)
        self._keep(plan, spec, text)
        return keys

    def _guarded(self, plan: Plan, spec: FileSpec, *, quicker: bool = False) -> Callable[[str], str]:
        """Return what accepts an answer: a file that was there already may not be weakened."""
        current = self._current(spec)

        def parse(answer: str) -> str:
            text = accepted(spec, answer)
            change = {spec.path: Change(current, text)}
            if current and (reasons := weakenings(change, plan, quicker=quicker)):
                raise AnswerError("the change is refused, because it weakens the method:\n- " + "\n- ".join(reasons))
            return text

        return parse


def accepted(spec: FileSpec, answer: str) -> str:
    """Take the file out of an answer: it must parse, and have its planned interface."""
    texts = extract_files(answer, spec.path)
    faults = {text: _unfit(spec, text) for text in texts}
    for text, fault in faults.items():
        if not fault:
            return text
    raise AnswerError(faults[max(texts, key=len)])


def _unfit(spec: FileSpec, text: str) -> str:
    """Return why a text cannot be the file, or nothing."""
    try:
        check_text(spec.path, text)
    except EditError as error:
        return error.feedback
    broken = _broken(spec, text) if spec.path.endswith(".py") else []
    if not broken:
        return ""
    return f"other files rely on the agreed interface of `{spec.path}`, and it is not kept:\n- " + "\n- ".join(broken)


def _broken(spec: FileSpec, text: str) -> list[str]:
    broken = interface_violations(spec.interface, text)
    told = "\n".join(broken)
    absent = [name for name in missing_symbols(spec, text) if f"{name.rsplit('.', 1)[-1]}`" not in told]
    return broken + [f"`{name}` is missing, which carries a requirement" for name in absent]
