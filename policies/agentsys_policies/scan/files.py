"""What kind of file it is, and its text, or the reason why it cannot be examined."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from agentsys_policies.scan.arrays import is_arrays, is_picture, why_not_plain
from agentsys_policies.scan.tables import is_rows

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
_PICKLES = frozenset({".pkl", ".pickle", ".pt", ".pth", ".pth.tar", ".joblib", ".dill", ".ckpt"})
_PROGRAMS = frozenset(
    {".pyc", ".pyo", ".so", ".dll", ".dylib", ".exe", ".whl", ".egg", ".jar", ".class", ".o", ".a", ".onnx", ".pb"}
)
_ARRAYS = frozenset({".npy", ".npz", ".safetensors", ".parquet"})
_PACKED = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".bin", ".h5"})
_OPAQUE = _PICKLES | _PROGRAMS | _PACKED
_EXECUTABLE = (
    *(b"\x7fELF", b"MZ", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa", b"\xcf\xfa\xed\xfe", b"#!"),
    *(b"\x80" + bytes([protocol]) for protocol in range(2, 6)),
)
"""First bytes of programs, and of pickles, which are programs too."""
RESULTS = "results/"
"""Where a run leaves what it measured: nothing of it is there when the program starts."""
PLAIN_FORMS = "save arrays as npz, npy, safetensors, Parquet or CSV"


@dataclass(frozen=True)
class Source:
    """One file, read."""

    path: str
    kind: Kind
    text: str
    reason: str = ""
    """Why it could not be examined; empty if it could."""


def read(root: Path, path: Path, limit: int, known: frozenset[str] = frozenset()) -> Source:
    """Read one file of a tree; whatever cannot be examined comes back with a reason, never as empty text.

    Args:
        known: SHA-256 of the files that a verified run wrote. Below `results/` such a file needs no examination unless
            it could be run: the program came to the same end without it.
    """
    name = path.relative_to(root).as_posix()
    if path.is_symlink():
        return Source(name, "opaque", "", "symbolic link")
    if not path.is_file():
        return Source(name, "opaque", "", "neither file nor folder")
    try:
        size = path.stat().st_size
        if size > limit and is_rows(name, path):
            source = Source(name, "binary", "")
        elif size > limit:
            source = Source(name, "opaque", "", f"larger than {limit} bytes; leave it out, or save less")
        else:
            source = classify(name, path.read_bytes())
        return Source(name, "binary", "") if source.reason and _is_result(name, path, known) else source
    except OSError as error:
        return Source(name, "opaque", "", f"not readable: {error.strerror}")


def _is_result(name: str, path: Path, known: frozenset[str]) -> bool:
    """True for what a verified run wrote, as it wrote it, where it can be no program."""
    low = name.rpartition("/")[2].lower()
    if not known or not name.startswith(RESULTS) or _suffix(low) in _PICKLES | _PROGRAMS | _ARRAYS:
        return False
    with path.open("rb") as file:
        head = file.read(200)
        if _kind(low, _suffix(low), head) != "data" or head.startswith(_EXECUTABLE) or b"data.pkl" in head:
            return False
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest() in known


def classify(name: str, raw: bytes) -> Source:
    """Tell the kind of a file by its name and its first bytes."""
    low = name.rpartition("/")[2].lower()
    suffix = _suffix(low)
    kind = _kind(low, suffix, raw[:200])
    if kind == "data" and (is_picture(suffix, raw) or is_arrays(suffix, raw)):
        return Source(name, "binary", "")
    if kind == "data" and suffix in _ARRAYS:
        return Source(name, "opaque", "", f"{why_not_plain(suffix, raw)}; {PLAIN_FORMS}")
    if (kind == "data" and suffix in _OPAQUE) or (kind == "pth" and b"\0" in raw):
        return Source(name, "opaque", "", f"a binary file that may hold a program; {PLAIN_FORMS}, or leave it out")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Source(name, kind, "", "not UTF-8 text")
    if "\0" in text:
        return Source(name, kind, "", "binary data")
    return Source(name, kind, text)


def _suffix(low: str) -> str:
    return f".{low.rpartition('.')[2]}" if "." in low else ""


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
