"""Rules as data: the models that rule files must fit, and how the files of a policy are read.

A policy is a folder of YAML files. Unknown keys, double ids, rules without examples and unknown labels are errors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agentsys_policies.errors import PolicyError
from agentsys_policies.paths import Use
from agentsys_policies.schema import Gate, Severity

if TYPE_CHECKING:
    from yaml import SafeLoader as _SafeLoader
else:
    # libyaml's is several times faster; wheels have it, a build from source may not.
    _SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Strict(BaseModel):
    """Base of everything read from a rule file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(Strict):
    """What every rule says about itself; `positive` texts must match it, `negative` ones must not."""

    id: str = Field(pattern=r"^[a-z]+(\.[a-z0-9]+(-[a-z0-9]+)*)+$")
    category: str = Field(pattern=r"^[a-z]+(_[a-z]+)*$")
    severity: Severity
    message: str = Field(min_length=1, description="lower case, no full stop")
    remedy: str = Field(min_length=1, description="what the author does instead")
    never_override: bool = False
    stops: Literal["execution", "verification"] = Field(
        default="execution",
        description="what a finding for review stops; `verification`: the sandbox may run it, nothing is verified",
    )
    positive: tuple[str, ...] = Field(min_length=1)
    negative: tuple[str, ...] = Field(min_length=1)


class Flow(Strict):
    """Data with one of the labels `source` reaches a call with one of the labels `sink`.

    With `texts` only the labels of the texts that the arguments can be count, not where their data came from.
    """

    texts: bool = False

    source: tuple[str, ...] = Field(min_length=1)
    sink: tuple[str, ...] = Field(min_length=1)


class CodeRule(Rule):
    """A rule over the labels that the scanner puts on a program; exactly one of the three conditions is set."""

    label: tuple[str, ...] = Field(default=(), description="any of these occurs")
    flow: Flow | None = None
    together: tuple[tuple[str, ...], ...] = Field(default=(), description="one of each group occurs in one scope")
    scope: Literal["function", "file"] = "file"

    @model_validator(mode="after")
    def _one_condition(self) -> CodeRule:
        if sum((bool(self.label), self.flow is not None, bool(self.together))) != 1:
            raise ValueError(f"rule `{self.id}` needs exactly one of `label`, `flow`, `together`")
        return self

    def labels(self) -> set[str]:
        """Every label that the rule mentions."""
        flow = (*self.flow.source, *self.flow.sink) if self.flow else ()
        return {*self.label, *flow, *(name for group in self.together for name in group)}


class Label(Strict):
    """What a piece of program is able to do, or what a text names."""

    calls: tuple[str, ...] = Field(default=(), description="dotted names; `pkg.*` any below, `*.name` any method")
    attributes: tuple[str, ...] = Field(default=(), description="dotted names used as a value")
    imports: tuple[str, ...] = ()
    strings: tuple[str, ...] = Field(default=(), description="regular expressions, searched in constant strings")


class CodeRules(Strict):
    """code.yaml"""

    labels: dict[str, Label]
    builtin_labels: tuple[str, ...] = Field(default=(), description="labels that the scanner itself derives")
    rules: tuple[CodeRule, ...]

    @model_validator(mode="after")
    def _known_labels(self) -> CodeRules:
        known = {*self.labels, *self.builtin_labels}
        for rule in self.rules:
            unknown = rule.labels() - known
            if unknown:
                raise ValueError(f"rule `{rule.id}` uses the unknown label `{sorted(unknown)[0]}`")
        return self


class DetectorRules(Strict):
    """integrity.yaml: rules whose condition is a function of the same id in the scanner."""

    rules: tuple[Rule, ...]


class FileRules(DetectorRules):
    """files.yaml"""

    build_backends: tuple[str, ...]


class PatternRule(Rule):
    """A rule that searches regular expressions in normalised text."""

    patterns: tuple[str, ...] = Field(min_length=1)


class PatternRules(Strict):
    """text.yaml"""

    rules: tuple[PatternRule, ...]


class PurposeRules(PatternRules):
    """purpose.yaml; `rules` hold without a judge, `judged` name what judges say."""

    categories: dict[str, Literal["overridable", "never_override"]]
    judged: tuple[Rule, ...]


class Program(Strict):
    """What a program may be asked to do. Options and operands that nothing here permits are not allowed."""

    names: tuple[str, ...] = Field(min_length=1)
    deny: tuple[str, ...] = Field(default=(), description="regular expressions on single arguments that are blocked")
    first: tuple[str, ...] = Field(default=(), description="permitted first operands (subcommands); empty: any")
    paths: Literal["inside", "any", "none"] = Field(default="inside", description="where operands that are paths lie")
    hosts: bool = Field(default=False, description="True: operands may be URLs of permitted hosts")
    addresses: bool = Field(default=False, description="True: every operand is an address")
    indexes: bool = Field(default=False, description="True: operands may be URLs of permitted package indexes")
    requirements: bool = Field(default=False, description="True: operands of `install` are judged as requirements")
    options: tuple[str, ...] = Field(
        default=(), description="permitted options: `-q` a switch, `-o=` takes a path or address, `-n:` another value"
    )
    pattern: Literal["", "text", "sed", "awk"] = Field(default="", description="what the first operand is, if no path")
    touches: Use = Field(default="write", description="what happens to operands that are paths")
    saves: Literal["", "download", "clone", "folder"] = Field(default="", description="where it puts what it fetches")
    obeys: str = Field(default="", description="file of the working folder that tells it what to run")
    skip: int = Field(default=0, description="operands before the command that a wrapper starts")
    runs: Literal["", "argv", "python", "shell", "source", "launch", "xargs", "parallel", "find"] = Field(
        default="", description="it runs what its arguments say"
    )


class CommandRules(Strict):
    """commands.yaml"""

    programs: tuple[Program, ...]
    blocked: dict[str, str] = Field(description="program -> rule id")
    rules: tuple[Rule, ...]


class PackageRules(Strict):
    """packages.yaml"""

    known: tuple[str, ...] = Field(min_length=1)
    popular: tuple[str, ...] = Field(description="names that a misspelling is compared with")
    imports: dict[str, str] = Field(description="import name -> distribution name")
    malicious: dict[str, str] = Field(default_factory=dict, description="name -> source of the report")
    hosts: tuple[str, ...] = Field(default=(), description="hosts of direct URLs and index URLs")
    standard_library: tuple[str, ...] = ()
    rules: tuple[Rule, ...]


class HostRules(Strict):
    """hosts.yaml"""

    data: tuple[str, ...] = Field(description="hosts from which commands may download data; subdomains included")
    indexes: tuple[str, ...] = Field(description="package indexes")


class IntakeRules(Strict):
    """intake.yaml"""

    max_bytes: int = Field(gt=0)
    max_pages: int = Field(gt=0)
    rules: tuple[Rule, ...]


class Meta(Strict):
    """meta.yaml"""

    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    block_at: Severity
    review_at: Severity
    required: tuple[Gate, ...] = Field(description="gates whose absence is never an allow")
    max_file_bytes: int = Field(gt=0)
    max_files: int = Field(gt=0)


_Model = TypeVar("_Model", bound=BaseModel)


def parse(model: type[_Model], text: str, name: str) -> _Model:
    """Read one rule file. Raises: PolicyError that names the file, the key and the fault."""
    try:
        return model.model_validate(yaml.load(text, Loader=UniqueLoader))
    except yaml.YAMLError as error:
        raise PolicyError(f"`{name}` is not YAML: {_first_line(error)}", "correct the file") from error
    except ValidationError as error:
        first = min(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise PolicyError(f"`{name}` has a fault at `{where}`: {first['msg']}", "correct the file") from error


def unique_ids(rules: Iterable[Rule]) -> dict[str, Rule]:
    """Index rules by id. Raises: PolicyError if two share one."""
    found: dict[str, Rule] = {}
    for rule in rules:
        if rule.id in found:
            raise PolicyError(f"two rules are called `{rule.id}`", "give each rule its own id")
        found[rule.id] = rule
    return found


def digest(files: Mapping[str, str]) -> str:
    """Return the SHA-256 over names and contents, independent of their order."""
    total = hashlib.sha256()
    for name in sorted(files):
        body = files[name].encode()
        total.update(f"{name}\0{len(body)}\0".encode() + body)
    return total.hexdigest()


def read_folder(folder: Path) -> dict[str, str]:
    """Return the rule files of a folder by name. Raises: PolicyError if it has none."""
    files = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.*")) if path.is_file()}
    if not files:
        raise PolicyError(f"there is no policy in `{folder}`", "name a folder with rule files, or `default`")
    return files


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else "unreadable"


class UniqueLoader(_SafeLoader):
    """SafeLoader that refuses a key given twice: the second would silently replace the first."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = cast("object", self.construct_object(key_node, deep=True))  # pyright: ignore[reportUnknownMemberType]
            if key in seen:
                raise yaml.YAMLError(f"the key `{key}` stands twice, line {key_node.start_mark.line + 1}")
            seen.add(key)
        return super().construct_mapping(node, deep)
