"""What the planner reads: the main text, a map of everything else, and the parts of it that it asks for."""

from __future__ import annotations

from pydantic import Field

from agentsys.core.errors import PrerequisiteError
from agentsys.core.files import write_json
from agentsys.core.prompts import render
from agentsys.llm.client import AnswerError
from agentsys.llm.parse import extract_json
from agentsys.llm.types import Part, Prompt
from agentsys.paper.named import find_sections, named_blocks
from agentsys.paper.outline import other_sections
from agentsys.paper.render import to_markdown
from agentsys.plan.answers import Answer
from agentsys.plan.context import READ, Context

FEW = 8000
"""Characters of appendices up to which they are shown without being asked for."""


class ReadingAnswer(Answer):
    """Places of the paper that the planner wants to read."""

    places: tuple[str, ...] = Field(max_length=40)


async def read_further(context: Context, role: str) -> None:
    """Have the planner say which appendices it needs, and keep their names; they stand in every later prompt on it.

    A recording that holds no such answer is replayed without them.

    Raises: ProviderError, LimitReached; PrerequisiteError outside of a replay.
    """
    file = context.ws.run.plan / READ
    paper = context.ws.paper
    rest = other_sections(paper)
    if file.is_file() or not rest:
        return
    if len(to_markdown(paper, [section.id for section in rest], left_out=False)) <= FEW:
        write_json(file, {"places": [section.id for section in rest]})
        return
    task = render("plan/reading", request=context.ws.request)
    prompt = Prompt(prefix=(context.rules(), *context.paper()), body=(Part("task", task),))

    def parse(text: str) -> ReadingAnswer:
        answer = extract_json(text, ReadingAnswer)
        unknown = [ref for ref in answer.places if not (find_sections(paper, ref) or named_blocks(paper, ref))]
        if unknown:
            raise AnswerError(f"`{unknown[0][:80]}` is not on the map: copy numbers or titles from it")
        return answer

    try:
        answer = await context.model.ask(role, "reading", prompt, parse)
    except PrerequisiteError:
        if context.settings.replay is None:
            raise
        message = "the recording holds no answer on what else of the paper to read: the appendices are left out"
        context.events.emit("warning", stage="plan", message=message)
        return
    write_json(file, {"places": list(answer.places)})
