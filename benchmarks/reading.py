"""Measure the paper reader on papers whose content was checked by eye.

    python benchmarks/reading.py [--papers DIR] [--only NAME] [--details] [--tools PYTHON]

DIR holds the PDFs and `golden.json`. `--tools` names a Python that has pypdf and pdfminer.six, to be timed beside.
The scores compare words after Unicode normalisation, without white space and hyphens; nothing else is forgiven.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
Golden = dict[str, Any]


@dataclass
class Score:
    """Hits, misses and false finds of one kind."""

    hit: int = 0
    missed: int = 0
    false: int = 0
    notes: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        found, wanted = self.hit + self.false, self.hit + self.missed
        precision = 100 * self.hit / found if found else 100.0
        recall = 100 * self.hit / wanted if wanted else 100.0
        return f"{self.hit}/{wanted}  recall {recall:.1f} %  precision {precision:.1f} %"


def squeeze(text: str) -> str:
    """Return the text without white space, hyphens and script marks, in compatibility form."""
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"[_^]\{([^{}]*)\}", r"\1", text)
    return re.sub(r"[\s\-‐‑–—\u00ad]+", "", text).lower()


def letters(text: str) -> str:
    """Return the letters and digits of a title, lower case."""
    return re.sub(r"[^a-z0-9]+", "", unicodedata.normalize("NFKC", text).lower())


def headings(golden: Golden, paper: Any, score: Score) -> None:
    left = [(number, letters(title), title) for number, title in golden["sections"]]
    for section in paper.sections:
        if not section.title:
            continue
        name = letters(section.title)
        if section.kind == "abstract" and name not in {item[1] for item in left}:
            continue  # "Abstract—" before the words of a paragraph is no heading in the expectations
        fits = [
            item
            for item in left
            if item[0] == section.number and (item[1] == name or (item[2].endswith("…") and name.startswith(item[1])))
        ]
        if fits:
            left.remove(fits[0])
            score.hit += 1
        else:
            score.false += 1
            score.notes.append(f"false heading: {section.number} {section.title} (page {section.page})")
    score.missed += len(left)
    score.notes.extend(f"missed heading: {number} {title}" for number, _, title in left)


def captions(golden: Golden, paper: Any, score: Score) -> None:
    for kind, blocks in (("tables", paper.tables), ("figures", paper.figures), ("algorithms", paper.algorithms)):
        _labels(kind, list(golden[kind]), [block.label for block in blocks if block.caption], score)


def equation_numbers(golden: Golden, paper: Any, score: Score) -> None:
    wanted = [str(number) for number in range(1, golden["numbered_equations"] + 1)]
    found = [part for item in paper.equations for part in item.number.split(", ") if part]
    _labels("equation", wanted, found, score)


def _labels(kind: str, wanted: list[str], found: list[str], score: Score) -> None:
    left = list(wanted)
    for label in found:
        if label in left:
            left.remove(label)
            score.hit += 1
        else:
            score.false += 1
            score.notes.append(f"false {kind} {label}")
    score.missed += len(left)
    score.notes.extend(f"missed {kind} {label}" for label in left)


def flow(golden: Golden, text: str, score: Score) -> None:
    for before, after in golden["flow"]:
        first, second = squeeze(before), squeeze(after)
        start = text.find(first)
        if start >= 0 and text.find(second, start) > 0:
            score.hit += 1
        else:
            score.missed += 1
            score.notes.append(f"not in order: {before[-40:]} -> {after[:40]}")


def adjacent(golden: Golden, text: str, score: Score) -> None:
    for before, after in golden["flow"]:
        if squeeze(before) + squeeze(after) in text:
            score.hit += 1
        else:
            score.missed += 1
            score.notes.append(f"not adjacent: {before[-40:]} -> {after[:40]}")


def rows(golden: Golden, paper: Any, score: Score) -> None:
    """A row counts if all expected cells are cells of one row, in order, each exact."""
    found = [_cells(row) for block in (*paper.tables, *paper.figures) for row in block.rows]
    for row in golden["rows"]:
        wanted = _cells(row)
        if any(_in_order(wanted, item) for item in found):
            score.hit += 1
        else:
            score.missed += 1
            near = difflib.get_close_matches("|".join(wanted), ["|".join(item) for item in found], 1, 0.3)
            score.notes.append(f"row {row}, nearest {near}")


def _cells(row: Any) -> list[str]:
    """Cells without citations; `value ± error` are two cells in the expectations."""
    texts = [re.sub(r"\s*\[\d+(?:,\s*\d+)*\]", "", cell) for cell in row]
    return [squeeze(part) for cell in texts for part in cell.split("±") if part.strip()]


def _in_order(wanted: list[str], row: list[str]) -> bool:
    rest = iter(row)
    return all(cell in rest for cell in wanted)


def strings(wanted: list[str], text: str, score: Score) -> None:
    for item in wanted:
        if squeeze(item) in text:
            score.hit += 1
        else:
            score.missed += 1
            score.notes.append(f"not found: {item}")


def bare(text: str) -> str:
    """Return letters, digits and operators of a formula, without what only gives it structure."""
    text = re.sub(r"\\(?:frac|sqrt)", "", text)
    return re.sub(r"[{}_^]", "", squeeze(re.sub(r"[{}_^]", "", text)))


def equations(golden: Golden, paper: Any) -> list[float]:
    """Return the likeness (0 to 1) of the nearest equation for each expected linear form."""
    found = [bare(item.text) for item in paper.equations]
    found += [bare(block.text) for block in paper.blocks() if block.type == "paragraph" and len(block.text) < 200]
    return [
        max((difflib.SequenceMatcher(None, bare(item), other).ratio() for other in found), default=0.0)
        for item in golden["equations"]
    ]


def evaluate(golden: Golden, paper: Any, scores: dict[str, Score], likeness: list[float]) -> None:
    """Add one paper to the scores."""
    from agentsys.paper import to_markdown

    text = squeeze(to_markdown(paper, [section.id for section in paper.sections]) + " ".join(paper.footnotes))
    headings(golden, paper, scores["headings"])
    captions(golden, paper, scores["captions"])
    equation_numbers(golden, paper, scores["equation numbers"])
    flow(golden, text, scores["flow in order"])
    adjacent(golden, text, scores["flow adjacent"])
    rows(golden, paper, scores["table rows"])
    strings(golden["strings"], text, scores["strings"])
    strings(golden.get("hard_strings", []), text, scores["hard strings"])
    title = scores["titles"]
    if letters(paper.title) == letters(golden["title"]):
        title.hit += 1
    else:
        title.missed += 1
        title.notes.append(f"title: {paper.title}")
    likeness.extend(equations(golden, paper))


def measure(command: list[str]) -> tuple[float, float, float, bytes]:
    """Run a command; return wall seconds, processor seconds and peak resident memory (MB, largest process)."""
    started = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert child.stdout is not None
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command[:2]} ended with exit code {child.returncode}")
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output


def read_one(path: str) -> None:
    """Read one paper in this process and print it, with the peak memory of the child process."""
    import resource

    from agentsys.paper import read_paper

    def processor() -> float:
        usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)

    import_module("agentsys.paper.pdf.read")  # start-up is measured by the whole process

    before, started = processor(), time.monotonic()
    paper = read_paper(Path(path))
    cost = {"cpu": processor() - before, "wall": time.monotonic() - started}
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(json.dumps({"peak": peak, **cost, "paper": paper.model_dump_json()}))


_OTHERS = {
    "pypdf": "import sys, pypdf\nfor page in pypdf.PdfReader(sys.argv[1]).pages: page.extract_text()",
    "pdfminer.six": "import sys, pdfminer.high_level as h\nh.extract_text(sys.argv[1])",
}


def others(papers: list[Path], python: str, pages: int) -> None:
    """Time other tools on the same files."""
    commands = {name: [python, "-c", code] for name, code in _OTHERS.items()}
    if shutil.which("pdftotext"):
        commands["pdftotext"] = ["pdftotext"]
    for name, command in commands.items():
        module = "pdfminer" if name == "pdfminer.six" else name
        if command[0] == python and subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode:
            print(f"{name:16} not installed")
            continue
        tail = ["-"] if name == "pdftotext" else []
        results = [measure([*command, str(path), *tail]) for path in papers]
        report(
            name,
            sum(item[0] for item in results),
            sum(item[1] for item in results),
            pages,
            max(item[2] for item in results),
        )


def report(name: str, wall: float, cpu: float, pages: int, peak: float) -> None:
    """Print one line of costs."""
    print(
        f"{name:16} {1000 * wall / pages:6.0f} ms/page wall {1000 * cpu / pages:6.0f} ms/page cpu  peak {peak:5.0f} MB"
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--papers", type=Path, default=ROOT.parent / "shared" / "papers")
    parser.add_argument("--only", default="")
    parser.add_argument("--details", action="store_true")
    parser.add_argument("--tools", default=sys.executable)
    parser.add_argument("--no-others", action="store_true")
    parser.add_argument("--one", default="")
    options = parser.parse_args()
    if options.one:
        read_one(options.one)
        return
    from agentsys.paper.model import Paper

    golden_file = options.papers / "golden.json"
    if not golden_file.is_file():
        raise SystemExit(f"no golden.json in {options.papers}")
    golden: dict[str, Golden] = json.loads(golden_file.read_text())
    scores: dict[str, Score] = defaultdict(Score)
    likeness: list[float] = []
    wall = cpu = peak = inner_wall = inner_cpu = 0.0
    pages = flagged = chars = 0
    files: list[Path] = []
    for name, expected in golden.items():
        if options.only not in name:
            continue
        file = options.papers / expected["file"]
        files.append(file)
        seconds, processor, memory, output = measure([sys.executable, __file__, "--one", str(file)])
        answer = json.loads(output)
        paper = Paper.model_validate_json(answer["paper"])
        before = {key: len(score.notes) for key, score in scores.items()}
        evaluate(expected, paper, scores, likeness)
        if options.details:
            for key, score in scores.items():
                for note in score.notes[before.get(key, 0) :]:
                    print(f"{name}: {note}")
        wall, cpu, peak = wall + seconds, cpu + processor, max(peak, memory, answer["peak"])
        inner_wall, inner_cpu = inner_wall + answer["wall"], inner_cpu + answer["cpu"]
        pages += len(paper.pages)
        flagged += sum(page.hidden_chars for page in paper.pages)
        chars += sum(page.chars + page.hidden_chars for page in paper.pages)
    for key, score in scores.items():
        print(f"{key:17} {score}")
    print(f"{'equations':17} mean likeness {100 * sum(likeness) / max(len(likeness), 1):.1f} % of {len(likeness)}")
    print(f"{'hidden text':17} {flagged} of {chars} characters flagged ({100 * flagged / max(chars, 1):.3f} %)")
    report("agentsys reading", inner_wall, inner_cpu, pages, peak)
    report("agentsys, whole", wall, cpu, pages, peak)
    if not options.no_others:
        others(files, options.tools, pages)


if __name__ == "__main__":
    main()
