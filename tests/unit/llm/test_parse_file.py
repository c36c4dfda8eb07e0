"""Files out of answers."""

from __future__ import annotations

import pytest

from agentsys.llm.client import AnswerError
from agentsys.llm.parse import extract_file

CODE = "import math\n\n\ndef area(r: float) -> float:\n    return math.pi * r**2\n"


def fenced(content: str, label: str = "python", fence: str = "```") -> str:
    return f"{fence}{label}\n{content}{fence}"


@pytest.mark.parametrize(
    "text",
    [
        fenced(CODE),
        f"Here is the file.\n\n{fenced(CODE)}\n\nIt computes an area.",
        fenced(CODE, fence="~~~"),
        fenced(CODE, fence="````"),
        fenced(CODE, label=""),
        fenced(CODE).replace("\n", "\r\n"),
        f"First install:\n{fenced('pip install numpy' + chr(10), 'bash')}\nThen:\n{fenced(CODE)}",
        f"{fenced(CODE)}\nRun it:\n{fenced('python area.py' + chr(10), 'bash')}",
        f"The idea is\n{fenced('area = pi * r ** 2' + chr(10))}\nand the file:\n{fenced(CODE)}",
        f"<think>\n{fenced('x = 1' + chr(10) + CODE)}\n</think>\n{fenced(CODE)}",
    ],
    ids=["alone", "prose", "tildes", "four", "no label", "CRLF", "shell before", "shell after", "idea before", "think"],
)
def test_file_is_the_block_that_holds_it(text: str) -> None:
    assert extract_file(text, "area.py") == CODE


def test_block_labelled_with_the_path_wins_over_a_longer_one() -> None:
    text = f"{fenced(CODE, 'python other.py')}\n{fenced('x = 1' + chr(10), 'python src/x.py')}"
    assert extract_file(text, "src/x.py") == "x = 1\n"


@pytest.mark.parametrize(
    "inner",
    ["```python\narea(2)\n```", "```\narea(2)\n```", "~~~\narea(2)\n~~~", "    ```\n    area(2)\n    ```"],
    ids=["labelled", "bare", "other fence", "indented"],
)
def test_fences_inside_a_docstring_stay_in_the_file(inner: str) -> None:
    code = f'"""Areas.\n\n{inner}\n"""\n\n{CODE}'
    assert extract_file(f"The file:\n{fenced(code)}\nDone.", "area.py") == code


@pytest.mark.parametrize("label", ["bash", ""], ids=["labelled", "bare"])
def test_fences_inside_markdown_stay_in_the_file(label: str) -> None:
    readme = f"# Title\n\n{fenced('pip install .' + chr(10), label)}\n\nMore text.\n"
    assert extract_file(f"Here:\n{fenced(readme, 'markdown')}", "README.md") == readme


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (f"```python\n{CODE}", "area.py"),
        (f"{fenced('pip install numpy' + chr(10), 'bash')}\n```python\n{CODE}", "area.py"),
        ("```markdown\n# Title\n\n```\npip install .\n```\n\nMore", "README.md"),
        ('```python\n"""Doc\n\n```python\nx\n```\n"""\nx =', "area.py"),
    ],
    ids=["one block", "after a whole block", "markdown", "after an inner block"],
)
def test_file_whose_block_is_never_closed_is_cut_off(text: str, path: str) -> None:
    with pytest.raises(AnswerError, match="cut off"):
        extract_file(text, path)


def test_answer_without_a_block_is_refused() -> None:
    with pytest.raises(AnswerError, match=r"no fenced code block with the content of `area\.py`"):
        extract_file("I would rather not.", "area.py")


def test_empty_file_is_possible() -> None:
    assert extract_file("```python\n```", "pkg/__init__.py") == ""


def test_other_line_separators_of_the_file_survive() -> None:
    code = 's = "a\u2028b\x0cc"\n'
    assert extract_file(fenced(code), "a.py") == code
