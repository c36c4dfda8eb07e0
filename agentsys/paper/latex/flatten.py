"""One LaTeX text from many files and its bibliography. Only the source's own files are followed; nothing is run."""

from __future__ import annotations

import re

from agentsys.core.errors import PaperError
from agentsys.paper.latex.clean import strip_comments
from agentsys.paper.latex.scan import matching
from agentsys.paper.latex.sources import Sources

DEPTH = 10
MAX_CHARS = 8_000_000
_INCLUDE = re.compile(
    r"\\(?P<two>import|subimport|inputfrom|subinputfrom|includefrom|subincludefrom)\*?\s*\{(?P<folder>[^{}]*)\}\s*\{(?P<file>[^{}]*)\}"
    r"|\\(?P<one>input|include|subfile|subfileinclude|InputIfFileExists|@input)\s*\{(?P<name>[^{}]*)\}"
    r"|\\input\s+(?P<bare>[A-Za-z0-9_./\-]+)"
    r"|\\(?P<outside>verbatiminput|lstinputlisting|inputminted|VerbatimInput|openin|read)\*?\s*(?:\[[^\]]*\])?\s*(?:\{[^{}]*\}\s*)?\{(?P<target>[^{}]*)\}"
)
_BIBLIOGRAPHY = re.compile(r"\\bibliography\s*\{(?P<names>[^{}]*)\}|\\printbibliography(?![A-Za-z])\s*(?:\[[^\]]*\])?")
_ENTRY = re.compile(r"@(?P<kind>[A-Za-z]+)\s*\{\s*(?P<key>[^,\s{}]+)\s*,")
_FIELD = re.compile(r"(?P<name>[A-Za-z]+)\s*=\s*")
_ORDER = ("author", "title", "journal", "booktitle", "publisher", "year", "doi", "eprint", "url")


class Flattener:
    """Puts the files of a source together; `warnings` names what was not found or not followed."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.warnings: list[str] = []
        self.chars = 0

    def flatten(self, main: str) -> str:
        """Return the main file with everything it includes."""
        text = self.sources.read(main)
        if text is None:
            raise PaperError(f"`{main}` cannot be read", "give the paper's LaTeX source")
        return self._bibliography(self._expand(strip_comments(text), "", (main,)), main)

    def _expand(self, text: str, folder: str, path: tuple[str, ...]) -> str:
        def replace(match: re.Match[str]) -> str:
            if match["outside"]:
                self._warn(f"`\\{match['outside']}` of `{match['target']}` was not followed")
                return ""
            here = folder
            if match["two"]:
                here = _join(folder if match["two"].startswith("sub") else "", match["folder"])
                wanted = _join(here, match["file"])
            else:
                wanted = _join("", (match["name"] or match["bare"] or "").strip())
            return self._file(wanted, here, path)

        return _INCLUDE.sub(replace, text)

    def _file(self, wanted: str, folder: str, path: tuple[str, ...]) -> str:
        for name in (wanted, f"{wanted}.tex", _join(folder, wanted), f"{_join(folder, wanted)}.tex"):
            text = self.sources.read(name)
            if text is None:
                continue
            self.chars += len(text)
            if name in path or len(path) > DEPTH or self.chars > MAX_CHARS:
                self._warn(f"`{wanted}` is included too deeply, in a circle or is too large")
                return ""
            text = strip_comments(text)
            inner = re.search(r"\\begin\s*\{document\}(.*?)(?:\\end\s*\{document\}|\Z)", text, re.S)
            return self._expand(inner[1] if inner else text, folder, (*path, name))
        self._warn(f"`{wanted}` is not in the source")
        return ""

    def _bibliography(self, text: str, main: str) -> str:
        match = _BIBLIOGRAPHY.search(text)
        if match is None:
            return text
        listed = [name for name in self.sources.names() if name.endswith(".bbl")]
        own = re.sub(r"\.[A-Za-z]+$", ".bbl", main)
        chosen = own if own in listed else listed[0] if len(listed) == 1 else ""
        entries = self.sources.read(chosen) if chosen else None
        if entries is None:
            entries = self._from_bib(match["names"] or "", text)
        return text[: match.start()] + strip_comments(entries or "") + text[match.end() :]

    def _from_bib(self, names: str, text: str) -> str:
        wanted = [name.strip() for name in names.split(",") if name.strip()]
        wanted = [name if name.endswith(".bib") else f"{name}.bib" for name in wanted]
        wanted = wanted or [name for name in self.sources.names() if name.endswith(".bib")]
        found = [data for name in wanted if (data := self.sources.read(name)) is not None]
        if not found:
            self._warn("the bibliography is not in the source")
            return ""
        return bibliography("\n".join(found), text)

    def _warn(self, message: str) -> None:
        if message not in self.warnings and len(self.warnings) < 50:
            self.warnings.append(message)


def _join(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}" if folder else name


def main_file(sources: Sources) -> str:
    """Return the name of the file that is compiled: it has a document class, and most to say.

    Raises: PaperError if there is none.
    """
    best, score = "", -1
    for name in sources.names():
        if not name.lower().endswith((".tex", ".ltx")):
            continue
        text = strip_comments(sources.read(name) or "")
        if "\\documentclass" not in text or re.search(
            r"\\documentclass\s*(?:\[[^\]]*\])?\s*\{(?:subfiles|standalone)\}", text
        ):
            continue
        points = 1 + 3 * len(_INCLUDE.findall(text)) + 5 * text.count("\\section") + 20 * ("\\begin{document}" in text)
        points += 10 * ("\\title" in text) - 2 * name.count("/")
        if points > score:
            best, score = name, points
    if best:
        return best
    texts = [name for name in sources.names() if name.lower().endswith((".tex", ".ltx"))]
    if len(texts) == 1:
        return texts[0]
    raise PaperError("the source has no main LaTeX file", "give an archive with a file that has `\\documentclass`")


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
