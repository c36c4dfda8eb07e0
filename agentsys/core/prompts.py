"""Prompts are files in the room of the step that asks: Jinja templates, strict (a missing variable is an error)."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path

import jinja2


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # plain text for models, never markup for a browser
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )


def _source(name: str) -> str:
    room, _, file = name.rpartition("/")
    return files("agentsys").joinpath(room, "prompts", file).read_text(encoding="utf-8")


@cache
def template_names() -> tuple[str, ...]:
    """Return every template as `room/name`."""
    base = Path(str(files("agentsys")))
    found = (path.relative_to(base) for path in base.rglob("prompts/*.md.j2"))
    return tuple(sorted(f"{path.parent.parent.as_posix()}/{path.name.removesuffix('.md.j2')}" for path in found))


def render(template: str, **values: object) -> str:
    """Render a template.

    Args:
        template: room and name, such as `plan/design`.

    Raises: jinja2.UndefinedError for a variable that is missing.
    """
    return _environment().get_template(f"{template}.md.j2").render(values).strip() + "\n"


@cache
def template_hash() -> str:
    """Return the SHA-256 of all templates together (first 16 hexadecimal digits)."""
    texts = (name + _source(f"{name}.md.j2") for name in template_names())
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
