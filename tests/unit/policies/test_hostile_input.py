"""Whatever is put in, a gate ends with a decision: no crash, no hang, no allow for what it did not understand."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from agentsys_policies.engine import Policy
from agentsys_policies.schema import Decision

POLICY = Policy.load()
WORDS = (
    "import·os ; os.system(' exec( eval( ) ( ' \" def·f(x):⏎ return· lambda:· f'{ }' [ ] { } * ** = := @ "
    "async· await· yield· x .y with·open(p)·as·f:⏎ class·A(B):⏎ global·x⏎ \\ # é 0x 1e999 match·x:⏎ try:⏎ "
    "except:⏎ $( ` | & <<E⏎ E⏎ > <( $(( ${x rm·-rf· / ~ .. sudo· curl· if· fi do· done"
)
PIECES = (
    *(word.replace("·", " ").replace("⏎", "\n") for word in WORDS.split()),
    "\n",
    "\t",
    "    ",
    "\x00",
    "\u202e",
    "\ud7ff",
)


def jumble(seed: int, length: int) -> str:
    source = random.Random(seed)
    return "".join(source.choice(PIECES) for _ in range(length))


@pytest.mark.parametrize("seed", range(150))
def test_jumbled_files_of_every_kind_get_a_decision(tmp_path: Path, seed: int) -> None:
    text = jumble(seed, 60)
    for name in ("a.py", "b.sh", "Makefile", "Dockerfile", "pyproject.toml", "x.ipynb", "conftest.py", "y.pth"):
        (tmp_path / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    decision = POLICY.audit_code(tmp_path)
    receipt = decision.scanners[0]
    assert receipt.inputs == 8
    assert receipt.examined + len(receipt.skipped) == 8
    assert Decision.model_validate_json(decision.model_dump_json()) == decision


@pytest.mark.parametrize("seed", range(200))
def test_jumbled_commands_and_requirements_get_a_decision(seed: int) -> None:
    text = jumble(seed, 25)
    for decision in (
        POLICY.check_command(["bash", "-c", text]),
        POLICY.check_command(text.split(" ")),
        POLICY.check_dependencies(text.splitlines()),
        POLICY.decide_purpose(text, text, [text]),
    ):
        assert Decision.model_validate_json(decision.model_dump_json()) == decision
    assert not POLICY.decide_purpose(text, text, [text]).allows


@pytest.mark.parametrize(
    "argv",
    [
        ["env"] * 100_000,
        ["env"] * 100_000 + ["sudo", "ls"],
        ["python", "-m"] * 10_000,
        ["bash", "-c", "$(" * 20_000],
        ["bash", "-c", "{ " * 20_000],
        ["bash", "-c", "a|" * 50_000],
        ["bash", "-c", '"$(' * 5_000],
        ["bash", "-c", "y" * 300_000],
        ["python", "-c", "(" * 50_000],
        ["python", "-c", "x." * 50_000 + "y"],
        ["\x00"],
        ["a" * 1_000_000],
    ],
)
def test_monstrous_commands_are_not_allowed(argv: list[str]) -> None:
    assert not POLICY.check_command(argv).allows


@pytest.mark.parametrize("text", ["a" * 2_000_000, "sarin " * 200_000, "make " * 400_000, "\u200b" * 500_000])
def test_a_monstrous_purpose_gets_a_decision(text: str) -> None:
    POLICY.decide_purpose(text, text, [])
    assert len(POLICY.purpose_prompt(text, text).user) < 100_000


def test_findings_quote_hostile_text_on_one_short_line_without_control_characters() -> None:
    decision = POLICY.check_command(["frobnicate", "\x1b[31m" + "A" * 5000 + "\r\n\u202e\x07"])
    quote = decision.findings[0].evidence.quote
    assert len(quote) <= 200
    assert quote.isprintable()
    assert decision.subject.isprintable()
