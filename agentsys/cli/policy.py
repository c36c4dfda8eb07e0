"""`agentsys policy check|explain|test`: the rules of the safety policy, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentsys.cli import options as opt
from agentsys.cli.output import json_errors, show_json, table
from agentsys.core.errors import BlockedError, PrerequisiteError, UsageError
from agentsys.core.settings_layers import load_settings

if TYPE_CHECKING:
    from agentsys_policies.engine import Policy
    from agentsys_policies.schema import Decision

policy = typer.Typer(
    name="policy", no_args_is_help=True, help="Show, check and test the safety policy.", rich_markup_mode=None
)
PolicyName = Annotated[
    str | None,
    typer.Option("--policy", help="`default`, a folder of rules, or a file that extends them.", metavar="NAME"),
]


def load_policy(name: str | None, review: Path | None = None) -> Policy:
    """Load the policy of options, or of the settings. Raises: PrerequisiteError if it cannot be used."""
    settings = load_settings()[0]
    return read_policy(name if name is not None else settings.policy, review or settings.review)


def read_policy(name: str, review: Path | None) -> Policy:
    """Load a policy. Raises: PrerequisiteError if it cannot be used."""
    from agentsys_policies.engine import Policy
    from agentsys_policies.errors import PolicyError

    try:
        return Policy.load(name, review)
    except PolicyError as error:
        raise PrerequisiteError(error.message, error.hint) from error


@policy.command("check")
def check(
    command: Annotated[str, typer.Option("--command", help="Judge a shell command.", metavar="TEXT")] = "",
    requirement: Annotated[
        list[str] | None, typer.Option("--requirement", help="Judge a requirement; may be repeated.", metavar="LINE")
    ] = None,
    name: PolicyName = None,
    json: opt.JsonRows = False,
) -> None:
    """Check that the rules can be used; with an option, judge a command or requirements by them.

    Exit code 6 if what was judged is not allowed.
    """
    with json_errors(json):
        rules = load_policy(name)
        decisions = [rules.check_command(["bash", "-c", command])] if command else []
        decisions += [rules.check_dependencies(requirement)] if requirement else []
        if not decisions:
            _about(rules, json)
        else:
            show_decisions(decisions, json)
    refusal = refused(decisions)
    if refusal is not None:
        raise refusal


@policy.command("explain")
def explain(
    rule: Annotated[str, typer.Argument(help="Id of a rule, or the beginning of one.", metavar="RULE")] = "",
    name: PolicyName = None,
    json: opt.JsonRows = False,
) -> None:
    """List the rules, or explain one: what it refuses, how bad that is, what to do instead, with examples."""
    with json_errors(json):
        rules = load_policy(name)
        found = [item for key, item in sorted(rules.rules.items()) if key.startswith(rule)]
        if not found:
            raise UsageError(f"there is no rule `{rule}`", "`agentsys policy explain` lists them")
        found = [rules.rules[rule]] if rule in rules.rules else found
    if json:
        show_json([item.model_dump(mode="json") for item in found])
    elif len(found) > 1:
        typer.echo(table(("rule", "severity", "message"), [(i.id, i.severity, i.message) for i in found], 80))
    else:
        one = found[0]
        typer.echo(f"{one.id} ({one.category}, {one.severity})\n{one.message}\nremedy: {one.remedy}")
        typer.echo("nobody may override it" if one.never_override else "a person may override it, with a reason")
        for word, texts in (("matches", one.positive), ("does not match", one.negative)):
            for text in texts:
                typer.echo(f"\n{word}:\n" + "\n".join(f"    {line}" for line in text.splitlines()))


@policy.command("test")
def test(name: PolicyName = None) -> None:
    """Run every rule's own examples; exit code 3 if one does not do what its rule says."""
    from agentsys_policies.examples import examples, failures

    rules = load_policy(name)
    faults = list(failures(rules))
    for fault in faults:
        typer.echo(fault, err=True)
    if faults:
        raise PrerequisiteError(f"{len(faults)} examples do not do what their rules say", "correct rules or examples")
    typer.echo(f"{len(examples(rules))} examples of {len(rules.rules)} rules do what they should")


def show_decisions(decisions: Sequence[Decision], json: bool) -> None:
    """Print decisions as JSON, or one line each with their findings below; what a policy loosens is said first."""
    for row in sorted({row for item in decisions for row in item.loosened}):
        typer.echo(f"looser than shipped: {row}", err=json)
    if json:
        show_json([item.model_dump(mode="json") for item in decisions])
        return
    for item in decisions:
        status = "" if item.status == "ok" else f" ({item.status})"
        typer.echo(f"{item.gate}: {item.decision}{status} on {item.subject}")
        for found in item.findings:
            place = f" {found.evidence.path}:{found.evidence.line}" if found.evidence.path else ""
            typer.echo(f"  {found.severity} {found.rule}{place}: {found.message}")
            if found.severity not in {"info", "low"} and found.remedy:
                typer.echo(f"    remedy: {found.remedy}")
        for scanner in item.scanners:
            for reason in scanner.skipped:
                typer.echo(f"  not examined: {reason}")


def refused(decisions: Sequence[Decision]) -> BlockedError | None:
    """Return the refusal if one of the decisions is no complete allow."""
    stopped = [item for item in decisions if not item.allows]
    if not stopped:
        return None
    worst = next((found for item in stopped for found in item.findings), None)
    hint = worst.remedy if worst is not None else "see what was not examined"
    return BlockedError(f"not allowed by: {', '.join(sorted({item.gate for item in stopped}))}", hint)


def _about(rules: Policy, json: bool) -> None:
    facts = {
        "policy": rules.ref.file,
        "version": rules.ref.version,
        "sha256": rules.ref.sha256,
        "rules": len(rules.rules),
        "loosened": list(rules.loosened),
    }
    if json:
        show_json(facts)
        return
    for row in rules.loosened:
        typer.echo(f"looser than shipped: {row}")
    typer.echo(f"policy {rules.ref.file} {rules.ref.version}, {len(rules.rules)} rules, sha256 {rules.ref.sha256}")
