"""A conda environment file as requirement lines: names and versions as the package index has them."""

from __future__ import annotations

import re
from typing import cast

import yaml

FILES = ("environment.yml", "environment.yaml", "conda.yml", "conda.yaml")

_NAMES = {
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "pytorch-lightning": "pytorch-lightning",
    "tensorflow-gpu": "tensorflow",
    "tensorflow-base": "tensorflow",
    "matplotlib-base": "matplotlib",
    "opencv": "opencv-python-headless",
    "py-opencv": "opencv-python-headless",
    "libopencv": "opencv-python-headless",
    "pytables": "tables",
    "python-graphviz": "graphviz",
    "pyg": "torch-geometric",
    "msgpack-python": "msgpack",
    "faiss": "faiss-cpu",
    "dask-core": "dask",
    "seaborn-base": "seaborn",
    "py-xgboost": "xgboost",
    "huggingface_hub": "huggingface-hub",
    "importlib_metadata": "importlib-metadata",
    "pytorch_geometric": "torch-geometric",
}
"""Conda's names that differ from those of the index."""
_NO_PACKAGES = re.compile(
    r"python|pip|cudatoolkit.*|cuda(?:-.*)?|cudnn|nccl|pytorch-cuda|pytorch-mutex|cpuonly|mkl|blas|libblas|openblas|lib\w*-ng"
    r"|_\w+|gcc.*|gxx.*|compilers|c-compiler|cxx-compiler|ca-certificates|openssl|sqlite|readline|ncurses|tk|xz|zlib"
    r"|ffmpeg|libffi|libstdcxx.*|libgcc.*|libgomp|ld_impl.*|bzip2|git|nodejs|intel-openmp|llvm-openmp"
)
"""What conda installs and wheels bring along, or the sandbox has."""
_ENTRY = re.compile(r"(?:[\w./-]+::)?([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*(.*)")
_EXACT = re.compile(r"==?\s*([\w.!+*-]+?)(?:\s*=\s*[\w.*]+)?")
_RANGE = re.compile(r"(?:[<>!~]=?|==)\s*[\w.!+*-]+(?:\s*,\s*(?:[<>!~]=?|==)\s*[\w.!+*-]+)*")


class CondaError(ValueError):
    """A file that cannot be read, or an entry that has no counterpart; the text says which."""


def translated(text: str) -> tuple[list[str], list[str]]:
    """Return the requirement lines of an environment file, and the entries that wheels make unnecessary.

    Raises: CondaError.
    """
    try:
        document: object = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise CondaError(f"it is not valid YAML: {str(error).splitlines()[0]}") from error
    entries = cast("dict[str, object]", document).get("dependencies") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise CondaError("it has no list of `dependencies`")
    lines: list[str] = []
    left: list[str] = []
    for entry in cast("list[object]", entries):
        pip = cast("dict[str, object]", entry).get("pip") if isinstance(entry, dict) else None
        if isinstance(entry, str):
            line = _line(entry)
            (lines if line else left).append(line or entry)
        elif isinstance(pip, list):
            lines += [str(each) for each in cast("list[object]", pip)]
    return lines, left


def _line(entry: str) -> str:
    match = _ENTRY.fullmatch(entry.split("#", 1)[0].strip())
    if match is None:
        raise CondaError(f"`{entry[:100]}` is no package with a version")
    name, version = match[1].lower(), match[2].strip()
    if _NO_PACKAGES.fullmatch(name):
        return ""
    return _NAMES.get(name, name) + _versions(version, entry)


def _versions(version: str, entry: str) -> str:
    """Return conda's version as that of the index: `=1.26` and ` 1.26.*` are prefixes, a build after it is dropped."""
    if not version or version == "*":
        return ""
    exact = _EXACT.fullmatch(version) or _EXACT.fullmatch(f"={version}")
    if exact is not None:
        whole = version.startswith("==") or version.count("=") > 1 or exact[1].endswith("*")
        return f"=={exact[1]}" if whole else f"=={exact[1]}.*"
    if _RANGE.fullmatch(version):
        return re.sub(r"\s+", "", version)
    raise CondaError(f"`{entry[:100]}` has a version that the package index does not know")
