"""What a delivered repository says of itself: `status.json`, a block at the top of its pages, and a page a claim.

They are written by agentsys when a run has ended, however it ended. No program of the repository is given them to read
(`core.tree`), and whatever else stands between the markers is replaced.
"""

from __future__ import annotations

import json

from agentsys.core.artifacts import MeasuredResult
from agentsys.core.blocks import FIGURES, MARKED, MAX_PAGE, README, STATUS, with_block
from agentsys.core.files import write_atomic
from agentsys.core.gitrepo import GitRepo
from agentsys.core.rundir import RunDir
from agentsys.core.text import code, fence, md
from agentsys.core.version import agentsys_version
from agentsys.plan.claims.freezing import FOLDER as CLAIMS
from agentsys.plan.workspace import code_hash
from agentsys.report import ledger
from agentsys.report.claim_files import INDEX, PAGES, write_pages
from agentsys.report.claim_plot import draw_plots
from agentsys.report.claim_reading import keep_baselines
from agentsys.report.data import ReportData, collect
from agentsys.report.ending import code_of
from agentsys.report.facts import claim_words, grade_words, numbers_note, release_words
from agentsys.report.figures import INDEX as INDEX_OF_FIGURES
from agentsys.report.figures import write_figures
from agentsys.report.verdict import effective_status, headline
from agentsys.verify.checks.install import LOCK

BLOCK = "status"
VERIFIED = (
    "it installs from its pins, every module imports, the types are right, the tests pass and notice faults that are "
    "planted in the method, the small profile runs and leaves sound results that move with the method, the safety "
    "policy allows it, and all of that was true again for the last commit in a new sandbox without network. How near "
    "the measured numbers come to the paper's is another matter"
)
UNVERIFIED = (
    "at least one of the checks did not pass or was not done. What is here may be incomplete or wrong: rely on nothing "
    "of it that you have not checked yourself"
)


def write_status(run: RunDir) -> None:
    """Write the status into the repository of a run that has ended, and commit it. Nothing is done where nothing is.

    Raises: GitError, OSError.
    """
    if not (run.repo / ".git").is_dir() or not any(path.name != ".git" for path in run.repo.iterdir()):
        return
    data = collect(run)
    pages = _pages(run, data)
    write_figures(run, data)
    body, word = _block(data), _word(data)
    write_atomic(run.repo / STATUS, json.dumps(_facts(data), indent=1, ensure_ascii=False) + "\n")
    for name in MARKED:
        file = run.repo / name
        if file.is_symlink():
            file.unlink()
        if name == README and not file.exists():
            write_atomic(file, with_block("", BLOCK, body))
        elif file.is_file() and file.stat().st_size <= MAX_PAGE:
            text = file.read_text(encoding="utf-8", errors="surrogateescape")
            write_atomic(file, with_block(text, BLOCK, body).encode("utf-8", "surrogateescape"))
    written = [name for name in (STATUS, *MARKED) if (run.repo / name).is_file()]
    GitRepo(run.repo).commit_files([*written, *pages, FIGURES], f"Status: {word}")


def _pages(run: RunDir, data: ReportData) -> list[str]:
    """Write a page a claim into run and repository; return what is to be committed. The contracts went there first."""
    if not (run.repo / CLAIMS).is_dir() or not data.claims:
        return []
    keep_baselines(run)
    plots = draw_plots(run)
    for folder in (run.claims, run.repo / CLAIMS):
        write_pages(folder, data.record.title, data.claims, plots)
    return [f"{CLAIMS}/{INDEX}", f"{CLAIMS}/{PAGES}"]


def _word(data: ReportData) -> str:
    status = effective_status(data)
    return "verified" if status == "verified" else f"not verified ({status})"


def _meaning(data: ReportData) -> str:
    if effective_status(data) != "verified":
        return UNVERIFIED
    if data.paper_scale or data.full is not None:
        return f"{VERIFIED}: they were measured at the paper's own scale, and each has its grade"
    return f"{VERIFIED}: they were measured on a small scale, which reproduces none of them. {_compared(data)}"


def _compared(data: ReportData) -> str:
    """Say who compared the code with the paper, where its numbers cannot tell."""
    said = ledger.review_words(data)
    if not said:
        return "Nobody has compared the code with the paper: its tests were written with it, and there was no review"
    wrote = _model(data, "coder")
    reader = (
        "the model that wrote it" if _model(data, "reviewer") == wrote else "another model than the one that wrote it"
    )
    return f"Whether it does what the paper says, tests that were written with it say, and {reader}, which read {said}"


def _model(data: ReportData, role: str) -> object:
    rows = data.record.settings
    item = rows.get(f"agent_models.{role}") or rows.get("model")
    return item.value if item is not None else ""


def _facts(data: ReportData) -> dict[str, object]:
    status, verdict = effective_status(data), data.verdict
    return {
        "schema_version": 1,
        "verified": status == "verified",
        "status": status,
        "reason_code": code_of(data.record),
        "reason": data.record.reason,
        "headline": headline(data),
        "means": _meaning(data),
        "date": data.record.finished,
        "agentsys": agentsys_version(),
        "run": data.record.id,
        "paper": {"title": data.record.title, "sha256": data.record.paper_sha256},
        "code_sha256": code_hash(data.repo),
        "checks": [
            {"name": row.name, "state": row.state, "saw": row.note} for row in (verdict.checks if verdict else ())
        ],
        "replayed": status == "verified",
        "sandbox": data.record.backend,
        "weak_sandbox": data.record.weak_sandbox,
        "requirements": ledger.evidence_words(data),
        "left_open": ledger.open_line(data),
        "measured_at_the_papers_scale": data.paper_scale or data.full is not None,
        "measured": [
            {
                "id": row.expected.id,
                "metric": row.expected.metric,
                "paper": row.expected.value,
                "unit": row.expected.unit,
                "here": row.measured,
                "grade": row.grade,
                "profile": row.profile,
                "scale": row.scale,
                "paper_scale": row.paper_scale,
                "note": row.note,
            }
            for row in data.measured
        ],
        "claims": [
            {
                "claim": row.claim,
                "verdict": row.verdict,
                "reasons": list(row.reasons),
                "why": row.why,
                "text": row.text,
                "place": row.place,
                "paper": row.paper,
                "measured": row.measured,
                "interval": row.interval,
                "n": row.n,
                "contract_sha256": row.contract,
            }
            for row in data.claims
        ],
        "release": data.record.release,
        "check_again": _commands(data),
    }


def _commands(data: ReportData) -> list[str]:
    """Return what checks the repository again, as commands for a shell in its folder."""
    locked = (data.repo / LOCK).is_file()
    install = f"--no-deps -r {LOCK}" if locked else "-r requirements.txt"
    return [
        "python3 -m venv .venv",
        f".venv/bin/pip install {install}",
        'export PATH="$PWD/.venv/bin:$PATH" PYTHONPATH="$PWD:$PWD/src"',
        "python -m pytest",
        "bash reproduce.sh smoke",
    ]


def _block(data: ReportData) -> str:
    status = effective_status(data)
    word = "Verified" if status == "verified" else "Not verified"
    why = headline(data).removeprefix(f"{word.lower()}: ").removeprefix("verified; ")
    reason = f" Reason code: {code(found)}." if status != "verified" and (found := code_of(data.record)) else ""
    lines = [
        f"**{word}** by agentsys {md(agentsys_version())}, {md(data.record.finished[:10])}: {md(why, 600)}.{reason}",
        f"“{word}” means: {md(_meaning(data), 1000)}.",
        *_measured(data),
    ]
    if left := ledger.open_line(data):
        lines.append(f"Left open: {md(left, 600)}.")
    if said := release_words(data).partition(": agentsys")[0]:
        lines.append(f"Release: {md(said, 600)}.")
    lines += ["To check it again, in this folder:", fence("\n".join(_commands(data)), "sh")]
    if (data.repo / INDEX_OF_FIGURES).is_file():
        said = "The paper's figures and tables beside what was drawn here, which no release holds"
        lines.append(f"{said}: {code(INDEX_OF_FIGURES)}.")
    lines.append(f"The same for programs: {code(STATUS)}. This block was written by agentsys.")
    return "\n\n".join(lines)


def _measured(data: ReportData) -> list[str]:
    done = [row for row in data.measured if row.measured is not None]
    if not data.measured:
        return []
    if not done:
        head = f"None of the paper's {len(data.measured)} numbers was measured."
    else:
        head = f"Measured: {len(done)} of the paper's {len(data.measured)} numbers. {md(numbers_note(data), 1000)}"
    rows = [
        f"| {md(row.expected.metric)} | {md(claim_words(row.expected))} | {_here(row)} | {md(grade_words(row))} |"
        for row in data.measured
    ]
    return [head, "\n".join(["| number | paper | here | grade |", "| --- | --- | --- | --- |", *rows])]


def _here(row: MeasuredResult) -> str:
    return f"{row.measured:g}" if row.measured is not None else "-"
