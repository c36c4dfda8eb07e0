"""The policy: rule files read once, and one method for each gate. No gate does input or output beyond reading files."""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import cached_property
from pathlib import Path
from typing import Literal

from agentsys_policies import commands, dependencies, intake, layers, overrides, purpose, rulebook, shell
from agentsys_policies import tree as trees
from agentsys_policies.advisories import MALICIOUS, Advisories
from agentsys_policies.decide import decide, finding, rank
from agentsys_policies.errors import PolicyError
from agentsys_policies.ruleset import RuleSet, read_rules, shipped_folder
from agentsys_policies.sbom import Installed
from agentsys_policies.scan.build import BuildScanner
from agentsys_policies.scan.code import CodeScanner
from agentsys_policies.scan.files import classify
from agentsys_policies.scan.labels import LabelTable
from agentsys_policies.scan.numbers.reported import Reported
from agentsys_policies.scan.numbers.scanner import NumberScanner
from agentsys_policies.schema import (
    Decision,
    Evidence,
    Finding,
    Gate,
    IntakeFacts,
    JudgePrompt,
    Override,
    PolicyRef,
    Scanner,
    State,
)
from agentsys_policies.session import Commands
from agentsys_policies.text import matchable, quote


class Policy:
    """All gates under one set of rules.

    Go on only where `Decision.allows` is true. `review` is no permission: somebody must look, or the author must do it
    otherwise; a run without a person treats it as a refusal of that one step. Findings below `review_at` are remarks.
    """

    def __init__(
        self, rules: RuleSet, ref: PolicyRef, loosened: Sequence[str] = (), permitted: Sequence[Override] = ()
    ) -> None:
        self.set = rules
        self.ref = ref
        self.permitted = tuple(permitted)
        """What a person permits; every decision that it changes says so."""
        self.loosened = tuple(loosened)
        """What this policy lets pass that the shipped one does not; it stands in every decision."""
        self.meta = rules.meta
        self.rules = rules.by_id
        self._table = LabelTable(rules.code.labels)
        purpose.check_patterns(rules.purpose.rules + rules.text.rules)

    @classmethod
    def load(cls, name_or_file: str = "default", review: Path | None = None) -> Policy:
        """Read a policy: `default`, a folder with all rule files, or a file that extends the shipped rules.

        Args:
            review: a person's review file; it counts as part of the policy, so that another one decides anew.

        Raises: PolicyError that says what is wrong with it.
        """
        shipped_files = rulebook.read_folder(shipped_folder())
        shipped = read_rules(shipped_files)
        path = Path(name_or_file)
        if name_or_file == "default":
            rules, files = shipped, shipped_files
        elif path.is_file():
            own = path.read_text(encoding="utf-8")
            rules = layers.apply(shipped, rulebook.parse(layers.UserPolicy, own, path.name))
            files = {**shipped_files, f"user/{path.name}": own}
        else:
            files = rulebook.read_folder(path)
            rules = read_rules(files)
        permitted: tuple[Override, ...] = ()
        if review is not None:
            text = _read_text(review)
            permitted = overrides.read_review(text, review.name, rules.by_id)
            files = {**files, f"review/{review.name}": text}
        ref = PolicyRef(file=name_or_file, version=rules.meta.version, sha256=rulebook.digest(files))
        return cls(rules, ref, layers.loosened(rules, shipped), permitted)

    # -- gates ---------------------------------------------------------------------------------------------------------

    def screen_intake(self, document: IntakeFacts) -> Decision:
        """Judge a document by its limits, its active content and what was done with hidden text."""
        found, receipt = intake.screen(document, self.set.intake)
        return self._decide("intake", document.path, found, sha256=document.sha256, scanners=[receipt])

    def purpose_prompt(self, request: str, excerpt: str, judge: Literal[1, 2] = 1, *, seed: str = "") -> JudgePrompt:
        """Return what to ask the first or the second judge model about a request and an excerpt of the paper.

        `seed` is the document's hash, from which the marker is made; pass the same to `decide_purpose`.
        """
        first, second = self.set.purpose_prompt, self.set.second_prompt
        return purpose.prompt(first, second, request, excerpt, judge, seed)

    def reads_answer(self, request: str, excerpt: str, answer: str, *, seed: str = "") -> bool:
        """True if a judge's reply has the form asked for, so that it can be asked again where it has not."""
        marker = purpose.marker_of(request, excerpt, seed)
        return purpose.read_answer(answer, marker, list(self.set.purpose.categories)) is not None

    def decide_purpose(self, request: str, excerpt: str, answers: Sequence[str], *, seed: str = "") -> Decision:
        """Decide on the raw replies of the judges in the order in which they were asked.

        No reply at all means that there is no judge: narrow rules decide, and `screened_by` says `rules`. A reply that
        has not the form asked for is an error, which neither allows nor blocks. After one reply that is no allow,
        `needs_second` is true and the decision is `review` until the second reply is there.
        """
        marker = purpose.marker_of(request, excerpt, seed)
        if not answers:
            found = purpose.floor(self.set.purpose, request, excerpt)
            return self._decide("purpose", request or excerpt, found, sha256=marker, screened_by="rules")
        judgements = [purpose.read_answer(raw, marker, list(self.set.purpose.categories)) for raw in answers[:2]]
        read = [item for item in judgements if item is not None]
        if len(read) != len(judgements):
            note = "a judge's answer has not the form asked for"
            return self._purpose(request or excerpt, marker, [], "error", note)
        outcome, second = purpose.weigh(read)
        rule = self.rules[{"allow": "purpose.cleared", "review": "purpose.doubt", "block": "purpose.harm"}[outcome]]
        found = [purpose.judged(rule, item, n) for n, item in enumerate(read, 1) if item.verdict != "allow"]
        if second:
            return self._purpose(request or excerpt, marker, found, "incomplete", _SECOND)
        return self._purpose(request or excerpt, marker, found, "ok", "")

    @staticmethod
    def needs_second(decision: Decision) -> bool:
        """True if a purpose decision waits for the second judge (`purpose_prompt(..., judge=2)`)."""
        return decision.gate == "purpose" and decision.status == "incomplete" and decision.note == _SECOND

    def audit_code(
        self,
        root: Path,
        paths: Sequence[str] | None = None,
        *,
        reported: Reported | Sequence[float] = (),
        known: frozenset[str] = frozenset(),
    ) -> Decision:
        """Examine every file of a tree, or the named ones; the decision's hash is that of the whole tree.

        Args:
            reported: the results that the paper reports: they may stand in no file.
            known: SHA-256 of what a verified run wrote into `results/`: no program was ever told to read it.
        """
        before = trees.tree_hash(root)
        found, receipt = self._scanner.tree(root, paths, self.meta.max_file_bytes, self.meta.max_files, known)
        receipts = [receipt]
        if (wanted := _reported(reported)).results:
            more, receipt = self._numbers.tree(root, paths, self.meta.max_file_bytes, wanted)
            found, receipts = [*found, *more], [*receipts, receipt]
        if trees.tree_hash(root) != before:
            raise PolicyError("the files changed while they were examined", "try again when nothing writes to them")
        return self._decide("code", root.name or ".", found, sha256=before, scanners=receipts)

    def check_command(self, argv: Sequence[str]) -> Decision:
        """Decide whether a command may be run; what is not permitted by a rule is not allowed."""
        text = " ".join(argv)
        if not argv:
            return self._decide("command", text, [], status="error", note="there is no command")
        try:
            found = [*commands.check_command(argv, self._commands).findings, *self._scanner.text(text)]
        except RecursionError:
            return self._decide("command", text, [], status="error", note="the command is nested too deep")
        return self._decide("command", text, found)

    def check_dependencies(self, requirements: Sequence[str], *, advisories: Advisories | None = None) -> Decision:
        """Decide whether the lines of a requirements file may be installed.

        Without advisory data vulnerabilities are not looked up, and a remark says so.
        """
        found = [item for line in requirements for item in dependencies.check(line, self._packages)]
        if advisories is None:
            found.append(finding(self.rules["dependency.no-vulnerability-data"]))
        else:
            pins = (dependencies.pin_of(line) for line in requirements)
            found += self._vulnerable([pin for pin in pins if pin is not None], advisories)
        receipt = Scanner(name="dependencies", version="1", inputs=len(requirements), examined=len(requirements))
        return self._decide("dependency", f"{len(requirements)} requirements", found, scanners=[receipt])

    def check_data(self, subject: str, addresses: Sequence[str]) -> Decision:
        """Decide whether data may be fetched from these addresses: https, and hosts from which commands may load data.

        Args:
            subject: what the data is called.
        """
        foreign = [item for item in addresses if not dependencies.host_permitted(item, self.set.hosts.data)]
        found = [finding(self.rules["command.host"], Evidence(quote=quote(item)), quote(item)) for item in foreign]
        receipt = Scanner(name="addresses", version="1", inputs=len(addresses), examined=len(addresses))
        return self._decide("artifact", subject, found, scanners=[receipt])

    def check_installed(self, installed: Sequence[Installed], advisories: Advisories | None) -> Decision:
        """Judge an installed environment: names as the dependency gate does, vulnerabilities where there is data."""
        found: list[Finding] = []
        for item in installed:
            for rule, detail in dependencies.name_faults(item.name, self._packages):
                one = finding(rule, Evidence(quote=f"{item.name} {item.version}"), detail)
                # The resolver takes what known packages ask for: a name that nobody has listed is a remark here.
                blocks = rank(one.severity) >= rank(self.meta.block_at)
                found.append(one if blocks else one.model_copy(update={"severity": "low"}))
        if advisories is None:
            found.append(finding(self.rules["dependency.no-vulnerability-data"]))
        else:
            found += self._vulnerable([(item.name, item.version) for item in installed], advisories)
        receipt = Scanner(name="installed", version="1", inputs=len(installed), examined=len(installed))
        return self._decide("dependency", f"{len(installed)} installed packages", found, scanners=[receipt])

    def _vulnerable(self, pins: Sequence[tuple[str, str]], advisories: Advisories) -> list[Finding]:
        found: list[Finding] = []
        for name, version in pins:
            for identity in advisories.affecting(name, version):
                rule = "dependency.malicious" if identity.startswith(MALICIOUS) else "dependency.vulnerable"
                detail = f"{identity} affects {name} {version}, by data of {advisories.date}"
                found.append(finding(self.rules[rule], Evidence(quote=f"{name}=={version}"), detail))
        return found

    @staticmethod
    def tree_hash(root: Path) -> str:
        """Return the hash of a tree; compare it with `Decision.sha256` before anything of it is run."""
        return trees.tree_hash(root)

    def may_run(self, decisions: Sequence[Decision]) -> bool:
        """True if a tree with these decisions may be executed in the sandbox.

        Less than `Decision.allows`, which verification needs: findings for review may remain if their rules say that
        they stop verification only. A block, and what was not examined completely, always keeps code from running.
        """
        return bool(decisions) and all(item.allows or self._for_repair(item) for item in decisions)

    def _for_repair(self, decision: Decision) -> bool:
        if decision.decision != "review" or decision.status != "ok":
            return False
        grave = [item for item in self.open_findings(decision) if rank(item.severity) >= rank(self.meta.review_at)]
        rules = [self.rules.get(item.rule) for item in grave]
        return bool(rules) and all(rule is not None and rule.stops == "verification" for rule in rules)

    # -- persons -------------------------------------------------------------------------------------------------------

    def permit(self, found: Finding, who: str, reason: str, *, whole_run: bool = False) -> Override:
        """Build a person's permission for one finding, or for its rule in the whole run. Raises: PolicyError."""
        scope: Literal["finding", "run"] = "run" if whole_run else "finding"
        return overrides.permit(found.rule, who, reason, self.rules, scope=scope, evidence=found.evidence)

    def with_overrides(self, decision: Decision, given: Sequence[Override]) -> Decision:
        """Decide again without what persons permitted, where the policy lets them."""
        return overrides.apply(decision, given, rules=self.rules, purpose=self.set.purpose, meta=self.meta)

    def open_findings(self, decision: Decision) -> list[Finding]:
        """Return the findings of a decision that nobody has permitted."""
        return overrides.left(decision, rules=self.rules, purpose=self.set.purpose)

    # -- single texts, for `explain` and the rules' own examples -------------------------------------------------------

    def examine_python(self, text: str) -> list[Finding]:
        """Return the findings on one program. Raises: SyntaxError, ValueError if it cannot be parsed."""
        return self._scanner.python(text)

    def examine_source(self, name: str, text: str, reported: Reported | Sequence[float] = ()) -> list[Finding]:
        """Return the findings on one file. Raises: PolicyError if it cannot be examined."""
        source = classify(name, text.encode())
        found, reason = self._scanner.source(source)
        if reason:
            raise PolicyError(f"`{name}` cannot be examined: {reason}")
        wanted = _reported(reported)
        return [*found, *self._numbers.source(source, wanted)] if wanted.results else found

    def examine_files(self, root: Path, paths: Sequence[str]) -> tuple[list[Finding], Scanner]:
        """Return the findings on the named files of a tree, and the receipt."""
        return self._scanner.tree(root, paths, self.meta.max_file_bytes, self.meta.max_files)

    def examine_shell(self, text: str) -> list[Finding]:
        """Return the findings on shell text."""
        return self._shell_text(text)

    def examine_text(self, rule: rulebook.PatternRule, text: str) -> list[Finding]:
        """Return the finding of one rule on a text, if it matches."""
        found = purpose.search(rule, text if rule.id.startswith("text.") else matchable(text))
        return [finding(rule, Evidence(quote=quote(found)))] if found else []

    # -- parts ---------------------------------------------------------------------------------------------------------

    @cached_property
    def _scanner(self) -> CodeScanner:
        build = BuildScanner(self.set.files, self.rules, self._commands)
        return CodeScanner(self.set.code, self.set.text, self._table, build, self.rules)

    @cached_property
    def _numbers(self) -> NumberScanner:
        return NumberScanner(self.rules)

    @cached_property
    def _commands(self) -> Commands:
        return Commands(self.set.commands, self.set.hosts, self._python_text, shell.examine, self._requirement)

    @cached_property
    def _packages(self) -> dependencies.Packages:
        return dependencies.Packages(self.set.packages, self.set.hosts)

    def _shell_text(self, text: str) -> list[Finding]:
        return shell.check_text(text, self._commands).findings

    def _requirement(self, line: str) -> list[Finding]:
        return dependencies.check(line, self._packages)

    def _python_text(self, text: str, fetched: Set[str] = frozenset()) -> list[Finding]:
        try:
            return self._scanner.python(text, fetched=fetched)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return [finding(self.rules["command.unparsed"])]

    def _purpose(self, subject: str, marker: str, found: list[Finding], status: State, note: str) -> Decision:
        by = "judge"
        return self._decide("purpose", subject, found, sha256=marker, status=status, screened_by=by, note=note)

    def _decide(
        self,
        gate: Gate,
        subject: str,
        found: Sequence[Finding],
        *,
        sha256: str = "",
        status: State = "ok",
        scanners: Sequence[Scanner] = (),
        screened_by: str = "",
        note: str = "",
    ) -> Decision:
        decision = decide(
            gate,
            subject,
            found,
            policy=self.ref,
            meta=self.meta,
            sha256=sha256,
            status=status,
            scanners=scanners,
            screened_by=screened_by,
            note=note,
            loosened=self.loosened,
        )
        return self.with_overrides(decision, self.permitted)


def _reported(given: Reported | Sequence[float]) -> Reported:
    return given if isinstance(given, Reported) else Reported.of(given)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"the review file `{path}` cannot be read: {error}", "name a text file") from error


_SECOND = "a second, independent judgement is needed"
