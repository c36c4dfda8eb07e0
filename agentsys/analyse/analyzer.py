"""The analyzer: what each file must do, from which words of the paper."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from agentsys.core.artifacts import Diagnosis, FileSpec, Plan
from agentsys.core.errors import NoUsableAnswer, PrerequisiteError
from agentsys.core.events import Step
from agentsys.core.files import write_atomic
from agentsys.core.rounds import Round
from agentsys.llm.client import AnswerError
from agentsys.llm.types import Prompt
from agentsys.plan.context import Agent, fan_out
from agentsys.plan.prompt_text import diagnosis_text
from agentsys.plan.references import cited, with_figures
from agentsys.plan.workspace import ANALYSED

SHORTEST = 200
"""Characters below which an analysis says nothing."""
_NAMED = re.compile(r"^[#*\s]*={3,}[ `*]*([^\s`*=]+)[ `*]*={3,}[*\s]*$", re.MULTILINE)
"""The line above an analysis, where an answer holds several."""


class Analyzer(Agent):
    """Analyses every file, all at the same time; reads a section again when a diagnosis says it was misread."""

    name = "analyzer"
    description = "reads the paper for a few files at a time and writes down exactly what each of them must do"
    steps: tuple[Step, ...] = ("analyse",)

    async def act(self, step: Step) -> str:
        context = self._context
        plan = context.ws.require_plan()
        if handed := context.rounds.handed_to("analyzer"):
            return await self._again(plan, *handed)
        todo = context.ws.analyses_missing(plan)
        needs = context.needs(plan)
        groups: dict[tuple[str, ...], list[FileSpec]] = {}
        for spec in todo:
            groups.setdefault(needs.group(spec), []).append(spec)
        await fan_out(list(groups.values()), lambda specs: self._analyse(plan, specs))
        return f"{len(todo)} files analysed"

    async def _analyse(self, plan: Plan, specs: Sequence[FileSpec]) -> None:
        """Ask about the files of one group in one question; where that gives no answer of use, about each by itself."""
        context = self._context
        if len(specs) > 1:
            taken = _Analyses([spec.path for spec in specs])
            item = context.rounds.item("+".join(taken.paths))
            try:
                await context.model.ask(self.name, item, self._prompt(plan, specs), taken.take)
            except (NoUsableAnswer, PrerequisiteError) as error:
                # A recording may hold an answer for each file; a small model may not keep several apart.
                if isinstance(error, PrerequisiteError) and context.settings.replay is None:
                    raise
            self._keep(plan, [(spec, taken.found[spec.path]) for spec in specs if spec.path in taken.found])
            specs = [spec for spec in specs if spec.path not in taken.found]

        async def work(spec: FileSpec) -> None:
            item, prompt = context.rounds.item(spec.path), self._prompt(plan, [spec])
            self._keep(plan, [(spec, await context.model.ask(self.name, item, prompt, _parse))])

        await fan_out(specs, work)

    async def _again(self, plan: Plan, last: Round, diagnosis: Diagnosis) -> str:
        """Analyse again what a diagnosis names; answers are kept beside the round before they replace the old ones."""
        context = self._context
        specs = [spec for spec in plan.files if spec.path in {row.path for row in diagnosis.instructions}]
        folder = context.ws.run.round(last.number) / "analysis"

        async def work(spec: FileSpec) -> None:
            file = folder / f"{spec.path}.md"
            if not file.is_file():
                item, prompt = f"round-{last.number:02d}/{spec.path}", self._prompt(plan, [spec], diagnosis)
                write_atomic(file, await context.model.ask(self.name, item, prompt, _parse))
            self._keep(plan, [(spec, file.read_text(encoding="utf-8"))])

        await fan_out([spec for spec in specs if spec.kind in ANALYSED], work)
        context.rounds.acted(last)
        return f"{len(specs)} files read again after round {last.number}"

    def _keep(self, plan: Plan, analyses: Sequence[tuple[FileSpec, str]]) -> None:
        """Keep what one answer gave, all of it or, for a killed process, nothing: it is not asked twice for a part."""
        ws = self._context.ws
        for spec, text in analyses:
            write_atomic(ws.analysis_file(spec.path), text, durable=False)
        ws.mark({f"analysis/{spec.path}": ws.analysis_inputs(plan, spec) for spec, _ in analyses})
        for spec, text in analyses:
            lines = text.count("\n")
            ws.events.emit("file.written", stage="analyse", path=f"analysis/{spec.path}.md", lines=lines)

    def _prompt(self, plan: Plan, specs: Sequence[FileSpec], diagnosis: Diagnosis | None = None) -> Prompt:
        """Return the question about files of one group; after a diagnosis about one file."""
        context = self._context
        prompt = context.about_file(
            plan,
            specs[0],
            "analyse/analyse",
            diagnosis.sections if diagnosis else (),
            files=specs,
            diagnosis=context.quote(diagnosis_text(diagnosis)) if diagnosis else "",
            earlier=context.quote(context.ws.analysis(specs[0].path)) if diagnosis else "",
        )
        return with_figures(context, self.name, prompt, [words for spec in specs for words in cited(plan, spec)])


class _Analyses:
    """The analyses of several files, taken from one answer or from several tries at it."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths
        self.found: dict[str, str] = {}

    def take(self, text: str) -> None:
        """Raises: AnswerError for what is missing or too short; what is of use is not asked for again."""
        given = _split(text)
        for path in self.paths:
            if len(given.get(path, "")) >= SHORTEST:
                self.found[path] = given[path] + "\n"
        absent = [path for path in self.paths if path not in self.found]
        if absent:
            there = ", ".join(f"`{path}`" for path in self.found)
            rest = f"The analyses of {there} are taken: leave them out of your next answer" if there else ""
            lines = "; ".join(f"`=== {path} ===`" for path in absent)
            raise AnswerError(f"no analysis of use stands below a line {lines}", rest)


def _split(text: str) -> Mapping[str, str]:
    """Return the parts of an answer by the file that the line above each names."""
    marks = [*_NAMED.finditer(text)]
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    return {mark[1]: text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=False)}


def _parse(text: str) -> str:
    text = text.strip()
    if len(text) < SHORTEST:
        raise AnswerError("the analysis is too short to be of use: name formulas, shapes, keys and checks")
    return text + "\n"
