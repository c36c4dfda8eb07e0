"""Overlines: a thin rule that lies close on some glyphs and is as wide as they are, with nothing of theirs above it.

Without it `k` to the rising power `r` reads as a plain power, so the rule becomes `\\overline{..}` in the text and is
taken from the page's rules: it is no bar of a fraction.
"""

from __future__ import annotations

from agentsys.paper.model import Box
from agentsys.paper.pdf.fonts import Span

REACH = 0.25
"""How far an end of the rule may be from the end of its glyphs, as a share of their size."""
CLEARANCE = 0.2
"""Widest gap between the rule and the glyphs below it. TeX leaves three times the thickness of the rule."""
GAP_OF_FRACTION = 0.65
"""Glyphs as small as those below, within this distance above the rule: it is the bar of a fraction."""


def mark_overlines(spans: list[Span], rules: list[Box]) -> list[Box]:
    """Mark what is overlined among `spans`; return the rules that are left."""
    left: list[Box] = []
    for rule in rules:
        group = _overlined(spans, rule)
        if not group:
            left.append(rule)
            continue
        group[0].opens = "\\overline{"
        group[-1].closes = "}"
    return left


def _overlined(spans: list[Span], rule: Box) -> list[Span]:
    """The spans under the rule from left to right, or none if it is another kind of rule."""
    if not 2.5 < rule[2] - rule[0] < 80:
        return []
    near = [span for span in spans if span.x1 > rule[0] and span.x0 < rule[2] and abs(span.base - rule[3]) < 30]
    tops = [span for span in near if -0.3 <= span.y0 - rule[3] < CLEARANCE * span.size and _inside(span, rule)]
    if not tops or any(_is_root(span, rule) for span in spans):
        return []
    main = max(tops, key=lambda span: span.size)
    group = [span for span in near if span.y0 >= rule[1] and abs(span.base - main.base) < 0.1 * main.size]
    group.sort(key=lambda span: span.x0)
    reach = REACH * main.size
    fits = abs(group[0].x0 - rule[0]) < reach and abs(max(span.x1 for span in group) - rule[2]) < reach
    above = (span for span in near if (span.y0 + span.y1) / 2 < rule[1] and _inside(span, rule))
    fraction = any(rule[1] - span.y1 < GAP_OF_FRACTION * span.size and span.size < 1.2 * main.size for span in above)
    return group if fits and not fraction else []


def _inside(span: Span, rule: Box) -> bool:
    return rule[0] - 1.5 <= span.x0 and span.x1 <= rule[2] + 1.5


def _is_root(span: Span, rule: Box) -> bool:
    return span.text.endswith("√") and abs(span.x1 - rule[0]) < 3 and span.y0 - 3 < rule[1] < span.y1 + 1
