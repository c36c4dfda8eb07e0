"""The safety policy and the data on vulnerabilities, as the settings name them."""

from __future__ import annotations

from agentsys.core.errors import PrerequisiteError
from agentsys.core.settings import Settings
from agentsys_policies.advisories import Advisories, read_advisories
from agentsys_policies.engine import Policy
from agentsys_policies.errors import PolicyError


def load_policy(settings: Settings) -> Policy:
    """Return the policy with the user's own rules and review file. Raises: PrerequisiteError."""
    try:
        return Policy.load(settings.policy, settings.review)
    except PolicyError as error:
        raise PrerequisiteError(error.message, error.hint) from error


def load_advisories(settings: Settings) -> Advisories | None:
    """Return the published vulnerabilities, or None where no data is named. Raises: PrerequisiteError."""
    try:
        return read_advisories(settings.advisories) if settings.advisories is not None else None
    except PolicyError as error:
        raise PrerequisiteError(error.message, error.hint) from error
