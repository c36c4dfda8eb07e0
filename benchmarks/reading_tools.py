"""Compare the words and numbers that agentsys reads with those of other readers, file by file.

    python benchmarks/reading_tools.py --tools PYTHON FILE.pdf ...

`--tools` names a Python that has pypdf and pymupdf4llm; pdftotext is taken from the path. What is on a page is what at
least two of the other readers say: no reader is the truth, and an error of one alone counts against nobody. A word is
three letters or more, a number has a digit; both are counted as often as they occur.

Where a word is broken is left open, for every reader alike: hyphens and accents are dropped, and a word that is
missing counts as found where it stands in a longer one that only this reader has (`rst` in `first`), once for each of
these. Stamps of arXiv, page numbers and running heads are no part of a paper. What two readers find and the page does
not show is wanted of nobody: `reading_refuted.toml` names it, and what is shown instead.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tomllib
import unicodedata
from collections import Counter
from pathlib import Path

REFUTED = Path(__file__).with_name("reading_refuted.toml")
PATIENCE = 900
"""Seconds after which a reader is stopped."""
_TOOLS = {
    "pypdf": "import sys, pypdf\nprint('\\n'.join(p.extract_text() for p in pypdf.PdfReader(sys.argv[1]).pages))",
    "pymupdf4llm": "import sys, pymupdf4llm\nprint(pymupdf4llm.to_markdown(sys.argv[1], show_progress=False))",
}


_ACCENTS = "´`¨ˆ˜¯ˇ˘˙¸˚˝"
"""Accents that stand beside their letters in a text layer; letters are compared without."""
_FURNITURE = re.compile(r"^(?:Page )?#(?: of #)?$|^arXiv:#|\b(?:hep|astro|cond|math|quant|gr)-[a-z]+/#")


def other_texts(file: Path, python: str) -> dict[str, str]:
    """Return the text of a file by the name of the reader; one that fails has none."""
    commands = {name: [python, "-c", code, str(file)] for name, code in _TOOLS.items()}
    if shutil.which("pdftotext"):
        commands["pdftotext"] = ["pdftotext", str(file), "-"]
    texts: dict[str, str] = {}
    for name, command in commands.items():
        texts[name] = _output(command)
    return texts


def _output(command: list[str]) -> str:
    """Return what a reader prints; nothing if it fails, or takes longer than a person would wait."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout.decode("utf-8", "replace")


def own_text(file: Path) -> str:
    """Return everything that agentsys read of a file."""
    from agentsys.paper import read_paper, to_markdown

    paper = read_paper(file)
    shown = to_markdown(paper, [section.id for section in paper.sections], left_out=False)
    figures = "\n".join(figure.text for figure in paper.figures)
    return "\n".join((paper.title, paper.authors, shown, figures, *paper.footnotes))


def without_furniture(text: str) -> str:
    """Drop page numbers, stamps of arXiv, and rows that stand on three pages or more, as running heads do."""
    keys = [re.sub(r"\d+", "#", line).strip() for line in text.splitlines()]
    often = Counter(keys)
    rows = zip(text.splitlines(), keys, strict=True)
    return "\n".join(line for line, key in rows if often[key] < 3 and not _FURNITURE.search(key))


def tokens(text: str) -> tuple[Counter[str], Counter[str]]:
    """Return the words and the numbers of a text, with scripts joined to what they hang on as others do."""
    text = unicodedata.normalize("NFKD", re.sub(rf"\s?[{_ACCENTS}]\s?", "", text))
    text = "".join(char for char in text if not unicodedata.combining(char))
    text = re.sub(r"(\w*)([_^]\{[^{}]*\})([_^]\{[^{}]*\})", r"\1\2 \1\3", text)
    text = re.sub(r"\}(?=[_^]\{)", "} ", text)
    for _ in range(3):
        text = re.sub(r"(?:[_^]|\\overline)\{([^{}]*)\}|</?su[bp]>", r"\1", text)
    text = re.sub(r"\\frac\b|[{}*`|$]|<br>", " ", text)
    text = re.sub(r"(?<![\w#])([A-Z]) (?=[A-Z]{3})", r"\1", text)
    text = re.sub(r"(?<=[^\W\d_])[-\u00ad\u2010\ufffe]\s*(?=[^\W\d_])", "", text)
    words = Counter(word.lower() for word in re.findall(r"[^\W\d_]{3,}", text))
    return words, Counter(re.findall(r"\d+(?:[.,]\d+)*", text))


def agreed(counters: list[Counter[str]]) -> Counter[str]:
    """Return what at least two readers found, as often as the second of them did."""
    keys = {key for counter in counters for key in counter}
    return Counter({key: sorted((counter[key] for counter in counters), reverse=True)[1] for key in keys})


def refuted(file: Path) -> tuple[Counter[str], Counter[str]]:
    """Return the words and numbers that readers agree on and the file's pages do not show."""
    listed = tomllib.loads(REFUTED.read_text("utf-8")).get(file.stem, {})
    return Counter(listed.get("words", {})), Counter(listed.get("numbers", {}))


def recall(found: Counter[str], wanted: Counter[str]) -> float:
    """Return the share of `wanted` that was found, in percent."""
    total = sum(wanted.values())
    return 100 - 100 * len(missing(found, wanted)) / total if total else 100.0


def missing(found: Counter[str], wanted: Counter[str]) -> list[str]:
    """Return the words of `wanted` that were not found, neither as they are nor in a longer word of `found` alone."""
    longer = list((found - wanted).elements())
    missed: list[str] = []
    for word in sorted((wanted - found).elements(), key=len, reverse=True):
        home = next((place for place, other in enumerate(longer) if word in other and not word.isdecimal()), None)
        if home is None:
            missed.append(word)
        else:
            longer.pop(home)
    return missed


def main() -> None:
    """Print one line for each file and kind."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--tools", default=sys.executable)
    options = parser.parse_args()
    for file in options.files:
        others = {name: tokens(without_furniture(text)) for name, text in other_texts(file, options.tools).items()}
        own = tokens(own_text(file))
        for place, kind in enumerate(("words", "numbers")):
            wanted = agreed([found[place] for found in others.values()]) - refuted(file)[place]
            shares = {"agentsys": recall(own[place], wanted)}
            shares |= {name: recall(found[place], wanted) for name, found in others.items()}
            line = "  ".join(f"{name} {share:5.1f}" for name, share in shares.items())
            print(f"{file.stem[:26]:26} {kind:8} {sum(wanted.values()):6}  {line}", flush=True)


if __name__ == "__main__":
    main()
