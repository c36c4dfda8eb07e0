"""The check `dependence`: the results come from the method. It fails and changes where the method does.

The run is done again with the functions that carry the requirements made to fail, with what they return changed, with
nothing changed but the text of their files, and with other seeds. In a replay the numbers are compared with those of
the verification that did all this.
"""

from __future__ import annotations

from agentsys.core.artifacts import Diagnostic
from agentsys.core.text import cut
from agentsys.verify.checks.base import Bench, CheckSpec, Found
from agentsys.verify.checks.results import measuring_file
from agentsys.verify.dependence.alone import each_alone
from agentsys.verify.dependence.functions import method_functions
from agentsys.verify.dependence.judge import copied_settings, faults, report
from agentsys.verify.dependence.report import FILE, Dependence
from agentsys.verify.dependence.scale import is_paper_scale, settings
from agentsys.verify.dependence.share import look_closer
from agentsys.verify.dependence.unchanged import look_unchanged
from agentsys.verify.dependence.variants import CHECK_NAME, examine, measured
from agentsys.verify.replay import compare_with_earlier
from agentsys.verify.results_file import parse_results

MAX_TOLD = 2000
"""Characters that are kept of what each run printed."""


async def check_dependence(bench: Bench) -> Found:
    """Run the variants and judge them; `dependence.json` says what was changed, and what moved with it."""
    results = parse_results((bench.job.out / "results.json").read_bytes())
    if bench.job.earlier is not None:
        return compare_with_earlier(bench, results, bench.job.earlier)
    job = bench.job
    functions = method_functions(job.plan, job.files)
    if not functions.named:
        message = "no function carries the method: put its steps into functions of the planned files, and call them"
        return bench.failed(Diagnostic(kind="result", check=CHECK_NAME, message=message))
    copied = copied_settings(measured(results, job.plan), settings(job.plan, job.files, job.profile))
    seen = await examine(bench, functions, results, copied)
    if seen.perturbed and (not seen.open or all(ran.results is None for ran in seen.perturbed)):
        await look_unchanged(bench, seen, functions)
    if not seen.open:
        await each_alone(bench, seen, functions)
        await look_closer(bench, seen, functions)
    found = report(seen, functions, paper_scale=is_paper_scale(job.plan, job.files, job.profile))
    bench.log("dependence.log", "".join(f"== {item.run.name}\n{_told(item.log)}\n" for item in seen.runs))
    log = bench.log(FILE, found.model_dump_json(indent=1) + "\n")
    places = {row.result_key: measuring_file(bench, row.experiment) for row in job.plan.expected}
    diagnostics = faults(seen, found, job.plan, places)
    note, counts = diagnostics[0].message if diagnostics else _note(found), _counts(found)
    state = "failed" if diagnostics else "passed"
    check = bench.check(CHECK_NAME, state, note, log=log, counts=counts)
    return Found(check.model_copy(update={"seconds": found.seconds}), tuple(diagnostics))


def _counts(found: Dependence) -> dict[str, int]:
    return {
        "numbers": len(found.keys),
        "computed": sum(1 for row in found.keys if row.state == "computed"),
        "random": sum(1 for row in found.keys if row.random),
        "functions": len(found.called),
        "runs": len(found.runs),
    }


def _told(log: str) -> str:
    """Return what a run printed without the marks below the lines of tracebacks, its ends where it is long."""
    lines = [line for line in log.splitlines() if not line.strip() or line.strip(" ^~")]
    return cut("\n".join(lines), MAX_TOLD)


def _note(found: Dependence) -> str:
    counts = _counts(found)
    unjudged = f"; not judged by itself: {', '.join(found.unjudged)}" if found.unjudged else ""
    return (
        f"{counts['computed']} of {counts['numbers']} numbers move with the {len(found.functions)} functions of the "
        f"method, {counts['random']} with the seed; {counts['runs']} more runs in {found.seconds:.1f} s{unjudged}"
    )


CHECK = CheckSpec(CHECK_NAME, check_dependence, needs=("pyright", "pytest", "results"), leaves=(FILE, "dependence.log"))
