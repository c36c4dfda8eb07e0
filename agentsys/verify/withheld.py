"""What of a repository no check is shown: its documentation, which may hold the paper's numbers for readers."""

from __future__ import annotations

from collections.abc import Mapping

from agentsys_policies.scan.numbers.scanner import is_document

INSTEAD = b"The documentation is not shown while the repository is checked.\n"
"""Stands in the file's place: packaging fails where a file that it names is not there."""


def shown(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files as checks see them.

    Args:
        files: POSIX path to content.
    """
    return {name: INSTEAD if is_document(name) else data for name, data in files.items()}
