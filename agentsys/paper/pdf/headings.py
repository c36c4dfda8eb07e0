"""Section headings: a number that continues the sequence, and a look that differs from running text."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from agentsys.paper.builder import KINDS
from agentsys.paper.model import SectionKind
from agentsys.paper.pdf.equations import math_share
from agentsys.paper.pdf.layout import Body
from agentsys.paper.pdf.lines import Line

NUMBERED = re.compile(
    r"(?:(?P<word>Appendix|Section)\s+)?"
    r"(?P<number>\d{1,2}(?:\.\d{1,2}){0,3}|[IVX]{1,5}(?:\.[IVX]{1,4}){0,2}|[A-Z](?:\.\d{1,2}){0,3})(?P<dot>[.:)]?)\s+(?P<title>\S.*)"
)
_BODY = ("introduction", "related work", "methods", "results", "discussion", "conclusion", "conclusions")
KNOWN: dict[str, SectionKind] = {
    **KINDS,
    **dict.fromkeys(_BODY, "body"),
    "summary": "abstract",
    "literature cited": "references",
    "keywords": "other",
}
Style = tuple[str, float]


@dataclass(slots=True)
class Heading:
    """A heading and the lines it takes up (indices into the flow)."""

    first: int
    last: int
    number: str
    title: str
    level: int
    kind: SectionKind
    page: int


@dataclass(slots=True)
class _Candidate:
    index: int
    number: str
    scheme: str
    title: str
    style: Style
    line: Line


def find_headings(flow: list[Line], body: Body, outline: list[tuple[int, str, int]]) -> list[Heading]:
    """Return the headings of the flow in order."""
    numbered = _chain(_candidates(flow, body))
    found = {candidate.index: candidate for candidate in numbered}
    styles = {candidate.style for candidate in numbered if "." not in candidate.number}
    known_styles = set(styles)
    titles = {_plain(title) for _, title, _ in outline}
    headings: list[Heading] = []
    appendix = False
    for index, line in enumerate(flow):
        if headings and index <= headings[-1].last:
            continue
        candidate = found.get(index)
        if candidate is not None:
            last, title = _extent(flow, index, candidate.title, body, found)
            lettered = candidate.scheme == "letter" and "-" not in candidate.number
            appendix = appendix or lettered or line.plain.startswith("Appendix")
            level = candidate.number.count(".") + candidate.number.count("-") + 1
            plain: SectionKind = "appendix" if appendix and candidate.scheme == "letter" else "body"
            kind = KNOWN.get(_plain(title), plain)
            # A numbered summary stands at the end, and is no abstract.
            kind = plain if kind == "abstract" else kind
            headings.append(Heading(index, last, candidate.number, title, level, kind, line.page))
            continue
        kind_found = _unnumbered(flow, index, body, known_styles, titles)
        if kind_found is not None:
            last, title = _extent(flow, index, line.plain, body, found)
            if _plain(title) == "appendix":
                last, title = _appendix_title(flow, last, title, found)
            name = _plain(title)
            kind = KNOWN.get(name, kind_found)
            kind = "appendix" if name.startswith("appendix ") else kind
            if kind == "body" and any(item.kind in ("references", "appendix") for item in headings):
                kind = "appendix"
            appendix = appendix or kind == "appendix"
            headings.append(Heading(index, last, "", _tidy(title), 1, kind, line.page))
    return headings


def _appendix_title(flow: list[Line], last: int, title: str, found: dict[int, _Candidate]) -> tuple[int, str]:
    """Add the title that stands in capitals below the word: `APPENDIX`, and its own lines."""
    words: list[str] = []
    for position in range(last + 1, min(last + 4, len(flow))):
        line, before = flow[position], flow[position - 1]
        close = line.page == before.page and 0 < line.base - before.base < 2.6 * line.size
        if position in found or not close or not _capitals(line) or abs(line.size - before.size) > 0.3:
            break
        words.append(line.plain)
        last = position
    return last, f"{title}. {' '.join(words)}" if words else title


def _tidy(title: str) -> str:
    return title.strip().rstrip(".:—– ") if len(title) < 40 else title.strip()


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9 ]+", "", text.lower()).strip()


def distinct(line: Line, body: Body) -> bool:
    """True where the look of a line says heading rather than running text."""
    larger = line.size > body.size * 1.06
    return larger or line.bold or _capitals(line) or (line.font.name != body.font and not line.font.math)


def _capitals(line: Line) -> bool:
    """True for capitals and small capitals; mathematics at the end does not count."""
    letters = [char for span in line.spans if not span.font.math for char in span.text if char.isalpha()]
    return len(letters) >= 4 and sum(char.isupper() for char in letters) > 0.8 * len(letters)


def _candidates(flow: list[Line], body: Body) -> list[_Candidate]:
    found: list[_Candidate] = []
    for index, line in enumerate(flow):
        match = NUMBERED.fullmatch(line.plain)
        if match is None or len(line.plain) > 160 or not distinct(line, body) or _contents_line(flow, index):
            continue
        title = _title_case(line, match["title"])
        # `k-nearest neighbours` may be a heading below another one, if its look leaves no doubt.
        small = re.match(r"[a-z]", title) and not ("." in match["number"] and line.bold)
        if not re.search(r"[A-Za-z]{2}", title) or small or math_share(line) > 0.3 or _no_title(line, title):
            continue
        number = match["number"]
        style = _style(line)
        running = style == (body.font, round(body.size * 2) / 2) and not _capitals(line)
        if style[1] < 0.85 * body.size or running:
            continue
        schemes = ["arabic"] if number[0].isdigit() else ["letter"] if len(number.split(".")[0]) == 1 else []
        if re.fullmatch(r"[IVX]+", number) and match["dot"]:
            schemes.append("roman")
        elif re.fullmatch(r"[IVX]+(?:\.[IVX]+)+", number):
            schemes = ["romans"]
        found.extend(_Candidate(index, number, scheme, title, style, line) for scheme in schemes)
    return found


def _no_title(line: Line, title: str) -> bool:
    """True for a note or an address behind a raised number, and for a step of an algorithm."""
    first = line.spans[0]
    raised = first.size < 0.86 * line.size and first.base < line.base - 0.1 * line.size
    return raised or (not line.bold and re.search(r"[=←]|:=|\b(?:do|then)$", title) is not None)


def _contents_line(flow: list[Line], index: int) -> bool:
    """True for a line of a table of contents: it and a neighbour end in a page number."""

    def entry(position: int) -> bool:
        if not 0 <= position < len(flow):
            return False
        return (
            bool(re.search(r"(?:\s|\. ?\.)\d{1,3}$", flow[position].plain)) and flow[position].page == flow[index].page
        )

    return entry(index) and (entry(index + 1) or entry(index - 1))


def _title_case(line: Line, title: str) -> str:
    """Undo small capitals that were set as capitals of two sizes."""
    sizes = {span.size for span in line.spans if any(char.isalpha() for char in span.text) and not span.font.math}
    if len(sizes) < 2 or not _capitals(line):
        return title
    top = max(sizes)
    text = "".join(
        (" " if span.space else "") + (span.text.lower() if span.size < 0.9 * top else span.text) for span in line.spans
    ).strip()
    return text[-len(title) :] if text.upper().endswith(title.upper()) else title


def _style(line: Line) -> Style:
    heavy = [span for span in line.spans if any(char.isalpha() for char in span.text)] or line.spans
    fonts = Counter[str]()
    for span in heavy:
        fonts[span.font.name] += len(span.text)
    return fonts.most_common(1)[0][0], round(max(span.size for span in heavy) * 2) / 2


def _chain(candidates: list[_Candidate]) -> list[_Candidate]:
    """Keep the candidates whose numbers run on, in the style that most headings of their depth have."""
    by_depth: dict[tuple[str, int], dict[Style, set[str]]] = defaultdict(lambda: defaultdict(set))
    for item in candidates:
        by_depth[item.scheme, item.number.count(".")][item.style].add(item.number)
    reached = _runs(candidates, "roman")
    # Sections in Roman numbers may have parts of parts in Arabic ones.
    roman = reached >= 3 and reached >= _runs(candidates, "arabic")
    good = {
        key: {style for style, numbers in styles.items() if len(numbers) * 3 >= max(map(len, styles.values()))}
        for key, styles in by_depth.items()
    }
    kept: list[_Candidate] = []
    state = _Sequence(roman)
    used: set[int] = set()
    for item in candidates:
        if item.index in used or item.style not in good[item.scheme, item.number.count(".")]:
            continue
        full = state.accept(item)
        if full:
            kept.append(_Candidate(item.index, full, item.scheme, item.title, item.style, item.line))
            used.add(item.index)
    return kept


def _runs(candidates: list[_Candidate], scheme: str) -> int:
    """How far top-level numbers of a scheme run on from 1."""
    reached = 0
    for item in candidates:
        if item.scheme == scheme and "." not in item.number:
            value = _roman_value(item.number) if scheme == "roman" else int(item.number)
            reached = value if 0 < value - reached <= 2 else reached
    return reached


class _Sequence:
    """The number that came last; says which may follow."""

    def __init__(self, roman: bool) -> None:
        self.roman = roman
        self.last: tuple[int, ...] = ()
        self.letters: tuple[int, ...] = ()
        self.parts: tuple[int, ...] = ()
        """Arabic numbers below a Roman one."""
        self.section = ""

    def accept(self, item: _Candidate) -> str:
        """Return the full number if it may follow, else an empty string."""
        if item.scheme == "roman":
            return self._roman(item)
        if item.scheme == "romans":
            return self._romans(item)
        if item.scheme == "letter":
            return self._letter(item)
        parts = tuple(int(part) for part in item.number.split("."))
        if self.roman:
            return self._below_roman(item, parts)
        if self.letters and len(parts) == 1:
            return ""
        if not _follows(self.last, parts):
            return ""
        self.last = parts
        return item.number

    def _roman(self, item: _Candidate) -> str:
        if not self.roman:
            return ""
        value = _roman_value(item.number)
        if not 0 < value - (self.last[0] if self.last else 0) <= 2:
            return ""
        self.last = (value,)
        self.section = item.number
        self.letters: tuple[int, ...] = ()
        self.parts: tuple[int, ...] = ()
        return item.number

    def _romans(self, item: _Candidate) -> str:
        """`V.I.II`, in Roman numbers throughout."""
        parts = tuple(_roman_value(part) for part in item.number.split("."))
        if not self.roman or parts[:1] != self.last or not _follows(self.parts or parts[:1], parts):
            return ""
        self.parts = parts
        return item.number

    def _below_roman(self, item: _Candidate, parts: tuple[int, ...]) -> str:
        """`III-C-1` for `1` below `C` of section III; `4.1` may stand as it is printed."""
        if not self.last or (len(parts) == 1 and not self.letters) or len(parts) > 2:
            return ""
        wanted = max(self.parts[-1:], default=0) + 1
        if int(item.number.rpartition(".")[2]) != wanted or (len(parts) == 2 and not 0 <= parts[0] - self.last[0] <= 1):
            return ""
        self.parts = parts
        return item.number if len(parts) == 2 else f"{self.section}-{chr(64 + self.letters[0])}-{item.number}"

    def _letter(self, item: _Candidate) -> str:
        head, *rest = item.number.split(".")
        parts = (ord(head) - 64, *(int(part) for part in rest))
        if len(head) > 1 or not _follows(self.letters, parts):
            return ""
        if (self.roman and not self.section) or not self.last:
            return ""
        self.letters = parts
        self.parts = ()
        return f"{self.section}-{item.number}" if self.roman else item.number


def _follows(last: tuple[int, ...], now: tuple[int, ...]) -> bool:
    if 0 in now and now[0] != 0:
        return False
    if not last:
        return now in ((1,), (0,)) or now == (1, 1)
    if len(now) == len(last) + 1:
        return now[:-1] == last and now[-1] <= 2
    if len(now) > len(last):
        return False
    depth = len(now)
    # One number may be missing: a heading that was not recognised must not lose all that follow.
    return now[: depth - 1] == last[: depth - 1] and 1 <= now[depth - 1] - last[depth - 1] <= 2


def _roman_value(text: str) -> int:
    values = {"I": 1, "V": 5, "X": 10}
    numbers = [values[char] for char in text]
    pairs = zip(numbers, [*numbers[1:], 0], strict=True)
    return sum(-now if now < after else now for now, after in pairs)


def _unnumbered(flow: list[Line], index: int, body: Body, styles: set[Style], titles: set[str]) -> SectionKind | None:
    line = flow[index]
    name = _plain(line.plain)
    if not name or len(line.plain) > 120:
        return None
    if (
        name in KNOWN
        and re.fullmatch(r"[A-Z].*[\w.:—–-]", line.plain.strip())
        and (distinct(line, body) or _centered_alone(flow, index, body))
    ):
        return KNOWN[name]
    large = line.size > body.size * 1.06 and _style(line) in styles and line.bold
    # The title of the paper may look like a section: not on the first page.
    if large and line.page > 1 and re.match(r"[A-Z]", line.plain):
        return "body"
    if name in titles and line.page > 1 and (_style(line) in styles or line.size > body.size * 1.06):
        return "body"
    return None


def _centered_alone(flow: list[Line], index: int, body: Body) -> bool:
    line = flow[index]
    if index + 1 >= len(flow):
        return True
    after = flow[index + 1]
    return after.page != line.page or after.base - line.base > 1.15 * body.leading


def _extent(flow: list[Line], index: int, title: str, body: Body, found: dict[int, _Candidate]) -> tuple[int, str]:
    """Return the last line of the heading and its whole title."""
    line = flow[index]
    last = index
    for position in range(index + 1, min(index + 4, len(flow))):
        after = flow[position]
        gap = after.base - flow[last].base
        same = _style(after) == _style(line) and abs(after.size - line.size) < 0.3 and after.bold == line.bold
        close = after.page == line.page and 0 < gap < 1.5 * line.size
        if position in found or not same or not close or not distinct(after, body):
            break
        rest = _title_case(after, after.plain)
        joined = title[:-1] + rest if flow[last].hyphen and after.plain[:1].islower() else f"{title} {rest}"
        title = joined.replace("- ", "-") if flow[last].hyphen else joined
        last = position
    return last, title
