"""Tokens of the requests of one run, by who asks and by section of the prompt, beside those of an earlier build.

    git worktree add --detach BEFORE 2e66ebe
    python -m benchmarks.tokens [--before BEFORE] [--recording DIR] [--paper FILE] [--keep DIR]

Each build replays the recorded answers (the example's, unless told otherwise) through everything but the model:
reader, sandbox, checks, repairs, review. Every request is written down as it would be sent, by
`benchmarks/tokens_tap.py`. A token is four characters. Of a request that part is cached which a provider's cache holds
after earlier requests: the longest beginning in common with one that was answered before, from 1,024 tokens on, in
steps of 128, counted in two ways:

- *in turn*: answered before this one is. One server that takes requests one after the other.
- *at once*: answered before this one was asked. Requests that are sent together share nothing.

What the builds are asked differs where their checks do: the earlier one had no question about open points, settings
and contribution, and its checks found less to repair. Claims, which it did not have, are counted apart. A recorded
review is given to it in its form (findings alone), and of a repair before which the debugger looked, the repair.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "dc-svrg"
TAP = Path(__file__).with_name("tokens_tap.py")
CHARS_PER_TOKEN = 4
LEAST, STEP = 1024, 128
"""Tokens: the shortest beginning that a cache holds, and the steps in which it does."""
SCALE = 0.02
"""Factor on the latencies of answers."""


@dataclass
class Request:
    """What was sent, in tokens."""

    role: str
    text: str
    parts: Counter[str] = field(default_factory=Counter[str])
    in_turn: int = 0
    at_once: int = 0

    @property
    def tokens(self) -> int:
        return len(self.text) // CHARS_PER_TOKEN


def cached(text: str, answered: Iterable[str]) -> int:
    """Return the tokens of a request that a cache holds after these."""
    longest = max((_common(text, other) for other in answered), default=0) // CHARS_PER_TOKEN
    return longest // STEP * STEP if longest >= LEAST else 0


def _common(one: str, other: str) -> int:
    """Return the characters of the beginning that two texts have in common."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


def requests(lines: Iterable[str]) -> list[Request]:
    """Read what the tap wrote; a request that was never answered is none."""
    asked: dict[str, Request] = {}
    answered: list[Request] = []
    for line in lines:
        row = json.loads(line)
        before = [item.text for item in answered]
        if "asked" in row:
            told = [text for turn in row["feedback"] for text in turn]
            text = "\n\n".join([*(text for _, text in row["parts"]), *told])
            made = Request(_role(row["role"], row["item"]), text, at_once=cached(text, before))
            for name, words in (*row["parts"], *(("feedback", words) for words in told)):
                made.parts[name.partition("#")[0]] += len(words) // CHARS_PER_TOKEN
            asked[row["asked"]] = made
        else:
            made = asked[row["answered"]]
            made.in_turn = cached(made.text, before)
            answered.append(made)
    return answered


def _role(role: str, item: str) -> str:
    if item.startswith("claims/") or item in ("claims", "contracts", "contradictions"):
        return "claims"
    return "planner" if item.startswith("contribution") else role


def watched(build: Path, recording: Path, paper: Path, keep: Path) -> list[Request]:
    """Run a build on a recording; return its requests.

    Raises: SystemExit if it came to no end of its own.
    """
    file = keep / "requests.jsonl"
    path = os.pathsep.join(str(build / name) for name in ("", "sandbox", "policies"))
    argv = [sys.executable, str(TAP), str(file), str(SCALE), "implement", str(paper), "--replay", str(recording)]
    argv += ["--max-rounds", "5", "--display", "plain", "--set", "mutants=6", "--runs-dir", str(keep / "runs")]
    with (keep / "log").open("w") as log:
        done = subprocess.run(argv, env={**os.environ, "PYTHONPATH": path}, stdout=log, stderr=log, check=False)
    found = requests(file.read_text(encoding="utf-8").splitlines()) if file.is_file() else []
    if not found or done.returncode not in (0, 5):
        raise SystemExit(f"the build in `{build}` came to no end: see `{keep / 'log'}`")
    return found


def as_before(recording: Path, folder: Path) -> Path:
    """Return a copy of a recording in the form of the earlier build."""
    shutil.copytree(recording, folder)
    for file in folder.glob("reviewer/*/*.md"):
        head, found, body = file.read_text(encoding="utf-8").partition("\n---\n")
        table = re.search(r"```json\n(.*?)\n```", body, re.DOTALL)
        if table is not None and "rows" in (answer := json.loads(table[1])):
            rows = [row | {"severity": row["state"]} for row in answer["rows"] if row["state"] != "met"]
            file.write_text(f"{head}{found}```json\n{json.dumps({'findings': rows})}\n```\n", encoding="utf-8")
    for look in sorted(folder.glob("debugger/*-look-*")):
        decided = look.with_name(look.name.partition("-look-")[0])
        shutil.rmtree(decided)
        look.rename(decided)
    return folder


def table(builds: Sequence[tuple[str, Sequence[Request]]]) -> Iterator[str]:
    """Yield one table: a row for each role, the sums without claims, and the ratio of the last build to the first."""
    head = "".join(f"{name:>12}{'calls':>7}{'tokens':>9}{'in turn':>9}{'at once':>9}" for name, _ in builds)
    yield f"{'':10}{head}   (of the tokens, those that no cache held)"
    roles = list(dict.fromkeys(item.role for _, found in builds for item in found))
    for role in sorted(roles, key=lambda name: name == "claims"):
        yield _row(role, [[item for item in found if item.role == role] for _, found in builds])
    rest = [[item for item in found if item.role != "claims"] for _, found in builds]
    yield _row("in all", rest)
    first, last = _sums(rest[0]), _sums(rest[-1])
    if len(builds) > 1:
        yield "ratio     " + ", ".join(
            f"{name} {after / before:.2f}"
            for name, after, before in zip(("calls", "tokens", "in turn", "at once"), last, first, strict=True)
        )
    yield ""
    for name, found in builds:
        yield f"{name}, by section, without claims:"
        parts = sum((item.parts for item in found if item.role != "claims"), Counter[str]())
        yield "  " + ", ".join(f"{part} {tokens:,}" for part, tokens in parts.most_common())


def _row(name: str, groups: Sequence[Sequence[Request]]) -> str:
    cells = "".join("{:>19}{:>9,}{:>9,}{:>9,}".format(*_sums(group)) for group in groups)
    return f"{name:10}{cells}"


def _sums(group: Sequence[Request]) -> tuple[int, int, int, int]:
    tokens = sum(item.tokens for item in group)
    in_turn = tokens - sum(item.in_turn for item in group)
    return len(group), tokens, in_turn, tokens - sum(item.at_once for item in group)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="folder of the earlier build's source")
    parser.add_argument("--recording", type=Path, default=EXAMPLE / "recording")
    parser.add_argument("--paper", type=Path, default=EXAMPLE / "paper.pdf")
    parser.add_argument("--keep", type=Path, help="folder for runs, logs and requests; a temporary one without")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        keep = options.keep or Path(temporary)
        builds: list[tuple[str, list[Request]]] = []
        for name, build in (("before", options.before), ("now", ROOT)):
            if build is not None:
                folder = keep / name
                folder.mkdir(parents=True)
                recording = (
                    as_before(options.recording, folder / "recording") if name == "before" else options.recording
                )
                builds.append((name, watched(build.resolve(), recording, options.paper, folder)))
        print("\n".join(table(builds)))


if __name__ == "__main__":
    main()
