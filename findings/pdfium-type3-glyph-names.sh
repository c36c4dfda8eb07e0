#!/usr/bin/env bash
# pypdfium2 5.15.2: the text of a Type 3 font whose encoding names its glyphs is what the glyphs are numbered, not named.
#
# Seen: a font with `/Differences [0 /one /zero /a]` and no ToUnicode, and the string <000102> shown with it. ISO 32000-1
# (9.10.2) takes a simple font's characters from the names of its glyphs, which stand in Adobe's glyph list: pypdf 6.4.2
# reads "10a" so, and PDFium reads the same encoding in a Type 1 font. Of the Type 3 font its text is the bare numbers,
# U+0000 to U+0002. FPDFText_HasUnicodeMapError tells of the second and third, and not of the glyph with the number 0.
# Why it matters here: Matplotlib writes Type 3 fonts, and a program that cuts a paper's fonts down numbers their glyphs
# anew: the numbers on the axes of such a paper's figures are gone, or look like control characters, in all that is built
# on PDFium; one that asks for errors of mapping still misses the first glyph of each font.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q --disable-pip-version-check pypdfium2==5.15.2 pypdf==6.4.2

cat >try.py <<'PY'
import pypdf
import pypdfium2
import pypdfium2.raw as raw

ENCODING = b"/FirstChar 0 /LastChar 2 /Widths [500 500 500] /Encoding << /Type /Encoding /Differences [0 /one /zero /a] >>"
GLYPH = b"500 0 0 0 400 700 d1 40 0 300 600 re f"
TYPE3 = (
    b"<< /Type /Font /Subtype /Type3 /FontMatrix [0.001 0 0 0.001 0 0] /FontBBox [0 0 500 700] "
    b"/CharProcs << /one 6 0 R /zero 6 0 R /a 6 0 R >> " + ENCODING + b" >>"
)
TYPE1 = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica " + ENCODING + b" >>"


def stream(data: bytes) -> bytes:
    return b"<< /Length %d >> stream\n%s\nendstream" % (len(data), data)


def write(path: str, font: bytes) -> None:
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>",
        stream(b"BT /F 20 Tf 20 40 Td <000102> Tj ET"),
        font,
        stream(GLYPH),
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size, start = len(objects) + 1, len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\n" % (size, table, size)
    with open(path, "wb") as file:
        file.write(out + b"startxref\n%d\n%%%%EOF\n" % start)


def by_pdfium(path: str) -> tuple[list[int], list[int]]:
    text = pypdfium2.PdfDocument(path)[0].get_textpage()
    places = range(text.count_chars())
    codes = [raw.FPDFText_GetUnicode(text, place) for place in places]
    return codes, [raw.FPDFText_HasUnicodeMapError(text, place) for place in places]


write("type3.pdf", TYPE3)
write("type1.pdf", TYPE1)
named = pypdf.PdfReader("type3.pdf").pages[0].extract_text().strip()
codes, errors = by_pdfium("type3.pdf")
plain, _ = by_pdfium("type1.pdf")
print("pypdf, Type 3: ", repr(named))
print("PDFium, Type 3:", codes, "errors of mapping:", errors)
print("PDFium, Type 1:", repr("".join(map(chr, plain))))
assert named == "10a"
assert codes == [0, 1, 2] and errors == [0, 1, 1]
assert "".join(map(chr, plain)) == "10a"
PY
venv/bin/python try.py
echo "as described"
