"""What a judge may see of a repository: its own files as text, and nothing that tells who or what wrote them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agentsys.report.evaluate.subject import text_of

HIDDEN_NAMES = frozenset(
    {"audit.md", "audit.json", "paper_map.md", "paper_map.json", "sbom.json", "agents.md", "claude.md", "gemini.md"}
    | {
        "run.json",
        "events.jsonl",
        "planning_response.json",
        "planning_trajectories.json",
        "cost_info.log",
        "codeowners",
    }
    | {"accumulated_cost.json", "license", "license.md", "license.txt", "authors", "authors.md", "citation.cff"}
    | {".mailmap", ".gitattributes", ".gitmodules", "requirements.lock"}
)
HIDDEN_FOLDERS = frozenset(
    {".git", ".github", ".claude", ".cursor", ".aider", ".codex", ".vscode", ".idea", "agentsys-runs", "node_modules"}
    | {"planning_artifacts", "analyzing_artifacts", "coding_artifacts"}
)
_TOOLS = (
    r"agentsys|paper_map\.\w+|audit\.md|paper[ -]?coder|paper2code|paper[ -]?compiler|paperguru|paperbench"
    r"|deep[ -]?code|auto[ -]?p2c|auto[ -]?reproduce|hiras|repro[ -]?agent|ai[ -]?scientist|open[ -]?hands"
    r"|swe[ -]?agent|meta[ -]?gpt|chat[ -]?dev|auto[ -]?gen|aider|claude(?:[ -]code)?|anthropic|codex|chat[ -]?gpt"
    r"|open[ -]?ai|copilot|cursor|gemini|gpt-[\w.]+|qwen[\w.-]*|deepseek[\w.-]*"
)
_TOOL = re.compile(rf"(?i)(?<![\w/.-])(?:{_TOOLS})(?![\w-])")
_CREDIT = re.compile(
    r"(?im)^.*\b(?:auto-?generated|generated|written|created|produced|co-authored)\b[ -]*(?:by|with|using)\b.*$"
    r"|^[\s#/*]*(?:authors?|maintainers?|copyright)\b.*$"
)
_ADDRESS = re.compile(r"https?://(?:www\.)?(?:github|gitlab|huggingface|bitbucket)\.\w+/\S+|[\w.+-]+@[\w-]+\.[\w.]+")
_DOCUMENTS = (".md", ".rst", ".toml", ".cfg")
_COMMENT = re.compile(r"(?m)#.*$")
SOMETHING = "[hidden]"


@dataclass(frozen=True)
class Seen:
    """The files that a judge sees, as text, and the names of those whose content is left out."""

    texts: Mapping[str, str]
    others: tuple[str, ...]
    """Binary or very large files: in the tree, without their content."""

    @property
    def tree(self) -> str:
        """One line for each file, sorted, with its size in lines."""
        rows = {path: f"{path} ({text.count(chr(10)) + 1} lines)" for path, text in self.texts.items()}
        rows |= {path: f"{path} (not shown)" for path in self.others}
        return "\n".join(rows[path] for path in sorted(rows)) or "(no files)"


MAX_FILE = 200_000
"""Characters of a file that are shown; beyond it only its name stands in the tree."""


def blind(files: Mapping[str, bytes]) -> Seen:
    """Return what a judge may see: records of a tool are left out, and its name where it signs the work."""
    texts: dict[str, str] = {}
    others: list[str] = []
    for path, data in sorted(files.items()):
        if hidden(path):
            continue
        text = text_of(data)
        if text is None or len(text) > MAX_FILE:
            others.append(path)
        else:
            texts[path] = _without_origin(path, text)
    return Seen(texts, tuple(others))


def hidden(path: str) -> bool:
    """True for files that a judge does not see at all."""
    *folders, name = path.lower().split("/")
    return name in HIDDEN_NAMES or any(folder in HIDDEN_FOLDERS for folder in folders)


def _without_origin(path: str, text: str) -> str:
    """Documents lose the names of tools and addresses; code only in comments, for a method may use such a model."""
    name = path.lower().rpartition("/")[2]
    if name.endswith(_DOCUMENTS) or name.startswith("readme"):
        return _TOOL.sub(SOMETHING, _ADDRESS.sub(SOMETHING, _CREDIT.sub(SOMETHING, text)))
    return _COMMENT.sub(lambda found: _TOOL.sub(SOMETHING, _CREDIT.sub(f"# {SOMETHING}", found[0])), text)
