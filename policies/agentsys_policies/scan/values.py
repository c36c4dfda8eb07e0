"""What the scanner knows about an expression: its labels, the texts it can be, and the name it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

NO_LABELS: frozenset[str] = frozenset()
NO_TEXTS: frozenset[str] = frozenset()
NO_LISTS: frozenset[tuple[str, ...]] = frozenset()
MOST_TEXTS = 6
"""Texts that one expression may be; with more, only the labels are kept."""
MOST_WORDS = 60
MOST_FORMS = 24
"""Lists of words that one display may be, and how many of its words are looked at."""
LONGEST_TEXT = 20_000
"""Characters up to which texts are put together."""
HOLE = "…"
"""Stands in a text for a part that is not constant."""


@dataclass(slots=True)
class Value:
    """An expression, as far as it is known without running it. Never changed once it is made.

    It is not declared frozen, because that would make it three times as slow to make, and it is made for every node.
    """

    labels: frozenset[str] = NO_LABELS
    texts: frozenset[str] = NO_TEXTS
    name: str = ""
    """Dotted name, e.g. `os.path.join`; `?.read` for a method of something unknown."""
    parts: tuple[Value, ...] = field(default=(), compare=False)
    """Elements of a list or tuple display."""
    argvs: frozenset[tuple[str, ...]] = NO_LISTS
    """Lists of words that it can be, `HOLE` for words that are not constant."""
    base: frozenset[str] = field(default=NO_TEXTS, compare=False)
    """Of an attribute: the texts of the object that it belongs to."""

    def merged(self, other: Value) -> Value:
        """Either of the two."""
        if other == self:
            return self
        texts = self.texts | other.texts
        name = self.name if self.name == other.name else self.name or other.name
        kept = texts if len(texts) <= MOST_TEXTS else self.texts or NO_TEXTS
        argvs = shortest(self.argvs | other.argvs)
        return Value(self.labels | other.labels, kept, name, argvs=argvs)

    def with_labels(self, labels: frozenset[str]) -> Value:
        """The same with more labels."""
        if labels <= self.labels:
            return self
        return Value(self.labels | labels, self.texts, self.name, self.parts, self.argvs)

    def element(self) -> Value:
        """Any one of its elements."""
        result = Value(self.labels)
        for part in self.parts[:MOST_TEXTS]:
            result = result.merged(part)
        return result


UNKNOWN = Value()


def shortest(argvs: frozenset[tuple[str, ...]]) -> frozenset[tuple[str, ...]]:
    """At most `MOST_TEXTS` lists of words: those that a loop makes longer and longer say nothing new."""
    return argvs if len(argvs) <= MOST_TEXTS else frozenset(sorted(argvs, key=len)[:MOST_TEXTS])


def lists_of(parts: Sequence[Value], starred: Sequence[bool]) -> frozenset[tuple[str, ...]]:
    """Lists of words that a display can be; `*rest` puts in the words of another one."""
    forms: list[tuple[str, ...]] = [()]
    for part, spread in zip(parts[:MOST_WORDS], starred, strict=False):
        if spread:
            own = sorted(part.argvs, key=len) or [(HOLE,)]
        else:
            own = [(text,) for text in sorted(part.texts)] or [(HOLE,)]
        if len(forms) * len(own) > MOST_FORMS:
            own = [own[0] if len(own) == 1 else (HOLE,)]
        forms = [(*form, *more) for form in forms for more in own]
    return frozenset(forms)


def concatenate(left: Value, right: Value, joint: str = "") -> Value:
    """Texts of the left followed by those of the right, with `joint` between them."""
    labels = left.labels | right.labels
    if not left.texts and not right.texts:
        return Value(labels)
    texts = {a + joint + b for a in left.texts or {HOLE} for b in right.texts or {HOLE}}
    kept = frozenset(text for text in texts if len(text) <= LONGEST_TEXT)
    return Value(labels, kept if len(kept) <= MOST_TEXTS else NO_TEXTS)


def join_paths(values: list[Value]) -> Value:
    """Join path components as `os.path.join` does."""
    result = values[0] if values else UNKNOWN
    for value in values[1:]:
        if value.texts and all(text.startswith("/") for text in value.texts):
            result = value.with_labels(result.labels)
        else:
            result = concatenate(result, value, "/")
    return result


def union(values: list[Value]) -> frozenset[str]:
    """Labels of all values together."""
    if not values:
        return NO_LABELS
    return NO_LABELS.union(*(value.labels for value in values))


@dataclass(frozen=True)
class Hit:
    """A place in the program that carries a label."""

    label: str
    line: int
    column: int
    scope: str
    name: str
    carried: frozenset[str] = NO_LABELS
    """Labels of the data that reaches the call."""
    texts: frozenset[str] = NO_TEXTS
    """Texts that its first argument can be."""
    words: frozenset[str] = NO_TEXTS
    """Texts that its arguments, or the object that it belongs to, can be."""
    argv: tuple[str, ...] = ()
    """Its first argument, where that is a list of words."""
    commands: tuple[tuple[str, ...], ...] = ()
    """What a call that starts a program starts: lists of words, or a single shell text."""
    shell: bool = False
