"""Entries of a .bib file that a text cites, as a bibliography."""

from __future__ import annotations

import re

from agentsys.paper.latex.scan import matching

_ENTRY = re.compile(r"@(?P<kind>[A-Za-z]+)\s*\{\s*(?P<key>[^,\s{}]+)\s*,")
_FIELD = re.compile(r"(?P<name>[A-Za-z]+)\s*=\s*")
_ORDER = ("author", "title", "journal", "booktitle", "publisher", "year", "doi", "eprint", "url")


def bibliography(bib: str, text: str) -> str:
    """Return a `thebibliography` environment with the cited entries (all of them for `\\nocite{*}`)."""
    cited = {
        key.strip()
        for group in re.findall(r"\\[A-Za-z]*[cC]ite[A-Za-z]*\*?\s*(?:\[[^\]]*\]\s*){0,2}\{([^{}]*)\}", text)
        for key in group.split(",")
    }
    items: list[str] = []
    for match in _ENTRY.finditer(bib):
        if match["kind"].lower() in ("comment", "string", "preamble"):
            continue
        if match["key"] in cited or "*" in cited:
            body = bib[match.end() : matching(bib, bib.index("{", match.start()))]
            items.append(f"\\bibitem{{{match['key']}}} {_entry(body)}")
    return "\\begin{thebibliography}{99}\n" + "\n".join(items) + "\n\\end{thebibliography}" if items else ""


def _entry(body: str) -> str:
    fields = _fields(body)
    parts = [fields[name] for name in _ORDER if fields.get(name)]
    if fields.get("archiveprefix", "").lower() == "arxiv" and fields.get("eprint"):
        parts.append(f"arXiv:{fields['eprint']}")
    return ". ".join(parts) + "."


def _fields(body: str) -> dict[str, str]:
    found: dict[str, str] = {}
    position = 0
    while (match := _FIELD.search(body, position)) is not None:
        start = match.end()
        if body[start : start + 1] == "{":
            end = matching(body, start)
            value = body[start + 1 : end]
        elif body[start : start + 1] == '"':
            end = body.find('"', start + 1)
            end = len(body) if end < 0 else end
            value = body[start + 1 : end]
        else:
            bare = re.match(r"[^,\n}]*", body[start:])
            value = bare[0] if bare else ""
            end = start + len(value)
        found[match["name"].lower()] = " ".join(re.sub(r"[{}]", "", value).split())
        position = end + 1
    return found
