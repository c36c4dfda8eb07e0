"""Screening before anything is planned: the facts about the document, and the judges of what it is for."""

from __future__ import annotations

from pathlib import Path

from agentsys.llm.client import AnswerError, Model
from agentsys.llm.parse import only_object
from agentsys.llm.types import Part, Prompt
from agentsys.paper.model import Paper
from agentsys.paper.query import excerpt
from agentsys_policies.engine import Policy
from agentsys_policies.schema import Decision, HiddenText, IntakeFacts

EXCERPT_CHARS = 6000


async def screen(policy: Policy, model: Model, paper: Paper, folder: Path, request: str) -> list[Decision]:
    """Return the decisions on a document and on what it is for; the second is asked for only where the first allows.

    Args:
        folder: holds the document that was read.

    Raises: ProviderError, LimitReached: without usable answers there is no decision.
    """
    intake = policy.screen_intake(intake_facts(paper, folder))
    if not intake.allows:
        return [intake]
    words = excerpt(paper, EXCERPT_CHARS)
    return [intake, await judge_purpose(policy, model, request, words, seed=paper.sha256)]


async def judge_purpose(
    policy: Policy, model: Model, request: str, words: str, *, seed: str, item: str = "purpose"
) -> Decision:
    """Return the decision on a request and an excerpt of a paper.

    Args:
        words: the paper's own words, cut by the caller.
        seed: hash of the whole document, from which the marker of the quoted material is made.
        item: under which the calls are recorded, followed by the judge's number.

    Raises: ProviderError, LimitReached: without usable answers there is no decision.
    """

    def parse(text: str) -> str:
        answer = only_object(text, "verdict")
        if not policy.reads_answer(request, words, answer, seed=seed):
            raise AnswerError("answer with the one JSON object asked for, with its marker; a block names its category")
        return answer

    answers: list[str] = []
    decision = policy.decide_purpose(request, words, answers, seed=seed)
    for judge in (1, 2):
        asked = policy.purpose_prompt(request, words, judge, seed=seed)
        prompt = Prompt(prefix=(Part("policy", asked.system),), body=(Part("subject", asked.user),))
        answers.append(await model.ask("auditor", f"{item}-{judge}", prompt, parse))
        decision = policy.decide_purpose(request, words, answers, seed=seed)
        if not policy.needs_second(decision):
            break
    return decision


def intake_facts(paper: Paper, folder: Path) -> IntakeFacts:
    """Return what the reader saw of the document in `folder`.

    Hidden text counts as removed: the reader takes it out of all blocks before anything else sees them.
    """
    audit = paper.audit
    active = [
        name
        for name, there in (
            ("javascript", audit.javascript),
            ("launch", audit.launch),
            ("open_action", audit.open_action),
        )
        if there
    ]
    sources = [file for file in folder.glob("source.*") if file.is_file()]
    return IntakeFacts(
        path=paper.source,
        sha256=paper.sha256,
        format=paper.format,
        size=sources[0].stat().st_size if sources else 0,
        pages=max(1, len(paper.pages)),
        # A source without pages has no layer that could be hidden; its text is all there is.
        pages_examined=max(1, len(paper.pages)) if audit.checked or not paper.pages else 0,
        active_content=tuple(active),
        attachments=len(audit.embedded_files),
        hidden=tuple(
            HiddenText(page=row.page, reason=row.reason, text=row.text[:500], removed=True) for row in audit.hidden_text
        ),
    )
