"""Answers from recordings: no key, no network, no provider."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path

from agentsys.core.errors import PrerequisiteError
from agentsys.llm.sections import changed_sections
from agentsys.llm.store import Recording, Store
from agentsys.llm.types import CallKey, Feedback, Prompt


class ReplaySource:
    """Finds an answer by role, item and attempt, whatever the prompt says.

    Args:
        folder: recordings as `Store` writes them; a run directory is understood too.
        strict: refuse recordings whose prompt has changed.

    Raises: PrerequisiteError if the folder holds no recording.
    """

    def __init__(self, folder: Path, *, strict: bool = False) -> None:
        self._store = _store(folder)
        self._strict = strict
        if not self._store.paths():
            hint = "`--replay` takes a folder of recordings, or the directory of an earlier run"
            raise PrerequisiteError(f"there is no recorded model call in `{folder}`", hint)

    def model_of(self, role: str) -> str:
        """Return nothing: the models stand in the recordings."""
        return ""

    async def fetch(self, key: CallKey, prompt: Prompt, hashes: dict[str, str], feedback: Feedback) -> Recording:
        """Return the recording of a call; model, usage and seconds are those of the recorded one.

        Raises: PrerequisiteError if it is missing, or, in strict mode, if its prompt has changed.
        """
        recording = _recorded(self._store, key)
        path = self._store.path(key)
        if recording is None:
            raise PrerequisiteError(
                f"no recorded answer for `{key}`: `{path}` is missing",
                "record it in a live run, or replay the program version that the recording was made with",
            )
        changed = changed_sections(recording.prompt, hashes)
        if changed and self._strict:
            names = ", ".join(f"`{name}`" for name in changed)
            raise PrerequisiteError(
                f"the prompt of `{key}` has changed since it was recorded: {names} (`{path}`)",
                "record it again, or replay without `--strict-replay`",
            )
        place = {"role": key.role, "item": key.item, "attempt": key.attempt, "prompt": hashes}
        return recording.model_copy(update=place | {"id": recording.id or secrets.token_hex(8)})

    async def close(self) -> None:
        """Nothing is open."""


def reworded(recording: Path, run: Path) -> int:
    """Return how many answers of a run were recorded for a prompt of other words than the run's own.

    Args:
        recording: what the run replayed; a run directory is understood too.
        run: the run directory.
    """
    before = _store(recording)
    pairs = ((_recorded(before, item.key), item) for item in _store(run).all())
    return sum(1 for old, new in pairs if old is not None and changed_sections(old.prompt, new.prompt))


def _recorded(store: Store, key: CallKey) -> Recording | None:
    """Return the recording of a call. The checker's are the reviewer's in recordings from before it was a role."""
    found = store.read(key)
    return store.read(replace(key, role="reviewer")) if found is None and key.role == "checker" else found


def _store(folder: Path) -> Store:
    return Store(folder / "llm" if (folder / "llm").is_dir() else folder)
