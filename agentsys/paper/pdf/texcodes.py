"""What the codes of TeX's mathematical fonts stand for.

Sources: D. E. Knuth, The TeXbook, appendix F (OML, OMS, OMX); the built-in encodings of the Latin Modern fonts
`lmmi10`, `lmsy10` and `lmex10`; Apple's KEYBOARD.TXT and the Mac OS Roman table of the Unicode consortium.
"""

from __future__ import annotations

UNKNOWN = "\ufffd"
BARE = 0xE000
"""Start of the private area in which the child hands over bare codes of TeX's mathematical fonts."""

OML = (
    "ΓΔΘΛΞΠΣΥΦΨΩαβγδϵζηθικλμνξπρστυϕχ" + "ψωεϑϖϱςφ↼↽⇀⇁↩↪▹◃0123456789.,</>⋆"
    "∂ABCDEFGHIJKLMNOPQRSTUVWXYZ♭♮♯⌣⌢" + "ℓabcdefghijklmnopqrstuvwxyzıȷ℘⃗⁀"
)
OMS = (
    "−·×∗÷⋄±∓⊕⊖⊗⊘⊙◯∘•≍≡⊆⊇≤≥⪯⪰∼≈⊂⊃≪≫≺≻" + "←→↑↓↔↗↘≃⇐⇒⇑⇓⇔↖↙∝′∞∈∋△▽̸↦∀∃¬∅ℜℑ⊤⊥"
    "ℵABCDEFGHIJKLMNOPQRSTUVWXYZ∪∩⊎∧∨" + "⊢⊣⌊⌋⌈⌉{}⟨⟩|∥↕⇕\\≀√⨿∇∫⊔⊓⊑⊒§†‡¶♣♦♥♠"
)
OMX = (
    "()[]⌊⌋⌈⌉{}⟨⟩|∥/\\()()[]⌊⌋⌈⌉{}⟨⟩/\\" + "()[]⌊⌋⌈⌉{}⟨⟩/\\/\\()[][][]{}{}{}{|"
    "()()⟨⟩⊔⊔∮∮⊙⊙⊕⊕⊗⊗∑∏∫⋃⋂⊎⋀⋁∑∏∫⋃⋂⊎⋀⋁" + "∐∐ˆˆˆ˜˜˜[]⌊⌋⌈⌉{}√√√√√√√∥↑↓⏞⏞⏟⏟⇑⇓"
)
OT1 = (
    {chr(BARE + code): char for code, char in enumerate("ΓΔΘΛΞΠΣΥΦΨΩ")}
    | {chr(BARE + 11 + position): text for position, text in enumerate(("ff", "fi", "fl", "ffi", "ffl", "ı", "ȷ"))}
    | {chr(BARE + 18 + position): text for position, text in enumerate("`´ˇ˘¯˚¸ßæœøÆŒØ")}
    | {'"': "”", "\\": "“", "{": "–", "|": "—", "^": "ˆ", "_": "˙", "}": "˝", "~": "˜", "\x7f": "¨"}
    | {"`": "‘", "'": "’"}
)
"""Where the encoding of TeX's upright text differs from ASCII; the keys are characters as the child hands them over."""
PIECES = frozenset((*range(0x30, 0x44), *range(0x7A, 0x7E)))
"""Codes of OMX that are parts of tall brackets and of horizontal braces, beyond the first part."""

KEYBOARD = {
    "⇥": 0x02, "⇤": 0x03, "⌤": 0x04, "⇧": 0x05, "⌃": 0x06, "⌥": 0x07, "⌦": 0x0A, "↵": 0x0B, "✏": 0x0F, "⇣": 0x10,
    "⌘": 0x11, "✓": 0x12, "◆": 0x13, "\uf8ff": 0x14, "⌫": 0x17, "⇠": 0x18, "⇡": 0x19, "⇢": 0x1A, "⌧": 0x1B, "⇪": 0x1C,
    "⇞": 0x1D, "⇟": 0x1E,
}  # fmt: skip
"""Apple's keyboard glyphs: what macOS writes for a glyph whose name it does not know, by code."""

_LMMI_HIGH = "ΓΔΘΛΞΠΣΥΦΨΩαβγδϵζηθικλμνξπρστυϕχψωεϑϖϱςφ↼↽⇀⇁↩↪▹◃⋆∂♭♮♯⌣⌢ℓ℘⃗⁀"
LMMI = {197 + position: char for position, char in enumerate(_LMMI_HIGH)}
_LMSY_HIGH = "≍≡⊆⊇¬−≤≥⪯±⪰∼≈⊂¶·⊃≪≫≺≻←→↑↓↔↗↘≃⇐⇒⇑⇓⇔↖↙∝′∞∈∋△▽̸↦∀∃×∅ℜℑ⊤⊥ℵ∪∩⊎∧∨⊢⊣⌊⌋⌈⌉⟨⟩∥↕⇕≀√⨿∇∫⊔⊓⊑⊒÷†‡♣♦♥♠⩽⩾"
LMSY = {168 + position: char for position, char in enumerate(_LMSY_HIGH)} | {
    149: "•", 156: "∗", 157: "⋄", 158: "∓", 159: "⊕", 161: "⊖", 162: "⊗", 163: "⊘", 164: "⊙", 165: "◯", 166: "∘",
    167: "§",
}  # fmt: skip
_LMEX_LOW = "()[]⌊⌋⌈⌉{}⟨⟩|∥/\\()()[]⌊⌋⌈⌉{}⟨⟩/\\()[]⌊⌋⌈⌉{}⟨⟩/\\/\\()[][][]{}{}{}{|()()⟨⟩⊔⊔∮∮⊙⊙⊕⊕⊗⊗∑∏∫⋃⋂⊎⋀⋁"
_LMEX_HIGH = "∑∏∫⋃⋂⊎⋀⋁∐∐ˆˆˆ˜˜˜[]⌊⌋⌈⌉{}√√√√√√√∥↑↓⏞⏞⏟⏟⇑⇓"
LMEX = {33 + position: char for position, char in enumerate(_LMEX_LOW)} | {
    216 + position: char for position, char in enumerate(_LMEX_HIGH)
}
NAMED = {"LMMathItalic": "µ", "LMMathSymbols": "·±¬§¶†‡•÷|", "LMMathExtension": ""}
"""Characters whose glyph names macOS knows: they stand for themselves."""
ODD = {"LMMathItalic": "—–“”‘÷›‹Ÿ‡", "LMMathSymbols": "≠ÆØœÔÎÒ", "LMMathExtension": "ÿŸÈËÒ"}
"""Characters that these fonts do not have: where they occur, the file was written by macOS."""

_FIRST = {0xF8EB: "(", 0xF8EE: "[", 0xF8F1: "{", 0xF8F6: ")", 0xF8F9: "]", 0xF8FC: "}"}
BRACKET_PIECES = {code: _FIRST.get(code, "") for code in range(0xF8E5, 0xF8FF)} | {0xF8E5: ""}
"""Parts of tall brackets in the private area that Adobe's glyph list uses: the first part stands for the whole."""
