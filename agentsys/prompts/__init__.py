"""Prompts are files: one Jinja template each, rendered strictly (a missing variable is an error)."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

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
    return (files("agentsys.prompts") / name).read_text(encoding="utf-8")


def render(template: str, **values: object) -> str:
    """Render `<template>.md.j2`.

    Raises: jinja2.UndefinedError for a variable that is missing.
    """
    return _environment().get_template(f"{template}.md.j2").render(values).strip() + "\n"


@cache
def template_hash(template: str = "") -> str:
    """Return the SHA-256 of one template, or of all of them together (first 16 hexadecimal digits)."""
    if template:
        return hashlib.sha256(_source(f"{template}.md.j2").encode()).hexdigest()[:16]
    names = sorted(entry.name for entry in files("agentsys.prompts").iterdir() if entry.name.endswith(".j2"))
    return hashlib.sha256("\0".join(name + _source(name) for name in names).encode()).hexdigest()[:16]
