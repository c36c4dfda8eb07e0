"""Before a plan is accepted: what is open is looked for in the whole paper and asked again, once, with what was found.

The two halves of the ledger are written at the same time; where they disagree the planner settles it here, before any
file is written. So are settings whose value no passage about them holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar, cast

from pydantic import BaseModel, Field

from agentsys.core.artifacts import ExpectedResult, Experiment, OpenQuestion, PaperPlace
from agentsys.core.errors import PrerequisiteError
from agentsys.core.prompts import render
from agentsys.core.text import cut
from agentsys.llm.client import AnswerError
from agentsys.llm.parse import extract_json
from agentsys.llm.types import Part, Prompt
from agentsys.paper.model import Paper
from agentsys.paper.outline import body_sections
from agentsys.paper.query import letters, stands_in, with_children
from agentsys.paper.render import to_markdown
from agentsys.plan.answers import Answer, ConfigAnswer, EvaluationAnswer, Ledger, LedgerRow, RequirementsAnswer
from agentsys.plan.bounds import stated
from agentsys.plan.claims.numerals import numerals
from agentsys.plan.claims.passages import Passage, Passages
from agentsys.plan.context import Context
from agentsys.plan.contribution import requirements_part
from agentsys.plan.references import with_pages
from agentsys.plan.rules import evaluation_problems, requirements_problems
from agentsys.plan.search import found_for

M = TypeVar("M", bound=BaseModel)
FOR_EACH = 4
"""Passages that are looked at for one open point."""
MOST = 30
"""Settings that are asked about at once."""
COMMON = 1000
"""Numbers below it, of one or two digits, stand in a paper for many things."""
MAX_PASSAGE = 700
MAX_PASSAGES = 14_000
"""Characters of all passages of one question."""
BEGINNING = 60
"""Characters by which a passage is found in the text above."""
_FRACTION = re.compile(r"(?<![\d.,/])(\d{1,3}) ?/ ?([1-9]\d{0,2})(?![\d./])")
_NUMBERED = re.compile(r"^Q\d+:\s*")
"""A question's number, as the ledger is shown."""


class SettledAnswer(Answer):
    """Rows of the ledger that change, whole; what stays as it is is not repeated."""

    requirements: tuple[LedgerRow, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    expected: tuple[ExpectedResult, ...] = ()
    questions: tuple[OpenQuestion, ...] = ()
    open: tuple[str, ...] = Field(default=(), description="ids that the paper leaves unresolved")


class SettingRow(Answer):
    """One setting, as the paper states it."""

    key: str
    value: object
    place: PaperPlace


class SettingsAnswer(Answer):
    """Settings that the paper states otherwise than the configuration."""

    settings: tuple[SettingRow, ...] = ()


async def settled(context: Context, ledger: Ledger) -> Ledger:
    """Return the ledger with its open points and contradictions settled by the planner.

    A recording without such an answer is replayed as it is.

    Raises: ProviderError, LimitReached; PrerequisiteError outside of a replay.
    """
    passages = Passages(context.ws.paper).all
    unresolved = {row.id: row for row in ledger.requirements if row.status == "unresolved"}
    weak = {row.id: row.what for row in ledger.requirements if row.status != "paper"}
    queries = {**weak, **{f"Q{n}": row.question for n, row in enumerate(ledger.questions, 1)}}
    found = found_for(passages, queries, FOR_EACH)
    task = render("plan/settle", fence=context.fence, points=_places(context, found), found=_texts(context, found))

    def parse(text: str) -> Ledger:
        answer = extract_json(text, SettledAnswer)
        changed = {row.id: row for row in answer.requirements}
        silent = (
            unresolved.keys() - {rid for rid, row in changed.items() if row.status != "unresolved"} - {*answer.open}
        )
        problems = [f"{rid} is unresolved: change its row, or name it in `open`" for rid in sorted(silent)]
        problems += _unsaid(context, ((row.id, row.place.quote) for row in changed.values() if row.status == "paper"))
        whole = _with_rows(ledger, answer, context.ws.paper)
        problems += requirements_problems(RequirementsAnswer(requirements=whole.requirements))
        problems += evaluation_problems(EvaluationAnswer.model_validate(whole.model_dump()))
        _refuse(problems)
        return whole

    return await _asked(context, "settle", (*ledger_parts(ledger), Part("task", task)), parse, ledger)


async def confirmed(
    context: Context, config: ConfigAnswer, before: Sequence[Part], problems: Callable[[ConfigAnswer], list[str]]
) -> ConfigAnswer:
    """Return the configuration with the values that the paper states; only those are asked about that it may state.

    Args:
        before: parts that the question about the configuration began with.
        problems: what is wrong with a configuration.

    Raises: ProviderError, LimitReached; PrerequisiteError outside of a replay.
    """
    passages = [item for item in Passages(context.ws.paper).all if any(c.isdigit() for c in item.text)]
    leaves = dict(_leaves(config.config_full))
    near = found_for(passages, {key: key for key in leaves}, FOR_EACH)
    doubtful = {
        key: near[key]
        for key, value in leaves.items()
        if near[key] and not _stated(value, passages if _stands_out(value) else near[key])
    }
    doubtful = dict(list(doubtful.items())[:MOST])
    if not doubtful:
        return config
    points = _places(context, {f"{key} ({leaves[key]!r})": rows for key, rows in doubtful.items()})
    task = render("plan/settings", fence=context.fence, points=points, found=_texts(context, doubtful))

    def parse(text: str) -> ConfigAnswer:
        answer = extract_json(text, SettingsAnswer)
        wrong = [f"`{row.key}` is no setting of `config_full`" for row in answer.settings if row.key not in leaves]
        wrong += _unsaid(context, ((row.key, row.place.quote) for row in answer.settings))
        _refuse(wrong)
        changed = ConfigAnswer(
            config_full=_with_values(config.config_full, config.config_full, answer.settings),
            config_smoke=_with_values(config.config_smoke, config.config_full, answer.settings),
        )
        _refuse(problems(changed))
        return changed

    return await _asked(context, "settings", (*before, Part("task", task)), parse, config)


def ledger_parts(ledger: Ledger, settled: Ledger | None = None) -> tuple[Part, ...]:
    """Return the ledger as it stands in every later question of the plan; the paper's words stand in the paper.

    Args:
        settled: what became of it. Its new rows follow, so that questions go on beginning as the earlier ones did.
    """
    parts = (requirements_part(ledger.requirements), Part("runs", render("plan/ledger_runs", ledger=ledger)))
    changed = (
        {
            "rows": _new(ledger.requirements, settled.requirements),
            "experiments": _new(ledger.experiments, settled.experiments),
            "expected": _new(ledger.expected, settled.expected),
            "questions": _new(ledger.questions, settled.questions),
        }
        if settled is not None
        else {}
    )
    return (*parts, Part("settled", render("plan/settled", **changed))) if any(changed.values()) else parts


def _new(old: Sequence[M], new: Sequence[M]) -> list[M]:
    return [row for row in new if row not in old]


async def _asked(context: Context, item: str, body: tuple[Part, ...], parse: Callable[[str], M], otherwise: M) -> M:
    prompt = Prompt(prefix=(context.rules(), *context.paper()), body=body)
    try:
        return await context.model.ask("planner", item, prompt, parse)
    except PrerequisiteError:
        if context.settings.replay is None:
            raise
        message = f"the recording holds no answer to `{item}`: the plan is taken as it was written first"
        context.events.emit("warning", stage="plan", message=message)
        return otherwise


def _with_rows(ledger: Ledger, answer: SettledAnswer, paper: Paper) -> Ledger:
    """Put changed rows in the place of those with their id or name; others are added."""
    asked = [row.model_copy(update={"question": _NUMBERED.sub("", row.question)}) for row in answer.questions]
    questions = {row.question: row for row in (*ledger.questions, *asked)}
    expected = with_pages(stated(answer.expected, paper), paper)
    return ledger.model_copy(
        update={
            "requirements": _replaced(ledger.requirements, with_pages(answer.requirements, paper), lambda row: row.id),
            "experiments": _replaced(ledger.experiments, answer.experiments, lambda row: row.name),
            "expected": _replaced(ledger.expected, expected, lambda row: row.id),
            "questions": tuple(questions.values()),
        }
    )


def _replaced(old: Sequence[M], new: Sequence[M], key: Callable[[M], str]) -> tuple[M, ...]:
    return tuple({key(row): row for row in (*old, *new)}.values())


def _places(context: Context, found: Mapping[str, Sequence[Passage]]) -> list[str]:
    """Return for each point where the paper speaks of it; of the best place, if it stands above, how it begins."""
    above = _above(context)

    def said(rows: Sequence[Passage]) -> str:
        names = [row.place if row.section in above else _mark(row) for row in rows]
        if rows and rows[0].section in above:
            names[0] += f" (“{context.quote(' '.join(rows[0].text.split())[:BEGINNING])}…”)"
        return ", ".join(dict.fromkeys(names)) or "nothing found"

    return [f"{name}: {said(rows)}" for name, rows in found.items()]


def _above(context: Context) -> set[str]:
    """Return the sections that stand in each question of the planner."""
    paper = context.ws.paper
    return with_children(paper, body_sections(paper))


def _mark(passage: Passage) -> str:
    return f"{passage.place} [{passage.id}]"


def _texts(context: Context, found: Mapping[str, Sequence[Passage]]) -> dict[str, str]:
    """Return the passages that do not stand in the text above, each once."""
    above = _above(context)
    texts: dict[str, str] = {}
    for passage in (row for rows in found.values() for row in rows):
        if passage.section not in above and sum(map(len, texts.values())) < MAX_PASSAGES:
            texts[_mark(passage)] = context.quote(cut(passage.text, MAX_PASSAGE))
    return texts


def _stated(value: object, passages: Sequence[Passage]) -> bool:
    """True where a passage about a setting holds its value, or the value is no number that a paper would print."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    there = [abs(number.value) for row in passages for number in numerals(row.text)]
    there += [int(one) / int(other) for row in passages for one, other in _FRACTION.findall(row.text)]
    size = abs(value)  # the dash of a list is read as a sign
    near = 1e-9 * max(1.0, size)
    return any(abs(each - wanted) <= near for each in there for wanted in (size, 100 * size))


def _stands_out(value: object) -> bool:
    """True for a number that hardly stands in a paper for anything else: wherever it does, it is stated."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    digits = f"{abs(value):.11e}".partition("e")[0].replace(".", "").rstrip("0")
    return abs(value) >= COMMON or len(digits) > 2


def _unsaid(context: Context, quotes: Iterator[tuple[str, str]]) -> list[str]:
    paper = letters(to_markdown(context.ws.paper))
    return [
        f"{name}: the words `{quote[:80]}` do not stand in the paper: copy them"
        for name, quote in quotes
        if quote and not stands_in(quote, paper)
    ]


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise AnswerError("\n".join(f"- {problem}" for problem in problems[:20]))


def _leaves(config: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _leaves(cast("dict[str, object]", value), f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _with_values(
    config: Mapping[str, object], full: Mapping[str, object], rows: Sequence[SettingRow], prefix: str = ""
) -> dict[str, object]:
    """Return a configuration with new values; the small profile follows where it had the full one's."""
    new = {row.key: row.value for row in rows}
    made: dict[str, object] = {}
    for key, value in config.items():
        other = full.get(key)
        if isinstance(value, dict) and isinstance(other, dict):
            inner, whole = cast("dict[str, object]", value), cast("dict[str, object]", other)
            made[key] = _with_values(inner, whole, rows, f"{prefix}{key}.")
        else:
            made[key] = new[f"{prefix}{key}"] if f"{prefix}{key}" in new and value == other else value
    return made
