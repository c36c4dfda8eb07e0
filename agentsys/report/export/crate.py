"""An RO-Crate by the profile Process Run Crate 0.5: each claim's experiment an action, and one that judged them all.

https://w3id.org/ro/wfrun/process/0.5, on RO-Crate 1.1.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

from agentsys.core.files import sha256_bytes
from agentsys.core.text import clean_line
from agentsys.plan.claims.freezing import FOLDER
from agentsys.report.claims import ClaimRow, because, scoreboard
from agentsys.report.export.bundle import CHECK, Bundle, absent, evaluated, write_files
from agentsys.report.verdict import headline
from agentsys.verify.claims.cells import program

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
LIBRARIES = {"numpy": "https://numpy.org/", "scipy": "https://scipy.org/"}
_TYPES = {
    ".py": "text/x-python",
    ".csv": "text/csv",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
}
_JUDGE = CHECK[-1]
_LICENCES = ("LICENSE", "LICENSE.txt", "LICENSE.md")
_NO_LICENCE = "The repository names no licence: ask whoever ran it, and the authors of the paper, before you reuse it."


def write_crate(bundle: Bundle, out: Path) -> Path:
    """Write the repository with its record and `ro-crate-metadata.json` into a folder; return that file.

    Raises: PrerequisiteError without rocrate; UsageError where the record is not the one that was judged.
    """
    try:
        from rocrate.rocrate import ROCrate  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise absent("rocrate") from error
    out = out.resolve()  # a relative path with a colon would be taken for an address
    write_files(bundle, out)
    evaluated(out / FOLDER)
    crate: Any = ROCrate(version="1.1")
    _describe(crate, bundle)
    programs = {_JUDGE, *(program(row.claim) for row in bundle.data.claims)}
    files = {name: _file(crate, out, name, content, programs) for name, content in bundle.files.items()}
    agent: Any = _entity(crate, "#agentsys", "Organization", name=f"agentsys, run {bundle.data.record.id}")
    crate.root_dataset["author"] = agent
    actions = [_experiment(crate, bundle, row, files, agent) for row in bundle.data.claims if row.commands]
    actions.append(_judgement(crate, bundle, files, agent))
    crate.root_dataset["mentions"] = actions
    crate.metadata.write(out)  # the files are there already
    return out / "ro-crate-metadata.json"


def _describe(crate: Any, bundle: Bundle) -> None:
    data = bundle.data
    crate.name = clean_line(f"Claims of “{bundle.title}”, put to the test", 300)
    crate.description = clean_line(f"{headline(data)}. Claims: {scoreboard(data.claims)}.", 1000)
    crate.root_dataset["datePublished"] = data.record.finished or data.record.started
    licence = next((name for name in _LICENCES if name in bundle.files), "")
    crate.license = {"@id": licence} if licence else _entity(
        crate, "#licence", "CreativeWork", name="No licence is named", description=_NO_LICENCE
    )  # fmt: skip
    crate.root_dataset["conformsTo"] = _entity(crate, PROFILE, "CreativeWork", name="Process Run Crate", version="0.5")
    paper = {"name": clean_line(bundle.title, 300), "identifier": f"sha256:{data.record.paper_sha256}"}
    crate.root_dataset["about"] = _entity(crate, "#paper", "ScholarlyArticle", **paper)


def _file(crate: Any, out: Path, name: str, content: bytes, programs: set[str]) -> Any:
    code = name in programs
    told = {
        "@type": ["File", "SoftwareSourceCode"] if code else "File",
        "name": clean_line(name),
        "contentSize": str(len(content)),
        "sha256": sha256_bytes(content),
        "encodingFormat": _TYPES.get(Path(name).suffix, "application/octet-stream"),
    }
    if code:
        told["programmingLanguage"] = _python(crate)
        told["version"] = sha256_bytes(content)[:12]
    return crate.add_file(out / name, name, properties=told)


def _python(crate: Any) -> Any:
    return _entity(crate, "https://www.python.org/", "ComputerLanguage", name="Python", url="https://www.python.org/")


def _experiment(crate: Any, bundle: Bundle, row: ClaimRow, files: dict[str, Any], agent: Any) -> Any:
    told = {
        "name": f"Experiment of claim {row.claim}",
        "description": clean_line(f"{row.text} ({row.place}). Commands: {'; '.join(row.commands)}", 4000),
    }
    inputs = [files[f"{FOLDER}/contracts.json"]]
    results = [files[name] for name in (f"{FOLDER}/rows/{row.claim}.csv", f"{FOLDER}/cells.jsonl") if name in files]
    return _action(crate, bundle, f"#run-{row.claim}", files[program(row.claim)], inputs, results, agent, told)


def _judgement(crate: Any, bundle: Bundle, files: dict[str, Any], agent: Any) -> Any:
    rows = [row for row in bundle.data.claims if row.verdict]
    verdicts = "; ".join(f"{row.claim} {row.verdict}: {because(row)}" for row in rows)
    told = {
        "name": "Verdicts by the rules that were frozen before the code",
        "description": clean_line(f"{' '.join(CHECK)} evaluates them again, with numpy and scipy. {verdicts}", 8000),
    }
    names = ("contracts.json", "findings.json", "units.json")
    inputs = [files[f"{FOLDER}/{name}"] for name in names]
    inputs += [entity for name, entity in files.items() if name.startswith(f"{FOLDER}/rows/")]
    tool = files[_JUDGE]
    tool["softwareRequirements"] = [
        _entity(crate, url, "SoftwareApplication", name=name, url=url, softwareVersion=metadata.version(name))
        for name, url in LIBRARIES.items()
    ]
    return _action(crate, bundle, "#verdicts", tool, inputs, [files[f"{FOLDER}/verdicts.json"]], agent, told)


def _action(
    crate: Any, bundle: Bundle, name: str, tool: Any, inputs: list[Any], results: list[Any], agent: Any, told: Any
) -> Any:
    record = bundle.data.record
    # The profile knows the zone as an offset only.
    start, end = (time.replace("Z", "+00:00") for time in (record.started, record.finished or record.started))
    # By RO-Crate 1.1 a list of one is written as the one.
    ends = [each[0] if len(each) == 1 else each for each in (inputs, results)]
    return crate.add_action(tool, name, *ends, {**told, "startTime": start, "endTime": end, "agent": agent})


def _entity(crate: Any, id_: str, kind: str, **told: str) -> Any:
    from rocrate.model.contextentity import ContextEntity  # pyright: ignore[reportMissingTypeStubs]

    made: Any = ContextEntity
    return crate.dereference(id_) or crate.add(made(crate, id_, properties={"@type": kind, **told}))
