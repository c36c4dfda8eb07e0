"""Which files are asked about together: a test with what it tests, small files that rest on the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

MOST = 4
"""Files of one group: an answer about more would take longer than one wave of single ones."""
LARGE = 20_000
"""Characters of the files' own parts of the plan beyond which a group is not made larger."""


def together(paths: Sequence[str], told: Mapping[str, Mapping[str, str]], own: Mapping[str, str]) -> list[list[str]]:
    """Return files in groups, those first that have most in common; a file that shares nothing stays alone.

    Args:
        paths: of the files, in the order of the plan.
        told: file -> name of a piece -> its text: what a question about the file brings along.
        own: file -> its own part of such a question; other files are told of it under the file's path.
    """
    groups = [[path] for path in paths]
    known = {path: {**told[path], path: own[path]} for path in paths}

    def common(one: Sequence[str], other: Sequence[str]) -> int:
        if len(one) + len(other) > MOST or sum(len(own[path]) for path in (*one, *other)) > LARGE:
            return 0
        first = {name: text for path in one for name, text in known[path].items()}
        second = {name for path in other for name in known[path]}
        return sum(len(text) for name, text in first.items() if name in second)

    while pairs := [(common(one, other), one, other) for one, other in combinations(groups, 2)]:
        most, one, other = max(pairs, key=lambda pair: pair[0])
        if not most:
            break
        one += other
        groups.remove(other)
    place = {path: number for number, path in enumerate(paths)}
    return [sorted(group, key=place.__getitem__) for group in groups]
