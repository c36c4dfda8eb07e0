"""All rules of one policy, read and validated, and where a policy is found."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from agentsys_policies.errors import PolicyError
from agentsys_policies.rulebook import (
    CodeRules,
    CommandRules,
    DetectorRules,
    FileRules,
    HostRules,
    IntakeRules,
    Meta,
    PackageRules,
    PatternRules,
    PurposeRules,
    Rule,
    parse,
    unique_ids,
)


@dataclass(frozen=True)
class RuleSet:
    """The rules of all gates."""

    meta: Meta
    intake: IntakeRules
    purpose: PurposeRules
    purpose_prompt: str
    second_prompt: str
    code: CodeRules
    text: PatternRules
    files: FileRules
    integrity: DetectorRules
    commands: CommandRules
    packages: PackageRules
    hosts: HostRules

    @cached_property
    def by_id(self) -> dict[str, Rule]:
        """Every rule. Raises: PolicyError if two share an id."""
        parts = (
            self.intake,
            self.purpose,
            self.code,
            self.text,
            self.files,
            self.integrity,
            self.commands,
            self.packages,
        )
        return unique_ids([*(rule for part in parts for rule in part.rules), *self.purpose.judged])


def read_rules(files: Mapping[str, str]) -> RuleSet:
    """Build the rules from the texts of a policy folder. Raises: PolicyError that names file and fault."""

    def text(name: str) -> str:
        if name not in files:
            raise PolicyError(f"the policy has no file `{name}`", "a policy folder holds all rule files")
        return files[name]

    rules = RuleSet(
        meta=parse(Meta, text("meta.yaml"), "meta.yaml"),
        intake=parse(IntakeRules, text("intake.yaml"), "intake.yaml"),
        purpose=parse(PurposeRules, text("purpose.yaml"), "purpose.yaml"),
        purpose_prompt=text("purpose.md"),
        second_prompt=text("purpose_second.md"),
        code=parse(CodeRules, text("code.yaml"), "code.yaml"),
        text=parse(PatternRules, text("text.yaml"), "text.yaml"),
        files=parse(FileRules, text("files.yaml"), "files.yaml"),
        integrity=parse(DetectorRules, text("integrity.yaml"), "integrity.yaml"),
        commands=parse(CommandRules, text("commands.yaml"), "commands.yaml"),
        packages=parse(PackageRules, text("packages.yaml"), "packages.yaml"),
        hosts=parse(HostRules, text("hosts.yaml"), "hosts.yaml"),
    )
    blocked = sorted(set(rules.commands.blocked.values()) - set(rules.by_id))
    if blocked:
        raise PolicyError(f"`commands.yaml` names the unknown rule `{blocked[0]}`", "correct the file")
    return rules


def shipped_folder() -> Path:
    """Return the folder of the rules that come with the package."""
    return Path(str(importlib.resources.files("agentsys_policies"))) / "rules" / "default"
