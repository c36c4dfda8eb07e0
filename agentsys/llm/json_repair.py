"""Backslashes in JSON strings, as models write them in formulas."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r'\\(?:(u[0-9a-fA-F]{4}|["\\/])|([bfnrt])([a-zA-Z]*))?')

_COMMAND = re.compile(
    "nabla|natural|nearrow|newcommand|nleq|ngeq|nmid|nonumber|notin|"
    "rangle|rbrace|rbrack|rceil|ref|relax|rfloor|rho|right|rightarrow|rightharpoonup|rm|root|rvert|rVert|"
    "tanh|tau|tbinom|text|textbf|textit|textrm|textsc|texttt|tfrac|theta|tilde|times|triangle|triangleq"
)
"""LaTeX commands that begin like one of JSON's own escapes (`\\nabla` like `\\n`); after a real line feed, carriage
return or tab, hardly any text goes on like that. With `\\b` and `\\f` every letter is a command: nobody means those."""
_AMBIGUOUS = re.compile("ne|neg|neq|ni|norm|not|nu|tag|tan|to|top|tt")
"""The same, but a line may well begin with `u` or `eq`: taken for LaTeX only beside other unescaped commands."""


def repair_escapes(text: str) -> str:
    """Return text in which each backslash that belongs to a LaTeX command is doubled, so that JSON keeps it.

    `\\lambda` is no valid escape; `\\frac` and `\\nabla` are valid but would turn into control characters. What is
    escaped correctly stays as it is.
    """
    unescaped = any(_is_command(match, ambiguous=False) for match in _ESCAPE.finditer(text))
    return _ESCAPE.sub(lambda match: ("\\" if _is_command(match, ambiguous=unescaped) else "") + match[0], text)


def _is_command(match: re.Match[str], *, ambiguous: bool) -> bool:
    valid, letter, rest = match[1], match[2], match[3]
    if valid:
        return False
    if letter is None:
        return True
    word = letter + rest
    listed = _COMMAND.fullmatch(word) or (ambiguous and _AMBIGUOUS.fullmatch(word))
    return bool(rest) and (letter in "bf" or bool(listed))
