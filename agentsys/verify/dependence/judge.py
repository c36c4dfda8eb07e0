"""What the runs of the variants say: numbers that nothing computed, swallowed errors, signs that cannot fail."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from agentsys.core.artifacts import Diagnostic, Plan
from agentsys.core.text import clean_line, cut
from agentsys.verify.checks.smoke import SCRIPT
from agentsys.verify.dependence.alone import idle, unjudged
from agentsys.verify.dependence.functions import MethodFunctions
from agentsys.verify.dependence.report import Dependence, KeyDependence, KeyState
from agentsys.verify.dependence.scale import MOST_APART, is_time, missed, numbers
from agentsys.verify.dependence.share import hardly_moved
from agentsys.verify.dependence.unchanged import moved_unchanged
from agentsys.verify.dependence.variants import CHECK_NAME, Examined, Ran, same
from agentsys.verify.health import judge_health
from agentsys.verify.results_file import Results, number_words

MOST_NAMES = 6
MAX_ERROR = 160
_ERROR = re.compile(r"[\w.]+(?:Error|Exception|Warning)\b")
CHANGED = "changed is each number and array that a function returns, or is given where it rests on others, by the share"
ENDS = (0.0, 1.0, 100.0)
"""Ends of the ranges of shares and errors: a task that is too easy or too hard leaves them there, whatever is done."""


def report(seen: Examined, functions: MethodFunctions, *, paper_scale: bool) -> Dependence:
    """Put together what was seen of each number."""
    return Dependence(
        functions=tuple(item.key for item in functions.named),
        called=tuple(sorted(seen.called)),
        keys=tuple(_key(seen, key, value) for key, value in seen.values.items()),
        runs=tuple(item.run for item in seen.runs),
        unjudged=tuple(unjudged(seen)),
        paper_scale=paper_scale,
        seconds=round(sum(item.run.seconds for item in seen.runs), 3),
    )


def _key(seen: Examined, key: str, value: float) -> KeyDependence:
    state: KeyState = "computed" if key in seen.moved_by else "not_computed"
    failed = seen.raised is not None and seen.raised.run.ended != "ok" and bool(seen.raised.run.called)
    if state == "not_computed" and failed and all(item.results is None for item in seen.perturbed):
        state = "fails"
    seeded = seen.seeded.results if seen.seeded is not None else None
    other = seeded.value(key) if seeded is not None else None
    same_seed = seen.seeded.before.value(key) if seen.seeded is not None else None
    return KeyDependence(
        key=key,
        value=value,
        state=state,
        moved_by=tuple(seen.moved_by.get(key, ())),
        other_seed=other,
        random=other is not None and same_seed is not None and not same(same_seed, other),
    )


def copied_settings(values: Mapping[str, float], config: object) -> list[str]:
    """Return the numbers that stand in the configuration as well, as they are or as a percentage."""
    there = [number for _, number in numbers(config)]
    return [
        key
        for key, value in values.items()
        if any(same(value, number * factor) for number in there for factor in (1.0, 100.0, 0.01, -1.0))
    ]


def faults(seen: Examined, found: Dependence, plan: Plan, places: Mapping[str, str]) -> list[Diagnostic]:
    """Return a diagnostic for everything that a run of the method may not do.

    Args:
        places: result key -> file that measures it by the plan.
    """
    swallowed = _swallowed(seen, plan)
    ends = {ran.run.name: _last_line(ran) for ran in seen.runs}
    open_ = [row for row in found.keys if row.state == "not_computed" and not swallowed]
    lost = [_not_computed(row, found, places, ends) for row in open_]
    beside = _beside_the_paper(found, plan, places)
    parts = [*lost, *_without_effect(seen, plan), *_hardly_moved(seen, plan, places), *_cannot_fail(seen, plan)]
    text = _follows_its_text(seen, found, plan)
    return [*swallowed, *text, *parts, *_seed_ignored(seen), *_other_structure(seen, plan), *beside]


def _fault(message: str, symbol: str, path: str = SCRIPT, detail: str = "") -> Diagnostic:
    return Diagnostic(kind="result", check=CHECK_NAME, message=message, path=path, symbol=symbol, detail=detail)


def _names(names: Collection[str]) -> str:
    shown = ", ".join(f"`{name.partition(':')[2]}`" for name in list(names)[:MOST_NAMES])
    return shown + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")


def _swallowed(seen: Examined, plan: Plan) -> list[Diagnostic]:
    """The method fails everywhere, and the run ends well all the same."""
    ran = seen.raised
    if ran is None or ran.results is None:
        return []
    results: Results = ran.results
    kept = [key for key in seen.values if not ran.moved(key)]
    names = _names(ran.run.functions)
    if kept:
        called = f"{len(ran.run.called)} of them were called" if ran.run.called else "the run calls none of them"
        message = (
            f"`{SCRIPT}` ends well and writes the same {_keys(kept)} though all functions of the method fail "
            f"({names}; {called}): call the method, take the numbers from what it returns, let its errors end the run"
        )
        return [_fault(message, ",".join(kept), detail=cut(ran.log.strip(), 3000))]
    health = judge_health(results, plan)
    if health.signs and not health.faults:
        message = (
            f"every sign of `health` still holds where all functions of the method fail ({names}): it cannot fail; "
            "take its numbers from what the method returns, with bounds that a broken method would violate"
        )
        return [_fault(message, "health").model_copy(update={"kind": "health"})]
    return []


def _follows_its_text(seen: Examined, found: Dependence, plan: Plan) -> list[Diagnostic]:
    """The run asks what its own code looks like."""
    if not seen.unchanged:
        return []
    ran = seen.unchanged[-1]
    if ran.results is None:
        message = (
            f"`{SCRIPT}` does not end well ({ran.run.ended}) where the files of the method hold further lines that do "
            "nothing: no run may ask for the text or the place of its own code"
        )
        return [_fault(message, "text", detail=cut(ran.log.strip(), 3000))]
    moved = moved_unchanged(seen, plan, [row.key for row in found.keys if row.random])
    if not moved:
        return []
    message = (
        f"{_keys(moved)}: other numbers where the files of the method hold further lines that do nothing; take numbers "
        "from what the method returns, never from the text of the code"
    )
    return [_fault(message, "text")]


def _cannot_fail(seen: Examined, plan: Plan) -> list[Diagnostic]:
    """A sign of health that holds whatever the method returns."""
    return [
        _fault(
            f"`{sign.experiment}: {sign.quantity} {sign.words}` holds whatever the method returns, a million times "
            "as much or its opposite: let it compare numbers that a broken method would make worse",
            "health",
            detail=_changed(seen.broken),
        ).model_copy(update={"kind": "health"})
        for sign in seen.vacuous(plan)
    ]


def _seed_ignored(seen: Examined) -> list[Diagnostic]:
    """The code draws random numbers, and not from the seed of the configuration."""
    if seen.ignored is None or seen.seeded is None or seen.seeded.results is None:
        return []
    moved = [key for key in seen.values if seen.seeded.moved(key)]
    if not moved:
        return []
    message = (
        f"{_keys(moved)} rest on random numbers, and no number moves with the seed of the configuration: seed every "
        "generator from it, so that other seeds can be run"
    )
    return [_fault(message, "seed")]


def _keys(keys: Sequence[str]) -> str:
    return ", ".join(f"`{key}`" for key in keys[:MOST_NAMES]) + (", ..." if len(keys) > MOST_NAMES else "")


def _last_line(ran: Ran) -> str:
    """Return what a run that did not end well said last: an error's message, as Python prints it."""
    lines = [line for line in ran.log.splitlines() if _ERROR.match(line)]
    return f", {clean_line(lines[-1], MAX_ERROR)}" if lines and ran.run.ended != "ok" else ""


def _not_computed(
    row: KeyDependence, found: Dependence, places: Mapping[str, str], ends: Mapping[str, str]
) -> Diagnostic:
    """Say in which runs a number stayed the same: in those that ended well, and in no others.

    Args:
        ends: what each run said last that did not end well, by its name.
    """
    tried = [run for run in found.runs if {"perturb", "arguments"}.intersection(run.functions.values())]
    ended = [run for run in tried if run.ended == "ok"]
    changed = list(dict.fromkeys(name for run in ended for name in run.called))
    message = f"`{row.key}` = {number_words(row.value)} is not computed by the method"
    if any(run.functions.keys() >= set(found.functions) for run in ended):
        message += f": it stays the same when what {_names(found.functions)} return is changed"
    elif changed:
        message += (
            f", as far as was seen: it stays the same when what {_names(changed)} return is changed; where all is "
            "changed at once, by 3 %, the run ends early"
        )
    else:
        message += ", as far as was seen: no run in which it was changed ended well"
    message += "; compute it in the run from what the functions that carry the requirements return"
    if row.value in ENDS or sum(same(row.value, other.value) for other in found.keys) > 1:
        message += "; a value at the end of its range, or that others have too, may want a task on which methods differ"
    lines = [
        f"{run.name} ({100 * run.strength:g} %): {run.ended}, {len(run.called)} of {len(run.functions)} called"
        f"{ends.get(run.name, '')}"
        for run in tried
    ]
    return _fault(message, row.key, places.get(row.key, SCRIPT), "\n".join([CHANGED, *lines]))


def _without_effect(seen: Examined, plan: Plan) -> list[Diagnostic]:
    """A part of the paper's own method on which nothing rests that is measured."""
    rows = {row.id: row for row in plan.requirements}
    found: list[Diagnostic] = []
    for requirement, ran in idle(seen).items():
        path = next(iter(ran.run.functions)).partition(":")[0]
        message = (
            f"nothing that is measured rests on {requirement} ({rows[requirement].what}): every number stays the same "
            f"whatever {_names(ran.run.functions)} returns; take the numbers from it, not from another computation"
        )
        found.append(_fault(message, requirement, path).model_copy(update={"requirements": (requirement,)}))
    return found


def _hardly_moved(seen: Examined, plan: Plan, places: Mapping[str, str]) -> list[Diagnostic]:
    """A number that something else holds in its place."""
    return [
        _fault(
            f"`{key}` = {number_words(seen.values[key])} hardly moves with the method, by {most:.2%} at the most where "
            "what the method returns is changed by 30 % and more: write what was measured, not what it is drawn to",
            key,
            places.get(key, SCRIPT),
            _changed(seen.perturbed),
        )
        for key, most in hardly_moved(seen, plan.expected).items()
    ]


def _changed(runs: Sequence[Ran]) -> str:
    """Say whose returned values were changed, and which of these functions the run called at all."""
    called = {name for ran in runs for name in ran.run.called}
    names = sorted({name for ran in runs for name in ran.run.functions})
    return "\n".join(f"{name}: {'changed' if name in called else 'not called by the run'}" for name in names)


def _other_structure(seen: Examined, plan: Plan) -> list[Diagnostic]:
    ran = seen.seeded
    if ran is None or ran.run.ended == "timeout":
        return []
    if ran.results is None:
        message = (
            f"with another seed `{SCRIPT}` does not end well ({ran.run.ended}): nothing of a run may rest on one seed"
        )
        return [_fault(message, "seed", detail=cut(ran.log.strip(), 3000))]
    lost = [key for key in seen.values if ran.results.value(key) is None]
    if not lost:
        return []
    message = f"with another seed the run does not give {_keys(lost)}: the same must be measured whatever the seed"
    return [_fault(message, "seed")]


def _beside_the_paper(found: Dependence, plan: Plan, places: Mapping[str, str]) -> list[Diagnostic]:
    """At the paper's own scale a number without chance in it is the paper's, or code and paper differ."""
    if not found.paper_scale:
        return []
    rows: list[Diagnostic] = []
    for item in plan.expected:
        row = found.of(item.result_key)
        if row is None or row.random or item.relation != "equal" or is_time(item):
            continue
        share = missed(item, row.value)
        if share > MOST_APART:
            apart = f"by {share:.1%}" if share < 1 else f"by a factor of {share + 1:.3g}"
            message = (
                f"`{row.key}` is {number_words(row.value)} and the paper says {number_words(item.value)} "
                f"({item.place.label}): it misses {apart} at the paper's own scale, whatever the seed; compare the "
                "functions that compute it with the paper's formulas, step by step"
            )
            rows.append(_fault(message, row.key, places.get(row.key, SCRIPT)))
    return rows
