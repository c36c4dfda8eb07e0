"""Whether the small profile is the paper's own scale, and what the full one should cost."""

from __future__ import annotations

import pytest

from agentsys.plan.scale import expected_seconds, is_paper_scale

FULL = {"scale": "200 steps", "steps": 200, "lr": 0.1, "data": {"name": "synthetic", "seeds": [0, 1, 2]}}


def test_words_about_the_scale_do_not_define_it() -> None:
    assert is_paper_scale(FULL, {**FULL, "scale": "the same", "profile": "smoke"})


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 20},
        {"lr": 0.2},
        {"data": {"name": "other", "seeds": [0, 1, 2]}},
        {"data": {"name": "synthetic", "seeds": [0]}},
        {"fast": True},
    ],
)
def test_any_other_setting_that_differs_is_another_scale(change: dict[str, object]) -> None:
    assert not is_paper_scale(FULL, {**FULL, **change})


def test_settings_that_are_not_known_are_no_scale() -> None:
    assert not is_paper_scale({}, {})
    assert not is_paper_scale({"scale": "full"}, {"scale": "full"})


def test_every_number_that_grows_multiplies_the_time() -> None:
    smoke = {**FULL, "steps": 20, "data": {"name": "synthetic", "seeds": [0]}}
    assert expected_seconds(FULL, smoke, 2.0) == pytest.approx(2.0 * 10 * 3)
    assert expected_seconds(FULL, {**FULL, "lr": 0.001}, 2.0) == pytest.approx(2.0)


@pytest.mark.parametrize("change", [{"data": {"name": "tiny", "seeds": [0, 1, 2]}}, {"steps": 0}, {"more": 1}])
def test_nothing_is_estimated_where_the_settings_do_not_tell(change: dict[str, object]) -> None:
    assert expected_seconds(FULL, {**FULL, **change}, 2.0) is None
    assert expected_seconds(FULL, FULL, 0.0) is None
