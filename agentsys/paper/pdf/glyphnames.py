"""In the child: the names of glyphs, where the file gives its characters no other meaning.

A program that cuts down a Type 3 font numbers its glyphs anew and says in the font's encoding what each is: `/one`.
PDFium draws them and hands out the bare numbers, so pypdf reads the names, on the pages that need them. It cannot say
which of a page's fonts PDFium speaks of: the numbers in use tell, and a name counts if every font that fits has it.

Sources: ISO 32000-1, 9.6.5 (Type 3 fonts) and 9.6.6 (differences); Adobe's glyph list.
"""

from __future__ import annotations

import logging
import re
import string
import unicodedata
from collections.abc import Iterator
from importlib import import_module
from io import BytesIO
from typing import Any

from agentsys.paper.pdf.glyphs import Char

MAX_DEPTH = 5
"""How deep forms within forms are looked into."""
MAX_RESOURCES = 500
"""Resources of one page that are looked into."""
_SIGNS = {
    " ": "space", "!": "exclam", '"': "quotedbl", "#": "numbersign", "$": "dollar", "%": "percent", "&": "ampersand",
    "'": "quotesingle", "(": "parenleft", ")": "parenright", "*": "asterisk", "+": "plus", ",": "comma", "-": "hyphen",
    ".": "period", "/": "slash", "0": "zero", "1": "one", "2": "two", "3": "three", "4": "four", "5": "five",
    "6": "six", "7": "seven", "8": "eight", "9": "nine", ":": "colon", ";": "semicolon", "<": "less", "=": "equal",
    ">": "greater", "?": "question", "@": "at", "[": "bracketleft", "\\": "backslash", "]": "bracketright",
    "^": "asciicircum", "_": "underscore", "`": "grave", "{": "braceleft", "|": "bar", "}": "braceright",
    "~": "asciitilde", "−": "minus",
    "×": "multiply", "÷": "divide", "±": "plusminus", "·": "periodcentered", "°": "degree", "µ": "mu", "≤": "lessequal",
    "≥": "greaterequal", "≠": "notequal", "≈": "approxequal", "∞": "infinity", "∂": "partialdiff", "√": "radical",
    "∑": "summation", "∏": "product", "∫": "integral", "∇": "gradient", "∈": "element", "→": "arrowright",
    "←": "arrowleft", "∼": "similar", "•": "bullet", "–": "endash", "—": "emdash", "‘": "quoteleft", "’": "quoteright",
    "“": "quotedblleft", "”": "quotedblright", "ff": "ff", "fi": "fi", "fl": "fl", "ffi": "ffi", "ffl": "ffl",
}  # fmt: skip
_NAMES = {name: sign for sign, name in _SIGNS.items()}
_UNICODE = re.compile(r"uni([0-9A-F]{4})|u([0-9A-F]{4,6})")
_GREEK = re.compile(r"[A-Z]?[a-z]{2,7}")
_PRIVATE = ("Cc", "Cs", "Co", "Cn")
"""Categories of code points that say nothing of a glyph."""

Names = dict[int, str]


def meaning(name: str) -> str:
    """Return the character that the name of a glyph stands for; none where the name says nothing."""
    if len(name) == 1 and name in string.ascii_letters:
        return name
    if name in _NAMES:
        return _NAMES[name]
    if match := _UNICODE.fullmatch(name):
        code = int(match[1] or match[2], 16)
        return chr(code) if code <= 0x10FFFF and unicodedata.category(chr(code)) not in _PRIVATE else ""
    if _GREEK.fullmatch(name):
        case = "CAPITAL" if name[0].isupper() else "SMALL"
        try:
            return unicodedata.lookup(f"GREEK {case} LETTER {name.upper()}")
        except KeyError:
            return ""
    return ""


class GlyphNames:
    """Reads the names of a document's glyphs; the file is opened for that at the first page that needs them."""

    def __init__(self, data: bytes, password: str = "") -> None:
        self._data = data
        self._password = password
        self._pages: Any = None

    def restore(self, coded: list[tuple[Char, int]], index: int) -> None:
        """Give a page's characters the meanings that their glyphs are named after, in place.

        Args:
            coded: characters of fonts without a name for which the file has no Unicode, each with its number.
            index: the page, from 0.
        """
        if not any(char.kind == "u" for char, _ in coded):
            return
        fonts = self._fonts(index)
        faces: dict[int, list[tuple[Char, int]]] = {}
        for char, code in coded:
            faces.setdefault(char.style.face if char.style else 0, []).append((char, code))
        for found in faces.values():
            _rename(found, fonts)

    def _fonts(self, index: int) -> list[Names]:
        """Return the names of each font of a page that has some; none from a file that pypdf cannot read."""
        try:
            if self._pages is None:
                logging.getLogger("pypdf").setLevel(logging.CRITICAL)
                reader: Any = import_module("pypdf").PdfReader(BytesIO(self._data), password=self._password or None)
                self._pages = reader.pages
            return list(_named(self._pages[index].get("/Resources"), set(), 0))
        except Exception:  # noqa: BLE001 - a broken or hostile file: pypdf raises whatever it stumbles over
            return []


def _rename(found: list[tuple[Char, int]], fonts: list[Names]) -> None:
    used = {code for _, code in found}
    fits = [font for font in fonts if used <= font.keys()]
    # A font that was cut down to what is shown has no other glyphs.
    fits = [font for font in fits if used == font.keys()] or fits
    for char, code in found:
        meanings = {meaning(font[code]) for font in fits}
        text = meanings.pop() if len(meanings) == 1 else ""
        if text:
            char.text, char.kind = text, "s" if text == " " else "g"


def _named(resources: Any, seen: set[int], depth: int) -> Iterator[Names]:
    """Yield the names of the Type 3 fonts of a page or form, and of the forms that it draws, by number."""
    resources = resources.get_object() if resources is not None else {}
    for entry in _entries(resources, "/Font", seen):
        encoding = entry.get("/Encoding") if entry.get("/Subtype") == "/Type3" else None
        encoding = encoding.get_object() if encoding is not None else None
        if isinstance(encoding, dict) and "/Differences" in encoding:
            yield _numbered(encoding["/Differences"])
    for entry in _entries(resources, "/XObject", seen):
        if entry.get("/Subtype") == "/Form" and depth < MAX_DEPTH:
            yield from _named(entry.get("/Resources"), seen, depth + 1)


def _entries(resources: Any, kind: str, seen: set[int]) -> Iterator[Any]:
    """Yield each resource of a kind once."""
    listed = resources.get(kind)
    for reference in listed.get_object().values() if listed is not None else ():
        entry = reference.get_object()
        if id(entry) not in seen and len(seen) < MAX_RESOURCES:
            seen.add(id(entry))
            yield entry


def _numbered(differences: Any) -> Names:
    """Read `[49 /one /two 97 /a]`: a number begins a run of names."""
    names: Names = {}
    code = 0
    for item in differences.get_object():
        if isinstance(item, int):
            code = int(item)
        else:
            names[code] = str(item)[1:]
            code += 1
    return names
