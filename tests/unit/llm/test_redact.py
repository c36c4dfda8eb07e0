"""Secrets stay out of text."""

from __future__ import annotations

import pytest

from agentsys.llm.redact import Redactor


def test_every_occurrence_of_a_secret_is_replaced_and_nothing_else_changed() -> None:
    redactor = Redactor(["abcdefgh", "abcdefgh-longer"])
    assert redactor.text("x abcdefgh-longer\n\ty abcdefgh") == "x [redacted]\n\ty [redacted]"


def test_placeholder_keys_do_not_mangle_text() -> None:
    assert Redactor(["none", "", "x"]).text("none of x") == "none of x"


@pytest.mark.parametrize("secret", ["sk-abc123DEF456", "sk-ant-api03-xyz_123", "Bearer abcdef123456", "sk-****wxyz12"])
def test_things_that_look_like_keys_are_removed_from_messages(secret: str) -> None:
    assert secret not in Redactor().message(f"Incorrect key: {secret}.")
