"""What kind of file it is, and its text, or the reason why it cannot be examined."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

Kind = Literal["python", "notebook", "shell", "make", "container", "project", "pth", "data", "binary", "opaque"]

_BY_SUFFIX: dict[str, Kind] = {
    ".py": "python",
    ".pyi": "python",
    ".pyw": "python",
    ".ipynb": "notebook",
    ".sh": "shell",
    ".bash": "shell",
    ".zsh": "shell",
    ".mk": "make",
    ".pth": "pth",
}
_OPAQUE = frozenset(
    {".pyc", ".pyo", ".so", ".dll", ".dylib", ".exe", ".bin", ".pkl", ".pickle", ".pt", ".pth.tar", ".joblib", ".dill"}
    | {
        ".ckpt",
        ".whl",
        ".egg",
        ".zip",
        ".tar",
        ".gz",
        ".tgz",
        ".bz2",
        ".xz",
        ".7z",
        ".jar",
        ".class",
        ".o",
        ".a",
        ".npy",
    }
    | {".npz", ".h5", ".onnx", ".pb"}
)
_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"%PDF-")


@dataclass(frozen=True)
class Source:
    """One file, read."""

    path: str
    kind: Kind
    text: str
    reason: str = ""
    """Why it could not be examined; empty if it could."""


def read(root: Path, path: Path, limit: int) -> Source:
    """Read one file of a tree; whatever cannot be examined comes back with a reason, never as empty text."""
    name = path.relative_to(root).as_posix()
    if path.is_symlink():
        return Source(name, "opaque", "", "symbolic link")
    if not path.is_file():
        return Source(name, "opaque", "", "neither file nor folder")
    try:
        size = path.stat().st_size
        if size > limit:
            return Source(name, "opaque", "", f"larger than {limit} bytes")
        raw = path.read_bytes()
    except OSError as error:
        return Source(name, "opaque", "", f"not readable: {error.strerror}")
    return classify(name, raw)


def classify(name: str, raw: bytes) -> Source:
    """Tell the kind of a file by its name and its first bytes."""
    low = name.rpartition("/")[2].lower()
    suffix = f".{low.rpartition('.')[2]}" if "." in low else ""
    if raw.startswith(_IMAGES):
        return Source(name, "binary", "")
    kind = _kind(low, suffix, raw[:200])
    if (kind == "data" and suffix in _OPAQUE) or (kind == "pth" and b"\0" in raw):
        return Source(name, "opaque", "", "a binary file that may hold a program")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Source(name, kind, "", "not UTF-8 text")
    if "\0" in text:
        return Source(name, kind, "", "binary data")
    return Source(name, kind, text)


def _kind(low: str, suffix: str, head: bytes) -> Kind:
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    if low in {"makefile", "gnumakefile"}:
        return "make"
    if low.startswith(("dockerfile", "containerfile")) or suffix == ".dockerfile":
        return "container"
    if low in {"pyproject.toml", "setup.cfg", "tox.ini", "pytest.ini"}:
        return "project"
    if head.startswith(b"#!"):
        first = head.split(b"\n", 1)[0]
        return "python" if b"python" in first else "shell"
    return "data"


def notebook_code(text: str) -> str:
    """Return the code cells of a notebook as one program; magics and shell escapes become calls of `os.system`.

    Raises: ValueError if it is not a notebook.
    """
    loaded: object = json.loads(text)
    if not isinstance(loaded, dict):
        raise ValueError("not a notebook")
    cells = cast("dict[str, Any]", loaded).get("cells")
    if not isinstance(cells, list):
        raise ValueError("a notebook without cells")
    lines: list[str] = []
    for cell in cast("list[dict[str, Any]]", cells):
        if cell.get("cell_type") == "code":
            source = cell.get("source", "")
            body = "".join(cast("list[str]", source)) if isinstance(source, list) else str(source)
            lines += _plain(body)
    return "\n".join(lines) + "\n"


def _plain(body: str) -> list[str]:
    lines = body.splitlines()
    first = next((line.strip() for line in lines if line.strip()), "")
    if first.startswith(("%%bash", "%%sh", "%%script", "%%!")):
        rest = "\n".join(lines[1:])
        return [f"__import__('os').system({rest!r})"]
    if first.startswith("%%"):
        lines = lines[1:]
    return [_line(line) for line in lines]


def _line(line: str) -> str:
    bare = line.lstrip()
    indent = line[: len(line) - len(bare)]
    if bare.startswith("!"):
        return f"{indent}__import__('os').system({bare.lstrip('!')!r})"
    if bare.startswith(("%pip", "%conda")):
        return f"{indent}__import__('os').system({bare[1:]!r})"
    if bare.startswith("%") or bare.endswith("?"):
        return f"{indent}pass"
    return line
