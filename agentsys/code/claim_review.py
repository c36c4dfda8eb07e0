"""The review of the programs of claims: each beside its contract and the paper, item by item."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import Field

from agentsys.code.claim_programs import Draft, judged_paper, looked_at, rules_of, trial_of
from agentsys.code.reached import reached, without_prose
from agentsys.core.artifacts import Artifact
from agentsys.core.errors import LimitReached, NoUsableAnswer, PrerequisiteError
from agentsys.core.prompts import render
from agentsys.core.tree import is_test_path, read_tree
from agentsys.llm.client import AnswerError
from agentsys.llm.parse import extract_json
from agentsys.llm.types import Part, Prompt
from agentsys.paper.query import SHORTEST_QUOTE, letters, stands_in
from agentsys.paper.render import to_markdown
from agentsys.plan.answers import Answer
from agentsys.plan.claims.contract import Contract
from agentsys.plan.context import Context, fan_out
from agentsys.verify.reviewer import ROLE, line_of

FILE = "reviews.json"
GROUP = 4
"""Claims of one question: paper and code are told once for all of them."""
_WORDLESS = ("seed", "computed")
"""Items that are met by a line of code alone."""
_REPORTED = 60
"""Faults of an answer that are told."""


class ReviewedItem(Artifact):
    """One thing that program and contract have in common, or where they differ."""

    item: str
    file: str = ""
    line: int | None = None
    code: str = ""
    words: str = ""
    differs: str = ""
    """Empty where it is met."""
    grounded: bool = True
    """Both quotations were found; a difference without is a doubt."""


class ClaimReview(Artifact):
    """What a reviewer says of one claim's program: of `claims/reviews.json`."""

    claim: str
    stamp: str = ""
    """Hash of the code and of the program that it is about."""
    items: tuple[ReviewedItem, ...] = ()
    """None where no reviewer gave a whole answer."""

    @property
    def findings(self) -> tuple[str, ...]:
        """Differences that both quotations show, as the coder is told of them."""
        rows = [row for row in self.items if row.differs and row.grounded]
        places = [f"`{row.file}`" + ("" if row.line is None else f", line {row.line}") for row in rows]
        quotes = [f" (“{row.words}”)" if row.words else "" for row in rows]
        return tuple(f"{place}: {row.differs}{quote}" for place, row, quote in zip(places, rows, quotes, strict=True))

    @property
    def state(self) -> Literal["clean", "finding", "absent"]:
        """`clean` asks for an answer to every item, and neither difference nor doubt."""
        if self.findings:
            return "finding"
        return "clean" if self.items and not any(row.differs for row in self.items) else "absent"


class _Item(Answer):
    item: str
    file: str = ""
    line: str = ""
    words: str = ""
    differs: str = ""


class _Review(Answer):
    claim: str
    items: tuple[_Item, ...] = ()


class _Reviews(Answer):
    reviews: tuple[_Review, ...] = Field(min_length=1)


async def review_programs(context: Context, drafts: Sequence[Draft], number: int) -> dict[str, ClaimReview]:
    """Return what the reviewer says of each program; without items where it gave no whole answer.

    Args:
        number: which look it is at these programs, from 1.
    """
    sources = _sources(context.ws.run.repo)
    groups = [_Group(context, drafts[start : start + GROUP], sources) for start in range(0, len(drafts), GROUP)]

    async def ask(group: _Group) -> None:
        names = "_".join(draft.contract.claim.lower() for draft in group.drafts)
        item = f"claims/review_{names}" + ("" if number == 1 else f"-{number}")
        missing = ""
        try:
            await context.model.ask(ROLE, item, group.prompt(), group.take)
        except (NoUsableAnswer, LimitReached) as error:
            missing = error.message
        except PrerequisiteError:
            if context.settings.replay is None:
                raise
            missing = "the recording holds no answer for it"
        if left := [draft.contract.claim for draft in group.drafts if draft.contract.claim not in group.found]:
            message = f"no reviewer compared the programs of {', '.join(left)} with the paper: {missing}"
            context.events.emit("warning", stage="experiments", message=message)

    await fan_out(groups, ask)
    found = {claim: review for group in groups for claim, review in group.found.items()}
    return {
        draft.contract.claim: found.get(draft.contract.claim, ClaimReview(claim=draft.contract.claim)).model_copy(
            update={"stamp": trial_of(context, draft).stamp}
        )
        for draft in drafts
    }


@dataclass
class _Group:
    """Some claims, and what a whole answer said of them so far."""

    context: Context
    drafts: Sequence[Draft]
    sources: Mapping[str, str]
    found: dict[str, ClaimReview] = field(default_factory=dict[str, ClaimReview])

    def __post_init__(self) -> None:
        self._texts = {draft.contract.claim: without_prose(draft.text) for draft in self.drafts}
        used = "\n".join(draft.text for draft in self.drafts)
        self._shown = {path: without_prose(text) for path, text in reached(used, self.sources).items()}
        self._paper = letters(to_markdown(self.context.ws.paper))

    def prompt(self) -> Prompt:
        context = self.context
        rows = [
            {
                "id": draft.contract.claim,
                "contract": context.quote("\n".join((*_told(draft.contract), *_run_with(draft)))),
                "path": draft.path,
                "text": context.quote(self._texts[draft.contract.claim]),
                "items_": {name: context.quote(words) for name, words in items_of(draft.contract).items()},
            }
            for draft in self.drafts
        ]
        task = render(
            "code/claim_review",
            claims=rows,
            sources={path: context.quote(text) for path, text in self._shown.items()},
            no_words=" and ".join(f"`{name}`" for name in _WORDLESS),
            shortest=SHORTEST_QUOTE,
            fence=context.fence,
        )
        paper = judged_paper(context, [draft.contract for draft in self.drafts])
        return Prompt(prefix=(rules_of(context), paper), body=(Part("task", task),))

    def take(self, text: str) -> None:
        """Keep each whole review of an answer. Raises: AnswerError where one is missing or not whole."""
        answers = {row.claim: row for row in extract_json(text, _Reviews).reviews}
        faults: list[str] = []
        for draft in self.drafts:
            claim = draft.contract.claim
            if claim in self.found and claim not in answers:
                continue
            review, wrong = self._checked(draft, answers.get(claim) or _Review(claim=claim))
            faults += [f"- {claim}: {words}" for words in wrong]
            if not wrong:
                self.found[claim] = review
        if faults:
            taken = ", ".join(sorted(self.found))
            rest = f"The reviews of {taken} are taken as they are: leave them out of your next answer" if taken else ""
            raise AnswerError("\n".join(faults[:_REPORTED]), rest)

    def _checked(self, draft: Draft, answer: _Review) -> tuple[ClaimReview, list[str]]:
        asked = items_of(draft.contract)
        given = {row.item: row for row in answer.items}
        faults = [f"the item `{name}` is not answered" for name in asked if name not in given]
        rows: list[ReviewedItem] = []
        for name in asked.keys() & given.keys() if not faults else ():
            row, fault = self._item(draft, given[name])
            rows.append(row)
            faults += [fault] if fault else []
        ordered = sorted(rows, key=lambda row: list(asked).index(row.item))
        return ClaimReview(claim=draft.contract.claim, items=tuple(ordered)), faults

    def _item(self, draft: Draft, row: _Item) -> tuple[ReviewedItem, str]:
        """Look both quotations of an item up; say what of one that is met cannot be found."""
        path = row.file if row.file in self._shown else draft.path
        line = line_of(row.line, self._shown.get(path, self._texts[draft.contract.claim]))
        said = stands_in(row.words, self._paper)
        told = said or stands_in(row.words, letters("\n".join([*_told(draft.contract), *_run_with(draft)])))
        item = ReviewedItem(
            item=row.item,
            file=path,
            line=line,
            code=row.line.strip()[:400],
            words=row.words[:400],
            differs=row.differs.strip()[:1000],
        )
        if item.differs:
            absent = not row.line.strip()
            grounded = (line is not None and (told or row.item in _WORDLESS)) or (absent and told)
            return item.model_copy(update={"grounded": grounded}), ""
        if line is None:
            return item, f"`line` of the item `{row.item}` stands nowhere in `{path}`: copy it from what is shown"
        if not told and row.item not in _WORDLESS:
            few = (
                f"; fewer than {SHORTEST_QUOTE} letters are never found"
                if len(letters(row.words)) < SHORTEST_QUOTE
                else ""
            )
            why = f"stand in neither paper nor contract (“{row.words[:80]}”{few}): copy one place letter by letter"
            return item, f"`words` of the item `{row.item}` {why}"
        return item, ""


def items_of(contract: Contract) -> dict[str, str]:
    """Return what a whole review of a claim's program says something of: name -> words."""
    rules = [rule for rule in (contract.accept, contract.falsify) if rule is not None]
    rows = dict.fromkeys(words.partition(",")[0] for rule in rules for words in looked_at(rule))
    found = {f"row {number}": f"{words}, computed as the paper defines it" for number, words in enumerate(rows, 1)}
    if contract.domain:
        found["domain"] = "instances are those for which the paper states the claim"
    keys = sorted(
        {*contract.grid, *contract.toy_below, *([contract.horizon.axis] if contract.horizon else [])} - {"seeds"}
    )
    if keys:
        found["settings"] = (
            f"{', '.join(f'`{key}`' for key in keys)} scale what the paper calls so, and the unit is right"
        )
    for row in contract.baselines:
        found[f"baseline {row.method}"] = "the baseline is run as the paper runs it, not weakened"
    if contract.control is not None:
        found["control"] = "`case=control` is the contract's control, and changes nothing else"
    if contract.degenerate is not None:
        found["degenerate"] = "`case=degenerate` is the contract's degenerate case"
    if not contract.deterministic:
        found["seed"] = "all chance comes from the seed, and another seed gives another draw"
    found["computed"] = (
        "values are computed by the method; none is written down, chosen by case or seed, or taken from the paper"
    )
    return found


def _told(contract: Contract) -> list[str]:
    """Return a contract as the reviewer sees it: everything but the rules and the paper's number."""
    lines = [f"claim ({contract.kind}): {contract.text}"]
    lines += [f"domain: {contract.domain}"] if contract.domain else []
    lines += [f"grid: {key} = {', '.join(values)}" for key, values in contract.grid.items()]
    lines += [f"agreed where the paper leaves it open: {row}" for row in (*contract.silent, *contract.choices)]
    lines += [f"data set: {row.name}" for row in contract.datasets]
    lines += [f"counting unit: {key} = {value}" for key, value in contract.count_units.items()]
    lines += [f"baseline: {row.method}" for row in contract.baselines]
    lines += [f"control: {contract.control.what}"] if contract.control is not None else []
    lines += [f"degenerate: {contract.degenerate.what}"] if contract.degenerate is not None else []
    return [re.sub(r"\s+", " ", line) for line in lines]


def _run_with(draft: Draft) -> list[str]:
    """Say which settings a program is called with, so that nobody has to guess whether they are the paper's."""
    found: dict[str, list[str]] = {}
    for cell in (cell for level in draft.climb.levels for cell in level):
        for key, value in cell.setting:
            if value not in (values := found.setdefault(key, [])):
                values.append(value)
    return [f"run with: {key} = {', '.join(values)}" for key, values in found.items()]


def _sources(repo: Path) -> dict[str, str]:
    files = read_tree(repo)
    code = (path for path in sorted(files) if path.endswith(".py") and not is_test_path(path))
    return {path: files[path].decode("utf-8", "replace") for path in code}
