"""`rounds/NN/dependence.json`: what was changed in the method, and which of the results moved with it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agentsys.core.artifacts import Artifact

FILE = "dependence.json"

KeyState = Literal["computed", "fails", "not_computed"]


class VariantRun(Artifact):
    """One run of a variant of the repository."""

    name: str
    functions: dict[str, str] = Field(
        description="`path:name` -> what was done to it: `raise`, `perturb` or `scale` (what it returns), `arguments`; "
        "`watch` and `text` change nothing"
    )
    strength: float = Field(default=0.0, description="relative size of a perturbation; the factor of a scaling")
    ended: str = Field(description="the sandbox's outcome word; `unsound` where no sound results file was written")
    called: tuple[str, ...] = Field(default=(), description="those of the functions that the run called")
    seconds: float = 0.0
    used: float = Field(default=0.0, description="the same, or the processor time where that is less")


class KeyDependence(Artifact):
    """One measured number, and whether the method computed it."""

    key: str
    value: float
    state: KeyState = Field(
        description="`computed`: it moved with the method; `fails`: every perturbed run ended early, and the run fails "
        "where the method does; `not_computed`: nothing shows that the method has to do with it"
    )
    moved_by: tuple[str, ...] = Field(default=(), description="names of the runs in which it moved")
    other_seed: float | None = Field(default=None, description="its value with another seed; null where it has none")
    random: bool = Field(default=False, description="it moved with the seed")


class Dependence(Artifact):
    """Everything that was tried, and what it showed."""

    schema_version: int = 1
    functions: tuple[str, ...] = Field(description="functions that carry the method, as `path:name`")
    called: tuple[str, ...] = Field(default=(), description="those that the run called")
    keys: tuple[KeyDependence, ...] = ()
    runs: tuple[VariantRun, ...] = ()
    unjudged: tuple[str, ...] = Field(
        default=(), description="requirements of the method of which no run by itself could say whether they matter"
    )
    paper_scale: bool = Field(default=False, description="the profile's settings are those of the paper's own scale")
    seconds: float = Field(default=0.0, description="what all of it took")

    def of(self, key: str) -> KeyDependence | None:
        """Return what was found for one number."""
        return next((row for row in self.keys if row.key == key), None)
