"""The model's context window: how large it must be, and whether a prompt was read whole."""

from __future__ import annotations

import re

from agentsys.llm.render import CHARS_PER_TOKEN
from agentsys.llm.types import Feedback, Prompt, Usage

ANSWER = 8192
"""Tokens that are left for an answer: thinking and one long file."""
_PIECE = re.compile(r"[^\W\d_]+|\d{1,3}|(?:[^\s\w]|_)+")
"""A word, up to three digits, or signs in a row: tokenizers part text at least at about these borders. DeepSeek,
Qwen, Gemma, Tekken (Mistral) and Claude make 0.94 to 1.45 tokens of a piece of prose, formulas, tables, code, JSON."""
_LEAST_TOKENS = 0.7
"""Tokens of a piece below which something was left out, whatever the tokenizer."""
_ROUND_TOKENS = 0.95
"""The same, where the count is a round number of the kind that windows have."""
_SHARE = 0.8
"""Of the fewest tokens that the same model counted for a piece before."""
_LEAST_CHARS = 2.0
"""Characters that one token stands for at least on average, in formulas and code."""
_FRAME = 64
"""Tokens that a template adds to a question at most."""
_SMALLEST = 1000
"""Tokens. No window is smaller: such a count leaves out what came from a cache, or is no count at all."""


def needed(prompt: Prompt, besides: int = 0) -> int:
    """Return the tokens that a window must have for a prompt and its answer, rounded up to a multiple of 1024.

    Args:
        besides: tokens that are not in the prompt.
    """
    return -(-(prompt.chars // CHARS_PER_TOKEN + besides + ANSWER) // 1024) * 1024


def window_hint(prompt: Prompt, besides: int = 0) -> str:
    """Return what to do about a window that is too small."""
    tokens = needed(prompt, besides)
    return (
        f"this paper needs one of about {tokens:,} tokens: take a model with a larger one, or load it with one "
        f"(Ollama: `OLLAMA_CONTEXT_LENGTH={tokens}`; llama.cpp: `-c`; vLLM: `--max-model-len`; LM Studio: its "
        "context length)"
    )


def pieces(prompt: Prompt, feedback: Feedback = ()) -> int:
    """Return the words, numbers and signs of what is sent: about as many tokens it has at least."""
    return sum(_pieces(part.text) for part in (*prompt.prefix, *prompt.body)) + sum(
        _pieces(text) for turn in feedback for text in turn
    )


def too_many(limit: int, prompt: Prompt, feedback: Feedback = ()) -> bool:
    """Return whether a prompt has more tokens than a limit, whatever the tokenizer."""
    return pieces(prompt, feedback) * _LEAST_TOKENS > limit


def _pieces(text: str) -> int:
    return sum(1 for _ in _PIECE.finditer(text))


def lost_prefix(prompt: Prompt, usage: Usage, feedback: Feedback = ()) -> bool:
    """Return whether an endpoint counted no more tokens than the question alone can have, and fewer than the prefix."""
    if usage.estimated or usage.cached or not usage.prompt:
        return False
    prefix = sum(_pieces(part.text) for part in prompt.prefix)
    rest = sum(len(part.text) for part in prompt.body) + sum(len(text) for turn in feedback for text in turn)
    return usage.prompt < min(prefix * _LEAST_TOKENS, rest / _LEAST_CHARS + _FRAME)


def was_cut(sent: int, usage: Usage, known: float = 0.0) -> bool:
    """Return whether an endpoint counted so few tokens that it cannot have read the whole prompt.

    Args:
        sent: `pieces` of what was sent.
        known: the fewest tokens for a piece that the same model counted for prompts that it read whole; 0 for none.
    """
    counted = _counted(usage)
    if usage.estimated or counted < _SMALLEST:
        return False
    least = _ROUND_TOKENS if counted % 1024 == 0 else _LEAST_TOKENS
    return counted < sent * max(least, _SHARE * known)


class Counts:
    """What each model counted so far: how many tokens it makes of a piece of text, at least."""

    def __init__(self) -> None:
        self._least: dict[str, float] = {}

    def was_cut(self, model: str, sent: int, usage: Usage, images: int = 0) -> bool:
        """Return whether a prompt was cut, by all that is known of its model; a whole one is learned from.

        Args:
            images: pictures that went along; their tokens are counted too, so nothing is learned from them.
        """
        known = self._least.get(model, 0.0)
        if was_cut(sent, usage, known):
            return True
        if not images and not usage.estimated and sent >= _SMALLEST <= _counted(usage):
            found = _counted(usage) / sent
            self._least[model] = min(known or found, found)
        return False


def _counted(usage: Usage) -> int:
    return usage.prompt if usage.cached <= usage.prompt else usage.prompt + usage.cached
