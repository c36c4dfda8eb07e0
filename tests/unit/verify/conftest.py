"""What tests of verification share."""

from __future__ import annotations

import pytest

from agentsys.verify import run


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verification that the infrastructure broke is begun again at once."""
    monkeypatch.setattr(run, "wait_exponential", lambda **_: 0)
