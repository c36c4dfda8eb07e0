"""Templates to pages. Everything a template is given is text: escaped, without control characters, never markup."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup, escape

from agentsys.core.numbers import count, dollars, seconds
from agentsys.report.view.highlight import coloured
from agentsys_sandbox.text import clean_text

_TICKED = re.compile(r"`([^`\n]{1,300})`")


@cache
def environment() -> jinja2.Environment:
    """Return the environment of the page's templates: strict, and it escapes whatever it is given."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("agentsys.report.view"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    ours: Any = {"count": count, "dollars": dollars, "seconds": seconds, "coloured": coloured, "ticked": ticked}
    made.filters |= ours
    return made


def render(template: str, values: Mapping[str, object]) -> str:
    """Render a template of this folder."""
    return environment().get_template(template).render(values)


def ticked(text: object) -> Markup:
    """Return a line of text in which what stands between backquotes is code; everything else of it stays text."""
    if isinstance(text, Markup):
        return text
    words = "" if text is None else clean_text(str(text))
    parts = enumerate(_TICKED.split(words))
    return Markup("").join(Markup("<code>{}</code>").format(part) if n % 2 else escape(part) for n, part in parts)


def asset(name: str) -> str:
    """Return our own style or script as it is shipped."""
    loader = environment().loader
    assert loader is not None
    return loader.get_source(environment(), name)[0]


def _harmless(value: object) -> object:
    if value is None:
        return ""
    # What a macro made is markup, and what it was given has been cleaned there.
    return clean_text(value) if isinstance(value, str) and not isinstance(value, Markup) else value
