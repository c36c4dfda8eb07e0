"""Steps of LaTeX algorithms: words for commands, and the nesting of their blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentsys.paper.latex import scan
from agentsys.paper.model import AlgorithmLine

_CLOSES = re.compile(r"\\(?:End|Until|Else|ElsIf|END|UNTIL|ELSE|ELSIF)")
_OPENS = re.compile(
    r"\\(?:For|While|If|Else|ElsIf|Repeat|Loop|Function|Procedure|FOR|WHILE|IF|ELSE|ELSIF|REPEAT|LOOP|FORALL|ForAll)(?![a-z])"
)
_LEADING = re.compile(r"^\\(?:State|STATE|Statex|Comment|COMMENT|item)(?![a-zA-Z])\s*")
_WORDS = {
    "require": "Require:", "ensure": "Ensure:", "input": "Input:", "output": "Output:", "return": "return",
    "kwin": "Input:", "kwout": "Output:", "kwdata": "Data:", "kwresult": "Result:", "for": "for", "forall": "for all",
    "while": "while", "if": "if", "elsif": "else if", "elseif": "else if", "else": "else", "repeat": "repeat",
    "until": "until", "loop": "loop", "endfor": "end for", "endwhile": "end while", "endif": "end if",
    "endloop": "end loop", "function": "function", "procedure": "procedure", "endfunction": "end function",
    "endprocedure": "end procedure", "comment": "▷", "print": "print",
}  # fmt: skip
_ARGUMENT = re.compile(r"(for|for all|while|if|until|▷) \{((?:[^{}]|\{[^{}]*\})*)\}")
_COMMAND = re.compile(r"\\(?P<name>[A-Z][A-Za-z]+|tcp|tcc)\*?(?![a-zA-Z])\s*")


def steps(content: str, caption: str) -> Iterator[AlgorithmLine]:
    """Yield the lines of an algorithm, indented by the commands that open and close blocks."""
    depth = 0
    for raw in re.sub(r"\\caption\s*\{", "{", content).splitlines():
        words = re.sub(r"\\(?:begin|end)\s*\{[A-Za-z0-9]+\}(?:\[[^\]]*\])?", "", scan.tidy(raw)).strip()
        if not words or re.match(r"\[[htbp!H]+\]$", words) or (caption and caption[:20] in words):
            continue
        if _CLOSES.match(words):
            depth = max(depth - 1, 0)
        text = _worded(words)
        if text:
            yield AlgorithmLine(indent=depth, text=text)
        if _OPENS.match(words):
            depth += 1


def _worded(words: str) -> str:
    """Write the commands of `algorithmic` and `algorithmicx` as the words that they print."""

    def word(match: re.Match[str]) -> str:
        found = _WORDS.get(match["name"].lower())
        return match[0] if found is None else f"{found} "

    text = " ".join(_COMMAND.sub(word, _LEADING.sub("", words)).split())
    return _ARGUMENT.sub(r"\1 \2", text)
