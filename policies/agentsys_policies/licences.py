"""Licences of what is installed, sorted by what they ask of somebody who passes the software on."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["permissive", "weak copyleft", "strong copyleft", "unknown"]

_STRONG = re.compile(
    r"\bAGPL|\bGPL(?!.*(?:exception|classpath))|GNU (?:Affero )?General Public|\bSSPL|\bEUPL", re.IGNORECASE
)
_WEAK = re.compile(r"\bLGPL|Lesser General|\bMPL|Mozilla Public|\bEPL|Eclipse Public|\bCDDL", re.IGNORECASE)
_PERMISSIVE = re.compile(
    r"\bMIT\b|\bBSD\b|\bBSD-|Apache|\bISC\b|\bPSF|Python Software Foundation|\bZlib\b|\bUnlicense|\bCC0"
    r"|\b0BSD|HPND|\bBSL-1|Boost|public domain|\bNCSA\b",
    re.IGNORECASE,
)


def kind_of(licence: str) -> Kind:
    """Return the kind of a licence expression or name; of alternatives (`OR`) the mildest, otherwise the strictest."""
    order: tuple[Kind, ...] = ("permissive", "weak copyleft", "strong copyleft", "unknown")
    choices = {_strictest(part) for part in re.split(r"\s+OR\s+", licence)}
    return next(kind for kind in order if kind in choices)


def _strictest(licence: str) -> Kind:
    if _WEAK.search(licence) and not re.search(r"\bAGPL|\b(?<!L)GPL", licence):
        return "weak copyleft"
    if _STRONG.search(licence):
        return "strong copyleft"
    return "permissive" if _PERMISSIVE.search(licence) else "unknown"


def licence_of(metadata: dict[str, object]) -> str:
    """Return the licence that a distribution's metadata states: expression, then classifiers, then the free field."""
    expression = metadata.get("license_expression")
    if isinstance(expression, str) and expression:
        return expression
    classifiers = metadata.get("classifier")
    rows = [str(row) for row in classifiers] if isinstance(classifiers, list) else []  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    named = [row.rpartition(" :: ")[2] for row in rows if row.startswith("License :: ") and row.count(" :: ") > 1]
    if named:
        return " AND ".join(named)
    free = metadata.get("license")
    first = free.strip().splitlines()[0] if isinstance(free, str) and free.strip() else ""
    return first[:100]
