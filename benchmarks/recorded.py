"""Write agentsys/run/recorded.json and docs/results.md from the files of kept runs.

    python -m benchmarks.recorded 'FOLDER=who or what answered' ...

A folder is a run directory, or a folder of `agentsys claims`; those that recorded.json holds already stay, one of the
same paper, kind and day is replaced. Without arguments docs/results.md alone is written anew. Nothing in either file
is written by hand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from agentsys.core.files import write_atomic
from agentsys.core.numbers import count, dollars, seconds
from agentsys.core.rundir import RunDir
from agentsys.core.text import clean_line
from agentsys.llm.ledger import Line
from agentsys.llm.render import CHARS_PER_TOKEN
from agentsys.paper import load_paper, to_markdown
from agentsys.report.claims import ClaimRow
from agentsys.report.data import ReportData, collect
from agentsys.run.recorded import Kept, Settled, kept_runs, used_by
from agentsys.verify.claims.standalone.reasons import REASONS

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "agentsys" / "run" / "recorded.json"
PAGE = ROOT / "docs" / "results.md"


def main(arguments: Sequence[str]) -> None:
    """Read the folders that are named, and write both files."""
    if arguments:
        found = [read(Path(folder), answered) for folder, _, answered in (item.partition("=") for item in arguments)]
        new = {(item.title, item.what, item.date) for item in found}
        kept = [item for item in kept_runs() if (item.title, item.what, item.date) not in new]
        rows = [item.model_dump(mode="json") for item in (*found, *kept)]
        write_atomic(DATA, json.dumps({"runs": rows}, indent=1, ensure_ascii=False) + "\n")
        kept_runs.cache_clear()
    write_atomic(PAGE, page(kept_runs()))
    print(f"{len(kept_runs())} kept runs; written: {DATA.relative_to(ROOT)}, {PAGE.relative_to(ROOT)}")


def read(folder: Path, answered: str) -> Kept:
    """Read one kept run, or one list of claims."""
    if not answered:
        raise SystemExit(f"say who or what answered in `{folder}`: FOLDER=TEXT")
    paper = load_paper(folder / "paper")
    lines = [Line.model_validate_json(row) for row in (folder / "llm" / "ledger.jsonl").read_text().splitlines()]
    lines = list({line.id: line for line in lines}.values())
    common = {
        "title": clean_line(paper.title, 200),
        "answered": answered,
        "date": min(line.ts for line in lines)[:10],
        "paper_tokens": len(to_markdown(paper)) // CHARS_PER_TOKEN,
        "work": used_by(lines),
    }
    if not (folder / "run.json").is_file():
        return Kept.model_validate({**common, "what": "claims"})
    data = collect(RunDir(folder))
    record = data.record
    rounds = sum(item.verdict is not None for item in data.rounds)
    found = {
        "what": "run",
        "status": record.status,
        "reason": record.reason,
        "files": len(data.plan.files) if data.plan else 0,
        "requirements": len(data.plan.requirements) if data.plan else 0,
        "rounds": rounds,
        "backend": record.backend,
        "verify_seconds": round(record.seconds.get("verify", 0.0) / rounds, 1) if rounds else 0.0,
        "replay_seconds": round(record.seconds.get("replay", 0.0), 1),
        "replayed": record.started[:10] if record.recording else "",
        "cost": record.usage.cost,
        "shown": _shown(data),
        "settled": [_settled(row) for row in data.claims if row.verdict],
    }
    return Kept.model_validate({**common, **found})


def _settled(row: ClaimRow) -> Settled:
    return Settled(
        claim=row.claim, text=clean_line(row.text, 300), place=row.place, verdict=row.verdict, reasons=row.reasons
    )


def _shown(data: ReportData) -> str:
    from agentsys.report.summary import summary

    wanted = ("evidence", "mutants", "numbers")
    rows = [line.strip() for line in summary(data).splitlines()] if data.verdict else []
    found = [row.split(None, 1)[1] for row in rows if row.startswith(wanted)]
    return "; ".join(clean_line(row.partition(";")[0].partition(" (smoke")[0], 160) for row in found)


def page(runs: Sequence[Kept]) -> str:
    """Return docs/results.md."""
    return "\n".join([*_head(runs), *_runs(runs), *_verdicts(runs), *_claims(runs), *_work(runs)]) + "\n"


def _head(runs: Sequence[Kept]) -> Iterator[str]:
    whole = sum(item.whole for item in runs)
    yield from (
        "# Results of kept runs",
        "",
        "Written by `python -m benchmarks.recorded` from the files of runs that were kept; no number is typed in.",
        "`agentsys estimate` rests on the same data ([agentsys/run/recorded.json](../agentsys/run/recorded.json)).",
        "",
        f"**{len(runs)} records, {whole} of a run to its end.** It shows that the path works, and says nothing about",
        "how often it does. Money is what the answers cost by the price list, unknown where no price is known.",
        "",
    )


def _runs(runs: Sequence[Kept]) -> Iterator[str]:
    yield "## Runs"
    yield ""
    head = "paper, answered by, date, verdict, calls, tokens in (cached) / out, money, time of the model, checks"
    yield from _table(head)
    for item in runs:
        if item.what == "run":
            yield f"| {' | '.join(_cells(item))} |"
    yield ""
    yield from (f"- {_cell(item.title)}: {_cell(item.shown)}" for item in runs if item.shown)
    yield ""


def _cells(item: Kept) -> list[str]:
    used = list(item.work.values())
    verdict = f"{item.status}: {item.reason}" + (f" (answers replayed {item.replayed})" if item.replayed else "")
    checks = "none"
    if item.whole:
        checks = (
            f"{item.rounds} verifications, {seconds(item.verify_seconds)} each; replay {seconds(item.replay_seconds)}"
        )
        checks += f" ({item.backend})"
    tokens = f"{count(sum(row.prompt for row in used))} ({count(sum(row.cached for row in used))})"
    return [
        _cell(item.title),
        _cell(item.answered),
        item.date,
        _cell(verdict),
        str(sum(row.calls for row in used)),
        f"{tokens} / {count(sum(row.completion for row in used))}",
        "unknown" if item.cost is None else dollars(item.cost),
        seconds(sum(row.seconds for row in used)),
        checks,
    ]


def _verdicts(runs: Sequence[Kept]) -> Iterator[str]:
    yield "## Claims settled"
    yield ""
    yield "By rules that were frozen before the code ([verdicts](verdicts.md)); *why* in the words of the reason codes."
    yield ""
    yield from _table("paper, claim, place, verdict, why")
    for item in runs:
        for row in item.settled:
            why = "; ".join(REASONS.get(code, code) for code in row.reasons)
            cells = (item.title, f"{row.claim}: {row.text}", row.place, row.verdict, why)
            yield f"| {' | '.join(map(_cell, cells))} |"
    yield ""


def _claims(runs: Sequence[Kept]) -> Iterator[str]:
    yield "## Claims read"
    yield ""
    yield from _table("paper, answered by, date, calls, tokens in (cached) / out, money, time of the model")
    for item in runs:
        if item.what == "claims":
            cells = _cells(item)
            yield f"| {' | '.join([*cells[:3], *cells[4:8]])} |"
    yield ""


def _work(runs: Sequence[Kept]) -> Iterator[str]:
    yield "## By kind of work"
    yield ""
    yield from _table("paper, work, calls, tokens in (cached), tokens out, seconds")
    for item in runs:
        for name, used in item.work.items():
            prompt = f"{used.prompt} ({used.cached})"
            cells = [_cell(item.title), name, str(used.calls), prompt, str(used.completion), f"{used.seconds:g}"]
            yield f"| {' | '.join(cells)} |"


def _table(head: str) -> Iterator[str]:
    names = head.split(", ")
    yield f"| {' | '.join(names)} |"
    yield "| --- " * len(names) + "|"


def _cell(text: str) -> str:
    return clean_line(text, 300).replace("|", "\\|")


if __name__ == "__main__":
    main(sys.argv[1:])
