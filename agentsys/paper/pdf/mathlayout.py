"""The linear form of mathematics from where its glyphs stand: fractions, roots, limits, sub- and superscripts.

The text layer gives glyphs without structure. A thin rule with glyphs above and below is a fraction, one that begins
at a root sign is its bar; small glyphs above or below a sum are its limits; small glyphs off the baseline are scripts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentsys.paper.model import Box, around
from agentsys.paper.pdf import arrays
from agentsys.paper.pdf.mathitems import SMALL, Item, nearest

BIG = set("∑∏∫⋃⋂⋁⋀⨿∐∮⊕⊗")
LIMIT_WORDS = frozenset({
    "max", "min", "lim", "sup", "inf", "argmax", "argmin", "arg max", "arg min", "minimize", "maximize", "E", "log",
})  # fmt: skip
TINY = 6.6
"""Size in points of scripts of scripts, and less."""
WORD_GAP = 0.4
"""Room in units of the size that parts the limits of one operator from those of the next."""
DEPTH = 6
RELATIONS = {"=", "≤", "≥", "<", ">", "≈", "∼", "→", "⇒", "≡"}
_NAMES = LIMIT_WORDS - {"E", "log"}


def linear(items: Sequence[Item], rules: Sequence[Box]) -> str:
    """Return the linear form; rows of a display are lines."""
    return _compose(arrays.with_dots(list(items)), [rule for rule in rules if rule[2] - rule[0] > 2.5], 0)


def _compose(items: list[Item], rules: list[Box], depth: int) -> str:
    if not items:
        return ""
    if depth < DEPTH:
        items, rules = _with_arrays(items, rules, depth)
        for rule in sorted(rules, key=lambda rule: rule[0] - rule[2]):
            items = _apply_rule(items, rules, rule, depth)
    return "\n".join(_sequence(row) for row in _rows(items))


def _with_arrays(items: list[Item], rules: list[Box], depth: int) -> tuple[list[Item], list[Box]]:
    """Replace matrices and cases, the inner ones first, by one item each; return also the rules outside of them."""
    for array in arrays.find(items):
        if any(all(part is not item for item in items) for part in array.parts):
            continue
        inside = [rule for rule in rules if array.holds(rule)]
        content = array.content
        for rule in sorted(inside, key=lambda rule: rule[0] - rule[2]):
            if not array.divides(rule):
                content = _apply_rule(content, inside, rule, depth + 1)
        rows = arrays.rows_of(content)
        if len(rows) < 2:
            continue
        text = " \\\\ ".join(" & ".join(_sequence(cell) for cell in arrays.cells_of(row)) for row in rows)
        text = f"{array.opening.text} {text} {array.closing.text if array.closing else ''}".rstrip()
        size = max(item.size for item in array.content)
        axis = array.opening.cy
        items = _replaced(items, array.parts, text, axis + 0.25 * size, array.opening, axis=axis)
        items[-1].size = size
        rules = [rule for rule in rules if not array.holds(rule)]
    return items, rules


def _apply_rule(items: list[Item], rules: list[Box], rule: Box, depth: int) -> list[Item]:
    """Replace what stands above and below a rule by one item."""
    inside = [item for item in items if rule[0] - 1 <= item.cx <= rule[2] + 0.5]
    middle = (rule[1] + rule[3]) / 2
    above = _near([item for item in inside if item.cy < middle and not _radical(item, rule)], middle, up=True)
    below = _near([item for item in inside if item.cy >= middle], middle, up=False)
    others = [other for other in rules if other is not rule]
    root = next((item for item in items if _radical(item, rule)), None)
    if root is not None:
        # All that is as deep as the sign: a fraction under a root is more than its numerator.
        deep = [item for item in inside if item is not root and middle <= item.cy <= root.y1]
        below = deep if len(deep) > len(below) else below
    if root is not None and below:
        part = _compose(below, _within(others, below), depth + 1)
        size = max(item.size for item in below)
        # A tall root stands on the axis as a fraction does.
        axis = (middle + root.y1) / 2 if root.y1 - middle > 1.6 * size else None
        base = max(below, key=lambda item: item.size).base if axis is None else axis + 0.25 * size
        return _replaced(items, [root, *below], f"√{{{part}}}", base, root, axis=axis)
    if not above or not below:
        return items
    over = _compose(above, _within(others, above), depth + 1)
    under = _compose(below, _within(others, below), depth + 1)
    size = max(item.size for item in (*above, *below))
    flat = "\\frac{" + over.replace("\n", " ") + "}{" + under.replace("\n", " ") + "}"
    # The bar stands on the axis, a quarter of the size above the baseline.
    first = min(above + below, key=lambda item: item.x0)
    return _replaced(items, [*above, *below], flat, middle + 0.25 * size, first, axis=middle)


def _radical(item: Item, rule: Box) -> bool:
    return item.text.endswith("√") and abs(item.x1 - rule[0]) < 3 and item.y0 - 3 < rule[1] < item.y1 + 1


def _near(items: list[Item], edge: float, *, up: bool) -> list[Item]:
    """Items that reach the rule without a wide gap between them."""
    found: list[Item] = []
    reach = edge
    for item in sorted(items, key=lambda item: -item.y1 if up else item.y0):
        gap = reach - item.y1 if up else item.y0 - reach
        if gap > (0.3 if found else 0.65) * item.size:
            break
        found.append(item)
        reach = min(reach, item.y0) if up else max(reach, item.y1)
    return found


def _within(rules: list[Box], items: list[Item]) -> list[Box]:
    x0, y0, x1, y1 = around((item.x0, item.y0, item.x1, item.y1) for item in items)
    return [rule for rule in rules if x0 - 2 <= rule[0] and rule[2] <= x1 + 2 and y0 - 3 <= rule[1] <= y1 + 3]


def _replaced(
    items: list[Item], gone: list[Item], text: str, base: float, first: Item, axis: float | None = None
) -> list[Item]:
    identities = {id(item) for item in gone}
    box = around((item.x0, item.y0, item.x1, item.y1) for item in gone)
    part = Item(text, *box, base, max(item.size for item in gone), first.space, axis=axis)
    return [*(item for item in items if id(item) not in identities), part]


def _rows(items: list[Item]) -> list[list[Item]]:
    """Split a display at baselines of full size; what floats goes to the nearest row."""
    size = max(item.size for item in items)
    fixed = [item for item in items if item.size > SMALL * size and not item.floating and item.axis is None] or items
    bases: list[float] = []
    for item in sorted(fixed, key=lambda item: item.base):
        if not bases or item.base - bases[-1] > 0.95 * size:
            bases.append(item.base)
    rows: list[list[Item]] = [[] for _ in bases]
    for item in items:
        floats = item.floating or item.size <= SMALL * size
        place: float = item.cy + 0.25 * size if floats else item.base
        place = place if item.axis is None else item.axis + 0.25 * size
        rows[nearest(bases, place)].append(item)
    return [row for row in rows if row]


def _sequence(items: list[Item]) -> str:
    """One row, from left to right."""
    size = max(item.size for item in items)
    main = [item for item in items if item.size > SMALL * size and not item.floating and item.axis is None]
    base = main[0].base if main else items[0].base
    if main and size < TINY:
        base = min(main, key=lambda item: item.x0).base
    scripts: dict[int, tuple[list[Item], list[Item]]] = {}
    order = sorted(items, key=lambda item: (item.x0, item.x1))
    carriers = [item for item in order if _on_line(item, base, size)]
    limits = _wide_limits(order, carriers)
    line: list[Item] = []
    for item in order:
        note = None if line else _noted(item, carriers)
        limit = limits.get(id(item)) or _limit(item, carriers)
        if _on_line(item, base, size) or not (line or note or limit):
            line.append(item)
            continue
        owner = note or limit or line[-1]
        pair = scripts.setdefault(id(owner), ([], []))
        raised = item.base < base - 0.12 * size if not (owner.floating and owner.text in BIG) else item.cy < owner.cy
        if owner.text not in BIG and _of_script(item, owner, pair[1]):
            raised = True
        pair[1 if raised else 0].append(item)
    return _written(line, scripts, size)


def _noted(item: Item, carriers: list[Item]) -> Item | None:
    """The relation that begins a row, if a small item stands over it: `(18)`, the reason for a step."""
    first = carriers[0] if carriers else None
    if first is None or first.text.strip() not in RELATIONS or item.size > SMALL * first.size:
        return None
    return first if item.y1 <= first.y0 + 2 and item.cx > first.x0 - 2 * first.size else None


def _of_script(item: Item, owner: Item, raised: list[Item]) -> bool:
    """True for the index of a raised script: it begins where that ends, and not where the owner ends."""
    if not raised or raised[-1].size > TINY * 1.2:
        return False
    last = max(raised, key=lambda other: other.x1)
    low = 0 < item.base - last.base < 0.5 * last.size
    return low and abs(item.x0 - last.x1) < 0.2 * last.size and item.x0 - owner.x1 > 0.5 * item.size


def _on_line(item: Item, base: float, size: float) -> bool:
    """True for what stands on the main line: full size at the baseline, a large operator, a fraction at the axis."""
    if size < TINY and item.axis is None and not item.floating and item.size > SMALL * size:
        # Scripts of scripts are no smaller than what they hang on: the baseline alone tells.
        return abs(item.base - base) < 0.22 * size
    if item.axis is not None:
        return abs(item.axis - (base - 0.25 * size)) < 0.25 * size
    return item.floating or (item.size > SMALL * size and abs(item.base - base) < 0.5 * size)


def _wide_limits(order: list[Item], carriers: list[Item]) -> dict[int, Item]:
    """The operator of each small item whose row of small items reaches over that operator's middle, by identity."""
    operators = [item for item in carriers if item.text in BIG or item.text.strip() in LIMIT_WORDS]
    found: dict[int, Item] = {}
    for under in (True, False):
        runs: list[list[Item]] = []
        beyond = (item for item in order if any(_beyond(item, operator, under=under) for operator in operators))
        for item in beyond:
            if runs and item.x0 - max(other.x1 for other in runs[-1]) < WORD_GAP * item.size:
                runs[-1].append(item)
            else:
                runs.append([item])
        for run in runs:
            left, right = run[0].x0 - 2, max(item.x1 for item in run) + 2
            over = [op for op in operators if left <= op.cx <= right and _beyond(run[0], op, under=under)]
            for item in run if over else ():
                found[id(item)] = min(over, key=lambda op: abs(op.cx - item.cx))
    return found


def _beyond(item: Item, operator: Item, *, under: bool) -> bool:
    if item is operator or item.size > SMALL * operator.size:
        return False
    return item.y0 >= operator.y1 - 2 if under else item.y1 <= operator.y0 + 2


def _limit(item: Item, items: list[Item]) -> Item | None:
    """The operator above or below which a small item stands."""
    found: list[Item] = []
    for other in items:
        if (
            other is item
            or not (other.text in BIG or other.text.strip() in LIMIT_WORDS)
            or item.size > other.size * 1.01
        ):
            continue
        over, under = item.y1 <= other.y0 + 2, item.y0 >= other.y1 - 2
        # A condition below may be wider than its operator; above stands little more than a letter.
        reach = 9.0 if under else 4.0
        if (over or under) and other.x0 - reach <= item.cx <= other.x1 + reach:
            found.append(other)
    return min(found, key=lambda other: abs(other.cx - item.cx), default=None)


def _written(line: list[Item], scripts: dict[int, tuple[list[Item], list[Item]]], size: float) -> str:
    parts: list[str] = []
    end = line[0].x0 if line else 0.0
    last: Item | None = None
    for item in line:
        named = last is not None and last.text.strip() in _NAMES and id(last) in scripts and item.text[:1].isalpha()
        if parts and (item.space or named or item.x0 - end > 0.22 * size):
            parts.append(" ")
        last = item
        parts.append(item.text)
        end = item.x1
        low, high = scripts.get(id(item), ([], []))
        for mark, group in (("_", low), ("^", high)):
            if group:
                parts.append(f"{mark}{{{_sequence_of_scripts(group)}}}")
                # The limits of an operator may be wider than it is; what follows still stands apart.
                end = end if item.text in BIG or item.text.strip() in _NAMES else max(end, *(part.x1 for part in group))
    return re.sub(r" +", " ", "".join(parts)).strip()


def _sequence_of_scripts(items: list[Item]) -> str:
    return " ".join(_sequence(row) for row in _rows(items))
