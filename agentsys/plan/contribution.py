"""What the paper itself contributes: whether the ledger holds it.

Three looks, none of which trusts the planner alone: the planner names the requirements that carry the contribution,
another role compares the ledger with the abstract, and names that the abstract shares with what the paper reports must
occur in the ledger.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pydantic import Field

from agentsys.core.artifacts import CENTRAL, ExpectedResult
from agentsys.core.errors import PrerequisiteError
from agentsys.core.prompts import render
from agentsys.llm.client import AnswerError
from agentsys.llm.parse import extract_json
from agentsys.llm.types import Part, Prompt
from agentsys.paper.model import Paper, Table
from agentsys.paper.query import plain, words_of
from agentsys.plan.answers import Answer, Contribution, LedgerRow, RequirementsAnswer
from agentsys.plan.context import Context

_MOST = 12
"""Rows of a table whose labels are looked at; larger ones list settings, not methods."""


class ContributionAnswer(Answer):
    """What another role than the planner says; a contribution that nothing carries has no requirements."""

    contributions: tuple[Contribution, ...] = Field(min_length=1, max_length=5)


@dataclass(frozen=True)
class Seen:
    """The contribution, as both roles see it."""

    central: tuple[str, ...]
    """Ids of the requirements that carry it."""
    left_out: tuple[str, ...] = ()
    """What no requirement carries: in the paper's words, with what the reviewer misses."""
    contributions: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """What was named by either role, in the paper's words -> ids."""


async def compared(context: Context, answer: RequirementsAnswer, expected: Sequence[ExpectedResult], item: str) -> Seen:
    """Compare a ledger with what the paper says of itself: its names, and what the reviewer reads there.

    A recording that holds no answer of the reviewer is replayed without it, and a warning says so.

    Args:
        item: under which the reviewer is asked.

    Raises: ProviderError, LimitReached; PrerequisiteError outside of a replay.
    """
    names = left_out(context.ws.paper, answer.requirements, expected)
    mine = [rid for row in answer.contributions for rid in row.requirements]
    try:
        seen = (await _second_look(context, answer, item)).contributions
    except PrerequisiteError:
        if context.settings.replay is None:
            raise
        message = "the recording holds no second look at what the paper contributes: only its names were compared"
        context.events.emit("warning", stage="plan", message=message)
        seen = ()
    theirs = [rid for row in seen for rid in row.requirements]
    missing = [f"{row.words} ({row.missing})" if row.missing else row.words for row in seen if not row.requirements]
    named = {row.words: row.requirements for row in (*answer.contributions, *seen)}
    return Seen(tuple(dict.fromkeys((*mine, *theirs))), (*missing, *names), named)


async def _second_look(context: Context, answer: RequirementsAnswer, item: str) -> ContributionAnswer:
    known = [row.id for row in answer.requirements]
    body = (requirements_part(answer.requirements), Part("task", render("plan/contribution")))
    prompt = Prompt(prefix=(context.rules(), *context.paper()), body=body)

    def parse(text: str) -> ContributionAnswer:
        found = extract_json(text, ContributionAnswer)
        if problems := quote_problems(context.ws.paper, found.contributions, known):
            raise AnswerError("\n".join(f"- {problem}" for problem in problems))
        return found

    return await context.model.ask("reviewer", item, prompt, parse)


def requirements_part(rows: Sequence[LedgerRow]) -> Part:
    """Return the requirements as the planner's later questions and the second look have them."""
    return Part("ledger", render("plan/ledger", rows=rows))


def contribution_problems(paper: Paper, answer: RequirementsAnswer) -> list[str]:
    """Return what is wrong with the contributions that the planner names."""
    kinds = {row.id: row.kind for row in answer.requirements}
    problems = quote_problems(paper, answer.contributions, kinds)
    return problems + [
        f"nothing of the kinds {', '.join(sorted(CENTRAL))} carries the contribution `{row.words}`: name the row that "
        "computes it, or give the paper's own procedure the kind algorithm"
        for row in answer.contributions
        if kinds.keys() & set(row.requirements) and not any(kinds.get(rid) in CENTRAL for rid in row.requirements)
    ]


def quote_problems(paper: Paper, rows: Iterable[Contribution], known: Iterable[str]) -> list[str]:
    """Return contributions whose words the paper does not have, or whose requirements the ledger does not have."""
    text, ids = f" {_words(words_of(paper))} ", set(known)
    problems: list[str] = []
    for row in rows:
        if f" {_words(row.words)} " not in text:
            problems.append(f"the words `{row.words}` do not stand in the paper: copy them from its abstract")
        problems += [
            f"`{row.words}` names {rid}, which the ledger does not have" for rid in set(row.requirements) - ids
        ]
    return problems


def left_out(paper: Paper, rows: Iterable[LedgerRow], expected: Iterable[ExpectedResult]) -> list[str]:
    """Return the names that title or abstract share with the rows of a table, and the plan does not have."""
    said = {_stem(word) for text in _said(rows, expected) for word in plain(text).split()}
    front = {_stem(word) for word in plain(f"{paper.title} {paper.abstract}").split()}
    found: list[str] = []
    for name in _names(paper):
        words = {_stem(word) for word in plain(name).split() if len(word) > 2 and not word.isdigit()}
        if words and words <= front and not words & said:
            found.append(name)
    return list(dict.fromkeys(found))


def _said(rows: Iterable[LedgerRow], expected: Iterable[ExpectedResult]) -> Iterator[str]:
    for row in rows:
        yield row.what
    for result in expected:
        yield f"{result.metric} {result.result_key.replace('_', ' ')}"


def _names(paper: Paper) -> Iterator[str]:
    for section in paper.sections:
        for block in section.blocks:
            if isinstance(block, Table) and len(block.rows) <= _MOST:
                yield from (row[0] for row in block.rows[1:] if row)


def _words(text: str) -> str:
    """Return a text's plain words without LaTeX commands: whoever copies may leave the markup out."""
    return plain(re.sub(r"\\[A-Za-z]+\*?", " ", text))


def _stem(word: str) -> str:
    """A word without the ending of a plural: enough to find it again."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
