"""The question about the configuration brings what the design says of settings, and no more."""

from __future__ import annotations

from agentsys.plan.planner import reading

INTERFACE = """load(config: Mapping[str, Any]) -> Data  (reads 'seed' and 'data.noise')
fit(data: Data, rate: float) -> Model  (rate as in the paper)
# keys of a row: 'width', 'error'
score(model: Model) -> float"""


def test_lines_that_speak_of_settings_are_told_and_others_are_not() -> None:
    lines = reading(INTERFACE, ["config:optimiser.rate"]).splitlines()
    assert [line.split("(")[0] for line in lines] == ["load", "fit", "# keys of a row: 'width', 'error'"]
    assert reading(INTERFACE, []).splitlines() == [INTERFACE.splitlines()[0], INTERFACE.splitlines()[2]]


def test_a_setting_at_the_top_is_known_by_its_name() -> None:
    assert reading("draw(seed: int) -> float\nother() -> int", ["config:seed"]) == "draw(seed: int) -> float"
