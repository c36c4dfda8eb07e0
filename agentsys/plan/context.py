"""What every agent works with: one run's files, the model, the repository, the sandbox and the policy."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from agentsys.core.artifacts import FileSpec, Plan
from agentsys.core.events import EventLog, Step
from agentsys.core.gitrepo import GitRepo
from agentsys.core.prompts import render
from agentsys.core.rounds import Rounds
from agentsys.core.settings import Settings
from agentsys.core.state import State
from agentsys.llm.client import Model
from agentsys.llm.types import Part, Prompt
from agentsys.paper.named import find_sections, named_blocks
from agentsys.paper.outline import body_sections
from agentsys.paper.query import with_children
from agentsys.paper.render import to_markdown
from agentsys.plan.data import data_lines, read_state
from agentsys.plan.generated import differing, requirements_text, yaml_text
from agentsys.plan.needs import Needs
from agentsys.plan.prompt_text import fence_of, paper_part, quoted, rules_part
from agentsys.plan.removals import touched
from agentsys.plan.rules import levels
from agentsys.plan.workspace import Workspace
from agentsys_policies.advisories import Advisories
from agentsys_policies.engine import Policy
from agentsys_policies.record import AuditRecord
from agentsys_sandbox.base import Sandbox

T = TypeVar("T")
U = TypeVar("U")
READ = "reading.json"
"""File in the plan's folder with the places of the paper that the planner asked for."""


@dataclass
class Context:
    """Shared by all agents of one run."""

    ws: Workspace
    rounds: Rounds
    model: Model
    git: GitRepo
    policy: Policy
    audit: AuditRecord
    open_sandbox: Callable[[], Sandbox]
    read_state: Callable[[], State]
    """Reads from disk where the run stands."""
    constraints: tuple[str, ...] = ()
    python: str = "3.11"
    ask: Callable[[str], Awaitable[bool]] | None = None
    """Shows a text to a person and returns whether the answer was yes; None where nobody can be asked."""
    advisories: Advisories | None = None
    """Published vulnerabilities; None where there is no data, and then nothing is looked up."""
    _digest: tuple[Plan, Part] | None = None
    _needs: tuple[Plan, Needs] | None = None

    @property
    def settings(self) -> Settings:
        return self.ws.settings

    @property
    def events(self) -> EventLog:
        return self.ws.events

    @property
    def fence(self) -> str:
        """Marks quoted text. Made from the paper's hash, which no author can write into the paper itself."""
        return fence_of(self.ws.paper)

    # -- parts of prompts ----------------------------------------------------------------------------------------------

    def rules(self) -> Part:
        return rules_part(self.settings, self.python, self.fence)

    def paper(self) -> tuple[Part, ...]:
        """The paper's body with a map of everything, and what the planner asked to read besides."""
        file = self.ws.run.plan / READ
        asked: list[str] = json.loads(file.read_bytes())["places"] if file.is_file() else []
        text = self.sections(asked, but=body_sections(self.ws.paper))
        more = (Part("asked", render("plan/asked", text=text, fence=self.fence)),) if text else ()
        return (paper_part(self.ws.paper), *more)

    def plan_digest(self, plan: Plan) -> Part:
        """The plan as every analyst and coder sees it; made once for all files of a turn."""
        made = self._digest
        if made is None or made[0] is not plan:
            self._digest = made = (plan, self._plan_digest(plan))
        return made[1]

    def _plan_digest(self, plan: Plan) -> Part:
        text = render(
            "plan/digest",
            title=self.quote(self.ws.paper.title),
            authors=self.quote(" ".join(self.ws.paper.authors.split())[:200]),
            plan=plan,
            files=[spec for level in levels(plan.files) for spec in level],
            config_full=yaml_text(plan.config_full),
            config_smoke=yaml_text(differing(plan.config_full, plan.config_smoke)),
            dependencies=", ".join(requirements_text(plan).split()),
            data=[self.quote(line) for line in data_lines(plan.data, read_state(self.ws.run.path))],
        )
        return Part("plan", text)

    def needs(self, plan: Plan) -> Needs:
        """What questions about single files bring along; made once for all files of a turn."""
        made = self._needs
        if made is None or made[0] is not plan:
            self._needs = made = (plan, Needs(self.ws.paper, plan))
        return made[1]

    def sections(self, refs: Iterable[str], but: Iterable[str] = ()) -> str:
        """Return what `refs` name, in the paper's order, with what it cites.

        Args:
            refs: ids, numbers or titles of sections, several in one where they are; tables, equations and the like.
            but: ids of sections that are shown elsewhere.
        """
        paper, refs = self.ws.paper, list(refs)
        known = with_children(paper, set(but))
        named = {section.id for ref in refs for section in find_sections(paper, ref) if section.kind != "references"}
        there = {block.id for section in paper.sections if section.id in known for block in section.blocks}
        blocks = {block.id for ref in refs for block in named_blocks(paper, ref)} - there
        found = named - known
        if not (found or blocks):
            return ""
        return to_markdown(paper, found, left_out=False, floats=True, blocks=blocks)

    def prompt(self, plan: Plan, template: str, before: tuple[Part, ...] = (), /, **values: object) -> Prompt:
        """Return a prompt that begins as all of this plan do (rules, plan), so that a provider may reuse that part.

        Args:
            before: parts in front of the task that other questions have as well.
        """
        task = render(template, fence=self.fence, **values)
        return Prompt(prefix=(self.rules(), self.plan_digest(plan)), body=(*before, Part("task", task)))

    def about_file(
        self, plan: Plan, spec: FileSpec, template: str, more: Iterable[str] = (), /, **values: object
    ) -> Prompt:
        """Return a prompt about one file: those of analyzer, coder and reviewer begin with the same parts, which are
        what the file and others of its group share with other groups, and their own parts of the plan.

        Args:
            more: further places of the paper.
        """
        removals = [row.words for row in touched((row.name, row.specifier) for row in plan.dependencies)]
        how = Part("how", f"{render('plan/how', removals=removals)}\n{render('plan/reviewed')}")
        needs = self.needs(plan)
        told = needs.text(spec, more)
        before = (*((Part("needs", told),) if told else ()), Part("file", needs.own(spec)))
        made = self.prompt(plan, template, before, file=spec, **values)
        return replace(made, prefix=(*made.prefix, how))

    def quote(self, text: str) -> str:
        """Make sure that quoted text cannot close its own quotation."""
        return quoted(text, self.fence)


class Agent(ABC):
    """One member of the team."""

    name: str
    description: str
    steps: tuple[Step, ...]
    """What the router may ask of it."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @abstractmethod
    async def act(self, step: Step) -> str:
        """Take one of its steps, and return a receipt of at most 300 characters."""


async def fan_out(items: Sequence[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Run `work` on all items at the same time; the model layer limits how many calls are under way.

    One failing item does not stop the others: what they deliver is kept, then the first fault is raised.
    """
    await _all(*(work(item) for item in items))


async def both(first: Awaitable[T], second: Awaitable[U]) -> tuple[T, U]:
    """Wait for two things at the same time. If one fails, the other is still waited for: what was paid for is kept."""
    return cast("tuple[T, U]", tuple(await _all(first, second)))


async def _all(*work: Awaitable[object]) -> list[object]:
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results
