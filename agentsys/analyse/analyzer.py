"""The analyzer: what each file must do, from which words of the paper."""

from __future__ import annotations

from agentsys.core.artifacts import Diagnosis, FileSpec, Plan
from agentsys.core.events import Step
from agentsys.core.files import write_atomic
from agentsys.core.rounds import Round
from agentsys.llm.client import AnswerError
from agentsys.plan.context import Agent, fan_out
from agentsys.plan.prompt_text import diagnosis_text
from agentsys.plan.references import cited, with_figures
from agentsys.plan.workspace import ANALYSED

SHORTEST = 200
"""Characters below which an analysis says nothing."""


class Analyzer(Agent):
    """Analyses every file, all at the same time; reads a section again when a diagnosis says it was misread."""

    name = "analyzer"
    description = "reads the paper for one file at a time and writes down exactly what that file must do"
    steps: tuple[Step, ...] = ("analyse",)

    async def act(self, step: Step) -> str:
        context = self._context
        plan = context.ws.require_plan()
        if handed := context.rounds.handed_to("analyzer"):
            return await self._again(plan, *handed)
        todo = context.ws.analyses_missing(plan)

        async def work(spec: FileSpec) -> None:
            self._keep(plan, spec, await self._ask(plan, spec, context.rounds.item(spec.path)))

        await fan_out(todo, work)
        return f"{len(todo)} files analysed"

    async def _again(self, plan: Plan, last: Round, diagnosis: Diagnosis) -> str:
        """Analyse again what a diagnosis names; answers are kept beside the round before they replace the old ones."""
        context = self._context
        specs = [spec for spec in plan.files if spec.path in {row.path for row in diagnosis.instructions}]
        folder = context.ws.run.round(last.number) / "analysis"

        async def work(spec: FileSpec) -> None:
            file = folder / f"{spec.path}.md"
            if not file.is_file():
                write_atomic(file, await self._ask(plan, spec, f"round-{last.number:02d}/{spec.path}", diagnosis))
            self._keep(plan, spec, file.read_text(encoding="utf-8"))

        await fan_out([spec for spec in specs if spec.kind in ANALYSED], work)
        context.rounds.acted(last)
        return f"{len(specs)} files read again after round {last.number}"

    def _keep(self, plan: Plan, spec: FileSpec, text: str) -> None:
        ws = self._context.ws
        write_atomic(ws.analysis_file(spec.path), text, durable=False)
        ws.mark({f"analysis/{spec.path}": ws.analysis_inputs(plan, spec)})
        ws.events.emit("file.written", stage="analyse", path=f"analysis/{spec.path}.md", lines=text.count("\n"))

    async def _ask(self, plan: Plan, spec: FileSpec, item: str, diagnosis: Diagnosis | None = None) -> str:
        context = self._context
        more = diagnosis.sections if diagnosis else ()
        prompt = context.about_file(
            plan,
            spec,
            "analyse/analyse",
            more,
            diagnosis=context.quote(diagnosis_text(diagnosis)) if diagnosis else "",
            earlier=context.quote(context.ws.analysis(spec.path)) if diagnosis else "",
        )
        prompt = with_figures(context, self.name, prompt, cited(plan, spec))
        return await context.model.ask(self.name, item, prompt, _parse)


def _parse(text: str) -> str:
    text = text.strip()
    if len(text) < SHORTEST:
        raise AnswerError("the analysis is too short to be of use: name formulas, shapes, keys and checks")
    return text + "\n"
