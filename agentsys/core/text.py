"""Untrusted text made harmless: for a terminal, for Markdown and for Mermaid; and long texts cut."""

from __future__ import annotations

import re

from agentsys_sandbox.text import clean_text

_MARKDOWN = re.compile(r"([\\`*\[\]<>|~$&@]|(?<!\w)_|_(?!\w)|^[#=]|^[+-](?!\d)|^\d+(?=[.)](?:\s|$)))")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "&#64;", "\\": "&#92;"}
"""A doubled backslash before a bracket opens a formula in notebooks."""
_PLAIN = re.compile(r"[A-Za-z0-9 ._/]")


def clean_line(text: object, limit: int = 200) -> str:
    """Return `text` as one line of at most `limit` characters, harmless for a terminal."""
    line = " ".join(clean_text(str(text)).split())
    return line if len(line) <= limit else line[: max(limit - 1, 0)] + "…"


def cut(text: str, limit: int) -> str:
    """Return at most about `limit` characters: the head, a line with what is missing, and twice as much of the tail."""
    if len(text) <= limit:
        return text
    head = limit // 3
    tail = limit - head
    left_out = len(text) - head - tail
    return f"{text[:head]}\n... {left_out} characters left out ...\n{text[-tail:]}"


def cut_lines(text: str, lines: int, width: int = 300) -> str:
    """Keep the first and last lines of a long text, and say how many are missing between."""
    rows = [row if len(row) <= width else f"{row[:width]}…" for row in text.rstrip().splitlines()]
    if len(rows) <= lines:
        return "\n".join(rows)
    head = lines * 2 // 3
    tail = lines - head
    return "\n".join([*rows[:head], f"… {len(rows) - lines} lines left out …", *rows[-tail:]])


def md(text: object, limit: int = 300) -> str:
    """Return one line of Markdown that shows `text` literally: no link, image, HTML, mention or table border."""

    def escape(match: re.Match[str]) -> str:
        sign = match[1]
        # A number at the beginning would open a list; digits cannot be escaped by a backslash.
        return f"{sign}<!-- -->" if sign.isdigit() else _ENTITIES.get(sign, f"\\{sign}")

    line = _MARKDOWN.sub(escape, clean_line(text, limit))
    # GitHub makes links of bare addresses.
    return re.sub(r"(?i)(https?|ftp|www)([:.])", r"\1<!-- -->\2", line)


def code(text: object, limit: int = 200) -> str:
    """Return inline code; backquotes inside are replaced."""
    line = clean_line(text, limit).replace("`", "'").replace("|", "¦")
    return f"`{line}`" if line else ""


def fence(text: str, language: str = "", *, lines: int = 60, width: int = 300) -> str:
    """Return a fenced block, cut head and tail, whose fence is longer than any inside."""
    body = cut_lines(clean_text(text), lines, width)
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    mark = "`" * max(3, longest + 1)
    return f"{mark}{language}\n{body}\n{mark}"


def mermaid(text: object, limit: int = 60) -> str:
    """Return a Mermaid label: everything but plain characters becomes an entity code (`#35;`)."""
    return "".join(c if _PLAIN.fullmatch(c) else f"#{ord(c)};" for c in clean_line(text, limit))
