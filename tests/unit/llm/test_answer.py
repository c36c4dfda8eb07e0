"""What a model said is parted where it speaks for its user, and not where it speaks of chat templates."""

from __future__ import annotations

import pytest

from agentsys.llm.answer import read


@pytest.mark.parametrize(
    "answer",
    [
        "The template renders `<|im_start|>system\\nAsk.<|im_end|>\\n<|im_start|>user\\nHi<|im_end|>`.\nMore.",
        'A turn is written "<|im_start|>user" there.\nMore.',
    ],
)
def test_an_answer_that_speaks_of_a_turn_of_the_user_stays_whole(answer: str) -> None:
    assert read(answer).answer == answer


def test_what_a_model_goes_on_to_say_for_its_user_is_dropped_behind_code_too() -> None:
    answer = "It calls `fit` once.<|im_end|>\n<|im_start|>user\nAnd now?"
    assert read(answer).answer == "It calls `fit` once."
