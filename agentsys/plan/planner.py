"""The planner: ledger, design, configuration; later changes of the plan."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import TypeVar, cast

from pydantic import BaseModel

from agentsys.core.artifacts import Diagnosis, FileSpec, Plan
from agentsys.core.events import Step
from agentsys.core.files import write_json
from agentsys.core.prompts import render
from agentsys.core.rounds import Round
from agentsys.llm.client import AnswerError
from agentsys.llm.parse import extract_json
from agentsys.llm.types import Part, Prompt
from agentsys.plan.amending import Designing
from agentsys.plan.answers import (
    GENERATED_BY_TOOLING,
    ConfigAnswer,
    DesignAnswer,
    EvaluationAnswer,
    Ledger,
    RequirementsAnswer,
    ReviseAnswer,
    compose,
)
from agentsys.plan.bounds import stated
from agentsys.plan.claims.freezing import freeze_claims
from agentsys.plan.context import Agent, both
from agentsys.plan.contribution import compared, contribution_problems
from agentsys.plan.data import TORCHVISION
from agentsys.plan.files import save_plan
from agentsys.plan.prompt_text import diagnosis_text, diagnostics_text
from agentsys.plan.reading import read_further
from agentsys.plan.references import main_figures, with_figures, with_pages
from agentsys.plan.rules import (
    SMOKE_SECONDS,
    dependency_problems,
    design_problems,
    evaluation_problems,
    plan_problems,
    requirements_problems,
)
from agentsys.plan.settling import confirmed, ledger_parts, settled
from agentsys.plan.traceability import CONFIG, missing_config_keys, symbol_problems

M = TypeVar("M", bound=BaseModel)
_SETTINGS = re.compile(r"config|\bkeys?\b|Mapping\[str, (?:Any|object)\]", re.IGNORECASE)
"""What an interface says where it reads settings."""
_WORD = re.compile(r"\w+")


class Planner(Agent):
    """Writes the plan in three validated steps, and revises it when a diagnosis says that it is wrong."""

    name = "planner"
    description = "turns the paper into a ledger of requirements, an architecture, files and configurations"
    steps: tuple[Step, ...] = ("plan", "claims")

    async def act(self, step: Step) -> str:
        if step == "claims":
            return await freeze_claims(self._context)
        handed = self._context.rounds.handed_to("planner")
        return await (self._revise(*handed) if handed else self._plan())

    async def _plan(self) -> str:
        context = self._context
        await read_further(context, self.name)
        written = await self._ledger()
        ledger = await settled(context, written)
        so_far = ledger_parts(written, ledger)
        task = render("plan/design", python=context.python, derived_tests=context.settings.derived_tests)
        designing = Designing(lambda answer: design_problems(answer, ledger))
        design = await context.model.ask(self.name, "design", self._question(task, so_far), designing.read)
        so_far = (*so_far, _design_part(design))

        def problems(answer: ConfigAnswer) -> list[str]:
            return _config_problems(answer) + missing_config_keys(design.files, answer.config_full)

        cpus = f"{context.settings.cpus:g}"
        task = render("plan/config", smoke_seconds=SMOKE_SECONDS, cpus=cpus)
        config = await self._ask("config", ConfigAnswer, problems, task, so_far)
        config = await confirmed(context, config, so_far, problems)
        plan = compose(ledger, design, config)
        save_plan(context.ws.run.plan, plan)
        context.ws.mark({"plan": context.ws.plan_inputs()})
        return (
            f"plan: {len(plan.requirements)} requirements, {len(plan.files)} files, "
            f"{len(plan.expected)} expected results"
        )

    async def _ledger(self) -> Ledger:
        """Ask for requirements and evaluation at the same time; neither needs the other."""
        context = self._context
        request = context.ws.request
        asked = (
            render("plan/requirements", request=request),
            render("plan/evaluation", request=request, torchvision="|".join(TORCHVISION)),
        )
        requirements, evaluation = await both(
            self._ask("requirements", RequirementsAnswer, self._requirements_problems, asked[0]),
            self._ask("evaluation", EvaluationAnswer, evaluation_problems, asked[1]),
        )
        seen = await compared(context, requirements, evaluation.expected, "contribution")
        if seen.left_out and context.settings.replay is None:
            first = requirements.model_dump_json(exclude_defaults=True)
            again = render("plan/left_out", parts=seen.left_out, ledger=first, fence=context.fence)
            task = f"{asked[0]}\n\n{again}"
            requirements = await self._ask("requirements-2", RequirementsAnswer, self._requirements_problems, task)
            seen = await compared(context, requirements, evaluation.expected, "contribution-2")
        return Ledger(
            requirements=with_pages(requirements.requirements, context.ws.paper),
            contributions=seen.contributions,
            central=seen.central,
            left_out=seen.left_out,
            summary=evaluation.summary,
            experiments=evaluation.experiments,
            expected=with_pages(stated(evaluation.expected, context.ws.paper), context.ws.paper),
            questions=evaluation.questions,
            data=evaluation.data,
        )

    def _requirements_problems(self, answer: RequirementsAnswer) -> list[str]:
        return [*requirements_problems(answer), *contribution_problems(self._context.ws.paper, answer)]

    async def _ask(
        self,
        item: str,
        model: type[M],
        problems: Callable[[M], list[str]],
        task: str,
        so_far: tuple[Part, ...] = (),
    ) -> M:
        """Ask for one step of the plan."""

        def parse(text: str) -> M:
            answer = extract_json(text, model)
            try:
                found = problems(answer)
            except RecursionError as error:
                raise AnswerError("the answer is nested too deeply") from error
            if found:
                raise AnswerError("\n".join(f"- {problem}" for problem in found[:20]))
            return answer

        return await self._context.model.ask(self.name, item, self._question(task, so_far), parse)

    def _question(self, task: str, so_far: tuple[Part, ...]) -> Prompt:
        """Return a question of the plan; what was decided before it stands first, as in every later step."""
        context = self._context
        prompt = Prompt(prefix=(context.rules(), *context.paper()), body=(*so_far, Part("task", task)))
        return with_figures(context, self.name, prompt, main_figures(context.ws.paper))

    # -- revision ------------------------------------------------------------------------------------------------------

    async def _revise(self, last: Round, diagnosis: Diagnosis) -> str:
        """Change the plan. The new plan is stored beside the round first, so that a killed run asks only once."""
        context = self._context
        file = context.ws.run.round(last.number) / "plan_after.json"
        if file.is_file():
            plan = Plan.model_validate_json(file.read_bytes())
        else:
            plan = await self._ask_revision(last, diagnosis)
            write_json(context.ws.run.round(last.number) / "plan_before.json", context.ws.require_plan())
            write_json(file, plan)
        save_plan(context.ws.run.plan, plan)
        context.rounds.acted(last)
        return f"plan revised after round {last.number}"

    async def _ask_revision(self, last: Round, diagnosis: Diagnosis) -> Plan:
        context = self._context
        plan = context.ws.require_plan()
        current = context.rounds.latest_for_tree(context.ws.code_tree()) or last
        named = {row.path for row in diagnosis.instructions}
        prompt = context.prompt(
            plan,
            "plan/revise",
            diagnosis=context.quote(diagnosis_text(diagnosis)),
            diagnostics=context.quote(diagnostics_text(current.verdict.diagnostics)),
            files=json.dumps(
                [spec.model_dump(mode="json") for spec in plan.files if not named or spec.path in named], indent=1
            ),
            dependencies=json.dumps([row.model_dump(mode="json") for row in plan.dependencies]),
            experiments=plan.experiments,
            expected=plan.expected,
        )

        def parse(text: str) -> Plan:
            revised = _revised(plan, extract_json(text, ReviseAnswer))
            keys = {row.result_key for row in plan.expected}
            carried = [row for spec in revised.files if spec not in plan.files for row in symbol_problems(spec, keys)]
            if found := plan_problems(revised) + dependency_problems(revised.dependencies) + carried:
                raise AnswerError("\n".join(f"- {problem}" for problem in found[:20]))
            return revised

        return await context.model.ask(self.name, f"round-{last.number:02d}", prompt, parse)


def _revised(plan: Plan, answer: ReviseAnswer) -> Plan:
    if not answer.files and not answer.dependencies:
        raise AnswerError("the answer changes nothing: give `files` or `dependencies`")
    for spec in answer.files:
        before = next((item for item in plan.files if item.path == spec.path), None)
        if before is not None and spec.kind != before.kind:
            raise AnswerError(f"`{spec.path}` is a {before.kind} and stays one")
        if before is not None and before.symbols and not spec.symbols:
            raise AnswerError(f"`{spec.path}`: give `requirements` as an object: id -> the names that carry it")
        if before is not None and before.interface.strip() and not spec.interface.strip():
            raise AnswerError(f"`{spec.path}` keeps an `interface`: other files rely on it")
    changed = {spec.path: spec for spec in answer.files if spec.path not in GENERATED_BY_TOOLING}
    files: list[FileSpec] = [changed.pop(spec.path, spec) for spec in plan.files]
    files += changed.values()
    dropped = {row.id for row in plan.requirements} - {rid for spec in files for rid in spec.requirements}
    if dropped:
        raise AnswerError(f"no file names {', '.join(sorted(dropped))} any more; requirements may not be dropped")
    owners = {rid: spec.path for spec in reversed(files) for rid in spec.requirements}
    return plan.model_copy(
        update={
            "files": tuple(files),
            "dependencies": answer.dependencies or plan.dependencies,
            "requirements": tuple(row.model_copy(update={"owner": owners[row.id]}) for row in plan.requirements),
        }
    )


def _design_part(design: DesignAnswer) -> Part:
    """Return of the design what a configuration is made from: all files, and how they read which keys."""
    files = [spec for spec in design.files if spec.kind in ("source", "script")]
    names = {
        spec.path: sorted({name for row in spec.symbols.values() for name in row if name.startswith(CONFIG)})
        for spec in files
    }
    reads = {spec.path: reading(spec.interface, names[spec.path]) for spec in files}
    return Part("design", render("plan/design_told", design=design, files=files, names=names, reads=reads))


def reading(interface: str, names: Iterable[str]) -> str:
    """Return the lines of an interface that speak of the configuration or of one of these settings."""
    keys = {name.rpartition(".")[2].removeprefix(CONFIG) for name in names}
    return "\n".join(
        line for line in interface.splitlines() if _SETTINGS.search(line) or not keys.isdisjoint(_WORD.findall(line))
    )


def _config_problems(config: ConfigAnswer) -> list[str]:
    """Both profiles must have the same keys, or they are not the same code path."""
    full, smoke = _keys(config.config_full), _keys(config.config_smoke)
    problems = [f"`{key}` is in config_full but not in config_smoke" for key in sorted(full - smoke)]
    return problems + [f"`{key}` is in config_smoke but not in config_full" for key in sorted(smoke - full)]


def _keys(config: object, prefix: str = "") -> set[str]:
    if not isinstance(config, dict):
        return set()
    found: set[str] = set()
    for key, value in cast("dict[str, object]", config).items():
        name = f"{prefix}{key}"
        found |= {name} | _keys(value, name + ".")
    return found
