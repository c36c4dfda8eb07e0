"""A requirement counts as looked at only where a run of its own could say something."""

from __future__ import annotations

from agentsys.verify.dependence.alone import idle, unjudged
from agentsys.verify.dependence.report import VariantRun
from agentsys.verify.dependence.variants import Examined, Ran
from agentsys.verify.results_file import Results, parse_results

RUN = VariantRun(name="alone", functions={}, ended="ok")


def told(value: float) -> Results:
    return parse_results(b'{"mean": %f, "not_attempted": {}}' % value)


def test_a_requirement_without_a_run_that_ended_and_changed_something_is_unjudged_and_named() -> None:
    seen = Examined({"mean": 1.5}, told(1.5))
    seen.alone = {
        "R1": [],
        "R2": [Ran(RUN, told(1.5))],
        "R3": [Ran(RUN, told(1.5), told(1.5), changed=False)],
        "R4": [Ran(RUN, told(1.5), told(1.7), changed=True)],
        "R5": [Ran(RUN, told(1.5), told(1.5), changed=True)] * 4,
        "R6": [Ran(RUN, told(1.5), told(1.5), changed=True)],
    }
    assert unjudged(seen) == ["R1", "R2", "R3", "R6"]
    assert list(idle(seen)) == ["R5"]
