"""All checks in the order in which a person would mend things."""

from __future__ import annotations

import os
from collections.abc import Iterator

from agentsys.cli.doctor import host, models, sandboxes
from agentsys.cli.doctor.live import confinement
from agentsys.cli.doctor.row import Row
from agentsys.core.errors import UsageError
from agentsys.core.settings import Settings
from agentsys.core.settings_layers import load_settings


def diagnose(*, live: bool = False) -> Iterator[Row]:
    """Yield one row a check, each as soon as it is done.

    Args:
        live: also open a sandbox and look at its confinement, and ask the model one short question.
    """
    settings, fault = _settings()
    if fault is not None:
        yield fault
    yield host.python()
    yield host.package_data()
    yield host.configuration(os.environ)
    yield host.disk(settings)
    yield host.git()
    yield host.pyright()
    yield host.policy(settings)
    yield from _sandboxes(settings)
    yield models.configured(settings)
    yield host.nougat()
    if live:
        yield from confinement(settings)
        if (row := models.answers(settings)) is not None:
            yield row


def _sandboxes(settings: Settings) -> Iterator[Row]:
    yield sandboxes.docker_sdk()
    place = sandboxes.chosen(settings)
    yield sandboxes.docker_engine(needed=place.status == "fail")
    if (row := sandboxes.base_image()) is not None:
        yield row
    yield sandboxes.bubblewrap(needed=place.status == "fail")
    yield place
    yield from sandboxes.endpoints(settings)
    yield sandboxes.leftovers()


def _settings() -> tuple[Settings, Row | None]:
    """Return the settings; where they are wrong, the defaults and a row that says so."""
    try:
        return load_settings()[0], None
    except UsageError as error:
        return Settings(), Row("settings", "fail", error.message, error.hint)
