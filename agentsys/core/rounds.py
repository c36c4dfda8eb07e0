"""The rounds of a run: verifications, diagnoses, roll-backs, and when another round is pointless.

Round NN is one verification and the diagnosis that followed it:

    rounds/01/verdict.json     what the verification of one tree found
    rounds/01/rollback.json    written if the tree was worse than the best one and was put back
    rounds/01/diagnosis.json   what the debugger made of the best tree's diagnostics
    rounds/01/handover.json    who still has to act on that
    rounds/01/patch.diff       what was changed
    rounds/01/gave_up.json     written if no usable repair was found
    rounds/01/review.json      where the code and the paper differ, once all checks have passed
    rounds/replay/verdict.json the replay of the final tree
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from agentsys.core.artifacts import Artifact, Diagnosis, Diagnostic, Owner, Review, Verdict
from agentsys.core.files import write_json
from agentsys.core.rundir import RunDir

A = TypeVar("A", bound=Artifact)
REPEATS_CHANGE = 2
"""The same root cause this many times changes the approach."""
REPEATS_STOP = 3
"""The same root cause this many times ends the repairs, unless another remedy was named and not tried yet."""


class Handover(Artifact):
    """Who still has to act on a diagnosis, and on which commit it was made."""

    pending: tuple[Owner, ...] = ()
    base: str = ""


@dataclass(frozen=True)
class Round:
    """One verification and what followed."""

    number: int
    verdict: Verdict
    rolled_back: bool
    diagnosis: Diagnosis | None
    pending: tuple[Owner, ...]
    base: str
    """Commit on which the diagnosis was made."""


class Rounds:
    """Reads and writes the folder `rounds`."""

    def __init__(self, run: RunDir) -> None:
        self._run = run

    def all(self) -> list[Round]:
        """Return the finished verifications in order.

        A folder without verdict is a verification that was cut off; one whose verdict tells of an infrastructure
        fault said nothing about the code. Both are done again under the same number.
        """
        found: list[Round] = []
        while (self._run.round(len(found) + 1) / "verdict.json").is_file():
            item = self._load(len(found) + 1)
            if item.verdict.infra:
                break
            found.append(item)
        return found

    def _load(self, number: int) -> Round:
        folder = self._run.round(number)
        handover = _stored(folder / "handover.json", Handover) or Handover()
        return Round(
            number=number,
            verdict=Verdict.model_validate_json((folder / "verdict.json").read_bytes()),
            rolled_back=(folder / "rollback.json").is_file(),
            diagnosis=_stored(folder / "diagnosis.json", Diagnosis),
            pending=handover.pending,
            base=handover.base,
        )

    def write_verdict(self, verdict: Verdict) -> None:
        write_json(self._run.round(verdict.round) / "verdict.json", verdict)

    def write_rollback(self, number: int, commit: str, why: str) -> None:
        write_json(self._run.round(number) / "rollback.json", {"to": commit, "why": why})

    def write_diagnosis(self, diagnosis: Diagnosis, pending: tuple[Owner, ...], base: str) -> None:
        """Write who must act and on which commit, then the diagnosis: its presence means that both are there."""
        self.write_handover(diagnosis.round, pending, base)
        write_json(self._run.round(diagnosis.round) / "diagnosis.json", diagnosis)

    def give_up(self, number: int, why: str) -> None:
        """Note that nobody found a usable repair; a resumed run forgets it and asks again."""
        write_json(self._run.round(number) / "gave_up.json", {"why": why})

    def given_up(self) -> str:
        """Return why the repair of the last round was given up, or an empty text."""
        last = self.last()
        file = self._run.round(last.number) / "gave_up.json" if last is not None else None
        return str(json.loads(file.read_bytes())["why"]) if file is not None and file.is_file() else ""

    def reopen(self) -> None:
        """Forget that a repair was given up."""
        for file in self._run.rounds.glob("[0-9]*/gave_up.json"):
            file.unlink()

    def write_handover(self, number: int, pending: tuple[Owner, ...], base: str) -> None:
        """Replace who still has to act."""
        write_json(self._run.round(number) / "handover.json", Handover(pending=pending, base=base))

    def handed_to(self, owner: Owner) -> tuple[Round, Diagnosis] | None:
        """Return the last round and its diagnosis, if `owner` is the next that must act on it."""
        last = self.last()
        if last is None or last.diagnosis is None or last.pending[:1] != (owner,):
            return None
        return last, last.diagnosis

    def acted(self, item: Round) -> None:
        """Note that the next owner has acted on the diagnosis."""
        self.write_handover(item.number, item.pending[1:], item.base)

    def write_review(self, number: int, review: Review) -> None:
        write_json(self._run.round(number) / "review.json", review)

    def reviews(self) -> dict[int, Review]:
        """Return the reviews by the round that they looked at."""
        files = sorted(self._run.rounds.glob("[0-9]*/review.json"))
        return {int(file.parent.name): Review.model_validate_json(file.read_bytes()) for file in files}

    # -- judgement -----------------------------------------------------------------------------------------------------

    def best(self) -> Round | None:
        """Return the best round so far; of equals the latest, so that a sideways step is kept."""
        found = self.all()
        return max(found, key=lambda item: (item.verdict.score, item.number)) if found else None

    def evidence(self, tree: str, name: str) -> Path | None:
        """Return a file of the latest round that executed this tree.

        A round that a review or a replay opened has the verdict alone; what was seen lies in the round before it.
        """
        found = (self._run.round(item.number) / name for item in reversed(self.all()) if item.verdict.tree == tree)
        return next((file for file in found if file.is_file()), None)

    def latest_for_tree(self, tree: str) -> Round | None:
        """Return the latest round that verified this tree."""
        hits = [item for item in self.all() if item.verdict.tree == tree]
        return hits[-1] if hits else None

    def last(self) -> Round | None:
        """Return the latest verification."""
        found = self.all()
        return found[-1] if found else None

    def revision(self) -> int:
        """Return how often the plan was revised."""
        return len(list(self._run.rounds.glob("[0-9]*/plan_after.json")))

    def item(self, path: str) -> str:
        """Return the name of a model call about one file; the calls after a revision of the plan are others."""
        revision = self.revision()
        return path if revision == 0 else f"plan-{revision}/{path}"

    def commit_of(self, number: int) -> str:
        """Return the commit that a round verified, or an empty text."""
        file = self._run.round(number) / "commit"
        return file.read_text().strip() if file.is_file() else ""

    def attempts(self, diagnostics: tuple[Diagnostic, ...], *, besides: int = 0) -> list[Diagnosis]:
        """Return the diagnoses so far that tried to cure the root cause that leads these diagnostics.

        A finding that was dismissed was not worked on: the same answer may be given again.

        Args:
            besides: round that does not count: the one under way, whose diagnosis may lie there half done.
        """
        if not diagnostics:
            return []
        root = diagnostics[0].fingerprint
        made = [item.diagnosis for item in self.all() if item.diagnosis is not None and item.number != besides]
        return [
            diagnosis
            for diagnosis in made
            if root in diagnosis.fingerprints[:1] and root not in {row.fingerprint for row in diagnosis.dismissed}
        ]

    def replay(self) -> Verdict | None:
        """Return the verdict of the replay, if there is one."""
        verdict = _stored(self._run.rounds / "replay" / "verdict.json", Verdict)
        return None if verdict is not None and verdict.infra else verdict


def _stored(file: Path, kind: type[A]) -> A | None:
    return kind.model_validate_json(file.read_bytes()) if file.is_file() else None
