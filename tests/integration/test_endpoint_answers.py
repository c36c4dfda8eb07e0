"""Answers as models write them, over real HTTP: thinking is dropped and kept, and the answer is never a draft."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from agentsys.audit.screening import judge_purpose
from agentsys.code.coder import accepted
from agentsys.core.artifacts import FileSpec
from agentsys.core.errors import NoUsableAnswer
from agentsys.llm.parse import extract_file, extract_json
from agentsys_policies.engine import Policy
from agentsys_policies.purpose import marker_of
from integration.endpoint_run import Run, ask, plain
from integration.faulty_endpoint import completion, delta, ok, raw, serving, stream

FILE = "import math\n\n\ndef area(r: float) -> float:\n    return math.pi * r**2\n"
DRAFT = (
    "import math\n\n\ndef area(r: float) -> float:\n    # a longer draft, which is wrong\n    return math.pi * r * 2\n"
)


class Loss(BaseModel):
    formula: str
    weight: float = 1.0


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def fenced(content: str, label: str = "python") -> str:
    return f"```{label}\n{content}```"


WRAPPED = {
    "thinking": "<think>Is {draft} right? No.</think>\n{answer}",
    "empty thinking": "<think>\n\n</think>\n\n{answer}",
    "two thoughts": "<think>a</think>\n<think>{draft}</think>\n{answer}",
    "closing tag alone": "First:\n{draft}\nNo, that is wrong.\n</think>\n\n{answer}",
    "closing tag alone inside a fence": "First:\n```python\nx = (\n</think>\n\n{answer}",
    "closing tag before the answer": "Let me see. Fine.</think>{answer}",
    "a maker's own tag": "<seed:think>Is {draft} right?</seed:think>{answer}",
    "a tag with attributes": '<think type="deep">\n{draft}\n</think>\n{answer}',
    "Command": "<|START_THINKING|>{draft}<|END_THINKING|><|START_RESPONSE|>{answer}<|END_RESPONSE|>",
    "Gemma": "<|channel>thought\n{draft}<channel|>{answer}<end_of_turn>",
    "harmony, whole": "<|start|>assistant<|channel|>analysis<|message|>{draft}<|end|><|start|>assistant"
    "<|channel|>final <|constrain|>json<|message|>{answer}<|return|>",
    "harmony without its marks": "analysisIs {draft} right? No.assistantfinal{answer}",
    "DeepSeek": "<｜begin▁of▁thinking｜>{draft}<｜end▁of▁thinking｜>{answer}<｜end▁of▁sentence｜>",
    "Apriel": "Here are my steps: {draft}\n[BEGIN FINAL RESPONSE]\n{answer}\n[END FINAL RESPONSE]",
    "a box": "<think>{draft}</think><|begin_of_box|>{answer}<|end_of_box|>",
    "preface and thinking": "Sure!\n<thinking>\n{draft}\n</thinking>\n{answer}",
    "square brackets": "[THINK]{draft}[/THINK]{answer}",
    "channels": "<|channel|>analysis<|message|>{draft}<|end|><|start|>assistant<|channel|>final<|message|>{answer}",
    "byte-order mark": "\ufeff{answer}",
    "preface and closing sentence": "Here it is.\n\n{answer}\n\nTell me if you need anything else.",
    "end token": "{answer}<|im_end|>",
    "a tag of another name": "<reflection>{draft}</reflection>\n<output>\n{answer}\n</output>",
    "a long name": "<longcat_think>\n{draft}\n</longcat_think>\n{answer}",
    "a tag that may mean other things": "<analysis>\n{draft}\n</analysis>\n<answer>{answer}</answer>",
    "a start and an end": "<think_start>{draft}<think_end>{answer}",
    "escaped": "&lt;think&gt;{draft}&lt;/think&gt;\n{answer}",
    "closed by a tag without content": "<think>{draft}<think/>\n{answer}",
    "bars": "<|think|>{draft}<|/think|>{answer}",
    "inner prefix": "<|inner_prefix|>{draft}<|inner_suffix|>{answer}",
    "unused tokens": "<unused94>thought\n{draft}<unused95>{answer}",
    "turns": "<|im_start|>think\n{draft}<|im_end|>\n<|im_start|>answer\n{answer}<|im_end|>",
    "two sentences": "Here is my thought process:\n{draft}\n\nHere is my response:\n{answer}",
    "a chat program's": "Thinking...\n{draft}\n...done thinking.\n\n{answer}",
    "folded up by a gateway": '<details type="reasoning" done="true">\n<summary>Thought for 3 seconds</summary>\n'
    "> {draft}\n</details>\n{answer}",
    "in a fence": "```text\n<think>\n{draft}\n</think>\n```\n{answer}",
    "quoted by a gateway": "*Thinking...*\n\n> {draft}\n\n{answer}",
    "a header left over": "<|start_header_id|>assistant<|end_header_id|>\n\n<think>{draft}</think>{answer}<|eot_id|>",
    "a turn of the user's": "{answer}<|im_end|>\n<|im_start|>user\n{draft}",
}
"""How models wrap an answer; `{draft}` is what must not be taken for it."""


def wrapped(name: str, draft: str, answer: str) -> str:
    return WRAPPED[name].replace("{draft}", draft).replace("{answer}", answer)


@pytest.mark.parametrize("name", WRAPPED)
async def test_object_is_read_at_once_whatever_a_model_thinks_before_it(run: Run, name: str) -> None:
    text = wrapped(name, '{"formula": "draft, and a long one at that", "weight": 2}', '{"formula": "x"}')
    async with serving(ok(text)) as endpoint:
        answer = await ask(run.model(endpoint), lambda said: extract_json(said, Loss))
    assert (answer.formula, len(endpoint.requests)) == ("x", 1)
    assert text.encode() in run.everything()


@pytest.mark.parametrize("name", WRAPPED)
async def test_file_is_never_the_draft_of_it(run: Run, name: str) -> None:
    async with serving(ok(wrapped(name, f"\n{fenced(DRAFT)}\n", fenced(FILE)))) as endpoint:
        assert await ask(run.model(endpoint), lambda said: extract_file(said, "area.py")) == FILE
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("name", WRAPPED)
async def test_free_text_holds_no_thinking(run: Run, name: str) -> None:
    async with serving(ok(wrapped(name, "DRAFT", "The answer."))) as endpoint:
        text = await ask(run.model(endpoint), plain)
    assert "The answer." in text
    assert not any(word in text for word in ("DRAFT", "think", "THINK", "\ufeff", "<|"))


@pytest.mark.parametrize("fence", [False, True], ids=["bare", "fenced"])
@pytest.mark.parametrize("name", WRAPPED)
async def test_purpose_judge_reads_what_every_other_role_reads(run: Run, name: str, fence: bool) -> None:
    words = "We study kernels."
    judgement = {
        "marker": marker_of("", words, "seed"),
        "verdict": "allow",
        "category": "none",
        "aim": "to study kernels",
        "real_target": False,
        "uplift": "none",
        "reason": "ordinary work",
    }
    answer = json.dumps(judgement)
    draft = "it may be fine"
    async with serving(ok(wrapped(name, draft, fenced(answer + "\n", "json") if fence else answer))) as endpoint:
        model = run.model(endpoint)
        decision = await judge_purpose(Policy.load(), model, "", words, seed="seed")
        await model.close()
    assert (decision.decision, len(endpoint.requests)) == ("allow", 1)


async def test_purpose_judge_takes_none_of_two_answers(run: Run) -> None:
    words = "We study kernels."
    both = [
        json.dumps(
            {
                "marker": marker_of("", words, "seed"),
                "verdict": each,
                "category": kind,
                "aim": "a",
                "real_target": False,
                "uplift": "none",
                "reason": "r",
            }
        )
        for each, kind in (("block", "malware"), ("allow", "none"))
    ]
    async with serving(ok("\n".join(both))) as endpoint:
        model = run.model(endpoint)
        with pytest.raises(NoUsableAnswer, match="exactly one JSON object"):
            await judge_purpose(Policy.load(), model, "", words, seed="seed")
        await model.close()


@pytest.mark.parametrize(
    "code",
    [
        'def answer(text: str) -> str:\n    return text.split("</think>")[-1]\n',
        'PROMPT = """\n<think>\nreason here\n</think>\n"""\n',
        'END = """\n</think>\n"""\n',
        "# everything up to </think>\nx = 1\n",
    ],
    ids=["string", "template", "end alone", "comment"],
)
async def test_file_that_speaks_of_thinking_tags_stays_whole(run: Run, code: str) -> None:
    async with serving(ok(f"The file:\n{fenced(code)}\nDone.")) as endpoint:
        assert await ask(run.model(endpoint), lambda said: extract_file(said, "reasoning.py")) == code


async def test_object_that_speaks_of_thinking_tags_stays_whole(run: Run) -> None:
    formula = "cut at </think>, then {x}"
    async with serving(ok(json.dumps({"formula": formula}))) as endpoint:
        assert (await ask(run.model(endpoint), lambda said: extract_json(said, Loss))).formula == formula


async def test_later_block_wins_over_a_larger_draft_and_examples_of_use_lose(run: Run) -> None:
    use = "from area import area\n\nprint(area(2))\n"
    shell = fenced("ls\n", "bash")
    text = f"First idea:\n{fenced(DRAFT)}\nBetter:\n{fenced(FILE)}\nUse:\n{fenced(use)}\nRun:\n{shell}"
    async with serving(ok(text)) as endpoint:
        assert await ask(run.model(endpoint), lambda said: extract_file(said, "area.py")) == FILE


async def test_coder_takes_the_block_that_keeps_the_agreed_interface(run: Run) -> None:
    spec = FileSpec(path="area.py", kind="source", purpose="areas", interface="def area(r: float) -> float: ...")
    helper = "def half(x: float) -> float:\n    return x / 2\n"
    text = f"{fenced(FILE)}\nA smaller helper you might like:\n{fenced(helper)}"
    async with serving(ok(text)) as endpoint:
        assert await ask(run.model(endpoint), lambda said: accepted(spec, said)) == FILE


async def test_thinking_that_never_ends_is_no_answer(run: Run) -> None:
    async with serving(ok(f"<think>hm, {fenced(DRAFT)}"), ok(fenced(FILE))) as endpoint:
        assert await ask(run.model(endpoint), lambda said: extract_file(said, "area.py")) == FILE
    assert "thinking alone" in str(endpoint.requests[1].body["messages"])


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_answer_that_came_as_reasoning_alone_is_used_and_said(run: Run, field: str) -> None:
    async with serving(ok(None, **{field: '{"formula": "x"}'})) as endpoint:
        answer = await ask(run.model(endpoint), lambda said: extract_json(said, Loss))
    assert (answer.formula, len(endpoint.requests)) == ("x", 1)
    [warning] = run.of_type("warning")
    assert "reasoning alone" in str(warning["message"])


async def test_reasoning_that_is_no_answer_is_asked_again_and_kept(run: Run) -> None:
    async with serving(ok(None, reasoning_content="Let me think about it."), ok('{"formula": "x"}')) as endpoint:
        assert (await ask(run.model(endpoint), lambda said: extract_json(said, Loss))).formula == "x"
    assert b"Let me think about it." in run.everything()
    assert run.of_type("warning") == []


async def test_reasoning_beside_an_answer_is_kept_and_not_used(run: Run) -> None:
    chunks = [
        {"choices": [{"delta": {"reasoning_content": '{"formula": '}}]},
        {"choices": [{"delta": {"reasoning_content": '"draft"}'}}]},
        delta('{"formula": "x"}', "stop"),
    ]
    async with serving(stream(*chunks, "[DONE]")) as endpoint:
        assert (await ask(run.model(endpoint), lambda said: extract_json(said, Loss))).formula == "x"
    assert rb"\"draft\"" in run.everything()


async def test_parts_of_an_answer_that_are_thinking_are_told_apart(run: Run) -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "draft"}]}, {"type": "text", "text": "fine"}]
    body = json.loads(completion("x"))
    body["choices"][0]["message"]["content"] = parts
    async with serving(raw(json.dumps(body))) as endpoint:
        assert await ask(run.model(endpoint), plain) == "fine"
