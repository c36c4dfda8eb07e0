"""Words that are paths: whether they stay where a command may work, and what is at stake where they do not."""

from __future__ import annotations

import posixpath
import re
from typing import Literal

INSIDE = ("/workspace", "/work", "/repo", "/tmp")
"""Folders of the sandbox in which commands may work."""
HOLE = "\ufffd"
"""Stands in a word for what is known only at run time."""
NAME = "\ufffc"
"""Stands for a text that is known only at run time and names no other folder: a number, a date, a file found inside."""
GIVEN = "\ufffb"
"""Stands for a word that whoever starts the script gives, in its arguments or its environment; it is judged there."""
UNKNOWN = frozenset({HOLE, NAME, GIVEN})
Use = Literal["read", "write", "delete"]

_SENSITIVE = re.compile(
    r"^/(?:etc|root|boot|sys|proc|dev|var|usr|bin|sbin|lib|lib64|opt|app)(?:/|$)|/\.(?:ssh|aws|gnupg|netrc|kube|docker)\b"
    r"|^~?/?\.?(?:ssh|aws)/|/\.(?:bashrc|profile|zshrc|bash_profile|bash_history)|^~/\.|^\$HOME/\."
)
"""System folders and places of credentials; a path that only leads outside is less."""
_READABLE = re.compile(
    r"(?:~/(?:miniconda3?|anaconda3|miniforge3|mambaforge)/(?:etc|bin)/)"
    r"|/(?:opt/(?:conda|venv|miniconda3?|mambaforge|miniforge3?)|usr/local/cuda[\d.-]*|usr/share/(?:fonts|dict))(?:/|$)"
    r"|/etc/os-release$|/dev/(?:u?random|zero|stdin)$"
)
_HOOK = re.compile(r"(?:^|/)\.git/(?:hooks/|config$)|(?:^|/)(?:site|user)customize\.py$")
"""Files of a repository that start programs by themselves."""
_CACHE = re.compile(r"/var/lib/apt/lists(?:/|$)|/var/cache/apt(?:/|$)|(?:~|/root)/\.cache(?:/|$)|/dev/shm/.")
"""What may be read, written and deleted, because programs make it again."""
PIPE = "/dev/fd/63"
"""What a process substitution is handed over as."""
_DEVICES = frozenset({PIPE, "/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty"})


def path_rule(word: str, use: Use = "write") -> str:
    """Return the id of the rule against a word as a path, or an empty string."""
    if use != "read" and _HOOK.search(word):
        return "command.persistence"
    if not looks_like_path(word) or inside(word):
        return ""
    if word.startswith(GIVEN):
        return "command.path-outside" if use == "delete" else ""
    if _CACHE.match(posixpath.normpath(word)) and ".." not in word:
        return ""
    if word.startswith(HOLE):
        return "command.path-outside"
    if use == "delete":
        return "command.destructive"
    if use == "read" and _READABLE.match(posixpath.normpath(word)):
        return ""
    return "command.sensitive-path" if _SENSITIVE.search(word) else "command.path-outside"


def looks_like_path(word: str) -> bool:
    """True if a word can only be a path, or is known only at run time."""
    first = ("/", "~", "../", "$HOME", "${HOME", HOLE, GIVEN)
    return word.startswith(first) or word == ".." or "/../" in word or word.endswith("/..")


def inside(path: str) -> bool:
    """True if a path stays below the working folder, or lies in a folder of the sandbox meant for work."""
    if path.startswith(("~", "$", HOLE, GIVEN)):
        return False
    parts = path.split("/")
    if path.startswith("/"):
        return path in _DEVICES or (
            any(path == folder or path.startswith(f"{folder}/") for folder in INSIDE) and ".." not in parts
        )
    depth = 0
    for part in parts:
        depth += {"": 0, ".": 0, "..": -1}.get(part, 1)
        if depth < 0:
            return False
    return True


def is_known(word: str) -> bool:
    """True if every character of a word is known before the command runs."""
    return not UNKNOWN.intersection(word)


def is_named(program: str) -> bool:
    """True if it is known which program a word names, be it in a folder of the repository that is not known by name."""
    return is_known(program) or ("/" in program and inside(program) and is_known(program.rpartition("/")[2]))
