"""What one shell text or one argument list does, collected while it is judged: faults, files made, programs started."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from agentsys_policies.decide import finding
from agentsys_policies.paths import is_known
from agentsys_policies.rulebook import CommandRules, HostRules, Program, Rule
from agentsys_policies.schema import Evidence, Finding
from agentsys_policies.text import quote

Language = Literal["python", "shell", ""]
MOST_COMMANDS = 1000
"""Commands of one text that are looked at; a text with more is not allowed."""


@dataclass(frozen=True)
class Commands:
    """The command rules, prepared for look-up, and what judges texts that commands run or install."""

    rules: CommandRules
    hosts: HostRules
    code: Callable[[str, Set[str]], Sequence[Finding]]
    """Findings on the text of a Python program, which may find files there that were fetched before."""
    shell: Callable[[str, Session], Sequence[Finding]]
    """Findings on shell text; what it does with files is added to the session."""
    requirement: Callable[[str], Sequence[Finding]]
    """Findings on one requirement that is installed."""

    @cached_property
    def by_id(self) -> dict[str, Rule]:
        return {rule.id: rule for rule in self.rules.rules}

    @cached_property
    def programs(self) -> dict[str, Program]:
        return {name: program for program in self.rules.programs for name in program.names}

    def fault(self, rule: str, text: str, detail: str) -> Finding:
        """Build a finding on a command."""
        return finding(self.by_id[rule], Evidence(quote=quote(text)), detail)


@dataclass(frozen=True)
class Ran:
    """A file that is run as a program."""

    name: str
    language: Language
    text: str
    """The command that runs it."""


@dataclass
class Session:
    """One text or argument list under examination."""

    commands: Commands
    made: dict[str, str | None] = field(default_factory=dict[str, "str | None"])
    """File or folder that was written -> its text; None where that is known only at run time, as for a download."""
    fetched: set[str] = field(default_factory=set[str])
    """Those that came from an address."""
    ran: list[Ran] = field(default_factory=list[Ran])
    folder: str = ""
    """Where `cd` led, as far as it is known."""
    seen: int = 0

    def make(self, name: str, text: str | None) -> None:
        """Note a file that a command writes."""
        if name:
            self.made[posixpath.normpath(posixpath.join(self.folder, name))] = text

    def fetch(self, name: str) -> None:
        """Note a file that a command gets from an address."""
        self.make(name, None)
        if name:
            self.fetched.add(posixpath.normpath(posixpath.join(self.folder, name)))

    def run(self, name: str, language: Language, text: str) -> None:
        """Note a file that a command runs."""
        self.ran.append(Ran(posixpath.normpath(posixpath.join(self.folder, name)), language, text))

    def settled(self) -> Iterator[Finding]:
        """Yield the faults of running what was made before: a text is judged, a download or an output never runs."""
        for item in self.ran:
            name = self._maker(item.name)
            if name is None:
                continue
            text = self.made[name]
            if text is None or not is_known(text):
                yield self.commands.fault(
                    "command.pipe-to-interpreter", item.text, f"`{item.name}` is made at run time"
                )
            elif item.language == "python" or (not item.language and _is_python(item.name, text)):
                yield from self.commands.code(text, self.fetched)
            else:
                yield from self.commands.shell(text, Session(self.commands, fetched=set(self.fetched)))

    def judged(self, found: Sequence[Finding]) -> Judged:
        """Return everything that was found out."""
        made = frozenset(name for name, text in self.made.items() if text is None)
        return Judged([*found, *self.settled()], tuple(self.ran), made, frozenset(self.fetched))

    def _maker(self, name: str) -> str | None:
        """The made file, or the made folder above it; names are compared without folders where one has none."""
        if name in self.made:
            return name
        for made in self.made:
            plain = "/" not in made or "/" not in name
            same = plain and posixpath.basename(made) == posixpath.basename(name)
            if same or name.startswith(f"{made}/"):
                return made
        return None


def _is_python(name: str, text: str) -> bool:
    return name.endswith(".py") or (text.startswith("#!") and "python" in text.split("\n", 1)[0])


@dataclass(frozen=True)
class Judged:
    """What was found out about a text or an argument list."""

    findings: list[Finding]
    ran: tuple[Ran, ...] = ()
    made: frozenset[str] = frozenset()
    """Files whose text is known only at run time."""
    fetched: frozenset[str] = frozenset()
    """Those of them that come from an address."""


@dataclass(frozen=True)
class Input:
    """What a command reads on its standard input."""

    kind: Literal["", "pipe", "text", "file"] = ""
    text: str = ""
    """The text of a here-document, or the name of the file."""
    words: tuple[str, ...] = ()
    """Of a pipe: what the words in it are, as far as that is known."""


@dataclass(frozen=True)
class Step:
    """One command under examination."""

    session: Session
    text: str
    given: Input
    start: Callable[[Sequence[str], Input], list[Finding]]
    """Judges the command that this one starts."""

    @property
    def commands(self) -> Commands:
        return self.session.commands

    def fault(self, rule: str, detail: str) -> Finding:
        """Build a finding on this command."""
        return self.commands.fault(rule, self.text, detail)
