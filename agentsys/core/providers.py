"""The table of model providers: one row each, and those that installed packages add."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from agentsys.core.errors import PrerequisiteError

GROUP = "agentsys.providers"
"""Entry point group by which another distribution adds a provider: `name = "module:Class"`."""
AUTO = "auto"
"""Decides by the model's name and the endpoint."""

BUILT_IN = {
    "openai": "agentsys.llm.openai_provider:OpenAIProvider",
    "anthropic": "agentsys.llm.anthropic_provider:AnthropicProvider",
}
"""Name -> class, a subclass of `agentsys.llm.provider.Provider` that carries this name."""


def provider_table() -> dict[str, EntryPoint]:
    """Return the providers by name, not loaded; agentsys' own come first.

    Raises: PrerequisiteError if an installed package uses a name that is taken.
    """
    table = {name: EntryPoint(name, value, GROUP) for name, value in BUILT_IN.items()}
    for point in entry_points(group=GROUP):
        if point.name in table:
            raise PrerequisiteError(
                f"two packages bring a model provider `{point.name}`: `{table[point.name].value}`, `{point.value}`",
                "uninstall one of the two packages",
            )
        table[point.name] = point
    return table


def is_provider(name: str) -> bool:
    """Return whether this is `auto` or a name of the table; other distributions are looked at only where need be."""
    return name == AUTO or name in BUILT_IN or name in provider_table()
