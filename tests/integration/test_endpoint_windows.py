"""Context windows over real HTTP: a prompt that was cut is noticed, one that is too long is shortened or explained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsys.core.errors import ProviderError
from agentsys.llm.types import Part, Prompt
from integration.endpoint_run import Run, plain
from integration.faulty_endpoint import Answer, Endpoint, fault, ok, raw, serving

WORDS = "The loss of the network falls with the number of steps, as equation 3 says for each layer. "
"""Ordinary English: about 4.8 characters a token in any tokenizer."""
TASK = Part("task", "What is the loss? Answer in one line.")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def prompt(chars: int, quoted: bool = True) -> Prompt:
    text = (WORDS * (chars // len(WORDS) + 1))[:chars]
    paper = f"# The paper\n\n<<Q123 paper\n{text}\nQ123>>" if quoted else text
    return Prompt((Part("rules", "the rules"), Part("paper", paper)), (TASK,))


def counted(tokens: int, **more: object) -> Answer:
    usage = {"prompt_tokens": tokens, "completion_tokens": 5, **more}
    choice = {"finish_reason": "stop", "message": {"content": "It falls."}}
    return raw(json.dumps({"model": "served", "choices": [choice], "usage": usage}))


async def asked(run: Run, endpoint: Endpoint, question: Prompt) -> str:
    model = run.model(endpoint, model="served")
    try:
        return await model.ask("planner", "plan", question, plain)
    finally:
        await model.close()


@pytest.mark.parametrize(
    ("chars", "tokens"), [(48_000, 4096), (23_000, 4096), (48_000, 4090), (160_000, 8192)], ids=str
)
async def test_prompt_that_was_cut_in_silence_stops_the_run_with_the_remedy(run: Run, chars: int, tokens: int) -> None:
    async with serving(counted(tokens)) as endpoint:
        with pytest.raises(ProviderError) as caught:
            await asked(run, endpoint, prompt(chars))
    assert caught.value.exit_code == 4
    assert f"counted {tokens:,} tokens" in caught.value.message
    assert "OLLAMA_CONTEXT_LENGTH=" in caught.value.hint
    assert len(endpoint.requests) == len(run.ledger) == 1


FORMULA = r"\frac{\partial L}{\partial \theta_i} = \sum_j \nabla f_j(x_t) - \alpha^2 W^\top + O(\epsilon^2) \\ " + "\n"
"""About 2.3 characters a token in any tokenizer."""


def formulas(chars: int) -> Prompt:
    return Prompt((Part("rules", "the rules"), Part("paper", FORMULA * (chars // len(FORMULA)))), (TASK,))


async def test_cut_prompt_of_dense_formulas_is_noticed_though_each_token_left_stands_for_few_characters(
    run: Run,
) -> None:
    async with serving(counted(4090)) as endpoint:  # of at least 6,300
        with pytest.raises(ProviderError, match="counted 4,090 tokens"):
            await asked(run, endpoint, formulas(16_000))


async def test_what_the_endpoint_counted_before_shows_a_cut_that_no_other_model_would_be_suspected_of(run: Run) -> None:
    async with serving(counted(5_000), counted(5_600)) as endpoint:  # of at least 4,400, and of at least 7,000
        model = run.model(endpoint, model="served")
        assert await model.ask("planner", "first", prompt(20_000), plain) == "It falls."
        with pytest.raises(ProviderError, match="counted 5,600 tokens"):
            await model.ask("planner", "second", prompt(32_000), plain)
        await model.close()


async def test_prompt_that_was_sent_shorter_is_held_against_what_was_sent(run: Run) -> None:
    refusal = fault(400, "request (12000 tokens) exceeds the available context size (8192 tokens)", code=400)
    async with serving(refusal, counted(5_300)) as endpoint:
        assert await asked(run, endpoint, prompt(48_000)) == "It falls."


async def test_answer_on_a_cut_prompt_is_kept_but_never_used_by_a_later_start(run: Run) -> None:
    async with serving(counted(4096), counted(11_000)) as endpoint:
        with pytest.raises(ProviderError):
            await asked(run, endpoint, prompt(48_000))
        assert await asked(run, endpoint, prompt(48_000)) == "It falls."
        assert await asked(run, endpoint, prompt(48_000)) == "It falls."
    assert len(endpoint.requests) == 2
    assert len(run.files) == 2


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (prompt(48_000), counted(10_000)),
        (prompt(48_000), counted(7_500)),
        (prompt(48_000), counted(0)),
        (prompt(48_000), counted(150)),
        (prompt(48_000), counted(1_200, prompt_tokens_details={"cached_tokens": 9_000})),
        (Prompt((), (Part("task", ("-" * 400 + "\n" + " " * 400 + "\n") * 60),)), counted(1024)),
    ],
    ids=["usual", "wide tokens", "no count", "new tokens alone", "without those of the cache", "rules and blanks"],
)
async def test_counts_that_a_whole_prompt_can_have_are_no_alarm(run: Run, question: Prompt, answer: Answer) -> None:
    async with serving(answer) as endpoint:
        assert await asked(run, endpoint, question) == "It falls."


TOO_LONG: dict[str, Answer] = {
    "OpenAI": fault(
        400,
        "This model's maximum context length is 4096 tokens. However, your messages resulted in 12000 tokens. Please "
        "reduce the length of the messages.",
        type="invalid_request_error",
        param="messages",
        code="context_length_exceeded",
    ),
    "Azure": fault(
        400,
        "This model's maximum context length is 4096 tokens, however you requested 12000 tokens (11000 in your prompt; "
        "1000 for the completion). Please reduce your prompt; or completion length.",
        param=None,
        code="context_length_exceeded",
    ),
    "llama.cpp": fault(
        400,
        "request (12000 tokens) exceeds the available context size (4096 tokens), try increasing it",
        type="exceed_context_size_error",
        n_prompt_tokens=12000,
        n_ctx=4096,
        code=400,
    ),
    "llama-cpp-python": fault(
        400,
        "This model's maximum context length is 4096 tokens. However, you requested 12000 tokens (11900 in the "
        "messages, 100 in the completion). Please reduce the length of the messages or completion.",
        type="invalid_request_error",
        param="messages",
        code="context_length_exceeded",
    ),
    "vLLM": raw(
        json.dumps(
            {
                "object": "error",
                "message": "This model's maximum context length is 4096 tokens. However, your request has 12000 input "
                "tokens. Please reduce the length of the input messages. None",
                "type": "BadRequestError",
                "param": None,
                "code": 400,
            }
        ),
        400,
    ),
    "Ollama": raw(json.dumps({"error": "the input length exceeds the context length"}), 400),
    "LM Studio": raw(
        json.dumps(
            {
                "error": "Trying to keep the first 12000 tokens when context the overflows. However, the model is "
                "loaded with context length of only 4096 tokens, which is not enough."
            }
        ),
        400,
    ),
    "LM Studio, other words": raw(
        json.dumps({"error": "Cannot truncate prompt with n_keep (12000) >= n_ctx (4096)"}), 400
    ),
    "Perplexity": fault(400, "The total length of all messages is too long.", type="invalid_message", code=400),
    "Bedrock": raw(json.dumps({"message": "The model returned the following errors: too many input tokens"}), 400),
    "Vertex": fault(
        400, "Unable to submit request because the input token count is 12000 but model only supports up to 4096."
    ),
    "DashScope": fault(400, "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 4096]"),
    "Zhipu": fault(400, "Prompt exceeds max length", code="1261"),
    "Moonshot": fault(400, "Invalid request: Your request exceeded model token limit: 4096 (requested: 12000)"),
    "Copilot": fault(
        400, "prompt token count of 12000 exceeds the limit of 4096", code="model_max_prompt_tokens_exceeded"
    ),
    "GitHub Models": fault(
        413, "Request body too large for gpt-4o model. Max size: 4096 tokens.", code="tokens_limit_reached"
    ),
    "watsonx": raw(
        json.dumps(
            {
                "errors": [
                    {
                        "code": "invalid_input_argument",
                        "message": "the number of input tokens 12000 cannot exceed the total tokens limit 4096",
                    }
                ]
            }
        ),
        400,
    ),
    "SambaNova": fault(
        400, "The provided prompt is 12000 tokens long, but the maximum supported sequence length is just 4096!"
    ),
    "TabbyAPI": raw(json.dumps({"detail": "Prompt length 12000 is greater than max_seq_len 4096"}), 400),
    "a body inside the words": fault(
        400, json.dumps({"error": {"message": "it does not fit", "code": "context_length_exceeded"}})
    ),
    "error in a good reply": raw(
        json.dumps({"error": {"message": "prompt is too long: 12000 tokens > 4096 maximum", "code": 400}})
    ),
}


@pytest.mark.parametrize("name", TOO_LONG)
async def test_every_servers_context_error_is_one_kind_with_one_hint(run: Run, name: str) -> None:
    async with serving(TOO_LONG[name]) as endpoint:
        with pytest.raises(ProviderError) as caught:
            await asked(run, endpoint, prompt(48_000, quoted=False))
    assert "context window; this paper needs one of about 20,480 tokens" in caught.value.hint
    assert "messages" not in caught.value.hint and "None" not in caught.value.hint
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        fault(400, "request (12000 tokens) exceeds the available context size (8192 tokens)", code=400),
        raw(json.dumps({"error": "the input length exceeds the context length"}), 400),
    ],
    ids=["window known", "window not known"],
)
async def test_paper_too_long_for_the_window_is_asked_about_shorter_and_said(run: Run, refusal: Answer) -> None:
    question = prompt(48_000)
    async with serving(refusal, ok("It falls.")) as endpoint:
        assert await asked(run, endpoint, question) == "It falls."
    sent = json.dumps(endpoint.requests[1].body["messages"])
    assert len(sent) < 8192 * 4
    assert "characters left out" in sent
    assert "the rules" in sent and TASK.text in sent and "Q123>>" in sent
    [warning] = run.of_type("warning")
    assert "the planner" in str(warning["message"]) and "48," in str(warning["message"])


async def test_longest_sections_give_way_first_and_none_is_left_out_but_the_references(run: Run) -> None:
    def lines(title: str, name: str, count: int) -> str:
        return f"## {title}\n" + "".join(
            f"{name} line {number} of this section of the paper.\n" for number in range(count)
        )

    paper = "".join(
        lines(title, name, count)
        for title, name, count in (
            ("1 Introduction", "intro", 500),
            ("2 Method", "method", 60),
            ("3 Proofs", "proof", 500),
            ("References", "reference", 200),
        )
    )
    question = Prompt((Part("rules", "the rules"), Part("paper", f"<<Q123 paper\n{paper}\nQ123>>")), (TASK,))
    refusal = fault(400, "request (15000 tokens) exceeds the available context size (10000 tokens)", code=400)
    async with serving(refusal, ok("It falls.")) as endpoint:
        assert await asked(run, endpoint, question) == "It falls."
    sent = json.dumps(endpoint.requests[1].body["messages"])
    assert sent.count("method line") == 60
    assert 100 < sent.count("intro line") < 400
    assert abs(sent.count("intro line") - sent.count("proof line")) < 20
    assert "## References" in sent and "reference line" not in sent


async def test_gateway_that_takes_no_large_request_gets_a_smaller_one(run: Run) -> None:
    refusal = raw("<html><head><title>413 Request Entity Too Large</title></head></html>", 413, "text/html")
    async with serving(refusal, ok("It falls.")) as endpoint:
        assert await asked(run, endpoint, prompt(48_000)) == "It falls."
    first, second = (len(json.dumps(request.body)) for request in endpoint.requests)
    assert second < first * 0.8


async def test_what_is_no_quoted_paper_is_never_left_out(run: Run) -> None:
    code = Part("task", f"<<Q123 current\n{'x = 1' * 9_000}\nQ123>>")
    async with serving(fault(400, "the input length exceeds the context length"), ok("fine")) as endpoint:
        with pytest.raises(ProviderError, match="context length"):
            await asked(run, endpoint, Prompt((), (code,)))
    assert len(endpoint.requests) == 1
